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
/* Handles that one call of grant_domain_stop() looks at. */
#define STOP_GLANCES 1024u

/* --- Handles; all [map lock] --- */

static struct maptrack *track_of(const struct grant_domain *g, grant_handle_t handle)
{
    if (handle >= g->track_count) {
        return NULL;
    }
    handle = array_index_clamp(handle, g->track_count);
    return &g->track[handle / MAPTRACK_PER_PAGE][handle % MAPTRACK_PER_PAGE];
}

static int track_grow(struct domain *d)
{
    struct grant_domain *g = d->grant;
    if (g->track == NULL) {
        g->track = frame_alloc_hyp(d, 0);
    }
    uint32_t page_at = g->track_count / MAPTRACK_PER_PAGE;
    if (g->track == NULL || page_at == MAPTRACK_PAGES) {
        return -XEN_ENOSPC;
    }
    struct maptrack *page = frame_alloc_hyp(d, 0);
    if (page == NULL) {
        return -XEN_ENOMEM;
    }
    g->track[page_at] = page;
    for (uint32_t i = MAPTRACK_PER_PAGE; i-- > 0;) { /* so that low handles are handed out first */
        page[i].gfn = g->track_free;
        g->track_free = g->track_count + i + 1;
    }
    g->track_count += MAPTRACK_PER_PAGE;
    return 0;
}

static struct maptrack *track_take(struct domain *d, grant_handle_t *handle)
{
    struct grant_domain *g = d->grant;
    struct maptrack *m = NULL;
    lock(&g->map_lock);
    if (g->track_free != 0 || track_grow(d) == 0) {
        *handle = g->track_free - 1;
        m = track_of(g, *handle);
        g->track_free = (uint32_t)m->gfn;
        m->state = MAPTRACK_BUSY;
        g->track_used++;
    }
    unlock(&g->map_lock);
    return m;
}

static void track_free(struct grant_domain *g, struct maptrack *m, grant_handle_t handle)
{
    m->state = MAPTRACK_FREE;
    m->table = NULL;
    m->gfn = g->track_free;
    g->track_free = handle + 1;
    g->track_used--;
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

static int map_pinned(struct domain *d, const struct gnttab_map_grant_ref *op,
                      const struct grant_use *use, grant_handle_t *handle)
{
    bool readonly = op->flags & GNTMAP_readonly;
    struct maptrack *m = track_take(d, handle);
    if (m == NULL) {
        return GNTST_no_device_space;
    }
    m->table = use->table;
    m->ref = use->ref;
    m->readonly = readonly;
    m->mfn = use->mfn.v;
    m->gfn = op->host_addr >> FRAME_SHIFT;
    enum p2m_type type = readonly ? P2M_GRANT_RO : P2M_GRANT_RW;
    int error = p2m_map(d, gfn(m->gfn), use->mfn, 1, type);
    if (unlikely(error == -XEN_EEXIST)) {
        error = physmap_replace(d, gfn(m->gfn), use->mfn, type);
    }
    if (unlikely(error != 0)) {
        lock(&d->grant->map_lock);
        track_free(d->grant, m, *handle);
        unlock(&d->grant->map_lock);
        return GNTST_general_error;
    }
    /* BUSY is ours alone; who finds MAPPED finds all of it. */
    __atomic_store_n(&m->state, MAPTRACK_MAPPED, __ATOMIC_RELEASE);
    return GNTST_okay;
}

static int map_one(struct domain *d, struct gnttab_map_grant_ref *op, struct domain **last)
{
    bool readonly = op->flags & GNTMAP_readonly;
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
    struct grant_use use NOT_ZEROED;
    int status = grant_pin(from, op->ref, d->id, readonly, &use);
    if (status != GNTST_okay) {
        return status;
    }
    grant_handle_t handle NOT_ZEROED;
    status = map_pinned(d, op, &use, &handle);
    if (status != GNTST_okay) {
        grant_unpin(use.table, use.ref, readonly);
        return status;
    }
    op->handle = handle;
    op->dev_bus_addr = mfn_mpa(use.mfn).v; /* for devices without an IOMMU */
    return GNTST_okay;
}

/* --- Unmap --- */

struct taken {
    struct maptrack *track;
    grant_handle_t handle;
};

/* MAPPED -> BUSY: from now on ours to take out. */
static int track_claim(struct grant_domain *g, const struct gnttab_unmap_grant_ref *op,
                       struct taken *out) REQUIRES(&g->map_lock)
{
    struct maptrack *m = track_of(g, op->handle);
    if (m == NULL || m->state != MAPTRACK_MAPPED) {
        return GNTST_bad_handle;
    }
    if (op->host_addr >> FRAME_SHIFT != m->gfn) {
        return GNTST_general_error;
    }
    m->state = MAPTRACK_BUSY;
    *out = (struct taken){m, op->handle};
    return GNTST_okay;
}

/* The entry goes from stage 2; the TLB is flushed later, and then release() finishes. */
static inline void take_out(struct domain *d, const struct taken *t)
{
    struct p2m_entry e NOT_ZEROED;
    CHECK(p2m_take(d, gfn(t->track->gfn), P2M_TYPES_GRANT, &e) == 0); /* R2: alone in its entry */
}

/* One invalidation for all, then the frames may go (R3). */
static void release(struct domain *d, const struct taken *taken, unsigned count)
{
    if (count == 0) {
        return;
    }
    p2m_flush(d);
    for (unsigned i = 0; i < count; i++) {
        struct maptrack *m = taken[i].track;
        grant_unpin(m->table, m->ref, m->readonly);
    }
    lock(&d->grant->map_lock);
    for (unsigned i = 0; i < count; i++) {
        track_free(d->grant, taken[i].track, taken[i].handle);
    }
    unlock(&d->grant->map_lock);
}

/* --- Batches --- */

/* What a call keeps from element to element. */
struct batch {
    struct domain *last; /* counted: who granted the one before */
    unsigned taken_count;
    struct taken taken[BATCH];
};

/* Elements that are copied in and out at once. */
#define CHUNK 8u

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
    struct taken *from = &b->taken[b->taken_count], *to = from;
    lock(&d->grant->map_lock);
    for (struct gnttab_unmap_grant_ref *u = op, *end = u + count; u < end; u++) {
        u->status = (int16_t)track_claim(d->grant, u, to);
        to += u->status == GNTST_okay;
    }
    unlock(&d->grant->map_lock);
    b->taken_count += (unsigned)(to - from);
    for (; from < to; from++) {
        take_out(d, from);
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
    uint32_t end = x->resume_at + 1024 < g->track_count ? x->resume_at + 1024 : g->track_count;
    for (uint32_t i = x->resume_at; i < end && result != 0; i++) {
        const struct maptrack *m = track_of(g, i);
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

int grant_domain_stop(struct domain *d)
{
    struct grant_domain *g = d->grant;
    struct taken taken[BATCH] NOT_ZEROED;
    unsigned count = 0;
    for (unsigned n = 0; n < STOP_GLANCES && g->stop_at < g->track_count && count < BATCH; n++) {
        grant_handle_t handle = g->stop_at++;
        struct maptrack *m = track_of(g, handle);
        if (m->state == MAPTRACK_MAPPED) {
            m->state = MAPTRACK_BUSY;
            taken[count] = (struct taken){m, handle};
            take_out(d, &taken[count++]);
        }
    }
    release(d, taken, count);
    if (g->stop_at < g->track_count) {
        return -XEN_ERESTART;
    }
    CHECK(g->track_used == 0); /* no vCPU runs: nobody is in the middle of an operation */
    for (; g->track_count != 0 && count < BATCH; count++) {
        g->track_count -= (uint32_t)MAPTRACK_PER_PAGE;
        frame_free_hyp(d, g->track[g->track_count / MAPTRACK_PER_PAGE], 0);
    }
    if (count != 0) {
        return -XEN_ERESTART; /* one thing at a time */
    }
    if (g->track != NULL) {
        frame_free_hyp(d, g->track, 0);
    }
    g->track = NULL;
    g->track_free = g->stop_at = 0;
    return grant_table_detach(d);
}
