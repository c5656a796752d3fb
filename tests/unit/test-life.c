/*
 * The life of configured domains: hyp/core/domain.c and all that it creates, without the tools. Whatever
 * runs out on the way, nothing is left behind; each end is told, and remembered if it was a crash.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../hyp/core/xen/xen-internal.h"
#include <fake.h>
#include <hyp/checker.h>
#include <hyp/config.h>
#include <hyp/console.h>
#include <hyp/cpu.h>
#include <hyp/gic.h>
#include <hyp/irq.h>
#include <hyp/rights.h>
#include <hyp/vgic.h>
#include <hyp/vtimer.h>
#include <hyp/vuart.h>
#include <hyp/xen.h>

enum { FRAMES = 16, BASE = 0x40000 };

static struct domain_config configs[2];
static struct frame_stats at_start;
static int build_error, set_error, affinity_error;
static unsigned affinities, built;
static enum vgic_outcome vgic_says;
static jmp_buf powered;

/* --- Neighbours --- */

struct gic_host gic_host = {.version = 3, .intid_count = 256};

int config_all(const struct domain_config **out)
{
    *out = configs;
    return 2;
}
int domain_build(struct domain *d)
{
    mfn_t m;
    if (build_error != 0 || ++built % 2 == 1) { /* two steps */
        return build_error != 0 ? build_error : -XEN_ERESTART;
    }
    for (unsigned i = 0; i < FRAMES; i++) {
        assert_int_equal(frame_alloc_domain(d, 0, &m), 0);
        assert_int_equal(p2m_map(d, gfn(BASE + i), m, 1, P2M_RAM), 0);
    }
    return xen_domain_start(d);
}
void domain_quiet_devices(struct domain *d)
{
}
void arch_power(bool reset)
{
    longjmp(powered, reset ? 2 : 1);
}
int sched_set_affinity(struct vcpu *v, uint64_t cpu_mask)
{
    affinities++;
    return affinity_error;
}
int sched_set(struct domain *d, const struct sched_params *p)
{
    return set_error;
}
int console_domain_create(struct domain *d)
{
    return 0;
}
void console_domain_destroy(struct domain *d)
{
}
size_t console_domain_output(struct domain *d, const uint8_t *bytes, size_t count)
{
    return count;
}
bool vuart_output(struct domain *d, uint8_t byte)
{
    return true;
}
void irq_release_all(struct domain *d)
{
}
int vgic_domain_init(struct domain *d, const struct vgic_config *v)
{
    return 0;
}
void vgic_domain_reset(struct domain *d)
{
}
void vgic_domain_destroy(struct domain *d)
{
}
enum vgic_outcome vgic_mmio(struct vcpu *v, struct mmio_access *a)
{
    return vgic_says;
}
void vgic_inject(struct vcpu *v, uint32_t intid)
{
}
void vgic_set_level(struct vcpu *v, uint32_t intid, bool level)
{
}
bool vgic_has_pending(struct vcpu *v)
{
    return false;
}
void vtimer_vcpu_init(struct vcpu *v)
{
}
void vtimer_vcpu_destroy(struct vcpu *v)
{
}
void vtimer_vcpu_reset(struct vcpu *v)
{
}
void arch_vcpu_destroy(struct vcpu *v)
{
}
void arch_vcpu_snapshot(const struct vcpu *v, struct crash_record *to)
{
    to->pc = 0x1234;
}
void sched_times(struct vcpu *v, uint64_t now_ticks, struct sched_times *out)
{
}

/* --- The world --- */

static void work(struct domain *d)
{
    for (unsigned i = 0; i < 10000 && d->job != JOB_NONE; i++) {
        bool last = d->job == JOB_RELEASE;
        d->worker.fire(&d->worker, arch_counter_ticks());
        assert_int_equal(fake_locks_held(), 0);
        if (last) {
            return;
        }
    }
}

static int begin(void **state)
{
    fake_boot(2, 16ull << 20);
    assert_int_equal(domains_init(), 0);
    frame_stats(&at_start);
    build_error = set_error = affinity_error = 0;
    affinities = built = 0;
    for (unsigned i = 0; i < 2; i++) {
        configs[i] = (struct domain_config){.id = (domid_t)(i + 1),
                                            .name = "a",
                                            .memory_bytes = FRAMES << FRAME_SHIFT,
                                            .max_memory_bytes = (FRAMES + 8) << FRAME_SHIFT,
                                            .hyp_memory_bytes = 300ul << FRAME_SHIFT,
                                            .vcpu_count = 2,
                                            .enhanced = true,
                                            .bootargs = ""};
        configs[i].name[0] = (char)('a' + i);
    }
    return 0;
}

static unsigned domain_count(void)
{
    unsigned count = 0;
    for (struct domain *d = domain_next(NULL); d != NULL; d = domain_next(d)) {
        count++;
    }
    return count;
}

static int end(void **state)
{
    struct frame_stats now;
    for (struct domain *d = domain_next(NULL); d != NULL; d = domain_next(d)) {
        (void)!domain_destroy(d);
        work(d);
    }
    assert_int_equal(domain_count(), 0);
    frame_stats(&now);
    assert_int_equal(now.free, at_start.free);
    assert_int_equal(fake_locks_held(), 0);
    return 0;
}

static struct domain *start(unsigned i)
{
    struct domain *d;
    assert_int_equal(domain_create(&configs[i], &d), 0);
    assert_int_equal(domain_start(d), 0);
    assert_int_equal(d->state, DOMAIN_RUNNING);
    return d;
}

/* --- Stories --- */

static void good_table(void **state)
{
    struct domain *a = start(0), *b = start(1);
    assert_int_equal(domain_count(), 2);
    assert_ptr_equal(domain_get_by_name("b"), b);
    domain_put(b);
    assert_null(domain_get_by_name("c"));
    assert_null(domain_get(3));
    assert_null(domain_get(DOMID_SELF));
    assert_int_equal(domain_destroy(a), 0);
    work(a);
    assert_int_equal(domain_count(), 1);
    assert_null(domain_get_by_name("a"));
    assert_null(domain_from(3));
}

static void bad_table(void **state)
{
    struct domain *d;
    start(0);
    assert_int_equal(domain_create(&configs[0], &d), -XEN_EEXIST); /* the number is taken */
    configs[1].name[0] = 'a';
    assert_int_equal(domain_create(&configs[1], &d), -XEN_EEXIST); /* the name */
    configs[1].id = MAX_DOMAINS;
    configs[1].name[0] = 'b';
    assert_int_equal(domain_create(&configs[1], &d), -XEN_EEXIST); /* there is no such number */
    assert_int_equal(domain_launch(&configs[1]), -XEN_EEXIST);
}

/* Frame by frame of its allowance, then of the machine: an error, and all is given back. */
static void bad_out_of_memory(void **state)
{
    struct frame_stats before, after;
    struct domain *d;
    int error = -1;
    frame_stats(&before);
    for (uint64_t n = 1; error != 0; n++) {
        assert_true(n < 300);
        configs[0].hyp_memory_bytes = n << FRAME_SHIFT;
        error = domain_create(&configs[0], &d);
        frame_stats(&after);
        if (error == 0) {
            assert_true(n > 5);
            (void)!domain_destroy(d);
            work(d);
        } else {
            assert_int_equal(error, -XEN_ENOMEM);
            assert_int_equal(after.free, before.free);
        }
    }
    configs[0].hyp_memory_bytes = 300 << FRAME_SHIFT;
    void *taken = NULL, *next;
    while ((next = frame_alloc_hyp(NULL, 0)) != NULL) {
        *(void **)next = taken;
        taken = next;
    }
    struct domain_config like = configs[1];
    for (unsigned n = 0; taken != NULL; n++) {
        if (n < 40) {
            struct domain *builder = NULL;
            assert_true(domain_create(&configs[0], &d) == -XEN_ENOMEM || n > 3);
            assert_true(n > 3 || domain_make(&like, 0, builder, &d) == -XEN_ENOMEM);
            d = domain_get(1);
            if (d != NULL) {
                domain_put(d);
                (void)!domain_destroy(d);
                work(d);
            }
        }
        next = *(void **)taken;
        frame_free_hyp(NULL, taken, 0);
        taken = next;
    }
}

/* Where it runs and how much it gets: given to the scheduler, whose refusal ends it. */
static void bad_scheduling(void **state)
{
    struct domain *d;
    configs[0].affinity[1] = 2;
    configs[0].sched.weight = 256;
    affinity_error = -XEN_EINVAL;
    assert_int_equal(domain_create(&configs[0], &d), -XEN_EINVAL);
    affinity_error = 0;
    set_error = -XEN_ENOSPC;
    assert_int_equal(domain_create(&configs[0], &d), -XEN_ENOSPC);
    set_error = 0;
    assert_int_equal(domain_create(&configs[0], &d), 0);
    assert_int_equal(affinities, 3);
}

/* Made while the machine runs; the worker builds it, or gives up. */
static void good_launch(void **state)
{
    assert_int_equal(domain_launch(&configs[0]), 0);
    struct domain *d = domain_get(1);
    domain_put(d);
    for (unsigned i = 0; i < 2; i++) { /* before it is built, and while it is: not now */
        assert_int_equal(domain_reboot(d), -XEN_EBUSY);
        assert_int_equal(d->job, JOB_BUILD);
        i == 0 ? d->worker.fire(&d->worker, arch_counter_ticks()) : (void)0;
    }
    work(d);
    assert_int_equal(d->state, DOMAIN_RUNNING);
    assert_int_equal(domain_reboot(d), 0);
    assert_int_equal(domain_reboot(d), -XEN_EBUSY);
    build_error = -XEN_E2BIG;
    work(d);
    assert_null(domain_get(1));
    assert_non_null(strstr(fake_calls.log, "cannot be built again; it is destroyed"));
    build_error = 0;
    built = 0;
    build_error = -XEN_EINVAL;
    assert_int_equal(domain_create(&configs[0], &d), 0);
    assert_int_equal(domain_start(d), -XEN_EINVAL);
}

/* Whatever it is doing on its way round, one that is destroyed does not come back, and leaves nothing. */
static void good_end_of_a_reboot(void **state)
{
    for (unsigned steps = 0;; steps++) {
        struct domain *d;
        assert_int_equal(domain_launch(&configs[0]), 0);
        d = domain_get(1);
        work(d);
        assert_int_equal(domain_reboot(d), 0);
        for (unsigned i = 0; i < steps && d->job != JOB_NONE; i++) {
            d->worker.fire(&d->worker, arch_counter_ticks());
        }
        bool back = d->state == DOMAIN_RUNNING;
        assert_int_equal(domain_destroy(d), 0);
        assert_int_equal(domain_reboot(d), -XEN_EBUSY);
        domain_put(d);
        work(d);
        assert_null(domain_get(1));
        if (back) {
            assert_true(steps > 5);
            return;
        }
    }
}

static void good_ends(void **state)
{
    static const char *const said[] = {"powered off; it is kept",
                                       "asked to reboot; it is kept",
                                       NULL,
                                       "crashed; it is kept",
                                       "missed its watchdog; it is kept",
                                       "asked for a soft reset; it is kept"};
    struct crash_record crash;
    struct domain *d = start(0);
    assert_false(domain_last_crash(0, &crash));
    d->on_crash = d->on_reboot = d->on_poweroff = POLICY_PRESERVE;
    for (unsigned reason = 0; reason < ARRAY_LEN(said); reason++) {
        if (said[reason] == NULL) {
            continue;
        }
        this_cpu()->current = reason == 3 ? d->vcpu[1] : NULL;
        domain_shutdown(d, (enum shutdown_reason)reason);
        this_cpu()->current = NULL;
        domain_shutdown(d, SHUTDOWN_crash); /* it is down already */
        work(d);
        assert_non_null(strstr(fake_calls.log, said[reason]));
        assert_int_equal(d->state, DOMAIN_DOWN);
        if (reason == 3) {
            assert_true(domain_last_crash(0, &crash));
            assert_string_equal(crash.name, "a");
            assert_int_equal(crash.vcpu, 1);
            assert_int_equal(crash.pc, 0x1234);
            assert_false(domain_last_crash(1, &crash));
        }
        assert_int_equal(domain_reboot(d), 0); /* an order is an order, kept or not */
        work(d);
        assert_int_equal(d->state, DOMAIN_RUNNING);
    }
    assert_int_equal(d->reboot_count, 5);
    d->on_poweroff = POLICY_DESTROY;
    domain_shutdown(d, SHUTDOWN_poweroff);
    work(d);
    assert_null(domain_get(1));
}

/* More crashes than there are records: the oldest gives way. */
static void good_many_crashes(void **state)
{
    struct crash_record crash;
    for (unsigned i = 0; i < 12; i++) {
        fake_advance(1000);
        configs[0].name[0] = (char)('k' + i);
        struct domain *d = start(0);
        d->on_crash = POLICY_DESTROY;
        domain_shutdown(d, SHUTDOWN_crash);
        work(d);
    }
    unsigned n = 0;
    while (domain_last_crash(n, &crash)) {
        assert_true(crash.name[0] >= 'k' + 4);
        n++;
    }
    assert_int_equal(n, 8);
}

static int power(struct domain *d)
{
    int how = setjmp(powered);
    if (how == 0) {
        work(d);
    }
    d->working = false;
    return how;
}

/* A dom0's end is the machine's, and so is the power-off of who has the right. */
static void good_power(void **state)
{
    static const char right[] = "shutdown-host";
    configs[0].rights = right;
    configs[0].rights_len = sizeof(right);
    struct domain *d = start(0);
    assert_int_equal(rights_grant(d), 0);
    d->on_reboot = POLICY_RESTART;
    d->on_poweroff = POLICY_DESTROY;
    domain_shutdown(d, SHUTDOWN_reboot);
    assert_int_equal(power(d), 0);
    domain_shutdown(d, SHUTDOWN_poweroff);
    assert_int_equal(power(d), 1);
    fake_locks_forget();
    work(d);
    configs[1].dom0 = true;
    d = start(1);
    d->on_crash = POLICY_DESTROY;
    domain_shutdown(d, SHUTDOWN_crash);
    assert_int_equal(power(d), 2);
    assert_non_null(strstr(fake_calls.log, "b crashed, and the machine with it"));
    configs[1].dom0 = false;
    work(d);
}

static void good_pauses(void **state)
{
    struct domain *d = start(0);
    assert_int_equal(domain_pause(d), 0);
    assert_int_equal(domain_pause(d), -XEN_EBUSY);
    assert_int_equal(domain_unpause(d), 0);
    assert_int_equal(domain_unpause(d), -XEN_EINVAL);
    assert_int_equal(domain_unpause_counted(d), -XEN_EINVAL);
    for (unsigned i = 0; i < 255; i++) {
        assert_int_equal(domain_pause_counted(d), 0);
    }
    assert_int_equal(domain_pause_counted(d), -XEN_EOVERFLOW);
    assert_int_equal(domain_pause(d), 0);
    assert_int_equal(domain_reboot(d), 0); /* ends the console's pause */
    assert_false(d->paused_by_console);
    assert_int_equal(domain_pause(d), -XEN_EINVAL);
    work(d);
    assert_int_equal(domain_destroy(d), 0);
    assert_int_equal(domain_pause_counted(d), -XEN_EINVAL);
    assert_int_equal(domain_unpause_counted(d), -XEN_EINVAL);
}

/* Only one makes steps at a time; a vCPU that a CPU still holds is waited for. */
static void good_worker(void **state)
{
    struct domain *d = start(0);
    d->vcpu[1]->cpu = cpus[1];
    assert_int_equal(domain_destroy(d), 0);
    d->worker.fire(&d->worker, 0);
    assert_int_equal(d->job, JOB_STOP);
    d->vcpu[1]->cpu = NULL;
    d->working = true;
    d->worker.fire(&d->worker, 0);
    domain_hurry(d);
    assert_int_equal(d->job, JOB_STOP);
    d->working = false;
    while (d->job != JOB_RELEASE) {
        domain_hurry(d);
    }
    unsigned set = fake_calls.timer_set;
    domain_hurry(d); /* the last step is the worker's */
    assert_int_equal(d->job, JOB_RELEASE);
    assert_int_equal(fake_calls.timer_set, set + 1);
}

/* Who is told, and how: nobody who looks anyway, the scheduler of one asleep, the CPU of one that runs. */
static void good_notify(void **state)
{
    struct domain *d = start(0);
    struct vcpu *v = d->vcpu[0];
    this_cpu()->current = v;
    vcpu_notify(v, WORK_VGIC);
    assert_int_equal(fake_calls.sched_wake + fake_calls.cpu_kick, 0);
    this_cpu()->current = NULL;
    v->sched.awake = 0;
    vcpu_notify(v, WORK_VGIC);
    assert_int_equal(fake_calls.sched_wake, 1);
    v->sched.awake = 1;
    v->cpu = cpus[1];
    cpus[1]->current = v;
    vcpu_notify(v, WORK_VGIC); /* it was told */
    assert_int_equal(fake_calls.cpu_kick, 0);
    vcpu_notify(v, WORK_TIMER);
    assert_int_equal(fake_calls.cpu_kick, 1);
    cpus[1]->current = NULL;
    v->work = 0;
    vcpu_notify(v, WORK_TIMER);
    v->cpu = NULL;
    v->work = 0;
    vcpu_notify(v, WORK_TIMER);
    assert_int_equal(fake_calls.cpu_kick, 1);
    v->work = 0;
}

static void good_devices(void **state)
{
    static const enum mmio_outcome means[] = {
        [VGIC_DONE] = MMIO_DONE, [VGIC_RETRY] = MMIO_RETRY, [VGIC_NOT_MINE] = MMIO_ABSENT};
    struct domain *d = start(0);
    struct mmio_access a = {.at = gpa(0x22000018), .size = 4};
    for (unsigned i = 0; i < ARRAY_LEN(means); i++) {
        vgic_says = (enum vgic_outcome)i;
        assert_int_equal(domain_mmio(d->vcpu[0], &a), means[i]);
    }
    d->vuart.present = true;
    d->vuart.base = gpa(0x22000000);
    assert_int_equal(domain_mmio(d->vcpu[0], &a), MMIO_DONE);
    d->vuart.present = false;
    struct xen_links l = xen_links(d);
    assert_int_equal(l.interdomain + l.grants_used + l.grants_mapped, 0);
}

/* Numbers of domains made at run time go round, past those in use. */
static void good_numbers(void **state)
{
    struct domain *builder = start(0), *kept = NULL;
    struct domain_config like = configs[1];
    like.hyp_memory_bytes = 40ul << FRAME_SHIFT;
    like.vcpu_count = 1;
    for (unsigned i = 0; i < MAX_DOMAINS + 10; i++) {
        struct domain *d;
        assert_int_equal(domain_make(&like, 0, builder, &d), 0);
        assert_true(d->id > 2 && d->id < MAX_DOMAINS && d != kept);
        domain_put(d);
        if (kept == NULL) {
            kept = d;
            continue;
        }
        assert_int_equal(domain_destroy(d), 0);
        work(d);
    }
}

#define STORY(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY(good_table),     STORY(bad_table),         STORY(bad_out_of_memory),
        STORY(bad_scheduling), STORY(good_launch),       STORY(good_end_of_a_reboot),
        STORY(good_ends),      STORY(good_many_crashes), STORY(good_power),
        STORY(good_pauses),    STORY(good_worker),       STORY(good_notify),
        STORY(good_devices),   STORY(good_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
