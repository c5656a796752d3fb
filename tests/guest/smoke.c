/*
 * The kit itself: console, device tree, exceptions, interrupts, timers, a
 * second vCPU. Right: all ok. Anything else means that no other guest's
 * verdict can be trusted.
 */
#include "kit.h"

static volatile u32 taken[1024];

static void count(u32 intid)
{
    taken[intid]++;
    if (intid == machine.timer_irq[2]) {
        write_sysreg(cntv_ctl_el0, 2);
    }
}

static void undefined(void *arg)
{
    __asm__ volatile(".inst 0");
}

static volatile u32 flag;

static void second(void *arg)
{
    flag = (u32)(u64)arg;
    __asm__ volatile("sev");
}

void guest_main(void)
{
    ok(fdt_check(machine.fdt), "the device tree is well formed");
    ok(machine.uart != 0, "there is a PL011");
    ok(machine.gic != 0, "there is an interrupt controller");
    ok(machine.cpu_count >= 1 && machine.ram_size, "there are CPUs and memory");
    struct fault fault = expect_fault(undefined, NULL);
    ok(fault.taken && ESR_EC(fault.esr) == EC_UNKNOWN, "an undefined instruction is caught");
    irq_hook = count;
    gic_enable(1);
    irq_on();
    gic_sgi(1, 1);
    wait_change(&taken[1], 0, 100000);
    is(taken[1], 1, "an SGI to self arrives");
    gic_enable(machine.timer_irq[2]);
    write_sysreg(cntv_tval_el0, us_to_ticks(100));
    write_sysreg(cntv_ctl_el0, 1);
    wait_change(&taken[machine.timer_irq[2]], 0, 100000);
    is(taken[machine.timer_irq[2]], 1, "the virtual timer fires");
    if (machine.cpu_count > 1) {
        is((u64)cpu_start(1, second, (void *)77), 0, "CPU_ON");
        wait_change(&flag, 0, 1000000);
        is(flag, 77, "the second CPU ran with its argument");
        ok(cpu_wait_off(1), "and turned itself off");
    } else {
        skip("one CPU", "CPU_ON");
    }
}
