/*
 * PSCI 1.1 (DEN0022D) and SMCCC 1.2 (DEN0028) as a guest may rely on them.
 * Needs two vCPUs. Bootarg reset=1 ends in SYSTEM_RESET instead of SYSTEM_OFF.
 *
 * Right: every result as the specifications say; ids that are not implemented
 * return NOT_SUPPORTED. Lines with "(bare)" do not depend on a hypervisor.
 */
#include "kit.h"

#define NOT_SUPPORTED (-1)
#define INVALID_PARAMETERS (-2)
#define ALREADY_ON (-4)
#define ON_PENDING (-5)
#define INVALID_ADDRESS (-9)

static volatile u32 runs, hold, seen_daif, seen_el;
static volatile u64 seen_arg;
static volatile u32 woken;

static void second(void *arg)
{
    seen_daif = (u32)read_sysreg(daif) >> 6;
    seen_el = (u32)read_sysreg(CurrentEL) >> 2;
    seen_arg = (u64)arg;
    runs++;
    while (hold) {
        relax();
    }
}

static s32 feature(u32 function)
{
    return (s32)psci_call(PSCI_FEATURES, function, 0, 0);
}

static void on_irq(u32 intid)
{
    woken++;
    if (intid == machine.timer_irq[2]) {
        write_sysreg(cntv_ctl_el0, 2);
    }
}

static void versions(void)
{
    u64 version = psci_call(PSCI_VERSION, 0, 0, 0);
    note("PSCI %lu.%lu", version >> 16, version & 0xffff);
    ok(version >> 16 == 1, "PSCI 1.x");
    ok(feature(PSCI_CPU_ON) >= 0 && feature(PSCI_CPU_OFF) >= 0 && feature(PSCI_VERSION) >= 0 &&
           feature(PSCI_AFFINITY_INFO) >= 0 && feature(PSCI_SYSTEM_OFF) >= 0 &&
           feature(PSCI_SYSTEM_RESET) >= 0 && feature(PSCI_FEATURES) >= 0,
       "the mandatory functions are announced");
    is((u64)(s64)feature(0x84000099), (u64)NOT_SUPPORTED, "an unknown function is not");
    ok(feature(PSCI_CPU_SUSPEND) >= 0, "CPU_SUSPEND is announced");
    s32 migrate = (s32)psci_call(PSCI_MIGRATE_INFO_TYPE, 0, 0, 0);
    ok(migrate == 2 || migrate == NOT_SUPPORTED, "no trusted OS to migrate");
    is((u64)(s32)psci_call(0x84000099, 0, 0, 0), (u64)NOT_SUPPORTED, "unknown PSCI call refused");
}

static void smccc(void)
{
    if (feature(SMCCC_VERSION) < 0) {
        skip("not announced by PSCI_FEATURES", "SMCCC version");
        return;
    }
    s64 version = (s32)psci_call(SMCCC_VERSION, 0, 0, 0);
    ok(version >= 0x10001, "SMCCC is 1.1 or later");
    struct smccc_result r = machine.psci_hvc ? smccc_hvc(SMCCC_ARCH_FEATURES, SMCCC_VERSION, 0, 0)
                                             : smccc_smc(SMCCC_ARCH_FEATURES, SMCCC_VERSION, 0, 0);
    ok((s32)r.x[0] >= 0, "SMCCC_ARCH_FEATURES knows SMCCC_VERSION");
    is((u64)(s32)psci_call(SMCCC_ARCH_FEATURES, 0x80001234, 0, 0), (u64)NOT_SUPPORTED,
       "and denies what is not there");
    is((u64)(s32)psci_call(0x84000050, 0, 0, 0), (u64)NOT_SUPPORTED, "no TRNG");
    is((u64)(s32)psci_call(0x8600ff01, 0, 0, 0) & 0, 0, "the vendor's uid call returns");
    is((u64)(s32)psci_call(0xbf00ff77, 0, 0, 0), (u64)NOT_SUPPORTED, "trusted OS range refused");
    is((u64)(s32)psci_call(0x83007777, 0, 0, 0), (u64)NOT_SUPPORTED, "OEM range refused");
}

static void registers_kept(void)
{
    u64 a = 0x1111, b = 0x2222, c = 0x3333, d = 0x4444;
    __asm__ volatile("mov x4, %0\n\tmov x9, %1\n\tmov x17, %2\n\tmov x29, x29\n\tmov x18, %3\n\t"
                     "movz x0, #0x8400, lsl #16\n\thvc #0\n\t"
                     "mov %0, x4\n\tmov %1, x9\n\tmov %2, x17\n\tmov %3, x18"
                     : "+r"(a), "+r"(b), "+r"(c), "+r"(d)
                     :
                     : "x0", "x1", "x2", "x3", "x4", "x9", "x17", "x18", "memory");
    ok(a == 0x1111 && b == 0x2222 && c == 0x3333 && d == 0x4444,
       "a call keeps x4 to x17 and x18 (SMCCC 1.1)");
}

static void on_and_off(void)
{
    u64 other = machine.mpidr[1];
    is(psci_call(PSCI_AFFINITY_INFO, other, 0, 0), 1, "the second CPU is off");
    is(psci_call(PSCI_AFFINITY_INFO, machine.mpidr[0], 0, 0), 0, "we are on");
    is((u64)(s32)psci_call(PSCI_AFFINITY_INFO, 0x00ff, 0, 0), (u64)INVALID_PARAMETERS,
       "AFFINITY_INFO of an absent CPU");
    is((u64)(s32)psci_call(PSCI_CPU_ON, 0x00ff, (u64)secondary_entry, 0), (u64)INVALID_PARAMETERS,
       "CPU_ON of an absent CPU");
    is((u64)(s32)psci_call(PSCI_CPU_ON, machine.mpidr[0], (u64)secondary_entry, 0), (u64)ALREADY_ON,
       "CPU_ON of ourselves");
    hold = 1;
    is((u64)cpu_start(1, second, (void *)0x1234567890), 0, "CPU_ON");
    wait_change(&runs, 0, 1000000);
    is(seen_arg, 0x1234567890, "it runs with its context");
    is(seen_el, 1, "at EL1");
    is(seen_daif, 15, "with exceptions masked");
    is(psci_call(PSCI_AFFINITY_INFO, other, 0, 0), 0, "AFFINITY_INFO says on");
    is((u64)(s32)cpu_start(1, second, NULL), (u64)ALREADY_ON, "CPU_ON of a running CPU");
    hold = 0;
    ok(cpu_wait_off(1), "CPU_OFF");
}

/* On and off as fast as it goes: each start runs exactly once. */
static void races(void)
{
    u32 before = runs, started = 0, odd = 0;
    for (u32 i = 0; i < 200; i++) {
        s64 result = (s32)cpu_start(1, second, NULL);
        if (result == 0) {
            u32 want = before + ++started;
            for (u32 j = 0; j < 1000000 && runs != want; j++) {
                relax();
            }
            odd += runs != want;
        } else if (result != ALREADY_ON && result != ON_PENDING) {
            odd++;
        }
    }
    is(odd, 0, "CPU_ON while the CPU goes down: on, already on or pending, never else");
    ok(started > 0 && runs == before + started, "every start that succeeded ran once");
    ok(cpu_wait_off(1), "and the CPU is off in the end");
}

static void suspend(void)
{
    irq_hook = on_irq;
    gic_enable(machine.timer_irq[2]);
    irq_off();
    woken = 0;
    write_sysreg(cntv_tval_el0, us_to_ticks(300));
    write_sysreg(cntv_ctl_el0, 1);
    isb();
    is(psci_call(PSCI_CPU_SUSPEND, 0, (u64)secondary_entry, 0), 0,
       "CPU_SUSPEND, standby: returns on an interrupt");
    irq_on();
    isb();
    wait_change(&woken, 0, 10000);
    irq_off();
    is(woken, 1, "which is then taken");
    /* Reserved bits set (5.4.2): refused; a timer is armed in case it sleeps instead. */
    write_sysreg(cntv_tval_el0, us_to_ticks(300));
    write_sysreg(cntv_ctl_el0, 1);
    isb();
    s32 bad = (s32)psci_call(PSCI_CPU_SUSPEND, 0xdeacbeef, (u64)secondary_entry, 0);
    ok(bad == INVALID_PARAMETERS, "CPU_SUSPEND with reserved bits in its state");
    write_sysreg(cntv_ctl_el0, 2);
}

static void edges(void)
{
    s32 r = (s32)psci_call(PSCI_CPU_ON, machine.mpidr[1], 0x0, 0);
    if (r == 0) { /* lawful on hardware: the CPU is lost in nothing */
        skip("the machine starts CPUs anywhere", "CPU_ON at an address outside memory");
    } else {
        is((u64)r, (u64)INVALID_ADDRESS, "CPU_ON at an address outside memory");
    }
}

void guest_main(void)
{
    versions();
    smccc();
    if (machine.psci_hvc) {
        registers_kept();
    }
    if (machine.cpu_count > 1) {
        on_and_off();
        races();
        suspend();
        if (machine.xen) {
            edges();
        }
    } else {
        ok(false, "two vCPUs are needed");
    }
    if (bootarg_u64("reset", 0)) {
        say("resetting");
        psci_call(PSCI_SYSTEM_RESET, 0, 0, 0);
        ok(false, "SYSTEM_RESET came back");
    }
}
