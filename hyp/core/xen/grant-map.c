/*
 * Mapping grants of others: maptrack, the list of what this domain has mapped,
 * and the two operations on it.
 *
 *   FREE --map--> BUSY --stage 2 entry made--> MAPPED --unmap: entry taken out--> BUSY --TLB flushed--> FREE
 *
 * BUSY entries belong to the operation that made them so: two vCPUs that unmap
 * one handle cannot both succeed. R2 and R3 are kept by the order of the steps.
 */
#include <hyp/grant.h>

#include "xen-internal.h"

#include <hyp/arch.h>
#include <hyp/assert.h>

/* Elements per call before the guest may take its interrupts (H1); also how many share one TLB invalidation. */
#define BATCH 32u
/* Elements that are copied in and out at once. */
#define CHUNK 8u
/* Handles that one call looks at. */
#define GLANCES 1024u

/* --- Handles; all [map lock] --- */

/* The record of a handle that is known to have one. */
static inline struct maptrack *track_at(const struct grant_domain *g, grant_handle_t handle)
{
    return &g->track[handle / MAPTRACK_PER_PAGE][handle % MAPTRACK_PER_PAGE];
}

static bool track_grow(struct domain *d)
{
    struct grant_domain *g = d->grant;
    if (g->track == NULL) {
        g->track = frame_alloc_hyp(d, 0);
    }
    uint32_t page_at = g->track_count / MAPTRACK_PER_PAGE;
    bool room = g->track != NULL && page_at < MAPTRACK_PAGES;
    struct maptrack *page = room ? frame_alloc_hyp(d, 0) : NULL;
    if (page == NULL) {
        return false;
    }
    g->track[page_at] = page;
    for (uint32_t i = MAPTRACK_PER_PAGE; i-- > 0;) { /* so that low handles are handed out first */
        page[i].handle = (uint16_t)(g->track_count + i);
        page[i].next = g->track_free;
        g->track_free = &page[i];
    }
    g->track_count += MAPTRACK_PER_PAGE;
    return true;
}

static struct maptrack *track_take(struct domain *d)
{
    struct grant_domain *g = d->grant;
    struct maptrack *m = NULL;
    lock(&g->map_lock);
    if (g->track_free != NULL || track_grow(d)) {
        m = g->track_free;
        g->track_free = m->next;
        m->state = MAPTRACK_BUSY;
        g->track_used++;
    }
    unlock(&g->map_lock);
    return m;
}

static void track_free(struct grant_domain *g, struct maptrack *const *track, unsigned count)
{
    lock(&g->map_lock);
    for (unsigned i = 0; i < count; i++) {
        track[i]->state = MAPTRACK_FREE;
        track[i]->next = g->track_free;
        g->track_free = track[i];
    }
    g->track_used -= count;
    unlock(&g->map_lock);
}

/* --- Map --- */

/* Who grants: the same one as for the element before, nearly always. `*last` is counted. By its number:
 * the interface has no DOMID_SELF here. */
static struct domain *granter(domid_t id, struct domain **last)
{
    if (*last == NULL || (*last)->id != id) {
        if (*last != NULL) {
            domain_put(*last);
        }
        *last = domain_get(id);
    }
    return *last;
}

/* The record is filled; the grant is held by it, or nothing is. */
static int map_track(struct domain *d, struct domain *from, struct maptrack *m)
{
    enum p2m_type type = m->readonly ? P2M_GRANT_RO : P2M_GRANT_RW;
    int status = grant_pin(from, d->id, m);
    if (status != GNTST_okay) {
        return status;
    }
    int error = p2m_map(d, gfn(m->gfn), mfn(m->mfn), 1, type);
    if (unlikely(error == -XEN_EEXIST)) {
        error = physmap_replace(d, gfn(m->gfn), mfn(m->mfn), type);
    }
    if (unlikely(error != 0)) {
        grant_unpin(m);
        return GNTST_general_error;
    }
    return GNTST_okay;
}

static int map_one(struct domain *d, struct gnttab_map_grant_ref *op, struct domain **last)
{
    if ((op->flags & (GNTMAP_host_map | GNTMAP_device_map)) == 0) {
        return GNTST_bad_gntref;
    }
    if ((op->flags & (GNTMAP_device_map | GNTMAP_application_map | GNTMAP_contains_pte)) != 0 ||
        (op->host_addr & FRAME_MASK) != 0) {
        return GNTST_general_error; /* meaningful where guests have page tables of machine frames */
    }
    struct domain *from = granter(op->dom, last);
    if (from == NULL) {
        return GNTST_bad_domain;
    }
    struct maptrack *m = track_take(d);
    if (m == NULL) {
        return GNTST_no_device_space;
    }
    m->ref = op->ref;
    m->readonly = (op->flags & GNTMAP_readonly) != 0;
    m->gfn = op->host_addr >> FRAME_SHIFT;
    int status = map_track(d, from, m);
    if (status != GNTST_okay) {
        track_free(d->grant, &m, 1);
        return status;
    }
    op->handle = m->handle;
    op->dev_bus_addr = mfn_mpa(mfn(m->mfn)).v; /* for devices without an IOMMU */
    /* BUSY is ours alone; who finds MAPPED finds all of it. */
    __atomic_store_n(&m->state, MAPTRACK_MAPPED, __ATOMIC_RELEASE);
    return GNTST_okay;
}

/* --- Unmap --- */

/* MAPPED -> BUSY: from now on ours to take out. */
static int track_claim(struct grant_domain *g, const struct gnttab_unmap_grant_ref *op,
                       struct maptrack **out) REQUIRES(&g->map_lock)
{
    if (op->handle >= g->track_count) {
        return GNTST_bad_handle;
    }
    struct maptrack *m = track_at(g, array_index_clamp(op->handle, g->track_count));
    if (m->state != MAPTRACK_MAPPED) {
        return GNTST_bad_handle;
    }
    if (op->host_addr >> FRAME_SHIFT != m->gfn) {
        return GNTST_general_error;
    }
    m->state = MAPTRACK_BUSY;
    *out = m;
    return GNTST_okay;
}

/* The entry goes from stage 2; the TLB is flushed later, and then release() finishes. */
static inline void take_out(struct domain *d, const struct maptrack *m)
{
    struct p2m_entry e NOT_ZEROED;
    CHECK(p2m_take(d, gfn(m->gfn), P2M_TYPES_GRANT, &e) == 0); /* R2: alone in its entry */
}

/* One invalidation for all, then the frames may go (R3). */
static void release(struct domain *d, struct maptrack *const *taken, unsigned count)
{
    if (count == 0) {
        return;
    }
    p2m_flush(d);
    for (unsigned i = 0; i < count; i++) {
        grant_unpin(taken[i]);
    }
    track_free(d->grant, taken, count);
}

/* --- Batches --- */

/* What a call keeps from element to element. */
struct batch {
    struct domain *last; /* counted: who granted the one before */
    unsigned taken_count;
    struct maptrack *taken[BATCH];
};

/* Carry out `some` for all elements of arg[1], each `size` long; arg[1] and arg[2] count the progress. */
static inline int64_t each(struct vcpu *v, uint64_t *arg, void *op, size_t size, struct batch *b,
                           void (*some)(struct domain *d, void *op, unsigned count,
                                        struct batch *b))
{
    for (unsigned done = 0; arg[2] > 0; done += CHUNK) {
        uint64_t count = arg[2] < CHUNK ? arg[2] : CHUNK;
        if (done == BATCH) {
            return -XEN_ERESTART;
        }
        if (guest_va_read(v, op, arg[1], count * size) != 0) {
            return -XEN_EFAULT;
        }
        some(v->domain, op, (unsigned)count, b);
        /* What is mapped stays mapped even if the guest took its argument away: it knows where. */
        if (guest_va_write(v, arg[1], op, count * size) != 0) {
            return -XEN_EFAULT;
        }
        arg[1] += count * size;
        arg[2] -= count;
    }
    return 0;
}

static inline void map_some(struct domain *d, void *op, unsigned count, struct batch *b)
{
    for (struct gnttab_map_grant_ref *m = op, *end = m + count; m < end; m++) {
        m->status = (int16_t)map_one(d, m, &b->last);
    }
}

static inline void unmap_some(struct domain *d, void *op, unsigned count, struct batch *b)
{
    struct maptrack **from = &b->taken[b->taken_count], **to = from;
    lock(&d->grant->map_lock);
    for (struct gnttab_unmap_grant_ref *u = op, *end = u + count; u < end; u++) {
        u->status = (int16_t)track_claim(d->grant, u, to);
        to += u->status == GNTST_okay;
    }
    unlock(&d->grant->map_lock);
    b->taken_count += (unsigned)(to - from);
    for (; from < to; from++) {
        take_out(d, *from);
    }
}

int64_t grant_map_op(struct vcpu *v, uint64_t *arg)
{
    struct gnttab_map_grant_ref op[CHUNK] NOT_ZEROED;
    struct batch b NOT_ZEROED;
    b.last = NULL;
    int64_t result = each(v, arg, op, sizeof(op[0]), &b, map_some);
    if (b.last != NULL) {
        domain_put(b.last);
    }
    return result;
}

int64_t grant_unmap_op(struct vcpu *v, uint64_t *arg)
{
    struct gnttab_unmap_grant_ref op[CHUNK] NOT_ZEROED;
    struct batch b NOT_ZEROED;
    b.taken_count = 0;
    int64_t result = each(v, arg, op, sizeof(op[0]), &b, unmap_some);
    release(v->domain, b.taken, b.taken_count);
    return result;
}

/* --- Looking for a frame --- */

/* The list is searched piece by piece (H1); where it stopped is kept in the vCPU, for this very frame. */
int64_t grant_flush_mapped(struct vcpu *v, mfn_t frame, uint16_t offset, uint16_t length)
{
    struct grant_domain *g = v->domain->grant;
    struct evtchn_vcpu *x = v->evtchn;
    if (x->resume_key != frame.v) {
        x->resume_key = frame.v;
        x->resume_at = 0;
    }
    int64_t result = -XEN_EPERM;
    lock(&g->map_lock);
    uint32_t end =
        x->resume_at + GLANCES < g->track_count ? x->resume_at + GLANCES : g->track_count;
    for (uint32_t i = x->resume_at; i < end && result != 0; i++) {
        const struct maptrack *m = track_at(g, i);
        if (m->state == MAPTRACK_MAPPED && m->mfn == frame.v) {
            arch_clean_to_poc((const char *)mfn_to_va(frame) + offset, length);
            result = 0;
        }
    }
    x->resume_at = end;
    if (result != 0 && end < g->track_count) {
        result = -XEN_ERESTART;
    } else {
        x->resume_key = ~0ull;
    }
    unlock(&g->map_lock);
    return result;
}

/* --- Life --- */

/* Page by page from the last one: when nothing of it is mapped any more it goes. No vCPU runs. */
static int stop_mapping(struct domain *d)
{
    struct grant_domain *g = d->grant;
    struct maptrack *taken[BATCH] = {NULL};
    struct maptrack *page = g->track[g->track_count / MAPTRACK_PER_PAGE - 1];
    unsigned count = 0;
    for (unsigned i = 0; i < MAPTRACK_PER_PAGE && count < BATCH; i++) {
        if (page[i].state == MAPTRACK_MAPPED) {
            take_out(d, &page[i]);
            taken[count++] = &page[i];
        }
    }
    release(d, taken, count);
    if (count < BATCH) {
        frame_free_hyp(d, page, 0);
        g->track_count -= (uint32_t)MAPTRACK_PER_PAGE;
    }
    return -XEN_ERESTART; /* one thing at a time */
}

int grant_domain_stop(struct domain *d)
{
    struct grant_domain *g = d->grant;
    if (g->track_count != 0) {
        return stop_mapping(d);
    }
    if (g->track != NULL) {
        CHECK(g->track_used == 0); /* nobody is in the middle of an operation */
        frame_free_hyp(d, g->track, 0);
    }
    g->track = NULL;
    g->track_free = NULL;
    return grant_table_detach(d);
}
