/* PSCI (DEN0022), SMCCC (DEN0028), secondary vCPUs, time. */
#include "kit-internal.h"

struct kit_cpu kit_cpus[KIT_CPUS];
static u8 stacks[KIT_CPUS][STACK_BYTES] __attribute__((aligned(16)));

unsigned cpu_id(void)
{
    return this_cpu()->id;
}

struct smccc_result smccc_hvc(u64 function, u64 a1, u64 a2, u64 a3)
{
    struct smccc_result result;
    hvc_raw(&result, function, a1, a2, a3);
    return result;
}

struct smccc_result smccc_smc(u64 function, u64 a1, u64 a2, u64 a3)
{
    struct smccc_result result;
    smc_raw(&result, function, a1, a2, a3);
    return result;
}

u64 psci_call(u64 function, u64 a1, u64 a2, u64 a3)
{
    struct smccc_result result =
        machine.psci_hvc ? smccc_hvc(function, a1, a2, a3) : smccc_smc(function, a1, a2, a3);
    return result.x[0];
}

s64 cpu_start(unsigned cpu, void (*fn)(void *), void *arg)
{
    struct kit_cpu *record = &kit_cpus[cpu];
    record->stack_end = (u64)stacks[cpu] + STACK_BYTES;
    record->id = cpu;
    record->fn = fn;
    record->arg = arg;
    /* The other side reads this with its MMU off. */
    __asm__ volatile("dc cvac, %0\n\tdsb sy" ::"r"(record) : "memory");
    __asm__ volatile("dc cvac, %0\n\tdsb sy" ::"r"(record + 1) : "memory");
    return (s64)psci_call(PSCI_CPU_ON, machine.mpidr[cpu], (u64)secondary_entry, (u64)record);
}

void kit_secondary(struct kit_cpu *cpu)
{
    if (!(guest_flags & GUEST_MMU_OFF)) {
        mmu_enable_here();
    }
    if (!(guest_flags & GUEST_NO_GIC)) {
        gic_init_cpu();
    }
    cpu->fn(cpu->arg);
    irq_off();
    psci_call(PSCI_CPU_OFF, 0, 0, 0);
    guest_die("CPU_OFF came back");
}

bool cpu_wait_off(unsigned cpu)
{
    for (u64 end = ticks() + tick_rate(); ticks() < end;) {
        if (psci_call(PSCI_AFFINITY_INFO, machine.mpidr[cpu], 0, 0) == 1) {
            return true;
        }
        relax();
    }
    return false;
}

u64 tick_rate(void)
{
    return read_sysreg(cntfrq_el0);
}

u64 us_to_ticks(u64 us)
{
    return us * tick_rate() / 1000000;
}

void delay_us(u64 us)
{
    for (u64 end = ticks() + us_to_ticks(us); ticks() < end;) {
        relax();
    }
}

bool wait_change(volatile u32 *word, u32 value, u64 timeout_us)
{
    for (u64 end = ticks() + us_to_ticks(timeout_us); ticks() < end;) {
        if (*word != value) {
            return true;
        }
        relax();
    }
    return *word != value;
}
