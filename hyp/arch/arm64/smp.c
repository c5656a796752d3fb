/*
 * The host's CPUs, their timers and firmware.
 *
 * Secondaries are started by PSCI, all at once, and then waited for; one that
 * does not come up is said in a line and left out. Interrupts stay masked at
 * EL2 for ever (docs/trap-path.md).
 *
 * Sources: PSCI DEN 0022F; Devicetree Specification 3.8 (cpu nodes); DDI 0487I.a D11.2 (timers).
 */
#include "arm64.h"

#include <hyp/frame.h>
#include <hyp/gic.h>
#include <hyp/log.h>
#include <hyp/tree.h>
#include <lib/string.h>

struct cpu *cpus[MAX_CPUS];
uint32_t cpu_count = 1;

#define PSCI_CPU_ON 0xc4000003u
#define PSCI_SYSTEM_OFF 0x84000008u
#define PSCI_SYSTEM_RESET 0x84000009u
#define START_TIMEOUT_NS 1000000000ull

static bool has_psci; /* [const] after boot */

/* A call to the firmware. Below us there is nobody to trap an HVC, so SMC it is. */
static int64_t host_psci(uint64_t fn, uint64_t a, uint64_t b, uint64_t c)
{
    register uint64_t x0 __asm__("x0") = fn;
    register uint64_t x1 __asm__("x1") = a;
    register uint64_t x2 __asm__("x2") = b;
    register uint64_t x3 __asm__("x3") = c;

    if (!has_psci) {
        return -1;
    }
    __asm__ volatile("smc #0"
                     : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3)
                     :
                     : "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14", "x15",
                       "x16", "x17", "memory");
    return (int64_t)x0;
}

static __init bool probe_psci(const struct tree *t)
{
    tree_node n = tree_compatible(t, tree_root(t), "arm,psci-1.0");

    n = n.at ? n : tree_compatible(t, tree_root(t), "arm,psci-0.2");
    const char *method = tree_string(tree_get(t, n, "method"));
    has_psci = method && strcmp(method, "smc") == 0;
    if (!has_psci) {
        log_warn("The board's tree has no PSCI node with method \"smc\": one CPU, no power-off.");
    }
    return has_psci;
}

/* CNTFRQ_EL0, as firmware has set it. */
uint64_t arch_counter_hz(void)
{
    return sysreg_read(cntfrq_el0);
}

/* This CPU's comparator: the EL2 physical timer, PPI 26. SBSA, DEN 0029 */
void arch_timer_program(uint64_t deadline_ticks)
{
    if (deadline_ticks == TICKS_NEVER) {
        sysreg_write(cnthp_ctl_el2, 0);
    } else {
        sysreg_write(cnthp_cval_el2, deadline_ticks);
        sysreg_write(cnthp_ctl_el2, 1);
    }
    isb();
}

noreturn_fn void arch_park(void)
{
    for (;;) {
        __asm__ volatile("msr daifset, #0xf\n\twfi" : : : "memory");
    }
}

noreturn_fn void arch_power(bool reset)
{
    host_psci(reset ? PSCI_SYSTEM_RESET : PSCI_SYSTEM_OFF, 0, 0, 0);
    arch_park();
}

/* One CPU's record and stack. NULL: no memory. */
struct cpu *cpu_create(uint32_t id, uint64_t mpidr)
{
    static_assert(sizeof(struct cpu) <= FRAME_SIZE, "a CPU is one page");
    struct cpu *c = frame_alloc_hyp(NULL, 0);

    if (!c || !(c->stack_top = mmu_map_stack(id))) {
        return NULL;
    }
    c->id = id;
    c->arch_id = mpidr;
    timer_cpu_init(&c->timers);
    cpus[id] = c;
    sched_cpu_init(c);
    return c;
}

/* Registers of EL2 that stay as they are, on each CPU. */
void cpu_init_el2(void)
{
    sysreg_write(hcr_el2, HCR_RW | HCR_IMO | HCR_FMO | HCR_AMO);
    sysreg_write(hstr_el2, 0);
    sysreg_write(cptr_el2, CPTR_RES1 | CPTR_TTA | CPTR_TZ | CPTR_TFP);
    sysreg_write(vpidr_el2, sysreg_read(midr_el1));
    sysreg_write(cnthctl_el2, CNTHCTL_EL1PCTEN); /* counter visible, CNTP_* trapped */
    stage2_init_cpu();
    debug_init_cpu();
    /* All page tables and TLB entries of whoever ran before us are void. */
    __asm__ volatile("tlbi alle1" : : : "memory");
    dsb(nsh);
    isb();
}

noreturn_fn void secondary_main(void)
{
    struct cpu *c = this_cpu();

    cpu_init_el2();
    if (gic_init_cpu(c) != 0) {
        log_warn("CPU %u has no interrupt controller interface; it is left out.", c->id);
        arch_park();
    }
    __atomic_store_n(&c->online, 1, __ATOMIC_RELEASE);
    sched_cpu_online(c);
    arch_wake_spinners();
    enter_guests();
}

static __init void start(uint64_t mpidr)
{
    if (cpu_count == MAX_CPUS) {
        log_warn("CPU %#llx is left out: Bulkhead drives at most %u.", (unsigned long long)mpidr,
                 MAX_CPUS);
        return;
    }
    struct cpu *c = cpu_create(cpu_count, mpidr);
    if (!c) {
        log_warn("CPU %#llx is left out: no memory for it.", (unsigned long long)mpidr);
        return;
    }
    cpu_count++;
    arch_clean_to_poc(c, sizeof(*c));
    int64_t error = host_psci(PSCI_CPU_ON, mpidr, hva_pa(secondary_entry), (uint64_t)c);
    if (error) {
        log_warn("CPU %#llx does not start: firmware says %lld.", (unsigned long long)mpidr,
                 (long long)error);
    }
}

/* A CPU that was started comes up, or `give_up` comes first. */
static __init bool comes_online(const struct cpu *c, uint64_t give_up)
{
    while (!__atomic_load_n(&c->online, __ATOMIC_ACQUIRE)) {
        if (arch_counter_ticks() >= give_up) {
            log_warn("CPU %u (%#llx) did not come up within a second; it is left out.", c->id,
                     (unsigned long long)c->arch_id);
            return false;
        }
        yield();
    }
    return true;
}

/* Start every CPU of the tree but this one. */
__init void smp_start(const struct tree *t)
{
    tree_node n = tree_child(t, tree_find(t, "/cpus", SIZE_MAX));
    uint32_t online = 0;

    if (!probe_psci(t)) {
        return;
    }
    for (; n.at; n = tree_sibling(t, n)) {
        struct tree_value reg = tree_get(t, n, "reg");
        const char *type = tree_string(tree_get(t, n, "device_type"));
        uint64_t mpidr;

        if (!type || strcmp(type, "cpu") != 0 || !tree_enabled(t, n)) {
            continue;
        }
        if (!tree_u64(reg, &mpidr)) {
            log_warn("A cpu node without a usable reg property is ignored.");
        } else if (mpidr != this_cpu()->arch_id) {
            start(mpidr);
        }
    }
    uint64_t give_up = arch_counter_ticks() + ns_to_ticks(START_TIMEOUT_NS);
    for (uint32_t i = 0; i < cpu_count; i++) {
        online += comes_online(cpus[i], give_up) ? 1 : 0;
    }
    log_line("%u of %u CPUs run.", online, cpu_count);
}
