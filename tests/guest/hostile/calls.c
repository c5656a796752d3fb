/*
 * PSCI and SMCCC abuse: every owner's function ids sampled, their edges, by HVC
 * and by SMC; real PSCI functions with hostile arguments (entry points outside
 * memory, absent and own CPUs, wrong power states).
 *
 * Right: NOT_SUPPORTED (-1) or PSCI's error; SMC answered or UNDEFINED; nothing
 * kills this guest but what it asked for. Wrong: it stops, or a call is dear.
 */
#include "common.inc"

static u64 asked, refused;

static void ask(u64 function, u64 a, u64 b, u64 c)
{
    struct smccc_result r = smccc_hvc(function, a, b, c);
    asked++;
    refused += (s32)r.x[0] == -1;
    if (asked % 4 == 0) {
        (void)smccc_smc(function, a, b, c);
    }
}

/* What would end the guest, or this CPU, lawfully. */
static bool spared(u32 function)
{
    u32 low = function & ~0x40000000u;
    return low == PSCI_CPU_OFF || low == PSCI_SYSTEM_OFF || low == PSCI_SYSTEM_RESET ||
           low == 0x8400000e /* SYSTEM_SUSPEND */ || low == 0x84000012 /* SYSTEM_RESET2 */ ||
           low == 0x84000001 /* CPU_SUSPEND */ ||
           low == 0x8400000c /* CPU_FREEZE, DEFAULT_SUSPEND */ || low == 0x8400000d;
}

static void sampled(u64 *seed)
{
    for (u32 owner = 0; owner < 64; owner++) {
        for (u32 i = 0; i < 12; i++) {
            u64 r = kit_random(seed);
            u32 number = i < 4 ? i : i == 4 ? 0xffff : i == 5 ? 0xff00 + (r & 255) : r & 0xffff;
            u32 function = (u32)(r >> 32 & 3) << 30 | owner << 24 | number;
            if (!spared(function)) {
                ask(function, r, kit_random(seed), kit_random(seed));
            }
        }
    }
}

static void psci_edges(u64 *seed)
{
    static const u64 cpus[] = {
        0, 1, 7, 8, 15, 16, 255, 256, 0x10000, 0xff000000ff, 0x80000000, ~0ul, 0xffffff, 1ul << 40};
    static const u64 entries[] = {0,    1,    3,         0x3fffffff,        0x09000000,
                                  ~0ul, ~3ul, 1ul << 47, 0xffff000000000000};
    for (u32 i = 0; i < ARRAY_SIZE(cpus); i++) {
        ask(PSCI_AFFINITY_INFO, cpus[i], kit_random(seed) & 7, 0);
        ask(0x84000004, cpus[i], ~0ul, 0);
        ask(0x84000005, cpus[i], 0, 0); /* MIGRATE */
        ask(PSCI_MIGRATE_INFO_TYPE, 0, 0, 0);
        ask(0xc4000007, 0, 0, 0);
        ask(PSCI_FEATURES, cpus[i], 0, 0);
        if ((cpus[i] & 0xff00fffffful) == machine.mpidr[0] || i > 1) {
            for (u32 j = 0; j < ARRAY_SIZE(entries); j++) {
                ask(PSCI_CPU_ON, cpus[i], entries[j], kit_random(seed));
                ask(PSCI_CPU_ON32, cpus[i], entries[j], kit_random(seed));
            }
        }
    }
    for (u32 i = 0; i < 256; i++) {
        u32 function = 0x84000000 + i;
        if (!spared(function)) {
            ask(function, 0xdead, 0xbeef, ~0ul);
            ask(function | 1u << 30, 0xdead, 0xbeef, ~0ul);
        }
        ask(PSCI_FEATURES, function, 0, 0);
    }
}

void guest_main(void)
{
    u64 seed = hostile_seed();
    hostile_catch();
    for (u64 i = 0; hostile_more(i, 20); i++) {
        sampled(&seed);
        psci_edges(&seed);
        if (i % 5 == 0) {
            heartbeat();
        }
    }
    hostile_report();
    note("%lu calls, %lu refused", asked, refused);
    ok(psci_call(PSCI_VERSION, 0, 0, 0) >> 16 == 1, "PSCI still answers");
    ok(refused > asked / 2, "most were refused");
}
