/*
 * PSCI 1.1 and SMCCC 1.2 for guests.
 *
 * A vCPU is on, or off, or on its way: CPU_ON of an off vCPU resets it under
 * the domain's lock and hands it to the scheduler; CPU_OFF takes effect on the
 * way out of the trap (WORK_OFFLINE), when none of its state is in use.
 *
 * Q1  a vCPU is reset only while it is off and its context is in no CPU.
 */
#include <hyp/psci.h>

#include <hyp/arch.h>
#include <hyp/domain.h>

#define PSCI_SUCCESS 0
#define PSCI_NOT_SUPPORTED (-1)
#define PSCI_INVALID_PARAMETERS (-2)
#define PSCI_DENIED (-3)
#define PSCI_ALREADY_ON (-4)
#define PSCI_INVALID_ADDRESS (-9)

/* Function numbers without the bit that says 64-bit arguments. DEN 0022F, table 5. */
#define PSCI_FN(n) (0x84000000u + (n))
#define SMC64 0x40000000u
enum {
    PSCI_VERSION = PSCI_FN(0x00),
    PSCI_CPU_SUSPEND = PSCI_FN(0x01),
    PSCI_CPU_OFF = PSCI_FN(0x02),
    PSCI_CPU_ON = PSCI_FN(0x03),
    PSCI_AFFINITY_INFO = PSCI_FN(0x04),
    PSCI_MIGRATE_INFO_TYPE = PSCI_FN(0x06),
    PSCI_SYSTEM_OFF = PSCI_FN(0x08),
    PSCI_SYSTEM_RESET = PSCI_FN(0x09),
    PSCI_FEATURES = PSCI_FN(0x0a),
    PSCI_SYSTEM_SUSPEND = PSCI_FN(0x0e),
    PSCI_SYSTEM_RESET2 = PSCI_FN(0x12),
    SMCCC_VERSION = 0x80000000u,
    SMCCC_ARCH_FEATURES = 0x80000001u,
    SMCCC_ARCH_WORKAROUND_1 = 0x80008000u,
    SMCCC_ARCH_WORKAROUND_2 = 0x80007fffu,
    SMCCC_ARCH_WORKAROUND_3 = 0x80003fffu,
};

#define MPIDR_AFFINITY 0xff00fffffful

/* A vCPU with this affinity, from `level` on; with `on`, one that is on. */
static struct vcpu *find(struct domain *d, uint64_t affinity, uint64_t level, bool on)
{
    uint64_t ignored = MPIDR_AFFINITY & ((1ul << 8 * level) - 1);
    for (uint32_t i = 0; i < d->vcpu_count; i++) {
        uint64_t differs = (arch_vcpu_mpidr(i) & MPIDR_AFFINITY) ^ affinity;
        if ((differs & ~ignored) == 0 && (!on || d->vcpu[i]->sched.online)) {
            return d->vcpu[i];
        }
    }
    return NULL;
}

static bool entry_is_ram(struct domain *d, uint64_t entry)
{
    struct p2m_entry e;

    /* A sealed domain's CPU does not start anew: its MMU would be off (seal.c). */
    return d->p2m.seal.state == SEAL_OPEN && p2m_lookup(d, gpa_gfn(gpa(entry)), &e) &&
           (e.type == P2M_RAM || e.type == P2M_RAM_RO);
}

static int64_t cpu_on(struct vcpu *v, uint64_t affinity, uint64_t entry, uint64_t context)
{
    struct domain *d = v->domain;
    struct vcpu *target = find(d, affinity, 0, false);
    int64_t result = PSCI_SUCCESS;

    if (!target) {
        return PSCI_INVALID_PARAMETERS;
    }
    if (!entry_is_ram(d, entry)) {
        return PSCI_INVALID_ADDRESS;
    }
    lock(&d->lock);
    if (d->state != DOMAIN_RUNNING) {
        result = PSCI_DENIED;
    } else if (target->sched.online) {
        result = PSCI_ALREADY_ON;
    } else {
        arch_vcpu_set_entry(target, gpa(entry), (uint64_t[3]){context}, v->arch.aarch32);
        vgic_vcpu_reset(target);
        vtimer_vcpu_reset(target);
        sched_set_online(target, true);
    }
    unlock(&d->lock);
    return result;
}

/* Any vCPU below `affinity` at `level` that is on: 0; all off: 1. DEN 0022F 5.7 */
static int64_t affinity_info(struct domain *d, uint64_t affinity, uint64_t level)
{
    if (level > 3 || !find(d, affinity, level, false)) {
        return PSCI_INVALID_PARAMETERS;
    }
    return find(d, affinity, level, true) ? 0 : 1;
}

/* Every sleep state is as deep as WFI here; a power-down may end as a stand-by would. DEN 0022F 5.1.2 */
static int64_t cpu_suspend(struct vcpu *v)
{
    if (!vgic_has_pending(v)) {
        sched_block(v);
    }
    return PSCI_SUCCESS;
}

/* All other vCPUs are off; this one sleeps and comes back at `entry`, as from CPU_ON. */
static int64_t system_suspend(struct vcpu *v, uint64_t entry, uint64_t context)
{
    struct domain *d = v->domain;

    if (!entry_is_ram(d, entry)) {
        return PSCI_INVALID_ADDRESS;
    }
    for (uint32_t i = 0; i < d->vcpu_count; i++) {
        if (d->vcpu[i] != v && d->vcpu[i]->sched.online) {
            return PSCI_DENIED;
        }
    }
    v->resume_entry = gpa(entry);
    v->resume_context = context;
    vcpu_notify(v, WORK_SUSPEND);
    return PSCI_SUCCESS;
}

/* Functions with a form for 32-bit arguments, and those of them that have one for 64 bits. */
#define FN_BIT(fn) (1u << ((fn)-PSCI_FN(0)))
#define WIDE                                                                       \
    (FN_BIT(PSCI_CPU_SUSPEND) | FN_BIT(PSCI_CPU_ON) | FN_BIT(PSCI_AFFINITY_INFO) | \
     FN_BIT(PSCI_SYSTEM_SUSPEND) | FN_BIT(PSCI_SYSTEM_RESET2))
#define NARROW                                                                             \
    (WIDE | FN_BIT(PSCI_VERSION) | FN_BIT(PSCI_CPU_OFF) | FN_BIT(PSCI_MIGRATE_INFO_TYPE) | \
     FN_BIT(PSCI_SYSTEM_OFF) | FN_BIT(PSCI_SYSTEM_RESET) | FN_BIT(PSCI_FEATURES))

static int64_t features(uint32_t fn)
{
    uint32_t n = (fn & ~SMC64) - PSCI_FN(0);
    bool there = n < 32 && ((fn & SMC64 ? WIDE : NARROW) >> n & 1) != 0;
    return there || fn == SMCCC_VERSION ? PSCI_SUCCESS : PSCI_NOT_SUPPORTED;
}

static int64_t arch_features(uint32_t fn)
{
    switch (fn) {
    case SMCCC_VERSION:
    case SMCCC_ARCH_FEATURES:
    case SMCCC_ARCH_WORKAROUND_1:
    case SMCCC_ARCH_WORKAROUND_3:
        return 0;
    case SMCCC_ARCH_WORKAROUND_2:
        return 1; /* not needed: our traps do it. DEN 0028E 7.5.4 */
    default:
        return PSCI_NOT_SUPPORTED;
    }
}

/* Calls with 64-bit arguments truncate them when made in their 32-bit form. */
static int64_t psci_wide(struct vcpu *v, uint32_t fn)
{
    uint64_t mask = fn & SMC64 ? ~0ull : 0xffffffffull;
    uint64_t a = v->arch.x[1] & mask, b = v->arch.x[2] & mask, c = v->arch.x[3] & mask;

    switch (fn & ~SMC64) {
    case PSCI_CPU_ON:
        return cpu_on(v, a, b, c);
    case PSCI_AFFINITY_INFO:
        return affinity_info(v->domain, a, b);
    case PSCI_CPU_SUSPEND: /* bits 31:26 and 23:17 of power_state are reserved. DEN 0022F 5.4.2 */
        return a & 0xfcfe0000u ? PSCI_INVALID_PARAMETERS : cpu_suspend(v);
    case PSCI_SYSTEM_SUSPEND:
        return system_suspend(v, a, b);
    case PSCI_SYSTEM_RESET2:
        if (a != 0) {
            return a & 0x80000000u ? PSCI_NOT_SUPPORTED : PSCI_INVALID_PARAMETERS;
        }
        domain_shutdown(v->domain, SHUTDOWN_reboot);
        return PSCI_SUCCESS;
    default:
        return PSCI_NOT_SUPPORTED;
    }
}

static int64_t call(struct vcpu *v, uint32_t fn)
{
    switch (fn) {
    case PSCI_VERSION:
        return 0x10001;
    case SMCCC_VERSION:
        return 0x10002;
    case SMCCC_ARCH_FEATURES:
        return arch_features((uint32_t)v->arch.x[1]);
    case SMCCC_ARCH_WORKAROUND_1:
    case SMCCC_ARCH_WORKAROUND_2:
    case SMCCC_ARCH_WORKAROUND_3:
        return PSCI_SUCCESS;
    case PSCI_FEATURES:
        return features((uint32_t)v->arch.x[1]);
    case PSCI_MIGRATE_INFO_TYPE:
        return 2; /* no Trusted OS that would care where it runs */
    case PSCI_CPU_OFF:
        vcpu_notify(v, WORK_OFFLINE);
        return PSCI_SUCCESS;
    case PSCI_SYSTEM_OFF:
        domain_shutdown(v->domain, SHUTDOWN_poweroff);
        return PSCI_SUCCESS;
    case PSCI_SYSTEM_RESET:
        domain_shutdown(v->domain, SHUTDOWN_reboot);
        return PSCI_SUCCESS;
    default:
        return psci_wide(v, fn);
    }
}

void smccc_call(struct vcpu *v)
{
    v->arch.x[0] = (uint64_t)call(v, (uint32_t)v->arch.x[0]);
}
