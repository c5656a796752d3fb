/*
 * Hypercalls with bad numbers, operations, handles and contents: random pages
 * as arguments, pointers to nothing, to devices, across the end of memory,
 * unaligned and into this very image's tables.
 *
 * Right: an error (or success, where the nonsense happened to be lawful) and
 * bounded time per call: no call above `limit` ticks of wall time. Wrong: the
 * guest is stopped, the hypervisor dies, or a call takes for ever.
 */
#include "common.inc"
#include "xen.h"

static u8 *page;
static u64 worst, worst_number, worst_op, errors, calls_made;

static u64 handle(u64 *seed)
{
    u64 r = kit_random(seed);
    switch (r & 15) {
    case 0:
        return 0;
    case 1:
        return machine.ram_base + machine.ram_size - 8;
    case 2:
        return machine.gicd;
    case 3:
        return r;
    case 4:
        return ~7ul;
    case 5:
        return 0xffff000000000000ul | r >> 16;
    case 6:
        return (u64)page + 4096 - (r >> 8 & 63);
    case 7:
        return 0x38000000;
    default:
        return (u64)page + (r >> 8 & 0xff8);
    }
}

static void scribble(u64 *seed)
{
    u64 *words = (u64 *)page;
    for (u32 i = 0; i < 512; i += 1 + (kit_random(seed) & 3)) {
        u64 r = kit_random(seed);
        switch (r & 7) {
        case 0:
            words[i] = r >> 8;
            break;
        case 1:
            words[i] = DOMID_SELF;
            break;
        case 2:
            words[i] = r >> 8 & 15;
            break;
        case 3:
            words[i] = handle(seed);
            break;
        case 4:
            words[i] = (machine.ram_base >> 12) + (r >> 8) % (machine.ram_size >> 12);
            break;
        case 5:
            words[i] = 0;
            break;
        case 6:
            words[i] = ~0ul;
            break;
        default:
            words[i] = (r >> 8 & 0xffff) << 32 | DOMID_SELF;
        }
    }
}

/* Calls that lawfully end, stop or stall us. */
static bool spared(u64 number, u64 op, u64 arg)
{
    return (number == HYPERCALL_sched_op && (op == 1 || op == 2 || op == 3 || op == 6)) ||
           number == HYPERCALL_multicall ||
           (number == HYPERCALL_memory_op && (op & 63) <= 1) || /* would give our own image away */
           (number == HYPERCALL_memory_op && (op & 63) == 15) ||
           (number == HYPERCALL_memory_op && (op & 63) == 11) ||
           (number == HYPERCALL_memory_op && ((op & 63) == 7 || (op & 63) == 23)) ||
           (number == HYPERCALL_console_io && op == CONSOLEIO_write) ||
           /* What makes the hypervisor write to a random frame of ours: our own image, soon. */
           (number == HYPERCALL_event_channel_op && (op == 11 || op == 12)) ||
           (number == HYPERCALL_vcpu_op && (op == 0 || op == 2 || op == 10)) ||
           (number == HYPERCALL_grant_table_op && (op == 0 || op == 5));
}

static void one(u64 *seed)
{
    static const u8 numbers[] = {12, 17, 18, 20, 21, 24, 27, 29, 32, 33, 34, 35, 36, 39, 41, 42};
    u64 r = kit_random(seed);
    u64 number = (r & 7) ? numbers[(r >> 8) % sizeof(numbers)] : (r >> 8) & 127;
    u64 op = (r >> 3 & 15) ? (r >> 20) % 32 : kit_random(seed);
    u64 a1 = number == HYPERCALL_vcpu_op ? (r >> 28) % 4 : handle(seed);
    u64 a2 = (r >> 32 & 1) ? handle(seed) : (r >> 33) % 64;
    if (number == HYPERCALL_grant_table_op) {
        a2 &= 63; /* a count: statuses are written behind each operation, over all we have */
    }
    if (spared(number, op, a1)) {
        return;
    }
    u64 start = ticks();
    s64 result = hypercall5(number, op, a1, a2, handle(seed), r);
    u64 elapsed = ticks() - start;
    calls_made++;
    errors += result < 0;
    if (elapsed > worst) {
        worst = elapsed;
        worst_number = number;
        worst_op = op;
    }
}

void guest_main(void)
{
    u64 seed = hostile_seed();
    hostile_catch();
    page = heap_pages(4);
    for (u64 i = 0; hostile_more(i, 40); i++) {
        scribble(&seed);
        for (u32 j = 0; j < 500; j++) {
            one(&seed);
        }
        if (i % 10 == 0) {
            heartbeat();
        }
    }
    note("%lu calls, %lu errors, longest %lu ticks (call %lu op %lu)", calls_made, errors, worst,
         worst_number, worst_op);
    hostile_report();
    ok(errors > calls_made / 2, "most were refused");
    ok(hypercall(HYPERCALL_xen_version, XENVER_version, 0, 0, 0) > 0 || !machine.xen,
       "the hypercall interface still answers");
}
