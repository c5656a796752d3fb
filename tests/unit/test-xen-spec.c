/*
 * Every interleaving of two domains, in small scopes, against the specification.
 *
 * A state of the specification is reached by a path of operations; from each
 * state found, each operation is tried once, by replaying its path on a fresh
 * machine. New states are queued; for grants until there are none, so that any
 * sequence of any length over these operations is covered.
 *
 *   events  2 domains x 3 ports; alloc, bind, IPI, close, send, take; states within 6 operations of the
 *           beginning and with at most 2 events pending
 *   grants  2 entries, 2 places to map; grant, revoke, map rw/ro, unmap, give up the frame, granter dies
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

#define STATES_MAX 60000
#define PATH_MAX_LENGTH 40

struct node {
    union {
        struct spec_events e;
        struct spec_grants g;
    } s;
    uint32_t from; /* node it was reached from */
    uint32_t call; /* by which */
};
static struct node *nodes;
static uint32_t node_count;
static uint32_t hash[1u << 17];

static bool node_add(const void *s, size_t size, uint32_t from, uint32_t call)
{
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < size; i++) {
        h = (h ^ ((const uint8_t *)s)[i]) * 16777619u;
    }
    for (h %= 1u << 17; hash[h] != 0; h = (h + 1) % (1u << 17)) {
        if (memcmp(&nodes[hash[h] - 1].s, s, size) == 0) {
            return false;
        }
    }
    assert_true(node_count < STATES_MAX);
    memcpy(&nodes[node_count].s, s, size);
    nodes[node_count].from = from;
    nodes[node_count].call = call;
    hash[h] = ++node_count;
    return true;
}

static unsigned path_to(uint32_t n, uint32_t *calls)
{
    unsigned length = 0;
    for (; n != 0; n = nodes[n].from) {
        assert_true(length < PATH_MAX_LENGTH);
        calls[length++] = nodes[n].call;
    }
    for (unsigned i = 0; i < length / 2; i++) {
        uint32_t t = calls[i];
        calls[i] = calls[length - 1 - i];
        calls[length - 1 - i] = t;
    }
    return length;
}

static void search_begin(const void *s, size_t size)
{
    nodes = calloc(STATES_MAX, sizeof(*nodes));
    memset(hash, 0, sizeof(hash));
    node_count = 0;
    node_add(s, size, 0, 0);
}

/* --- Events --- */

static struct spec_event_call event_calls[64];
static unsigned event_call_count;

static void event_alphabet(void)
{
    event_call_count = 0;
    for (uint8_t caller = 0; caller < 2; caller++) {
        for (uint8_t op = SPEC_ALLOC; op <= SPEC_TAKE; op++) {
            for (uint8_t remote = 0; remote < (op <= SPEC_BIND ? 2 : 1); remote++) {
                bool has_port = op == SPEC_BIND || op >= SPEC_CLOSE;
                for (uint8_t port = 1; port < (has_port ? SPEC_PORTS : 2); port++) {
                    event_calls[event_call_count++] =
                        (struct spec_event_call){op, caller, remote, has_port ? port : 0};
                }
            }
        }
    }
}

static int64_t event_real(const struct spec_event_call *c, uint32_t *port)
{
    unsigned id = c->caller + 1u;
    struct evtchn_alloc_unbound a = {DOMID_SELF, (domid_t)(c->remote + 1), 0};
    struct evtchn_bind_interdomain b = {(domid_t)(c->remote + 1), c->port, 0};
    struct evtchn_bind_ipi i = {0, 0};
    struct evtchn_close p = {c->port};
    int64_t result = 0;
    switch (c->op) {
    case SPEC_ALLOC:
        result = EVENT(id, alloc_unbound, &a);
        *port = a.port;
        break;
    case SPEC_BIND:
        result = EVENT(id, bind_interdomain, &b);
        *port = b.local_port;
        break;
    case SPEC_IPI:
        result = EVENT(id, bind_ipi, &i);
        *port = i.port;
        break;
    case SPEC_CLOSE:
        return EVENT(id, close, &p);
    case SPEC_SEND:
        return EVENT(id, send, &p);
    default:
        world[id]->xen->shared->evtchn_pending[0] &= ~(1ull << c->port);
        break;
    }
    return result;
}

/* Small tables: three ports each, no console and no store in the way. */
static void event_begin(void)
{
    for (unsigned id = 1; id <= 2; id++) {
        struct evtchn_reset r = {DOMID_SELF};
        assert_int_equal(EVENT(id, reset, &r), 0);
        world[id]->evtchn->port_limit = SPEC_PORTS;
        memset(world[id]->xen->shared->evtchn_pending, 0, 8);
    }
}

static void every_sequence_of_events(void **state)
{
    struct spec_events zero = {0};
    uint32_t calls[PATH_MAX_LENGTH], done = 0;
    event_alphabet();
    search_begin(&zero, sizeof(zero));
    world_begin(2);
    for (uint32_t n = 0; n < node_count; n++) {
        unsigned length = path_to(n, calls);
        for (unsigned i = 0; i < event_call_count; i++) {
            struct spec_events expect = nodes[n].s.e, got;
            uint32_t want_port = 0, port = 0;
            event_begin();
            for (unsigned k = 0; k < length; k++) {
                (void)event_real(&event_calls[calls[k]], &port);
            }
            int64_t want = spec_event_step(&expect, &event_calls[i], &want_port);
            int64_t result = event_real(&event_calls[i], &port);
            assert_int_equal(result, want);
            if (result == 0 && want_port != 0) {
                assert_int_equal(port, want_port);
            }
            spec_event_abstract(&got, (struct domain *const[2]){world[1], world[2]});
            assert_memory_equal(&got, &expect, sizeof(got));
            assert_null(spec_evtchn_wrong(world[1]));
            assert_null(spec_evtchn_wrong(world[2]));
            /* The whole graph is large. */
            unsigned pending = 0;
            for (unsigned d = 0; d < 2; d++) {
                for (unsigned p = 1; p < SPEC_PORTS; p++) {
                    pending += expect.port[d][p].pending;
                }
            }
            if (length < 6 && pending <= 2) {
                node_add(&expect, sizeof(expect), n, i);
            }
            done++;
        }
    }
    print_message("# events: %u states, %u steps compared\n", node_count, done);
    assert_true(node_count > 1000);
    free(nodes);
    world_end();
}

/* --- Grants --- */

static struct spec_grant_call grant_calls[64];
static unsigned grant_call_count;
static grant_handle_t handle[SPEC_SLOTS];

static void grant_alphabet(void)
{
    grant_call_count = 0;
    for (uint8_t op = SPEC_GRANT_RW; op <= SPEC_GRANTER_DIES; op++) {
        bool has_ref = op != SPEC_UNMAP && op != SPEC_GRANTER_DIES;
        bool has_slot = op == SPEC_MAP_RW || op == SPEC_MAP_RO || op == SPEC_UNMAP;
        for (uint8_t ref = 0; ref < (has_ref ? SPEC_REFS : 1); ref++) {
            for (uint8_t slot = 0; slot < (has_slot ? SPEC_SLOTS : 1); slot++) {
                grant_calls[grant_call_count++] = (struct spec_grant_call){op, ref, slot};
            }
        }
    }
}

static struct grant_entry_v1 *entry(uint8_t ref)
{
    return &((struct grant_entry_v1 *)world[1]->grant->table->frame[GRANT_SHARED][0])[8 + ref];
}

/* As Linux does it: the flags go by compare-and-swap, and not while the hypervisor has its bits there. */
static int revoke(uint8_t ref)
{
    uint16_t flags = entry(ref)->flags;
    if (flags & (GTF_reading | GTF_writing)) {
        return 1;
    }
    return !__atomic_compare_exchange_n(&entry(ref)->flags, &flags, 0, false, __ATOMIC_SEQ_CST,
                                        __ATOMIC_SEQ_CST);
}

static int give_up(uint8_t ref)
{
    struct {
        struct xen_memory_reservation r;
        uint64_t frame;
    } a = {.r = {.nr_extents = 1, .domid = DOMID_SELF}, .frame = WORLD_BASE + ref};
    a.r.extent_start = (WORLD_SCRATCH << FRAME_SHIFT) + offsetof(__typeof__(a), frame);
    if (call_with(1, __HYPERVISOR_memory_op, XENMEM_decrease_reservation, &a, sizeof(a), 0) != 1) {
        return 1;
    }
    assert_int_equal(
        call_with(1, __HYPERVISOR_memory_op, XENMEM_populate_physmap, &a, sizeof(a), 0), 1);
    return 0;
}

static int grant_real(const struct spec_grant_call *c)
{
    bool gone = world[1] == NULL;
    struct gnttab_map_grant_ref m = {
        .host_addr = (WORLD_HOLE + c->slot) << FRAME_SHIFT, .ref = 8u + c->ref, .dom = 1};
    struct gnttab_unmap_grant_ref u = {.host_addr = m.host_addr, .handle = handle[c->slot]};
    switch (c->op) {
    case SPEC_GRANT_RW:
    case SPEC_GRANT_RO:
        if (gone || (entry(c->ref)->flags & (GTF_reading | GTF_writing)) != 0) {
            return 1;
        }
        entry(c->ref)->frame = (uint32_t)WORLD_BASE + c->ref;
        entry(c->ref)->domid = 2;
        entry(c->ref)->flags = GTF_permit_access | (c->op == SPEC_GRANT_RO ? GTF_readonly : 0);
        return 0;
    case SPEC_REVOKE:
        return gone || revoke(c->ref);
    case SPEC_MAP_RW:
    case SPEC_MAP_RO:
        m.flags = GNTMAP_host_map | (c->op == SPEC_MAP_RO ? GNTMAP_readonly : 0);
        assert_int_equal(GRANT(2, map_grant_ref, &m), 0);
        if (m.status == GNTST_okay) {
            handle[c->slot] = m.handle;
        }
        return m.status;
    case SPEC_UNMAP:
        assert_int_equal(GRANT(2, unmap_grant_ref, &u), 0);
        if (u.status == GNTST_okay) {
            handle[c->slot] = ~0u;
        }
        return u.status;
    case SPEC_GIVE_UP:
        return gone || give_up(c->ref);
    default:
        if (!gone) {
            world_kill(1);
        }
        return 0;
    }
}

/* What shared entries and stage 2 say must be what the specification says. */
static void grant_compare(const struct spec_grants *s)
{
    for (uint8_t slot = 0; slot < SPEC_SLOTS; slot++) {
        struct p2m_entry e;
        bool there = p2m_lookup(world[2], gfn(WORLD_HOLE + slot), &e);
        assert_int_equal(there, s->slot[slot].used);
        assert_true(!there || e.type == (s->slot[slot].readonly ? P2M_GRANT_RO : P2M_GRANT_RW));
    }
    for (uint8_t ref = 0; ref < SPEC_REFS && world[1] != NULL; ref++) {
        uint16_t flags = entry(ref)->flags;
        assert_int_equal((flags & GTF_writing) != 0, s->ref[ref].writers != 0);
        assert_int_equal((flags & GTF_reading) != 0,
                         s->ref[ref].readers + s->ref[ref].writers != 0);
        assert_int_equal((flags & GTF_type_mask) == GTF_permit_access, s->ref[ref].granted);
    }
    assert_null(spec_grant_wrong(world[2]));
    if (world[1] != NULL) {
        assert_null(spec_grant_wrong(world[1]));
    }
    fake_tlb_check(world[2]);
}

static void every_sequence_of_grants(void **state)
{
    struct spec_grants zero = {0};
    uint32_t calls[PATH_MAX_LENGTH], done = 0;
    grant_alphabet();
    search_begin(&zero, sizeof(zero));
    for (uint32_t n = 0; n < node_count; n++) {
        unsigned length = path_to(n, calls);
        for (unsigned i = 0; i < grant_call_count; i++) {
            struct spec_grants expect = nodes[n].s.g;
            world_begin(2);
            memset(handle, 0xff, sizeof(handle));
            for (unsigned k = 0; k < length; k++) {
                (void)grant_real(&grant_calls[calls[k]]);
            }
            int want = spec_grant_step(&expect, &grant_calls[i]);
            assert_int_equal(grant_real(&grant_calls[i]), want);
            grant_compare(&expect);
            world_end(); /* and every end: nothing leaks from any state, whoever dies first */
            node_add(&expect, sizeof(expect), n, i);
            done++;
        }
    }
    print_message("# grants: %u states, %u steps compared, all of them\n", node_count, done);
    assert_true(node_count > 50);
    free(nodes);
}

/* bad_: one thing at a time is made wrong, and the check that is for it must say so. */
static void the_checks_fire(void **state)
{
    world_begin(2);
    struct evtchn_alloc_unbound a = {DOMID_SELF, 2, 0};
    assert_int_equal(EVENT(1, alloc_unbound, &a), 0);
    struct evtchn_bind_interdomain b = {1, a.port, 0};
    assert_int_equal(EVENT(2, bind_interdomain, &b), 0);
    struct evtchn *c = evtchn_of(world[2]->evtchn, b.local_port);
    c->remote_port++;
    assert_string_equal(spec_evtchn_wrong(world[2]), "E1: an interdomain channel is not mutual");
    c->remote_port--;
    c->vcpu = 2;
    assert_string_equal(spec_evtchn_wrong(world[2]), "E2: a channel names no vCPU");
    c->vcpu = 0;
    evtchn_of(world[2]->evtchn, 0)->state = EVTCHN_IPI;
    assert_string_equal(spec_evtchn_wrong(world[2]), "port 0 is in use");
    evtchn_of(world[2]->evtchn, 0)->state = EVTCHN_FREE;
    world[2]->evtchn->search_from += 2;
    assert_string_equal(spec_evtchn_wrong(world[2]),
                        "a free port lies below where the search begins");
    world[2]->evtchn->search_from -= 2;
    struct evtchn_bind_virq q = {.virq = VIRQ_DEBUG};
    assert_int_equal(EVENT(2, bind_virq, &q), 0);
    world[2]->vcpu[0]->evtchn->virq_port[VIRQ_DEBUG] = 0;
    assert_string_equal(spec_evtchn_wrong(world[2]), "a VIRQ channel is not registered once");
    world[2]->vcpu[0]->evtchn->virq_port[VIRQ_DEBUG] = q.port;
    assert_null(spec_evtchn_wrong(world[2]));
    world[1]->grant->table->pins++;
    assert_string_equal(spec_grant_wrong(world[1]), "the count of pins is off");
    world[1]->grant->table->pins--;
    world[1]->p2m.mapped_frames[P2M_GRANT_RO]++;
    assert_string_equal(spec_grant_wrong(world[1]), "R2: a grant's stage-2 entry without a handle");
    world[1]->p2m.mapped_frames[P2M_GRANT_RO]--;
    *entry(0) = (struct grant_entry_v1){GTF_permit_access, 2, WORLD_BASE};
    struct gnttab_map_grant_ref op = {
        .host_addr = WORLD_HOLE << FRAME_SHIFT, .flags = GNTMAP_host_map, .ref = 0, .dom = 1};
    op.ref = (grant_ref_t)(entry(0) -
                           (struct grant_entry_v1 *)world[1]->grant->table->frame[GRANT_SHARED][0]);
    assert_int_equal(GRANT(2, map_grant_ref, &op), 0);
    assert_int_equal(op.status, GNTST_okay);
    struct grant_domain *g = world[2]->grant;
    struct maptrack *m = &g->track[0][op.handle];
    m->gfn++;
    assert_string_equal(spec_grant_wrong(world[2]), "R2: a handle without its stage-2 entry");
    m->gfn--;
    m->state = MAPTRACK_BUSY;
    assert_string_equal(spec_grant_wrong(world[2]), "a handle is busy though nothing is under way");
    m->state = MAPTRACK_MAPPED;
    g->track_used++;
    assert_string_equal(spec_grant_wrong(world[2]), "the count of handles is off");
    g->track_used--;
    assert_null(spec_grant_wrong(world[2]));
    struct grant_table *t = world[1]->grant->table;
    struct grant_active *active =
        &t->active[op.ref / GRANT_ACTIVE_PER_PAGE][op.ref % GRANT_ACTIVE_PER_PAGE];
    active->mfn += 1ull << 30;
    assert_string_equal(spec_grant_wrong(world[1]), "R1: a pinned frame is not held");
    active->mfn -= 1ull << 30;
    assert_null(spec_grant_wrong(world[1]));
    world_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_sequence_of_events),
        cmocka_unit_test(every_sequence_of_grants),
        cmocka_unit_test(the_checks_fire),
    };
    return cmocka_run_group_tests_name("xen-spec", tests, NULL, NULL);
}
