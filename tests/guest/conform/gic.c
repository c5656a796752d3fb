/*
 * The interrupt controller, GICv3 (IHI 0069) or GICv2 (IHI 0048) as the tree
 * says: SGIs to all targets, priorities and preemption, level and edge, active
 * state, masking while active, more pending interrupts than list registers.
 *
 * Right: the same transcript as on the bare board. Needs two vCPUs.
 */
#include "kit.h"

#define LOG 64
static volatile u32 logged[LOG], log_count, other_taken[32], stop_other, other_ready;
static volatile u32 nest_from, nest_to, nested_depth, deepest;
static u32 spi; /* a shared interrupt nobody's device uses */

static void log_irq(u32 intid)
{
    if (cpu_id()) {
        other_taken[intid & 31]++;
        return;
    }
    logged[log_count++ % LOG] = intid;
    if (intid == nest_from) { /* raise a more urgent one inside the handler, with IRQs on */
        deepest = ++nested_depth > deepest ? nested_depth : deepest;
        u64 elr = read_sysreg(elr_el1), spsr = read_sysreg(spsr_el1);
        gic_pend(nest_to);
        irq_on();
        isb();
        delay_us(20);
        irq_off();
        write_sysreg(elr_el1, elr);
        write_sysreg(spsr_el1, spsr);
        nested_depth--;
    }
}

static void fresh(void)
{
    irq_off();
    log_count = 0;
    nest_from = ~0u;
}

static bool settles(u32 intid, bool pending)
{
    for (u32 i = 0; i < 1000 && gic_is_pending(intid) != pending; i++) {
        relax();
    }
    return gic_is_pending(intid) == pending;
}

static void take_all(void)
{
    irq_on();
    isb();
    delay_us(100);
    irq_off();
}

static void all_sgis(void)
{
    fresh();
    for (u32 i = 0; i < 16; i++) {
        gic_enable(i);
        gic_priority(i, (u8)(0x10 + (15 - i) * 0x08)); /* the highest number is most urgent */
    }
    for (u32 i = 0; i < 16; i++) {
        gic_sgi(1, i);
    }
    ok(settles(0, true) && settles(15, true), "16 SGIs to self are pending");
    take_all();
    is(log_count, 16, "all 16 are taken");
    bool ordered = true;
    for (u32 i = 0; i < 16; i++) {
        ordered = ordered && logged[i] == 15 - i;
    }
    ok(ordered, "in the order of their priorities");
    ok(settles(0, false) && settles(15, false), "and none is pending afterwards");
    for (u32 round = 0; round < 3; round++) { /* sets of a different order, again and again */
        fresh();
        for (u32 i = 0; i < 16; i++) {
            gic_priority(i, (u8)(0x10 + (i * 7 + round * 3) % 16 * 0x08));
        }
        for (u32 i = 0; i < 16; i++) {
            gic_sgi(1, i);
        }
        take_all();
        bool good = log_count == 16;
        for (u32 i = 1; i < log_count && good; i++) {
            good = (logged[i - 1] * 7 + round * 3) % 16 < (logged[i] * 7 + round * 3) % 16;
        }
        if (!ok(good, "again with priorities shuffled, round %u", round)) {
            for (u32 i = 0; i < log_count && i < 16; i++) {
                note("%u: SGI %u at %x", i, logged[i], gic_priority_of(logged[i]));
            }
        }
    }
}

static void priorities(void)
{
    fresh();
    gic_priority(1, 0x80);
    gic_priority(2, 0x40);
    is(gic_priority_of(1), 0x80, "a priority reads back");
    nest_from = 1;
    nest_to = 2;
    deepest = 0;
    gic_sgi(1, 1);
    /* GICv2 SGIs cannot be set pending in ISPENDR: use the shared interrupt instead. */
    if (machine.gic == 2) {
        nest_to = spi;
        gic_priority(spi, 0x40);
        gic_edge(spi, true);
        gic_enable(spi);
    }
    take_all();
    ok(log_count == 2 && logged[0] == 1 && logged[1] == nest_to, "a more urgent one preempts");
    fresh();
    nest_from = 1;
    gic_priority(1, 0x40);
    gic_priority(nest_to, 0x80);
    gic_sgi(1, 1);
    take_all();
    ok(log_count == 2 && logged[1] == nest_to, "a less urgent one waits for its turn");
    fresh();
    gic_priority(3, 0xa0);
    gic_pmr(0xa0);
    gic_sgi(1, 3);
    take_all();
    is(log_count, 0, "at the priority mask: not taken");
    gic_pmr(0xb0);
    take_all();
    is(log_count, 1, "above it: taken");
    gic_pmr(0xf0);
}

static void states(void)
{
    fresh();
    gic_edge(spi, true);
    gic_enable(spi);
    gic_pend(spi);
    ok(settles(spi, true), "edge: pending when set so");
    gic_unpend(spi);
    ok(settles(spi, false), "and not when cleared");
    gic_pend(spi);
    delay_us(5);
    u32 intid = gic_ack();
    is(intid & 0x3ff, spi, "acknowledged by hand");
    ok(gic_is_active(spi) && !gic_is_pending(spi), "active, not pending");
    gic_pend(spi);
    ok(settles(spi, true) && gic_is_active(spi), "edge again: active and pending");
    is(gic_ack() & 0x3ff, GIC_SPURIOUS, "but not to be acknowledged meanwhile");
    gic_disable(spi);
    gic_eoi(intid);
    ok(!gic_is_active(spi), "completed: not active");
    take_all();
    is(log_count, 0, "disabled while active and pending: not taken");
    ok(gic_is_pending(spi), "still pending");
    gic_enable(spi);
    take_all();
    ok(log_count == 1 && !gic_is_pending(spi), "enabled again: taken");
    fresh();
    gic_set_active(spi, true);
    ok(gic_is_active(spi), "ISACTIVER sets active");
    gic_pend(spi);
    take_all();
    is(log_count, 0, "an active interrupt is not taken");
    gic_set_active(spi, false);
    take_all();
    is(log_count, 1, "ICACTIVER lets it go");
}

static void split(void)
{
    fresh();
    gic_eoi_mode(true);
    gic_pend(spi);
    delay_us(5);
    u32 intid = gic_ack();
    gic_eoi(intid);
    ok(gic_is_active(spi), "split completion: priority dropped, still active");
    gic_dir(intid);
    ok(!gic_is_active(spi), "deactivated");
    gic_eoi_mode(false);
}

static void configuration(void)
{
    gic_disable(spi);
    gic_edge(spi, false);
    u32 level = mmio_read32(gic_reg(spi, GICD_ICFGR, 2)) >> spi % 16 * 2 & 2;
    gic_edge(spi, true);
    u32 edge = mmio_read32(gic_reg(spi, GICD_ICFGR, 2)) >> spi % 16 * 2 & 2;
    ok(level == 0 && edge == 2, "ICFGR of a shared interrupt is writable");
    is(mmio_read32(gic_reg(0, GICD_ICFGR, 2)), 0xaaaaaaaa, "SGIs are edge, fixed");
    u32 lines = ((mmio_read32(machine.gicd + GICD_TYPER) & 31) + 1) * 32;
    ok(lines >= 64 && lines <= 1024, "GICD_TYPER tells the lines");
    gic_enable(spi);
    ok(mmio_read32(gic_reg(spi, GICD_ISENABLER, 1)) >> spi % 32 & 1, "ISENABLER reads back");
    gic_disable(spi);
    ok(!(mmio_read32(gic_reg(spi, GICD_ICENABLER, 1)) >> spi % 32 & 1), "ICENABLER too");
    if (machine.gic == 3) {
        u64 router = machine.gicd + GICD_IROUTER + spi * 8ul;
        mmio_write64(router, machine.mpidr[1] & 0xff00fffffful);
        is(mmio_read64(router), machine.mpidr[1] & 0xff00fffffful, "IROUTER reads back");
        mmio_write64(router, machine.mpidr[0] & 0xff00fffffful);
        is(read_sysreg(ICC_SRE) & 1, 1, "system registers are on");
        is(mmio_read32(machine.gicd + 0xffe8) >> 4 & 15, 3, "PIDR2 says GICv3");
        is(mmio_read32(machine.gicd + 0xc00), mmio_read32(machine.gicd + 0xc00),
           "ICFGR0 of the "
           "distributor");
    } else {
        mmio_write8(machine.gicd + GICD_ITARGETSR + spi, 2);
        is(mmio_read8(machine.gicd + GICD_ITARGETSR + spi), 2, "ITARGETSR reads back");
        mmio_write8(machine.gicd + GICD_ITARGETSR + spi, 1);
        is(mmio_read8(machine.gicd + GICD_ITARGETSR), 1, "ITARGETSR 0 tells who we are");
    }
}

static void other(void *arg)
{
    for (u32 i = 0; i < 16; i++) {
        gic_enable(i);
    }
    irq_on();
    other_ready = 1;
    while (!stop_other) {
        relax();
    }
    irq_off();
}

static void targets(void)
{
    fresh();
    if (!is((u64)cpu_start(1, other, NULL), 0, "the second CPU starts")) {
        return;
    }
    wait_change(&other_ready, 0, 1000000);
    for (u32 i = 0; i < 16; i++) {
        gic_sgi(2, i);
    }
    delay_us(200);
    bool each = true;
    for (u32 i = 0; i < 16; i++) {
        each = each && other_taken[i] == 1;
    }
    ok(each, "each SGI to the other CPU arrives once");
    gic_sgi(3, 4);
    take_all();
    delay_us(100);
    ok(other_taken[4] == 2 && log_count == 1, "one SGI to both");
    fresh();
    gic_sgi_others(5);
    take_all();
    delay_us(100);
    ok(other_taken[5] == 2 && log_count == 0, "one to all others");
    gic_edge(spi, true);
    if (machine.gic == 3) {
        mmio_write64(machine.gicd + GICD_IROUTER + spi * 8ul, machine.mpidr[1] & 0xff00fffffful);
    } else {
        mmio_write8(machine.gicd + GICD_ITARGETSR + spi, 2);
    }
    gic_enable(spi);
    gic_pend(spi);
    take_all();
    delay_us(100);
    ok(other_taken[spi & 31] == 1 && log_count == 0, "a shared interrupt follows its route");
    u32 lost = 0;
    for (u32 i = 0; i < 500; i++) {
        u32 before = other_taken[6];
        gic_sgi(2, 6);
        if (!wait_change(&other_taken[6], before, 10000)) {
            lost++;
        }
    }
    is(lost, 0, "500 SGIs one after the other, none lost");
    stop_other = 1;
    ok(cpu_wait_off(1), "the second CPU is off");
    gic_sgi(2, 7);
    delay_us(50);
    is(other_taken[7], 1, "an SGI to a CPU that is off is not taken");
}

void guest_main(void)
{
    irq_hook = log_irq;
    /* The last interrupt of the distributor's second word: no device of these boards has it. */
    spi = 63;
    configuration();
    all_sgis();
    priorities();
    states();
    split();
    if (machine.cpu_count > 1) {
        targets();
    }
}
