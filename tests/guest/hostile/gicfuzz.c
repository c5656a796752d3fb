/*
 * Seeded nonsense into every register of the distributor and of all
 * redistributors (or the GICv2 CPU interface), at every width and at any
 * offset, while interrupts are on and timers run.
 *
 * Right: aborts or answers, never a stop; afterwards a sane set-up works again.
 * Wrong: the hypervisor's own interrupts suffer; the neighbour's timer is late.
 */
#include "common.inc"

static volatile u32 storm, woken;

static void on_irq(u32 intid)
{
    storm++;
    if (intid == 5) {
        woken++;
    }
    if (storm % 64 == 0) { /* a pending level line would storm for ever */
        write_sysreg(cntv_ctl_el0, 2);
        write_sysreg(cntp_ctl_el0, 2);
    }
}

static void poke(u64 at, u64 value, u32 width, bool write)
{
    switch (width * 2 + write) {
    case 0:
        (void)mmio_read8(at);
        break;
    case 1:
        mmio_write8(at, (u8)value);
        break;
    case 2:
        __asm__ volatile("ldrh w9, [%0]" ::"r"(at & ~1ul) : "x9");
        break;
    case 3:
        __asm__ volatile("strh %w1, [%0]" ::"r"(at & ~1ul), "r"(value) : "memory");
        break;
    case 4:
        (void)mmio_read32(at & ~3ul);
        break;
    case 5:
        mmio_write32(at & ~3ul, (u32)value);
        break;
    case 6:
        (void)mmio_read64(at & ~7ul);
        break;
    default:
        mmio_write64(at & ~7ul, value);
    }
}

static u64 target(u64 *seed)
{
    u64 r = kit_random(seed), region = r % 4, offset = r >> 8;
    if (machine.gic == 2) {
        return region ? machine.gicd + offset % 0x1000 : machine.gicc + offset % 0x2000;
    }
    switch (region) {
    case 0:
    case 1:
        return machine.gicd + offset % 0x10000;
    case 2: /* where registers are dense */
        return machine.gicr + (offset >> 20) % 2 * 0x10000 + offset % 0x1000;
    default:
        return machine.gicr + offset % (machine.gicr_size < 0x80000 ? machine.gicr_size : 0x80000);
    }
}

static u64 dense(u64 *seed, u64 at)
{
    u64 r = kit_random(seed);
    return r & 1 ? at : machine.gicd + (r >> 8) % 0x1000;
}

static void icc(u64 *seed)
{
    u64 v = kit_random(seed);
    if (machine.gic != 3) {
        return;
    }
    write_sysreg(ICC_SGI1R, v);
    write_sysreg(ICC_SGI1R, v & 0xf00ffff);
    write_sysreg(S3_0_C12_C11_6, v); /* ASGI1R */
    write_sysreg(S3_0_C12_C11_7, v); /* SGI0R */
    write_sysreg(ICC_EOIR1, v & 0xffffff);
    write_sysreg(ICC_DIR, v & 0xffffff);
    write_sysreg(ICC_PMR, v);
    write_sysreg(ICC_BPR1, v);
    write_sysreg(ICC_CTLR, v);
    write_sysreg(ICC_IGRPEN1, v);
    write_sysreg(ICC_AP1R0, v);
    (void)read_sysreg(ICC_IAR1);
}

void guest_main(void)
{
    u64 seed = hostile_seed();
    hostile_catch();
    irq_hook = on_irq;
    irq_on();
    for (u64 i = 0; hostile_more(i, 40); i++) {
        for (u32 j = 0; j < 1000; j++) {
            u64 at = dense(&seed, target(&seed)), r = kit_random(&seed);
            poke(at, kit_random(&seed) & (r & 0x700 ? ~0ul : 0xffff), r & 3, r >> 2 & 1);
            if (j % 50 == 0) {
                icc(&seed);
                write_sysreg(cntv_tval_el0, r & 0xffff);
                write_sysreg(cntv_ctl_el0, r >> 20 & 3);
                write_sysreg(cntp_tval_el0, r & 0xffff);
                write_sysreg(cntp_ctl_el0, r >> 22 & 3);
            }
        }
        if (i % 10 == 9) {
            heartbeat();
        }
    }
    hostile_report();
    note("%u interrupts", storm);
    irq_off();
    write_sysreg(cntv_ctl_el0, 2);
    write_sysreg(cntp_ctl_el0, 2);
    u32 count = 32 * ((mmio_read32(machine.gicd + GICD_TYPER) & 31) + 1);
    /* All of them, as Linux does when it starts. */
    for (u32 i = 0; i < count && i < 1020; i += 32) {
        mmio_write32(gic_reg(i, GICD_ICENABLER, 1), ~0u);
        mmio_write32(gic_reg(i, GICD_ICPENDR, 1), ~0u);
        mmio_write32(gic_reg(i, GICD_ICACTIVER, 1), ~0u);
    }
    if (machine.gic == 3) {
        for (u32 i = 0; i < 512; i++) { /* drop whatever priorities are still running */
            write_sysreg(ICC_AP1R0, 0);
        }
    }
    if (machine.gic == 2) {
        for (u32 i = 0; i < 8; i++) {
            mmio_write32(machine.gicc + 0xd0 + i * 4, 0); /* active priorities */
        }
        mmio_write32(machine.gicc + 8, 0); /* binary point */
        mmio_write32(machine.gicd + GICD_IGROUPR, 0);
    }
    gic_init_dist();
    gic_init_cpu();
    gic_enable(5);
    irq_on();
    u32 before = woken;
    gic_sgi(1, 5);
    wait_change(&woken, before, 100000);
    ok(woken != before, "set up sanely again, an SGI arrives");
}
