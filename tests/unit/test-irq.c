/* Physical interrupts (I1..I4 of irq.c): who gets each, and what spurious, stuck and storming ones do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <fake.h>
#include <hyp/gic.h>
#include <hyp/irq.h>
#include <xen/errno.h>

enum { UART = 33, DEVICE = 48, VIRQ = 40 };

/* The controller, as far as these tests look. */
struct gic_host gic_host;
static uint32_t next_intid;
static unsigned dropped, deactivated, masked, handled, injected, timers, served;
static uint8_t enabled[GIC_INTID_MAX];
static struct cpu *route[GIC_INTID_MAX];
static uint32_t target_vcpu;
static jmp_buf parked;

uint32_t gic_ack(void)
{
    return next_intid;
}

void gic_eoi(uint32_t intid)
{
    dropped += intid == next_intid;
}

void gic_deactivate(uint32_t intid)
{
    deactivated++;
}

void gic_end(uint32_t intid)
{
    gic_eoi(intid);
    gic_deactivate(intid);
}

void gic_set_enabled(uint32_t intid, bool on)
{
    enabled[intid] = on;
    masked += !on;
}

void gic_set_config(uint32_t intid, bool edge, struct cpu *target)
{
    route[intid] = target;
}

void gic_set_target(uint32_t spi, struct cpu *target)
{
    route[spi] = target;
}

void arch_park(void)
{
    longjmp(parked, 1);
}

void vtimer_interrupt(struct cpu *c)
{
    timers++;
}

void timer_interrupt(struct cpu *c, uint64_t now_ticks)
{
    timers += 100;
}

/* The guest's controller. */
void vgic_serve(struct vcpu *v)
{
    served++;
}

void vgic_flush(struct vcpu *v)
{
    served += 100;
}

void vgic_maintenance(struct vcpu *v)
{
    served += 10000;
}

void vgic_linked_fired(struct vcpu *v, uint32_t intid)
{
    timers += 10000;
}

void vgic_inject(struct vcpu *v, uint32_t intid)
{
    assert_int_equal(fake_locks_held(), 0); /* I4 */
    assert_int_equal(intid, VIRQ);
    injected++;
}

uint8_t vgic_spi_target(struct domain *d, uint32_t intid)
{
    return (uint8_t)target_vcpu;
}

int vgic_link_spi(struct domain *d, uint32_t spi, uint16_t hw_intid)
{
    return 0;
}

void vgic_unlink_spi(struct domain *d, uint32_t spi)
{
}

static void handler(void)
{
    assert_int_equal(fake_locks_held(), 0); /* I4 */
    handled++;
}

static struct domain *guest;

static int begin(void **state)
{
    static bool ready;

    fake_boot(2, 1 << 20);
    if (!ready) {
        assert_int_equal(irq_init(), 0);
        ready = true;
    }
    gic_host = (struct gic_host){.version = 3, .maintenance_intid = 25, .intid_count = 256};
    dropped = deactivated = masked = handled = injected = timers = served = 0;
    target_vcpu = 0;
    guest = fake_domain(1, "guest", 2);
    guest->vgic.nr_spis = 32;
    guest->vcpu[0]->cpu = cpus[0];
    guest->vcpu[1]->cpu = cpus[1];
    return 0;
}

static int end(void **state)
{
    irq_release_all(guest);
    assert_int_equal(fake_locks_held(), 0);
    fake_domain_free_all();
    return 0;
}

static void take(uint32_t intid)
{
    next_intid = intid;
    irq_interrupt(this_cpu());
}

static void test_spurious(void **state)
{
    uint64_t before = cpus[0]->irq_count;
    for (unsigned i = 0; i < 1000; i++) {
        take(i % 2 ? GIC_SPURIOUS : 1020 + i % 3);
    }
    assert_int_equal(cpus[0]->spurious_count, 1000);
    assert_int_equal(cpus[0]->irq_count, before);
    assert_int_equal(dropped + deactivated + handled, 0);
}

static void test_nobodys(void **state)
{
    take(100);
    assert_int_equal(enabled[100], 0);
    assert_int_equal(masked, 1);
    assert_int_equal(deactivated, 1);
    assert_non_null(strstr(fake_calls.log, "nobody's"));
    take(20); /* a PPI of nobody */
    assert_int_equal(masked, 2);
}

static void test_own_handler(void **state)
{
    struct domain *d = guest;
    uint32_t virq;
    assert_int_equal(irq_request(UART, false, handler), 0);
    assert_int_equal(enabled[UART], 1);
    assert_int_equal(irq_request(UART, false, handler), -XEN_EBUSY);
    assert_int_equal(irq_assign(UART, false, guest, VIRQ), -XEN_EBUSY);
    assert_int_equal(irq_request(31, false, handler), -XEN_EINVAL);
    assert_int_equal(irq_request(256, false, handler), -XEN_EINVAL);
    assert_true(irq_owner(UART, &d, &virq));
    assert_null(d);
    assert_false(irq_owner(UART + 1, &d, &virq));
    assert_false(irq_owner(~0u, &d, &virq));
    take(UART);
    assert_int_equal(handled, 1);
    assert_int_equal(deactivated, 1);
    assert_int_equal(dropped, 1);
}

/* A line that is stuck: taken again at once, for ever. Bounded per window, then masked, said once. */
static void test_stuck(void **state)
{
    unsigned calls = 0;
    enabled[UART] = 1;
    for (unsigned i = 0; i < 200000 && enabled[UART]; i++) {
        take(UART);
        calls++;
    }
    assert_int_equal(enabled[UART], 0);
    assert_true(calls <= 50002);
    assert_non_null(strstr(fake_calls.log, "fires without end"));
}

/* A busy device is no storm: time goes on. */
static void test_busy_is_no_storm(void **state)
{
    enabled[UART] = 1;
    fake_advance(FAKE_HZ); /* the window of the test before is over */
    for (unsigned i = 0; i < 100000; i++) {
        take(UART);
        fake_advance(FAKE_HZ / 100000); /* ten microseconds */
    }
    assert_int_equal(enabled[UART], 1);
}

static void test_guests(void **state)
{
    struct domain *d = NULL;
    uint32_t virq;
    assert_int_equal(irq_assign(DEVICE, false, guest, 31), -XEN_EINVAL);
    assert_int_equal(irq_assign(DEVICE, false, guest, 64), -XEN_EINVAL);
    assert_int_equal(irq_assign(DEVICE, false, guest, VIRQ), 0);
    assert_true(irq_owner(DEVICE, &d, &virq));
    assert_ptr_equal(d, guest);
    assert_int_equal(virq, VIRQ);
    take(DEVICE);
    assert_int_equal(injected, 1);
    assert_int_equal(deactivated, 0); /* I1: it stays active, and so quiet */
    assert_ptr_equal(route[DEVICE], cpus[0]);
    target_vcpu = 1; /* the guest routes it to its other vCPU, which is elsewhere */
    take(DEVICE);
    assert_ptr_equal(route[DEVICE], guest->vcpu[1]->cpu);
    target_vcpu = 7;
    take(DEVICE); /* to a vCPU there is not */
    target_vcpu = 99;
    take(DEVICE);
    assert_int_equal(injected, 4);
    for (unsigned i = 0; i < 60000; i++) { /* a guest's storm is the guest's: not masked */
        take(DEVICE);
    }
    assert_int_equal(enabled[DEVICE], 1);
    assert_int_equal(irq_assign(DEVICE + 1, false, guest, VIRQ + 1), 0);
    assert_int_equal(irq_release(DEVICE + 2, guest), -XEN_ENOENT);
    assert_int_equal(irq_release(UART, guest), -XEN_ENOENT); /* not the guest's */
    assert_int_equal(irq_release(0, guest), -XEN_ENOENT);
    assert_int_equal(irq_release(DEVICE, guest), 0);
    assert_int_equal(irq_release(DEVICE, guest), -XEN_ENOENT);
    assert_false(irq_owner(DEVICE, &d, &virq));
    assert_int_equal(enabled[DEVICE], 0);
    assert_true(irq_owner(DEVICE + 1, &d, &virq) && enabled[DEVICE + 1] == 1);
    assert_int_equal(irq_assign(DEVICE, false, guest, VIRQ), 0); /* again */
    irq_release_all(guest);
    assert_false(irq_owner(DEVICE, &d, &virq) || irq_owner(DEVICE + 1, &d, &virq));
    assert_int_equal(enabled[DEVICE] + enabled[DEVICE + 1], 0);
}

/* There is no limit but the controller's. */
static void test_all_taken(void **state)
{
    gic_host.intid_count = GIC_INTID_MAX;
    for (uint32_t at = UART + 1; at < GIC_INTID_MAX; at++) {
        assert_int_equal(irq_assign(at, true, guest, VIRQ), 0);
        assert_int_equal(irq_assign(at, true, guest, VIRQ), -XEN_EBUSY);
    }
    assert_int_equal(irq_assign(GIC_INTID_MAX, true, guest, VIRQ), -XEN_EINVAL);
}

static void test_own_and_timers(void **state)
{
    struct cpu *c = this_cpu();
    take(GIC_PPI_VIRT_TIMER);
    assert_int_equal(timers, 1);
    assert_int_equal(deactivated, 0); /* I1 */
    take(GIC_PPI_HYP_TIMER);
    assert_int_equal(timers, 101);
    take(25); /* maintenance with nobody loaded switches it off */
    assert_int_equal(fake_hw[0].ich_hcr, 0);
    c->loaded = c->current = guest->vcpu[0];
    take(25);
    assert_int_equal(served, 10000);
    unsigned before = deactivated;
    take(GIC_PPI_PMU); /* the overflow of a vCPU that has just left */
    assert_int_equal(timers, 101);
    assert_int_equal(deactivated, before + 1);
    fake_pmu_line = true;
    take(GIC_PPI_PMU);
    assert_int_equal(timers, 10101);
    assert_int_equal(deactivated, before + 1); /* I1 */
    fake_pmu_line = false;
    c->loaded = c->current = NULL;
}

static void test_ipi(void **state)
{
    struct cpu *c = this_cpu();
    take(GIC_SGI_IPI); /* with nothing asked */
    assert_int_equal(served, 0);
    c->loaded = c->current = guest->vcpu[0];
    c->current->work = WORK_VGIC;
    c->ipi = IPI_SAVE;
    c->sched.resched = 1;
    take(GIC_SGI_IPI);
    assert_int_equal(c->save_request, 1);
    assert_int_equal(served, 101);
    assert_int_equal(c->current->work, WORK_RESCHED);
    c->sched.resched = 0;
    c->save_request = 0;
    c->loaded = c->current = NULL;
    bool stopped = false;
    if (setjmp(parked) == 0) {
        c->ipi = IPI_STOP;
        take(GIC_SGI_IPI);
    } else {
        stopped = true;
    }
    assert_true(stopped);
    stopped = false;
    if (setjmp(parked) == 0) {
        take(GIC_SGI_STOP);
    } else {
        stopped = true;
    }
    assert_true(stopped);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_spurious, begin, end),
        cmocka_unit_test_setup_teardown(test_nobodys, begin, end),
        cmocka_unit_test_setup_teardown(test_own_handler, begin, end),
        cmocka_unit_test_setup_teardown(test_stuck, begin, end),
        cmocka_unit_test_setup_teardown(test_busy_is_no_storm, begin, end),
        cmocka_unit_test_setup_teardown(test_guests, begin, end),
        cmocka_unit_test_setup_teardown(test_own_and_timers, begin, end),
        cmocka_unit_test_setup_teardown(test_ipi, begin, end),
        cmocka_unit_test_setup_teardown(test_all_taken, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
