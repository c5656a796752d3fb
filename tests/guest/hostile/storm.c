/*
 * Interrupt and sleep storms on all vCPUs: SGIs to everybody as fast as they
 * go, timers always expired, WFI and WFE that never sleep, yields and sends.
 *
 * Right: this guest pays for it from its own share. Wrong: the neighbour's share
 * falls by more than 5 %, or its timer is late.
 */
#include "common.inc"
#include "xen.h"

static volatile u32 taken[KIT_CPUS];
static u64 end_at;

static void on_irq(u32 intid)
{
    taken[cpu_id()]++;
    if (intid == machine.timer_irq[2]) {
        if (taken[cpu_id()] % 16) {
            write_sysreg(cntv_cval_el0, 0); /* expired again at once */
        } else {                            /* let the rest of the storm have its turn */
            write_sysreg(cntv_ctl_el0, 2);
        }
        isb();
    }
}

static void storm(void *arg)
{
    u64 seed = hostile_seed() + cpu_id(), next = 0;
    for (u32 i = 0; i < 16; i++) {
        gic_enable(i);
    }
    gic_enable(machine.timer_irq[2]);
    irq_on();
    while (ticks() < end_at) {
        u64 r = kit_random(&seed);
        switch (r & 7) {
        case 0:
        case 1:
            gic_sgi(~0u >> (32 - machine.cpu_count), r >> 8 & 15);
            break;
        case 2:
            gic_sgi_others(r >> 8 & 15);
            break;
        case 3:
            __asm__ volatile("sevl\n\twfe");
            break;
        case 4:
            irq_off();
            gic_sgi(1u << cpu_id(), 3);
            wfi();
            irq_on();
            break;
        case 5:
            if (machine.xen) {
                hypercall(HYPERCALL_sched_op, SCHEDOP_yield, 0, 0, 0);
            }
            break;
        case 6:
            irq_off(); /* else the handler may turn the timer off just before we sleep */
            write_sysreg(cntv_ctl_el0, 1);
            write_sysreg(cntv_tval_el0, r >> 8 & 7);
            isb();
            wfi();
            irq_on();
            write_sysreg(cntv_ctl_el0, 2);
            break;
        default:
            write_sysreg(cntp_tval_el0, r >> 8 & 63);
            write_sysreg(cntp_ctl_el0, 1);
            isb();
            write_sysreg(cntp_ctl_el0, 2);
        }
        if (cpu_id() == 0 && ticks() > next) {
            next = ticks() + us_to_ticks(20000);
            heartbeat();
        }
    }
    write_sysreg(cntv_ctl_el0, 2);
}

void guest_main(void)
{
    hostile_catch();
    irq_hook = on_irq;
    end_at = ticks() + us_to_ticks(bootarg_u64("ms", 200) * 1000);
    for (unsigned cpu = 1; cpu < machine.cpu_count; cpu++) {
        cpu_start(cpu, storm, NULL);
    }
    storm(NULL);
    irq_off();

    for (unsigned cpu = 0; cpu < machine.cpu_count; cpu++) {
        ok(taken[cpu] > 10, "vCPU %u took interrupts", cpu);
    }
}
