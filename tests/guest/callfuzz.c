/*
 * Random hypercalls, most of them nearly right, from all vCPUs of one guest or several that share
 * what they can: event channels, grants, and each other's moments of death.
 * Every life makes `calls` calls and asks for a restart. Bootargs: calls=N (100000), peers=N
 * (domains 1..N are called on, default 3), seed=N.
 *
 * A guest may ruin itself, so that calls which take memory away, or make the hypervisor write
 * somewhere, are only made about an arena; all others about anything. Right: every life ends.
 * Wrong: a guest is stopped, the hypervisor complains, or it has lost memory when all are gone.
 * tests/guest/callfuzz.py counts calls and memory.
 */
#include "kit.h"
#include "xen.h"

const unsigned guest_flags =
    GUEST_MMU_OFF; /* frames of the hypervisor are read and written in place */

#define ARENA 64u
#define HOLE 32u
#define LONG_COPIES 64u
#define XENMEM_add_to_physmap_batch 23
#define GNTTABOP_setup_version 8
#define EVTCHNOP_init_control 11
#define EVTCHNOP_expand_array 12

static u64 arena, hole, grants, shared; /* frame numbers */
static u64 peers;
static bool version2;
static volatile bool over;
static struct caller {
    u64 seed, calls, good;
    u8 *page; /* of arguments: a frame of its own */
} caller[KIT_CPUS];

static u64 below(struct caller *c, u64 n)
{
    return kit_random(&c->seed) % n;
}

/* A number that means something somewhere, or nothing at all. */
static u64 word(struct caller *c)
{
    static const u64 special[] = {0,    1,    2,    3,          0x7ff0,     0x7ff2,   0x7fff,
                                  63,   64,   511,  512,        1023,       1024,     4095,
                                  4096, 8191, ~0ul, 0x80000000, 0xffffffff, 1ul << 52};
    switch (below(c, 6)) {
    case 0:
        return special[below(c, ARRAY_SIZE(special))];
    case 1:
        return arena + below(c, ARENA);
    case 2:
        return hole + below(c, HOLE);
    case 3:
        return (arena + below(c, ARENA)) << 12;
    case 4:
        return below(c, 40);
    default:
        return kit_random(&c->seed) >> below(c, 64);
    }
}

/* Where an argument may be: never in our image. */
static u64 pointer(struct caller *c)
{
    u64 here = (u64)c->page, somewhere[] = {0,
                                            ~7ul,
                                            machine.gicd,
                                            hole << 12,
                                            0xffff000000000000ul,
                                            machine.ram_base + machine.ram_size - 4,
                                            (arena + below(c, ARENA)) << 12,
                                            here + 4096 - 8};
    return below(c, 4) ? here + (below(c, 10) ? 0 : below(c, 512) * 8)
                       : somewhere[below(c, ARRAY_SIZE(somewhere))];
}

static u64 arena_frame(struct caller *c)
{
    return below(c, 3) ? arena + below(c, ARENA) : hole + below(c, HOLE);
}

static u16 peer(struct caller *c)
{
    return (u16)(below(c, 12) ? 1 + below(c, peers) : below(c, 2) ? DOMID_SELF : below(c, 70000));
}

static void fill_grant(struct caller *c, u64 op, u64 i)
{
    if (op == GNTTABOP_map_grant_ref) {
        ((struct gnttab_map_grant_ref *)c->page)[i] =
            (struct gnttab_map_grant_ref){.host_addr = arena_frame(c) << 12,
                                          .flags = GNTMAP_host_map | (u32)below(c, 2) << 2,
                                          .ref = (u32)below(c, 40),
                                          .dom = peer(c)};
    } else if (op == GNTTABOP_unmap_grant_ref) {
        ((struct gnttab_unmap_grant_ref *)c->page)[i] = (struct gnttab_unmap_grant_ref){
            .host_addr = arena_frame(c) << 12, .handle = (u32)below(c, 60)};
    } else {
        struct gnttab_copy *copy = &((struct gnttab_copy *)c->page)[i];
        *copy = (struct gnttab_copy){.len = (u16)below(c, 5000), .flags = (u16)below(c, 4)};
        copy->source = (struct gnttab_copy_ptr){copy->flags & 1 ? below(c, 40) : arena_frame(c),
                                                copy->flags & 1 ? peer(c) : DOMID_SELF,
                                                (u16)(below(c, 2) ? 0 : below(c, 5000))};
        copy->dest = (struct gnttab_copy_ptr){copy->flags & 2 ? below(c, 40) : arena_frame(c),
                                              copy->flags & 2 ? peer(c) : DOMID_SELF,
                                              (u16)(below(c, 2) ? 0 : below(c, 5000))};
    }
}

/* As much as copies can cost: whole pages, not aligned to each other, from frame to frame or within one. */
static void fill_long_copies(struct caller *c)
{
    u64 to = arena + below(c, ARENA), from = below(c, 2) ? to : arena + below(c, ARENA);
    u16 up = (u16)below(c, 8), down = (u16)below(c, 8);
    for (u32 i = 0; i < LONG_COPIES; i++) {
        ((struct gnttab_copy *)c->page)[i] = (struct gnttab_copy){
            .source = {from, DOMID_SELF, up}, .dest = {to, DOMID_SELF, down}, .len = 4096 - 7};
    }
}

static void fill_memory(struct caller *c, u64 op)
{
    if (op <= XENMEM_populate_physmap) {
        struct xen_memory_reservation *r = (void *)c->page;
        *r = (struct xen_memory_reservation){.extent_start = (u64)c->page + 512,
                                             .nr_extents = below(c, 40),
                                             .extent_order = below(c, 8) == 0 ? 3 : 0,
                                             .domid = below(c, 8) ? DOMID_SELF : peer(c)};
        for (u32 i = 64; i < 104; i++) { /* an extent of eight stays inside as well */
            ((u64 *)c->page)[i] = below(c, 2) ? arena + below(c, ARENA - 8) : hole + below(c, HOLE);
        }
    } else if (op == XENMEM_add_to_physmap) {
        *(struct xen_add_to_physmap *)c->page =
            (struct xen_add_to_physmap){.domid = below(c, 8) ? DOMID_SELF : peer(c),
                                        .space = (u32)below(c, 6),
                                        .idx = below(c, 20),
                                        .gpfn = arena_frame(c)};
    } else {
        *(struct xen_remove_from_physmap *)c->page =
            (struct xen_remove_from_physmap){below(c, 8) ? DOMID_SELF : peer(c), arena_frame(c)};
    }
}

static void fill_event(struct caller *c, u64 op)
{
    if (op == EVTCHNOP_bind_interdomain) {
        *(struct evtchn_bind_interdomain *)c->page =
            (struct evtchn_bind_interdomain){peer(c), (u32)below(c, 24), 0};
    } else if (op == EVTCHNOP_alloc_unbound) {
        *(struct evtchn_alloc_unbound *)c->page =
            (struct evtchn_alloc_unbound){DOMID_SELF, peer(c), 0};
    } else {
        ((u32 *)c->page)[0] = below(c, 2) ? (u32)below(c, 40) : DOMID_SELF | (u32)peer(c) << 16;
        ((u32 *)c->page)[1] = (u32)below(c, 40);
    }
}

/* Wait for a port until soon: a time that has been, or comes within a millisecond. */
static void fill_poll(struct caller *c)
{
    u64 now = ticks() * 1000 / (us_to_ticks(1000) ? us_to_ticks(1000) : 1) * 1000;
    ((u64 *)c->page)[0] = (u64)c->page + 64;
    ((u64 *)c->page)[1] = below(c, 4);
    ((u64 *)c->page)[2] = 1 + now + below(c, 100000);
    for (u32 i = 16; i < 20; i++) {
        ((u32 *)c->page)[i] = (u32)below(c, 30);
    }
}

/* One call; what would ruin us is made about the arena, or not at all. */
static void one(struct caller *c)
{
    static const u8 families[] = {12, 12, 12, 13, 17, 18, 20, 20, 20, 20, 21, 24, 27, 29,
                                  32, 32, 32, 32, 33, 34, 7,  35, 36, 39, 41, 42, 60};
    u64 number = families[below(c, ARRAY_SIZE(families))], op = below(c, 30);
    u64 a1 = (u64)c->page, a2 = 1 + below(c, 8), a3 = 0;
    for (u32 i = 0; i < 64; i++) {
        ((u64 *)c->page)[i] = word(c) | (below(c, 3) == 0 ? word(c) << 32 : 0);
    }
    bool anything = true;
    if (number == HYPERCALL_memory_op) {
        op = below(c, 2) ? (const u8[]){0, 1, 6, 7, 15}[below(c, 5)] : op;
        if (op <= XENMEM_populate_physmap || op == XENMEM_add_to_physmap ||
            op == XENMEM_remove_from_physmap) {
            fill_memory(c, op);
            anything = false;
        } else if (op == XENMEM_add_to_physmap_batch || op == 11) {
            return;
        }
    } else if (number == HYPERCALL_grant_table_op) {
        op = below(c, 14);
        if (op <= GNTTABOP_unmap_grant_ref || op == GNTTABOP_copy) {
            for (u64 i = 0; i < 8; i++) {
                fill_grant(c, op, i);
            }
            if (op == GNTTABOP_copy && below(c, 8) == 0) {
                fill_long_copies(c);
                a2 = LONG_COPIES;
            }
            anything = false;
        } else if (op == GNTTABOP_setup_table || op == 9) {
            ((u64 *)c->page)[1] = ((u64 *)c->page)[2] = (u64)c->page + 256; /* lists of frames */
            anything = false;
        } else if (op == GNTTABOP_setup_version && below(c, 500)) {
            return; /* else nothing lives long */
        }
    } else if (number == HYPERCALL_event_channel_op) {
        op = below(c, 15);
        if (op == EVTCHNOP_init_control || op == EVTCHNOP_expand_array ||
            (op == 10 && below(c, 500))) {
            return; /* see begin(); and a reset every now and then */
        }
        fill_event(c, op);
    } else if (number == HYPERCALL_sched_op) {
        if (op == SCHEDOP_block || op == SCHEDOP_shutdown || op == 6) {
            return;
        }
        if (op == SCHEDOP_poll) {
            fill_poll(c);
            anything = false;
        }
    } else if (number == HYPERCALL_vcpu_op || number == HYPERCALL_console_io) {
        a1 = below(c, 3);
        a2 = (u64)c->page;
        anything = false;
        if (number == HYPERCALL_console_io && op == CONSOLEIO_write) {
            return;
        }
        if (number == HYPERCALL_vcpu_op && (op == 5 || op == 13)) {
            ((u64 *)c->page)[0] = arena_frame(c) << 12 | below(c, 4096);
        } else if (number == HYPERCALL_vcpu_op && op == 10) {
            ((u64 *)c->page)[0] = arena_frame(c);
            ((u64 *)c->page)[1] = below(c, 64) * 64;
        }
    } else if (number == HYPERCALL_multicall) {
        for (u64 i = 0; i < 8; i++) { /* struct multicall_entry: op, result, args[6] */
            u64 *entry = (u64 *)c->page + 8 * i;
            entry[0] = below(c, 2) ? HYPERCALL_xen_version : HYPERCALL_event_channel_op;
            entry[2] = entry[0] == HYPERCALL_xen_version ? below(c, 12) : EVTCHNOP_send;
            entry[3] = (u64)c->page + 512 + below(c, 256) * 4;
        }
        op = (u64)c->page;
        a1 = below(c, 9);
        anything = false;
    }
    if (anything && below(c, 5) == 0) {
        a1 = pointer(c);
        a2 = below(c, 2) ? word(c) & 63 : a2;
        a3 = pointer(c);
    }
    c->good += hypercall5(number, op, a1, a2, a3, word(c)) >= 0;
    c->calls++;
}

/* A guest changes what it shares at any moment; many of its grants make sense. */
static void scribble(struct caller *c)
{
    if (below(c, 3)) {
        u64 ref = 1 + below(c, 40), entry = (grants << 12) + ref * (version2 ? 16 : 8);
        if (version2) {
            mmio_write64(entry + 8, arena_frame(c));
        } else {
            mmio_write32(entry + 4, (u32)arena_frame(c));
        }
        mmio_write32(entry, GTF_permit_access | (u32)below(c, 2) << 2 | (u32)peer(c) << 16);
    } else {
        u64 at[] = {(grants << 12) + below(c, 4096), (shared << 12) + below(c, 2048),
                    (arena + 40 + below(c, 2)) << 12 | below(c, 4096)};
        mmio_write8(at[below(c, ARRAY_SIZE(at))], (u8)kit_random(&c->seed));
    }
}

static void work(void *arg)
{
    struct caller *c = arg;
    u64 calls = bootarg_u64("calls", 100000) / machine.cpu_count;
    while (c->calls < calls && !over) {
        one(c);
        if (below(c, 3) == 0) {
            scribble(c);
        }
    }
}

static void place(u32 space, u64 frame)
{
    struct xen_add_to_physmap a = {.domid = DOMID_SELF, .space = space, .gpfn = frame};
    hypercall(HYPERCALL_memory_op, XENMEM_add_to_physmap, (u64)&a, 0, 0);
}

/* Lives differ in their event and grant ABI. */
static void begin(u64 seed)
{
    arena = (u64)heap_pages(ARENA) >> 12;
    hole = ((machine.ram_base + machine.ram_size) >> 12) + 4096;
    grants = hole + 100;
    shared = hole + 101;
    u32 version[2] = {2, 0};
    version2 = seed & 1 &&
               hypercall(HYPERCALL_grant_table_op, GNTTABOP_set_version, (u64)version, 1, 0) == 0;
    place(XENMAPSPACE_grant_table, grants);
    place(XENMAPSPACE_shared_info, shared);
    if (seed & 2) {
        struct {
            u64 control;
            u32 offset, vcpu;
            u8 link_bits, pad[7];
        } control = {.control = arena + 40};
        u64 array = arena + 41;
        hypercall(HYPERCALL_event_channel_op, EVTCHNOP_init_control, (u64)&control, 0, 0);
        hypercall(HYPERCALL_event_channel_op, EVTCHNOP_expand_array, (u64)&array, 0, 0);
    }
}

static void tick(u32 intid)
{
    if (intid == machine.timer_irq[2]) { /* nothing sleeps for ever */
        write_sysreg(cntv_cval_el0, ticks() + us_to_ticks(500));
        isb();
    }
}

static void alive(void *arg)
{
    skip_faults(true);
    gic_enable(machine.timer_irq[2]);
    write_sysreg(cntv_cval_el0, ticks() + us_to_ticks(500));
    write_sysreg(cntv_ctl_el0, 1);
    irq_on();
    work(arg);
}

void guest_main(void)
{
    u64 seed = bootarg_u64("seed", 0) ^ read_sysreg(cntpct_el0), first = seed;
    peers = bootarg_u64("peers", 3);
    irq_hook = tick;
    begin(kit_random(&seed) >> 20);
    for (u32 i = 0; i < machine.cpu_count; i++) {
        caller[i].seed = kit_random(&seed);
        caller[i].page = (u8 *)heap_pages(1);
    }
    for (u32 i = 1; i < machine.cpu_count; i++) {
        (void)cpu_start(i, alive, &caller[i]);
    }
    alive(&caller[0]);
    u64 calls = 0, good = 0;
    for (u32 i = 0; i < machine.cpu_count; i++) { /* the others may be in the midst of one */
        calls += caller[i].calls;
        good += caller[i].good;
    }
    say("life: %lu calls, %lu succeeded, seed %lx", calls, good, first);
    psci_call(PSCI_SYSTEM_RESET, 0, 0, 0);
    guest_die("SYSTEM_RESET returned");
}
