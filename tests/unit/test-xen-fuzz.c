/*
 * Random hypercalls of three domains that also scribble over everything they
 * share with the hypervisor. After every thousand calls the structures must
 * satisfy the specification; at the end all domains die, in random order, and
 * every frame must be back. Each round says its seed; a failure is repeated by
 *
 *     XEN_FUZZ_SEED=<seed> build/unit/test-xen-fuzz
 *
 * XEN_FUZZ_CALLS (default 200,000) is the number of calls in all.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../hyp/spec/xen-spec.h"
#include "xen-world.h"
#include <stdlib.h>
#include <string.h>
#include <xen/sysctl.h>
#include <xen/sched.h>
#include <xen/version.h>

#define ROUND 20000u

static uint64_t state;

static uint64_t any(void)
{
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return state * 2685821657736338717ull;
}

static uint64_t below(uint64_t n)
{
    return any() % n;
}

/* A number that means something somewhere, or nothing at all. */
static uint64_t word(void)
{
    static const uint64_t special[] = {0,          1,      2,          3,
                                       0x7ff0,     0x7ff2, 0x7fff,     63,
                                       64,         511,    512,        1023,
                                       1024,       4095,   4096,       0x80000000,
                                       0xffffffff, ~0ull,  1ull << 52, WORLD_HOLE << FRAME_SHIFT};
    switch (below(6)) {
    case 0:
        return special[below(ARRAY_LEN(special))];
    case 1:
        return WORLD_BASE + below(WORLD_FRAMES);
    case 2:
        return WORLD_HOLE + below(16);
    case 3:
        return (WORLD_BASE + below(WORLD_FRAMES)) << FRAME_SHIFT;
    case 4:
        return below(40);
    default:
        return any() >> below(64);
    }
}

/* Fill the argument page: structures of the family with likely fields. */
static void fill(unsigned id, uint64_t number, uint64_t cmd)
{
    mpa_t at;
    if (!fake_guest_translate(world[id], gpa(WORLD_SCRATCH << FRAME_SHIFT), true, &at)) {
        return;
    }
    uint64_t *page = fake_ram(at);
    for (unsigned i = 0; i < 64; i++) {
        page[i] = word() | (below(3) == 0 ? word() << 32 : 0);
    }
    domid_t other = (domid_t)(1 + below(4));
    if (number == __HYPERVISOR_grant_table_op && cmd == GNTTABOP_map_grant_ref) {
        for (unsigned i = 0; i < 8; i++) {
            ((struct gnttab_map_grant_ref *)page)[i] = (struct gnttab_map_grant_ref){
                .host_addr = ((below(4) ? WORLD_HOLE : WORLD_BASE) + below(24)) << FRAME_SHIFT,
                .flags = GNTMAP_host_map | (below(2) ? GNTMAP_readonly : 0),
                .ref = (uint32_t)below(24),
                .dom = other};
        }
    } else if (number == __HYPERVISOR_grant_table_op && cmd == GNTTABOP_unmap_grant_ref) {
        for (unsigned i = 0; i < 8; i++) {
            ((struct gnttab_unmap_grant_ref *)page)[i] = (struct gnttab_unmap_grant_ref){
                .host_addr = (WORLD_HOLE + below(24)) << FRAME_SHIFT,
                .handle = (uint32_t)below(40)};
        }
    } else if (number == __HYPERVISOR_grant_table_op && cmd == GNTTABOP_copy) {
        for (unsigned i = 0; i < 8; i++) {
            struct gnttab_copy *c = &((struct gnttab_copy *)page)[i];
            *c = (struct gnttab_copy){.len = (uint16_t)below(5000), .flags = (uint16_t)below(4)};
            c->source.domid = c->flags & 1 ? other : DOMID_SELF;
            c->source.u.gmfn = c->flags & 1 ? below(24) : WORLD_BASE + below(60);
            c->dest.domid = c->flags & 2 ? other : DOMID_SELF;
            c->dest.u.gmfn = c->flags & 2 ? below(24) : WORLD_BASE + 8 + below(50);
        }
    } else if (number == __HYPERVISOR_memory_op && cmd <= XENMEM_populate_physmap) {
        struct xen_memory_reservation *r = (void *)page;
        *r = (struct xen_memory_reservation){.extent_start = (WORLD_SCRATCH << FRAME_SHIFT) + 512,
                                             .nr_extents = below(40),
                                             .extent_order = (uint32_t)(below(8) == 0) * 3,
                                             .domid = below(8) ? DOMID_SELF : other};
        for (unsigned i = 64; i < 104; i++) {
            page[i] = (below(2) ? WORLD_HOLE + 32 : WORLD_BASE + 8) + below(40);
        }
    } else if (number == __HYPERVISOR_event_channel_op) {
        if (cmd == EVTCHNOP_bind_interdomain) {
            ((struct evtchn_bind_interdomain *)page)[0] =
                (struct evtchn_bind_interdomain){(domid_t)(1 + below(3)), (uint32_t)below(16), 0};
            return;
        }
        if (cmd == EVTCHNOP_alloc_unbound) {
            ((struct evtchn_alloc_unbound *)page)[0] =
                (struct evtchn_alloc_unbound){DOMID_SELF, (domid_t)(1 + below(3)), 0};
            return;
        }
        ((uint32_t *)page)[0] = below(2) ? (uint32_t)below(30) : DOMID_SELF | (uint32_t)other << 16;
        ((uint32_t *)page)[1] = (uint32_t)below(30);
    }
}

/* Guests change what they share at any moment. */
static void scribble(unsigned id)
{
    struct domain *d = world[id];
    uint8_t *page[4] = {(uint8_t *)d->xen->shared, d->grant->table->frame[GRANT_SHARED][0],
                        (uint8_t *)d->xen->console,
                        d->evtchn->fifo_page_count > 0 ? (uint8_t *)d->evtchn->fifo_page[0] : NULL};
    unsigned which = (unsigned)below(4);
    if (page[which] == NULL) {
        return;
    }
    if (which == 1 && below(2)) { /* a sensible grant */
        uint32_t ref = (uint32_t)below(24);
        struct grant_entry_v1 *e = &((struct grant_entry_v1 *)page[1])[ref];
        if (d->grant->table->version == 1 && (e->flags & (GTF_reading | GTF_writing)) == 0) {
            *e = (struct grant_entry_v1){
                (uint16_t)(GTF_permit_access | (below(3) == 0 ? GTF_readonly : 0)),
                (domid_t)(1 + below(3)), (uint32_t)(WORLD_BASE + below(60))};
        } else if (d->grant->table->version == 2) {
            union grant_entry_v2 *e2 = &((union grant_entry_v2 *)page[1])[ref];
            e2->full_page.frame = WORLD_BASE + below(60);
            e2->hdr = (struct grant_entry_header){
                GTF_permit_access | (below(4) == 0 ? GTF_sub_page : 0), (domid_t)(1 + below(3))};
        }
        return;
    }
    for (unsigned i = 0; i < 4; i++) {
        page[which][below(FRAME_SIZE)] = (uint8_t)any();
    }
}

static const struct {
    uint8_t number, commands;
} families[] = {{__HYPERVISOR_memory_op, 29},
                {__HYPERVISOR_multicall, 3},
                {__HYPERVISOR_xen_version, 12},
                {__HYPERVISOR_console_io, 3},
                {__HYPERVISOR_grant_table_op, 14},
                {__HYPERVISOR_grant_table_op, 2},
                {__HYPERVISOR_grant_table_op, 6},
                {__HYPERVISOR_vm_assist, 3},
                {__HYPERVISOR_vcpu_op, 14},
                {__HYPERVISOR_sched_op, 9},
                {__HYPERVISOR_event_channel_op, 15},
                {__HYPERVISOR_event_channel_op, 10},
                {__HYPERVISOR_physdev_op, 40},
                {__HYPERVISOR_hvm_op, 30},
                {__HYPERVISOR_platform_op, 2},
                {__HYPERVISOR_sysctl, 2},
                {__HYPERVISOR_domctl, 2},
                {__HYPERVISOR_hypfs_op, 3},
                {60, 4}};

static void one(void)
{
    unsigned id = (unsigned)(1 + below(3)), f = (unsigned)below(ARRAY_LEN(families));
    uint64_t number = families[f].number, cmd = below(families[f].commands),
             scratch = WORLD_SCRATCH << FRAME_SHIFT;
    mpa_t at;
    if (number == __HYPERVISOR_event_channel_op && cmd == EVTCHNOP_reset && below(500) != 0) {
        return; /* else nothing ever lives long */
    }
    if (!fake_guest_translate(world[id], gpa(scratch), true, &at)) {
        return; /* it gave its argument page away */
    }
    fill(id, number, cmd);
    switch (below(12)) {
    case 0: /* anything anywhere */
        (void)call(id, number, word(), word(), below(64));
        break;
    default:
        if (number == __HYPERVISOR_multicall || number == __HYPERVISOR_platform_op ||
            number == __HYPERVISOR_sysctl || number == __HYPERVISOR_domctl) {
            (void)call(id, number, scratch, below(20), 0);
        } else if (number == __HYPERVISOR_vcpu_op || number == __HYPERVISOR_console_io) {
            (void)call(id, number, cmd, below(3), scratch);
        } else {
            (void)call(id, number, cmd, scratch + (below(20) == 0 ? below(FRAME_SIZE) : 0),
                       1 + below(8));
        }
    }
    world_console_length = 0;
    world[id]->state = DOMAIN_RUNNING;
}

/* That the calls reach what they are to test: states seen at the checks. */
static uint64_t seen_mapped, seen_bound, seen_fifo, seen_v2, seen_restarts;

static void look_around(struct domain *d)
{
    seen_mapped += d->grant->track_used;
    seen_fifo += d->evtchn->fifo_page != NULL;
    seen_v2 += d->grant->table->version == 2;
    for (uint32_t port = 1; port < d->evtchn->port_count; port++) {
        seen_bound += evtchn_of(d->evtchn, port)->state == EVTCHN_INTERDOMAIN;
    }
}

static void check_all(void)
{
    seen_restarts += world_restarts;
    for (unsigned id = 1; id <= 3; id++) {
        const char *wrong = spec_evtchn_wrong(world[id]);
        wrong = wrong != NULL ? wrong : spec_grant_wrong(world[id]);
        if (wrong != NULL) {
            fail_msg("domain %u: %s", id, wrong);
        }
        fake_tlb_check(world[id]);
        look_around(world[id]);
    }
}

/* Some rounds begin with the other ABIs. */
static void begin(uint64_t round)
{
    world_begin(3);
    if (round % 2 == 1) {
        struct gnttab_set_version v = {2};
        assert_int_equal(GRANT(2, set_version, &v), 0);
    }
    for (unsigned id = 1; id <= round % 3; id++) {
        struct evtchn_init_control ic = {.control_gfn = WORLD_BASE + 40, .vcpu = 0};
        struct evtchn_expand_array ea = {WORLD_BASE + 41};
        assert_int_equal(EVENT(id, init_control, &ic), 0);
        assert_int_equal(EVENT(id, expand_array, &ea), 0);
    }
}

static void random_calls_break_nothing(void **unused)
{
    const char *seed = getenv("XEN_FUZZ_SEED"), *calls = getenv("XEN_FUZZ_CALLS");
    uint64_t first = seed != NULL ? strtoull(seed, NULL, 0) : 1,
             count = calls != NULL ? strtoull(calls, NULL, 0) : 200000;
    for (uint64_t round = 0; round * ROUND < count; round++) {
        print_message("# round %llu, seed %llu\n", (unsigned long long)round,
                      (unsigned long long)(first + round));
        state = (first + round) * 0x9e3779b97f4a7c15ull + 1;
        begin(round);
        for (unsigned i = 0; i < ROUND; i++) {
            one();
            if (below(3) == 0) {
                scribble((unsigned)(1 + below(3)));
            }
            if (i % 1000 == 999) {
                check_all();
            }
        }
        unsigned a = (unsigned)(1 + below(3));
        world_kill(a);
        world_end();
    }
    print_message("# at %llu checks: %llu mappings, %llu bound channels, %llu with FIFO, %llu with "
                  "version 2\n",
                  (unsigned long long)count / 1000, (unsigned long long)seen_mapped,
                  (unsigned long long)seen_bound, (unsigned long long)seen_fifo,
                  (unsigned long long)seen_v2);
    assert_true(seen_mapped > 100 && seen_bound > 100 && seen_fifo > 0 && seen_v2 > 0 &&
                seen_restarts > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(random_calls_break_nothing)};
    return cmocka_run_group_tests_name("xen-fuzz", tests, NULL, NULL);
}
