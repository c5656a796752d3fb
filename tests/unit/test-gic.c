/*
 * The drivers of the board's interrupt controller, on a model of its registers (gic-model.h), with
 * hyp/core/irq.c above them: found or not, started from garbage, masked, ended, sent between CPUs; and
 * faults from below: spurious, stuck, storming, asleep, busy for ever. good_* stories run on both
 * versions and must leave no complaint of the model; each bad_* story shows a check that fires.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gic-model.h"
#include "host-tree.h"
#include <fake.h>
#include <hyp/config.h>
#include <hyp/cpu.h>
#include <hyp/frame.h>
#include <hyp/gic.h>
#include <hyp/irq.h>
#include <hyp/vgic.h>
#include <xen/errno.h>

enum { NOBODY = 77, VIRQ = 40, LINES = 288 };

static unsigned handled, kicked, timers;
static uint32_t uart; /* our own device: one per version, for nobody gives one back */
static bool cause_goes;
static jmp_buf parked;

/* host-tree.c has boards with domains, too, which nobody asks for here. */
int config_parse(const struct tree *t, const struct domain_config **out)
{
    abort();
}
int frame_init(const struct frame_range *ram, unsigned ram_count,
               const struct frame_range *reserved, unsigned reserved_count)
{
    return 0;
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
    gic_model_wire(GIC_PPI_HYP_TIMER, false);
}
void vgic_serve(struct vcpu *v)
{
}
void vgic_flush(struct vcpu *v)
{
}
void vgic_maintenance(struct vcpu *v)
{
    kicked++;
}
void vgic_linked_fired(struct vcpu *v, uint32_t intid)
{
    handled++;
}
void vgic_inject(struct vcpu *v, uint32_t intid)
{
    handled++;
}
uint8_t vgic_spi_target(struct domain *d, uint32_t intid)
{
    return 0;
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
    handled++;
    if (cause_goes) {
        gic_model_wire(uart, false);
    }
}

static void start(unsigned version)
{
    static bool ready, requested[4];

    gic_model_boot(version, LINES);
    gic_init();
    for (unsigned cpu = GIC_MODEL_CPUS; cpu-- > 0;) {
        fake_run_on(cpu);
        assert_int_equal(gic_init_cpu(cpus[cpu]), 0);
    }
    if (!ready) {
        assert_int_equal(irq_init(), 0);
        ready = true;
    }
    uart = 31 + version;
    assert_int_equal(irq_request(uart, false, handler), requested[version] ? -XEN_EBUSY : 0);
    requested[version] = true;
    gic_set_enabled(uart, false);
    gic_set_config(uart, false, this_cpu());
    gic_set_enabled(uart, true);
    handled = kicked = timers = 0;
    cause_goes = true;
}

static void quiet(void)
{
    assert_string_equal(gic_model.complaint, "");
    assert_int_equal(gic_model.complaints, 0);
}

/* Take what is signalled on this CPU, at most `most`; how many that were. */
static unsigned take(unsigned most)
{
    unsigned taken = 0;

    while (taken < most && gic_model_irq()) {
        irq_interrupt(this_cpu());
        taken++;
    }
    return taken;
}

/* Whatever firmware left there: all quiet, ours on. */
static void good_start(void **state)
{
    for (volatile unsigned version = 2; version <= 3; version++) {
        start(version);
        assert_int_equal(gic_host.intid_count, LINES);
        for (unsigned intid = 0; intid < LINES; intid++) {
            for (unsigned cpu = 0; cpu < (intid < 32 ? GIC_MODEL_CPUS : 1); cpu++) {
                const struct gic_line *l = gic_model_line(cpu, intid);
                bool ours = intid == GIC_SGI_IPI || intid == GIC_SGI_STOP || intid == uart ||
                            intid == GIC_PPI_PMU ||
                            (intid >= GIC_PPI_MAINTENANCE && intid <= GIC_PPI_VIRT_TIMER);
                assert_int_equal(l->enabled, ours);
                assert_false(l->active || l->pending || l->senders);
                assert_int_equal(l->group1, version == 3);
                assert_int_equal(l->priority, 0xa0);
            }
        }
        for (unsigned cpu = 0; cpu < GIC_MODEL_CPUS; cpu++) {
            assert_int_equal(gic_model.ich_hcr[cpu], 0);
            assert_int_equal(gic_model.pmr[cpu], 0xff);
            for (unsigned n = 0; n < 4; n++) {
                assert_int_equal(gic_model.lr[cpu][n], 0);
            }
        }
        assert_int_equal(arch_lr_count(), 4);
        assert_int_equal(arch_lr_empty_mask(), 15);
        quiet();
    }
}

/* The largest controller: 1020 and up are reserved, and never touched. */
static void good_largest(void **state)
{
    for (volatile unsigned version = 2; version <= 3; version++) {
        gic_model_boot(version, 1024);
        gic_init();
        assert_int_equal(gic_host.intid_count, GIC_INTID_MAX);
        quiet();
    }
}

static void good_uniprocessor_v2(void **state)
{
    gic_model_boot(2, 64);
    gic_model.target_reads_zero = true;
    gic_model.lr_count = 64; /* more than are ever used */
    gic_init();
    gic_model.lr_count = 16;
    assert_int_equal(gic_init_cpu(this_cpu()), 0);
    gic_set_target(NOBODY - 32, this_cpu());
    assert_int_equal(gic_model_line(0, NOBODY - 32)->targets, 1);
    quiet();
}

static void good_own_device(void **state)
{
    for (volatile unsigned version = 2; version <= 3; version++) {
        start(version);
        fake_run_on(2);
        gic_set_target(uart, this_cpu());
        for (unsigned i = 0; i < 3; i++) {
            gic_model_wire(uart, true);
            fake_run_on(1);
            assert_false(gic_model_irq()); /* it is CPU 2's */
            fake_run_on(2);
            assert_int_equal(take(10), 1);
        }
        assert_int_equal(handled, 3);
        gic_set_enabled(uart, false);
        gic_model_wire(uart, true);
        assert_int_equal(take(10), 0);
        gic_set_target(uart, cpus[3]);
        gic_set_enabled(uart, true);
        assert_int_equal(take(10), 0);
        fake_run_on(3);
        assert_int_equal(take(10), 1);
        quiet();
    }
}

static void good_trigger(void **state)
{
    for (volatile unsigned version = 2; version <= 3; version++) {
        start(version);
        gic_set_config(NOBODY, true, this_cpu());
        gic_model_wire(NOBODY, true);
        assert_true(gic_model_line(0, NOBODY)->edge && gic_model_line(0, NOBODY)->pending);
        gic_set_config(NOBODY, true, this_cpu()); /* what came before is forgotten */
        assert_false(gic_model_line(0, NOBODY)->pending);
        gic_set_config(NOBODY, false, this_cpu());
        assert_false(gic_model_line(0, NOBODY)->edge);
        assert_false(gic_model_line(0, NOBODY - 1)->edge || gic_model_line(0, NOBODY + 1)->edge);
        gic_set_config(29, true, NULL); /* a private one has no target */
        assert_true(gic_model_line(0, 29)->edge);
        assert_false(gic_model_line(1, 29)->edge);
        arch_irq_set_active(NOBODY, true);
        arch_irq_set_active(29, true);
        assert_true(gic_model_line(0, NOBODY)->active && gic_model_line(0, 29)->active);
        arch_irq_set_active(NOBODY, false);
        arch_irq_set_active(29, false);
        assert_false(gic_model_line(0, NOBODY)->active || gic_model_line(0, 29)->active);
        gic_set_enabled(29, true);
        assert_true(gic_model_line(0, 29)->enabled);
        gic_set_enabled(29, false);
        assert_false(gic_model_line(0, 29)->enabled);
        quiet();
    }
}

/* From each CPU to each, by affinity or by target bit; two senders at once are two interrupts on v2. */
static void good_ipi(void **state)
{
    for (volatile unsigned version = 2; version <= 3; version++) {
        start(version);
        for (unsigned from = 0; from < GIC_MODEL_CPUS; from++) {
            for (unsigned to = 0; to < GIC_MODEL_CPUS; to++) {
                fake_run_on(from);
                arch_cpu_kick(cpus[to]);
                for (unsigned cpu = 0; cpu < GIC_MODEL_CPUS; cpu++) {
                    fake_run_on(cpu);
                    assert_int_equal(take(10), cpu == to);
                }
            }
        }
        for (unsigned from = 1; from < GIC_MODEL_CPUS; from++) {
            fake_run_on(from);
            arch_cpu_kick(cpus[0]);
        }
        fake_run_on(0);
        assert_int_equal(take(10), version == 2 ? 3 : 1);
        quiet();
    }
}

static void good_stop(void **state)
{
    for (volatile unsigned version = 2; version <= 3; version++) {
        start(version);
        fake_run_on(1);
        gic_broadcast_stop();
        for (volatile unsigned cpu = 0; cpu < GIC_MODEL_CPUS; cpu++) {
            volatile bool stopped = false;
            fake_run_on(cpu);
            if (setjmp(parked) == 0) {
                take(1);
            } else {
                stopped = true;
            }
            assert_int_equal(stopped, cpu != 1);
        }
        quiet();
    }
}

static void good_private(void **state)
{
    for (volatile unsigned version = 2; version <= 3; version++) {
        start(version);
        fake_run_on(1);
        gic_model_wire(GIC_PPI_HYP_TIMER, true);
        assert_int_equal(take(10), 1);
        assert_int_equal(timers, 100);
        gic_model_wire(GIC_PPI_VIRT_TIMER, true);
        assert_int_equal(take(10),
                         1); /* the guest ends it: active, and so quiet, although the wire is up */
        assert_int_equal(timers, 101);
        assert_true(gic_model_line(1, GIC_PPI_VIRT_TIMER)->active);
        arch_irq_set_active(GIC_PPI_VIRT_TIMER, false); /* as the guest's deactivation does */
        assert_int_equal(take(1), 1);
        gic_model_wire(GIC_PPI_MAINTENANCE, true);
        arch_ich_hcr_write(1);
        assert_int_equal(take(1), 1);
        assert_int_equal(arch_ich_hcr_read(), 0); /* nobody is loaded */
        quiet();
    }
}

/* Faults from below. */

static void bad_spurious(void **state)
{
    for (volatile unsigned version = 2; version <= 3; version++) {
        start(version);
        uint64_t before = this_cpu()->irq_count;
        for (unsigned i = 0; i < 1000; i++) {
            irq_interrupt(this_cpu()); /* the exception comes, nothing is pending */
        }
        assert_int_equal(this_cpu()->spurious_count, 1000);
        assert_int_equal(this_cpu()->irq_count, before);
        quiet(); /* an end that was never begun would be one */
    }
}

/* Nobody's line, up for ever: once, said, masked. */
static void bad_stuck_of_nobody(void **state)
{
    for (volatile unsigned version = 2; version <= 3; version++) {
        start(version);
        gic_set_target(NOBODY, this_cpu());
        gic_set_enabled(NOBODY, true);
        gic_model_wire(NOBODY, true);
        assert_int_equal(take(1000), 1);
        assert_false(gic_model_line(0, NOBODY)->enabled);
        assert_non_null(strstr(fake_calls.log, "Interrupt 77 is nobody's; it is masked."));
        quiet();
    }
}

/* A device whose cause does not go: as often as I3 allows, then masked; others are still served. */
static void stuck(bool edge)
{
    static unsigned epoch;

    for (volatile unsigned version = 2; version <= 3; version++) {
        start(version);
        fake_advance(FAKE_HZ * ++epoch); /* the window of the story before is over */
        gic_set_enabled(uart, false);
        gic_set_config(uart, edge, this_cpu());
        gic_set_enabled(uart, true);
        cause_goes = edge;
        unsigned taken = 0;
        for (; taken < 200000; taken++) {
            gic_model_wire(uart, true);
            if (take(1) == 0) {
                break;
            }
        }
        assert_in_range(taken, 10000, 50001);
        assert_false(gic_model_line(0, uart)->enabled);
        assert_non_null(strstr(fake_calls.log, " fires without end; it is masked."));
        gic_model_wire(GIC_PPI_HYP_TIMER, true);
        assert_int_equal(take(10), 1);
        assert_int_equal(timers, 100);
        quiet();
    }
}

static void bad_stuck(void **state)
{
    stuck(false);
}

static void bad_storm(void **state)
{
    stuck(true);
}

/* A guest's device storms: it stays active, and so quiet, until the guest ends it; EL2 pays once each. */
static void bad_storm_of_guests(void **state)
{
    for (volatile unsigned version = 2; version <= 3; version++) {
        start(version);
        struct domain *d = fake_domain(1, "guest", 1);
        d->vgic.nr_spis = 32;
        assert_int_equal(irq_assign(NOBODY, false, d, VIRQ), 0);
        gic_model_wire(NOBODY, true);
        assert_int_equal(take(1000), 1);
        assert_int_equal(handled, 1);
        for (unsigned i = 0; i < 1000; i++) {
            arch_irq_set_active(NOBODY, false);
            assert_int_equal(take(1000), 1);
        }
        assert_true(gic_model_line(0, NOBODY)->enabled);
        irq_release_all(d);
        arch_irq_set_active(NOBODY, false);
        assert_int_equal(take(1000), 0);
        quiet();
    }
}

static void bad_asleep(void **state)
{
    gic_model_boot(3, LINES);
    gic_init();
    gic_model.asleep_for_ever = true;
    assert_int_equal(gic_init_cpu(this_cpu()), -XEN_ENODEV);
    assert_non_null(strstr(fake_calls.log, "The redistributor of CPU 0 does not wake up."));
    quiet();
}

/* Writes that are never done: the wait is bounded, and the controller is used all the same. */
static void bad_busy(void **state)
{
    gic_model_boot(3, 64);
    gic_model.busy_for_ever = true;
    gic_init();
    gic_model.busy_for_ever = false;
    assert_int_equal(gic_init_cpu(this_cpu()), 0);
    gic_model.busy_for_ever = true;
    gic_set_enabled(NOBODY - 32, true);
    assert_true(gic_model_line(0, NOBODY - 32)->enabled);
    quiet();
}

static void good_redistributors(void **state)
{
    start(
        3); /* found by affinity at the architecture's stride; now with virtual LPIs, and a stride of the board's */
    for (unsigned own = 0; own < 2; own++) {
        gic_model_boot(3, LINES);
        gic_model.stride = own ? 0x30000 : 0x40000;
        gic_model.vlpis = true;
        gic_host.redist_stride = own ? 0x30000 : 0;
        gic_init();
        fake_run_on(3);
        assert_int_equal(gic_init_cpu(cpus[3]), 0);
        quiet();
    }
    gic_model_boot(3, LINES); /* in two regions */
    gic_host.redist[0].size = 0x40000;
    gic_host.redist[1] = (struct gic_region){mpa(GIC_MODEL_REDIST + 0x40000), 0x40000};
    gic_host.redist_count = 2;
    gic_init();
    fake_run_on(2);
    assert_int_equal(gic_init_cpu(cpus[2]), 0);
    quiet();
}

static void bad_no_redistributor(void **state)
{
    gic_model_boot(3, LINES);
    gic_init();
    fake_run_on(1);
    cpus[1]->arch_id = 0x999;
    gic_model.redist_cpus = 1; /* the last one says so: none behind it is looked at */
    gic_model.last_cpu = 0;
    assert_int_equal(gic_init_cpu(cpus[1]), -XEN_ENODEV);
    assert_non_null(strstr(fake_calls.log, "CPU 1 (affinity 0x999) has no redistributor"));
    quiet();
    gic_model_boot(3, LINES);
    gic_model.last_cpu = 99; /* nobody says it: the region ends */
    cpus[1]->arch_id = 0x999;
    gic_host.redist[0].size = 0x50000;
    cpus[0]->arch_id = 0x998;
    gic_init();
    struct cpu stranger = {.id = 1, .arch_id = 0x1000};
    assert_int_equal(gic_init_cpu(&stranger), -XEN_ENODEV);
    quiet();
}

/* Registers that there are not: the boot stops. */
static void bad_unmapped(void **state)
{
    for (volatile unsigned version = 2; version <= 3; version++) {
        gic_model_boot(version, LINES);
        gic_host.dist.base = mpa(0x1000);
        assert_true(FAKE_EXPECT_ASSERT(gic_init()));
    }
    gic_model_boot(3, LINES);
    gic_host.redist[0].base = mpa(0x1000);
    assert_true(FAKE_EXPECT_ASSERT(gic_init()));
}

/* The virtual interface. */

#define LR(state, fields) ((uint64_t)(state) << 62 | (fields))

static void good_list_registers(void **state)
{
    static const uint64_t lrs[] = {
        0,
        LR(1, 1ull << 60 | 0xa0ull << 48 | 27),
        LR(2, 1ull << 61 | 1ull << 60 | 33ull << 32 | 0xf8ull << 48 | 40), /* a device's, active */
        LR(3, 1ull << 61 | 1019ull << 32 | 1019),
        LR(1, 1ull << 41 | 0x08ull << 48 | 5),
        LR(1, 1ull << 60 | 1ull << 41 | 7u << 10 | 15), /* v2: an SGI from vCPU 7 */
    };
    for (volatile unsigned version = 2; version <= 3; version++) {
        start(version);
        for (unsigned n = 0; n < 4; n++) {
            for (unsigned i = 0; i < ARRAY_LEN(lrs); i++) {
                arch_lr_write(n, lrs[i]);
                assert_int_equal(arch_lr_read(n), lrs[i]);
                assert_int_equal(arch_lr_empty_mask(), lrs[i] >> 62 ? 15 & ~(1u << n) : 15);
            }
            arch_lr_write(n, 0);
        }
        quiet();
    }
    start(
        2); /* as the architecture has it: HW, state 10, priority 0xf8 / 8, physical 33, virtual 40 */
    arch_lr_write(0, lrs[2]);
    assert_int_equal(gic_model.lr[0][0],
                     1u << 31 | 1u << 30 | 2u << 28 | 31u << 23 | 33u << 10 | 40);
    start(3);
    assert_int_equal(arch_lr_read(16), 0); /* there are sixteen */
    arch_lr_write(16, ~0ull);
    gic_model.lr_count = 16;
    assert_int_equal(gic_init_cpu(this_cpu()), 0);
    for (unsigned n = 0; n < 16; n++) {
        arch_lr_write(n, n + 100);
        assert_int_equal(gic_model.lr[0][n], n + 100);
        assert_int_equal(arch_lr_read(n), n + 100);
    }
    quiet();
}

static void good_interface_state(void **state)
{
    static const unsigned words_of[] = {[5] = 1, [6] = 2, [7] = 4};
    for (unsigned bits = 4; bits <= 7; bits++) {
        unsigned version = bits == 4 ? 2 : 3, words = version == 2 ? 1 : words_of[bits];
        struct vgic_vif in = {.vmcr = 0xf8000003}, out = {0};
        gic_model_boot(version, LINES);
        gic_model.preemption_bits = bits;
        gic_init();
        assert_int_equal(gic_init_cpu(this_cpu()), 0);
        arch_vif_save(&out);
        assert_int_equal(arch_vif_running_priority(&out), 0x100);
        for (unsigned i = 0; i < words; i++) {
            in.ap0[i] = 0x10 + i;
            in.ap1[i] = version == 3 ? 0x1000 + i : 0;
        }
        arch_vif_load(&in);
        arch_vif_save(&out);
        assert_memory_equal(&in, &out, sizeof(in));
        assert_int_equal(arch_vif_running_priority(&out), 4 * (8 / words));
        in = (struct vgic_vif){0};
        (version == 3 ? in.ap1 : in.ap0)[words - 1] = 1u << 31;
        arch_vif_load(&in);
        arch_vif_save(&out);
        assert_int_equal(arch_vif_running_priority(&out), 256 - 8 / words);
        gic_model.misr = 5;
        assert_int_equal(arch_ich_misr_read(), 5);
        arch_ich_hcr_write(0x80000003);
        assert_int_equal(arch_ich_hcr_read(), 0x80000003);
        quiet();
    }
}

/* What the board's tree says. */

static int probe(const char *node)
{
    static const char frame[] = "/dts-v1/; / { #address-cells = <2>; #size-cells = <2>; "
                                "interrupt-parent = <1>; BODY };";
    size_t size;
    struct tree t;
    void *fdt = host_tree_compile_with(frame, "BODY", node, &size);

    fake_boot(1, 1 << 20);
    gic_host = (struct gic_host){0};
    assert_int_equal(tree_open(&t, fdt, size), TREE_GOOD);
    int error = gic_probe(&t);
    free(fdt);
    return error;
}

#define GIC(compatible, more)                                                     \
    "gic@8000000 { phandle = <1>; #interrupt-cells = <3>; interrupt-controller; " \
    "#address-cells = <2>; #size-cells = <2>; compatible = \"" compatible "\"; " more " };"
#define V3_REG "reg = <0 0x8000000 0 0x10000 0 0x80a0000 0 0xf60000>;"
#define V2_REG \
    "reg = <0 0x8000000 0 0x1000 0 0x8010000 0 0x2000 0 0x8030000 0 0x200 0 0x8040000 0 0x2000>;"

static void good_probe(void **state)
{
    assert_int_equal(probe(GIC("arm,gic-v3", V3_REG "interrupts = <1 8 4>;")), 0);
    assert_int_equal(gic_host.version, 3);
    assert_int_equal(gic_host.redist_count, 1);
    assert_int_equal(gic_host.redist[0].size, 0xf60000);
    assert_int_equal(gic_host.maintenance_intid, 24);
    assert_int_equal(probe(GIC("arm,gic-v3", V3_REG "redistributor-stride = <0 0x40000>;")), 0);
    assert_int_equal(gic_host.redist_stride, 0x40000);
    assert_int_equal(gic_host.maintenance_intid, GIC_PPI_MAINTENANCE);
    assert_int_equal(probe(GIC("arm,gic-v3", V3_REG "redistributor-stride = <0 0x12345>;")), 0);
    assert_int_equal(gic_host.redist_stride, 0);
    static const char *const v2[] = {GIC("arm,gic-400", V2_REG), GIC("arm,cortex-a15-gic", V2_REG),
                                     GIC("arm,cortex-a7-gic", V2_REG "interrupts = <0 8 4>;")};
    for (unsigned i = 0; i < ARRAY_LEN(v2); i++) {
        assert_int_equal(probe(v2[i]), 0);
        assert_int_equal(gic_host.version, 2);
        assert_int_equal(gic_host.vcpu.base.v, 0x8040000);
        assert_int_equal(gic_host.maintenance_intid, GIC_PPI_MAINTENANCE); /* an SPI is none */
    }
}

static void bad_probe(void **state)
{
    static const char *const bad[] = {
        "",
        GIC("arm,gic-v4000", V3_REG),
        GIC("arm,gic-v3", ""),
        GIC("arm,gic-v3", "reg = <0 0x8000000 0 0x10000>;"),
        GIC("arm,gic-v3", "reg = <0 0x8000000 0 0x1000 0 0x80a0000 0 0xf60000>;"),
        GIC("arm,gic-v3", "reg = <0 0x8000000 0 0x10000 0 0x80a0000 0 0x10000>;"),
        GIC("arm,gic-v3", V3_REG "#redistributor-regions = <0>;"),
        GIC("arm,gic-v3", V3_REG "#redistributor-regions = <2>;"),
        GIC("arm,gic-v3", V3_REG "#redistributor-regions = <9>;"),
        GIC("arm,gic-v3", V3_REG "#redistributor-regions = <0xffffffff>;"),
        GIC("arm,gic-400", "reg = <0 0x8000000 0 0x1000 0 0x8010000 0 0x2000>;"), /* no GICH */
    };
    for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
        assert_int_equal(probe(bad[i]), -XEN_ENODEV);
        assert_non_null(
            strstr(fake_calls.log, i < 2 ? "no GICv3 or GICv2" : "interrupt controller"));
    }
}

/* The model's own checks, each fired once: what no driver may do. */
static void bad_model(void **state)
{
    for (volatile unsigned version = 2; version <= 3; version++) {
        start(version);
        arch_cpu_kick(this_cpu());
        assert_int_equal(gic_ack(), GIC_SGI_IPI);
        gic_eoi(GIC_PPI_HYP_TIMER); /* not what is handled */
        assert_int_equal(gic_model.complaints, 1);
        gic_deactivate(NOBODY); /* is not active */
        assert_int_equal(gic_model.complaints, 2);
        gic_set_enabled(LINES, true); /* the controller has no such interrupt */
        assert_int_equal(gic_model.complaints, 3);
        gic_set_config(GIC_PPI_VIRT_TIMER, true, NULL); /* while it is enabled */
        assert_int_equal(gic_model.complaints, 4);
        gic_model.cpu_ctlr[0] = 1; /* EOImode 0 */
        gic_eoi(GIC_SPURIOUS);
        assert_int_equal(gic_model.complaints, 5);
    }
    start(2); /* V2-1: the sender of another CPU's acknowledgement */
    fake_run_on(2);
    arch_cpu_kick(cpus[0]);
    fake_run_on(0);
    assert_int_equal(gic_ack(), GIC_SGI_IPI);
    fake_run_on(1);
    gic_deactivate(GIC_SGI_IPI);
    assert_int_equal(gic_model.complaints, 1);
    start(3); /* V3-1 */
    struct cpu stranger = {.id = this_cpu()->id, .arch_id = cpus[1]->arch_id};
    assert_int_equal(gic_init_cpu(&stranger), 0);
    assert_true(gic_model.complaints > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_start),
        cmocka_unit_test(good_largest),
        cmocka_unit_test(good_uniprocessor_v2),
        cmocka_unit_test(good_own_device),
        cmocka_unit_test(good_trigger),
        cmocka_unit_test(good_ipi),
        cmocka_unit_test(good_stop),
        cmocka_unit_test(good_private),
        cmocka_unit_test(bad_spurious),
        cmocka_unit_test(bad_stuck_of_nobody),
        cmocka_unit_test(bad_stuck),
        cmocka_unit_test(bad_storm),
        cmocka_unit_test(bad_storm_of_guests),
        cmocka_unit_test(bad_asleep),
        cmocka_unit_test(bad_busy),
        cmocka_unit_test(good_redistributors),
        cmocka_unit_test(bad_no_redistributor),
        cmocka_unit_test(bad_unmapped),
        cmocka_unit_test(good_list_registers),
        cmocka_unit_test(good_interface_state),
        cmocka_unit_test(good_probe),
        cmocka_unit_test(bad_probe),
        cmocka_unit_test(bad_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
