/*
 * Grant tables: the shared table, its active entries, and the operations on
 * the table itself. Mapping is in grant-map.c, copying in grant-copy.c.
 *
 *   shared entry (the guest's page)        active entry (ours)
 *   permit_access, domid, frame   --pin--> mfn, domid, readers, writers
 *   ... | reading | writing       <------- set by the first pin, cleared by the last unpin
 *
 * Invariants R1..R5 are in hyp/grant.h.
 */
#include <hyp/grant.h>

#include "xen-internal.h"

#include <hyp/arch.h>
#include <hyp/assert.h>
#include <lib/string.h>

#define DETACH_PAGES 16u /* that one call of grant_table_detach() goes through, with the lock */

/* --- Entries; all [grant lock] --- */

static void count_refs(struct grant_table *t)
{
    t->ref_count =
        t->frame_count * (uint32_t)(t->version == 2 ? GRANT_V2_PER_FRAME : GRANT_V1_PER_FRAME);
}

/* The active entry of `ref`, which is in range, made if `make`; NULL: no memory, or not in use. */
static inline struct grant_active *active_of(struct grant_table *t, grant_ref_t ref, bool make)
{
    struct grant_active **page = &t->active[ref / GRANT_ACTIVE_PER_PAGE];
    if (unlikely(*page == NULL) && make) {
        *page = frame_alloc_hyp(t->owner, 0);
    }
    return likely(*page != NULL) ? &(*page)[ref % GRANT_ACTIVE_PER_PAGE] : NULL;
}

static struct grant_entry_v1 *entry_v1(struct grant_table *t, grant_ref_t ref)
{
    return &((struct grant_entry_v1 *)t->frame[ref / GRANT_V1_PER_FRAME])[ref % GRANT_V1_PER_FRAME];
}

static union grant_entry_v2 *entry_v2(struct grant_table *t, grant_ref_t ref)
{
    return &((union grant_entry_v2 *)t->frame[ref / GRANT_V2_PER_FRAME])[ref % GRANT_V2_PER_FRAME];
}

/* Where GTF_reading and GTF_writing of an entry are: in its flags, or, version 2, in the status page. */
static uint16_t *status_of(struct grant_table *t, grant_ref_t ref)
{
    if (t->version == 1) {
        return &entry_v1(t, ref)->flags;
    }
    return &((uint16_t *)t->status[ref / GRANT_STATUS_PER_FRAME])[ref % GRANT_STATUS_PER_FRAME];
}

/* Does an entry whose flags and domid are `head` let `user` in? */
static int permitted(uint32_t head, domid_t user, bool readonly)
{
    uint32_t flags = head & 0xffff;
    if ((flags & GTF_type_mask) != GTF_permit_access || (domid_t)(head >> 16) != user ||
        (!readonly && (flags & GTF_readonly) != 0)) {
        return GNTST_general_error;
    }
    return GNTST_okay;
}

/*
 * Claim an entry in the shared table: check what the guest wrote, and set the
 * bits that tell it that the entry is in use, in one step that cannot overlap
 * a revocation. Version 1 has both in one word. Version 2: set the bits first,
 * look again afterwards; the guest clears flags first, looks at bits afterwards.
 */
static int claim_v1(struct grant_table *t, grant_ref_t ref, domid_t user, bool readonly)
{
    uint32_t bits = GTF_reading | (readonly ? 0 : GTF_writing);
    uint32_t *word = (uint32_t *)entry_v1(t, ref);
    uint32_t head = __atomic_load_n(word, __ATOMIC_SEQ_CST);
    for (unsigned turn = 0; turn < 4; turn++) {
        int status = permitted(head, user, readonly);
        if (status != GNTST_okay ||
            __atomic_compare_exchange_n(word, &head, head | bits, false, __ATOMIC_SEQ_CST,
                                        __ATOMIC_SEQ_CST)) {
            return status;
        }
    }
    return GNTST_general_error; /* the granter keeps changing it */
}

static int claim_v2(struct grant_table *t, grant_ref_t ref, domid_t user, bool readonly)
{
    uint32_t *head = (uint32_t *)&entry_v2(t, ref)->hdr;
    int status = permitted(__atomic_load_n(head, __ATOMIC_SEQ_CST), user, readonly);
    if (status == GNTST_okay) {
        __atomic_fetch_or(status_of(t, ref), GTF_reading | (readonly ? 0 : GTF_writing),
                          __ATOMIC_SEQ_CST);
        status = permitted(__atomic_load_n(head, __ATOMIC_SEQ_CST), user, readonly);
    }
    return status;
}

/* R4: bits of pins that are gone are cleared. */
static inline void unclaim(struct grant_table *t, grant_ref_t ref, uint32_t readers,
                           uint32_t writers)
{
    uint16_t drop = (uint16_t)((writers == 0 ? GTF_writing : 0) |
                               (writers == 0 && readers == 0 ? GTF_reading : 0));
    if (drop != 0) {
        __atomic_fetch_and(status_of(t, ref), (uint16_t)~drop, __ATOMIC_SEQ_CST);
    }
}

void grant_unclaim(struct grant_table *t, grant_ref_t ref)
{
    ref = array_index_clamp(ref, t->ref_count);
    const struct grant_active *a = active_of(t, ref, false);
    unclaim(t, ref, a != NULL ? a->readers : 0, a != NULL ? a->writers : 0);
}

/* What frame, and which part of it, the entry names. Read once, after the claim. */
static inline struct grant_named named_by(struct grant_table *t, grant_ref_t ref)
{
    if (likely(t->version == 1)) {
        uint32_t frame = __atomic_load_n(&entry_v1(t, ref)->frame, __ATOMIC_RELAXED);
        return (struct grant_named){gfn(frame), 0, FRAME_SIZE};
    }
    union grant_entry_v2 e;
    memcpy(&e, entry_v2(t, ref), sizeof(e));
    if ((e.hdr.flags & GTF_sub_page) == 0) {
        return (struct grant_named){gfn(e.full_page.frame), 0, FRAME_SIZE};
    }
    return (struct grant_named){gfn(e.sub_page.frame), e.sub_page.page_off, e.sub_page.length};
}

/* `ref` is in range; `a` is its active entry, or NULL. */
static inline __attribute__((always_inline)) int claim(struct grant_table *t, grant_ref_t ref,
                                                       const struct grant_active *a, domid_t user,
                                                       bool readonly, struct grant_named *out)
{
    if (a != NULL && (a->readers | a->writers) != 0 && a->domid != user) {
        return GNTST_general_error;
    }
    int status = likely(t->version == 1) ? claim_v1(t, ref, user, readonly)
                                         : claim_v2(t, ref, user, readonly);
    if (likely(status == GNTST_okay)) {
        *out = named_by(t, ref);
        status = (uint32_t)out->start + out->length > FRAME_SIZE ? GNTST_bad_page : GNTST_okay;
    }
    if (unlikely(status != GNTST_okay)) {
        grant_unclaim(t, ref);
    }
    return status;
}

int grant_claim(struct grant_table *t, grant_ref_t ref, domid_t user, bool readonly,
                struct grant_named *out)
{
    if (ref >= t->ref_count) {
        return GNTST_bad_gntref;
    }
    ref = array_index_clamp(ref, t->ref_count);
    return claim(t, ref, active_of(t, ref, false), user, readonly, out);
}

/*
 * The frame of a pin. The first one finds it and holds it: only the granter's own memory can be
 * granted. The first that writes looks again: the page must be one that may be written.
 */
static int activate(struct grant_table *t, struct grant_active *a, gfn_t at, domid_t user,
                    bool readonly)
{
    bool idle = (a->readers | a->writers) == 0;
    mfn_t m NOT_ZEROED;
    if (!idle && (readonly || a->writers != 0)) {
        return GNTST_okay;
    }
    if (p2m_get_frame(t->owner, at, !readonly, &m) != 0) {
        return GNTST_bad_page;
    }
    if (!idle) {
        frame_put(m);
        return m.v == a->mfn ? GNTST_okay : GNTST_bad_page;
    }
    a->mfn = m.v;
    a->domid = user;
    return GNTST_okay;
}

static int pin_locked(struct grant_table *t, grant_ref_t ref, domid_t user, bool readonly,
                      struct grant_use *out)
{
    struct grant_named named NOT_ZEROED;
    if (ref >= t->ref_count) {
        return GNTST_bad_gntref;
    }
    ref = array_index_clamp(ref, t->ref_count);
    struct grant_active *a = active_of(t, ref, true);
    if (a == NULL) {
        return GNTST_no_space;
    }
    if (a->readers + a->writers == UINT32_MAX) {
        return GNTST_general_error;
    }
    int status = claim(t, ref, a, user, readonly, &named);
    if (status != GNTST_okay) {
        return status;
    }
    /* A stage-2 entry shows whole pages. */
    status = named.length != FRAME_SIZE ? GNTST_general_error
                                        : activate(t, a, named.frame, user, readonly);
    if (status != GNTST_okay) {
        grant_unclaim(t, ref);
        return status;
    }
    readonly ? a->readers++ : a->writers++;
    t->pins++;
    *out = (struct grant_use){t, ref, mfn(a->mfn)};
    return GNTST_okay;
}

int grant_pin(struct domain *granter, grant_ref_t ref, domid_t user, bool readonly,
              struct grant_use *out)
{
    struct grant_domain *g = granter->grant;
    int status = GNTST_bad_domain;
    if (g == NULL) {
        return status;
    }
    lock(&g->lock);
    if (g->table != NULL) {
        status = pin_locked(g->table, ref, user, readonly, out);
    }
    unlock(&g->lock);
    return status;
}

/* A page of active entries of a detached table goes when none of them is pinned. [grant lock] */
static apart void active_shrink(struct grant_table *t, uint32_t index)
{
    struct grant_active *page = t->active[index];
    uint32_t pins = 0;
    for (unsigned i = 0; page != NULL && i < GRANT_ACTIVE_PER_PAGE; i++) {
        pins |= page[i].readers | page[i].writers;
    }
    if (page != NULL && pins == 0) {
        frame_free_hyp(t->owner, page, 0);
        t->active[index] = NULL;
    }
}

void grant_unpin(struct grant_table *t, grant_ref_t ref, bool readonly)
{
    lock_t *l = &t->owner->grant->lock;
    mfn_t idle = MFN_NONE;
    lock(l);
    struct grant_active *a = active_of(t, ref, false);
    CHECK(a != NULL && (readonly ? a->readers : a->writers) > 0);
    readonly ? a->readers-- : a->writers--;
    if ((a->readers | a->writers) == 0) {
        idle = mfn(a->mfn);
    }
    t->pins--;
    if (likely(!t->detached)) {
        unclaim(t, ref, a->readers, a->writers);
    } else if (idle.v != MFN_NONE.v) {
        active_shrink(t, ref / GRANT_ACTIVE_PER_PAGE);
    }
    struct domain *owner = t->left && t->pins == 0 ? t->owner : NULL;
    unlock(l);
    if (idle.v != MFN_NONE.v) {
        frame_put(idle);
    }
    if (owner != NULL) {
        frame_free_hyp(owner, t, 0);
        domain_put(owner); /* taken when it was left */
    }
}

/* --- Growing --- */

static int add_frame(struct domain *d, void **slot)
{
    void *page = frame_alloc_hyp(d, 0);
    if (page == NULL) {
        return -XEN_ENOMEM;
    }
    frame_share(page);
    *slot = page;
    return 0;
}

/* At least `frames` shared frames and, version 2, the status frames that go with them. */
static int grow(struct grant_table *t, uint32_t frames)
{
    while (t->version == 2 &&
           t->status_count * GRANT_STATUS_PER_FRAME < frames * GRANT_V2_PER_FRAME) {
        int error = add_frame(t->owner, &t->status[t->status_count]);
        if (error != 0) {
            return error;
        }
        t->status_count++;
    }
    while (t->frame_count < frames) {
        int error = add_frame(t->owner, &t->frame[t->frame_count]);
        if (error != 0) {
            return error;
        }
        t->frame_count++;
        count_refs(t);
    }
    return 0;
}

static int frame_locked(struct grant_table *t, uint32_t index, bool status, mfn_t *out)
{
    uint32_t limit = status ? GRANT_STATUS_MAX : GRANT_FRAMES_MAX;
    if (index >= limit || (status && t->version != 2)) {
        return -XEN_EINVAL;
    }
    index = array_index_clamp(index, limit);
    uint32_t shared =
        status ? (index + 1) * (GRANT_STATUS_PER_FRAME / GRANT_V2_PER_FRAME) : index + 1;
    int error = grow(t, status && shared <= t->frame_count ? t->frame_count : shared);
    if (error != 0) {
        return error;
    }
    *out = va_to_mfn(status ? t->status[index] : t->frame[index]);
    return 0;
}

int grant_frame(struct domain *d, uint32_t index, bool status, mfn_t *out)
{
    lock(&d->grant->lock);
    int error =
        d->grant->table == NULL ? -XEN_EINVAL : frame_locked(d->grant->table, index, status, out);
    unlock(&d->grant->lock);
    return error;
}

void grant_seed(struct domain *d, grant_ref_t ref, domid_t to, gfn_t frame, bool readonly)
{
    lock(&d->grant->lock);
    struct grant_entry_v1 *e = entry_v1(d->grant->table, ref);
    *e = (struct grant_entry_v1){(uint16_t)(GTF_permit_access | (readonly ? GTF_readonly : 0)), to,
                                 (uint32_t)frame.v};
    unlock(&d->grant->lock);
}

/* --- Operations on the table --- */

static int64_t query_size(struct vcpu *v, struct gnttab_query_size *op)
{
    struct domain *d;
    if (xen_target(v, op->dom, &d) != 0) {
        op->status = op->dom != DOMID_SELF ? GNTST_permission_denied : GNTST_bad_domain;
        return 0;
    }
    lock(&d->grant->lock);
    op->nr_frames = d->grant->table != NULL ? d->grant->table->frame_count : 0;
    op->max_nr_frames = GRANT_FRAMES_MAX;
    op->status = GNTST_okay;
    unlock(&d->grant->lock);
    domain_put(d);
    return 0;
}

/* List where the guest has the frames: on Arm it puts them there itself, so nothing is known to tell. */
static int64_t list_frames(struct vcpu *v, uint64_t at, uint32_t count)
{
    uint64_t none = ~0ull;
    for (uint32_t i = 0; i < count; i++) {
        if (guest_va_write(v, at + i * sizeof(none), &none, sizeof(none)) != 0) {
            return -XEN_EFAULT;
        }
    }
    return 0;
}

static int64_t setup_table(struct vcpu *v, struct gnttab_setup_table *op)
{
    struct domain *d;
    if (op->nr_frames > GRANT_FRAMES_MAX) {
        op->status = GNTST_general_error;
        return 0;
    }
    if (xen_target(v, op->dom, &d) != 0) {
        op->status = GNTST_permission_denied;
        return 0;
    }
    lock(&d->grant->lock);
    bool good = d->grant->table != NULL && grow(d->grant->table, op->nr_frames) == 0;
    unlock(&d->grant->lock);
    domain_put(d);
    op->status = good ? GNTST_okay : GNTST_general_error;
    return good ? list_frames(v, op->frame_list, op->nr_frames) : 0;
}

static int64_t get_status_frames(struct vcpu *v, struct gnttab_get_status_frames *op)
{
    struct domain *d;
    if (xen_target(v, op->dom, &d) != 0) {
        op->status = GNTST_bad_domain;
        return 0;
    }
    lock(&d->grant->lock);
    struct grant_table *t = d->grant->table;
    bool good = t != NULL && t->version == 2 && op->nr_frames <= t->status_count;
    unlock(&d->grant->lock);
    domain_put(d);
    op->status = good ? GNTST_okay : GNTST_general_error;
    return good ? list_frames(v, op->frame_list, op->nr_frames) : 0;
}

/* The reserved entries, which the tool stack may have filled, survive in the other layout. */
static void convert(struct grant_table *t, uint32_t version)
{
    struct grant_entry_v1 keep[GNTTAB_NR_RESERVED_ENTRIES];
    for (unsigned i = 0; i < ARRAY_LEN(keep); i++) {
        const union grant_entry_v2 *e = entry_v2(t, i);
        keep[i] = t->version == 1 ? *entry_v1(t, i)
                                  : (struct grant_entry_v1){e->hdr.flags, e->hdr.domid,
                                                            (uint32_t)e->full_page.frame};
        bool usable = (keep[i].flags & GTF_type_mask) == GTF_permit_access;
        keep[i].flags = usable ? keep[i].flags & (GTF_type_mask | GTF_readonly) : GTF_invalid;
    }
    for (uint32_t i = 0; i < t->frame_count; i++) {
        arch_zero_pages(t->frame[i], FRAME_SIZE);
    }
    for (uint32_t i = 0; i < t->status_count; i++) {
        arch_zero_pages(t->status[i], FRAME_SIZE);
    }
    t->version = (uint8_t)version;
    count_refs(t);
    for (unsigned i = 0; i < ARRAY_LEN(keep); i++) {
        if (version == 1) {
            *entry_v1(t, i) = keep[i];
        } else {
            union grant_entry_v2 *e = entry_v2(t, i);
            e->full_page.frame = keep[i].frame;
            e->hdr = (struct grant_entry_header){keep[i].flags, keep[i].domid};
        }
    }
}

/* No entry may be in use: the number of a use would mean another entry. Status frames stay once made. */
static int64_t set_version(struct vcpu *v, struct gnttab_set_version *op)
{
    struct grant_domain *g = v->domain->grant;
    if (op->version != 1 && op->version != 2) {
        return -XEN_EINVAL;
    }
    lock(&g->lock);
    struct grant_table *t = g->table;
    int64_t error = 0;
    if (t->version != op->version) {
        if (t->pins != 0) {
            error = -XEN_EBUSY;
        } else {
            uint8_t before = t->version;
            t->version = (uint8_t)op->version;
            error = grow(t, t->frame_count); /* the status frames */
            t->version = before;
            if (error == 0) {
                convert(t, op->version);
            }
        }
    }
    op->version = t->version;
    unlock(&g->lock);
    return error;
}

static int64_t get_version(struct vcpu *v, struct gnttab_get_version *op)
{
    struct domain *d;
    int64_t error = xen_target(v, op->dom, &d);
    if (error != 0) {
        return error;
    }
    lock(&d->grant->lock);
    op->version = d->grant->table != NULL ? d->grant->table->version : 1;
    unlock(&d->grant->lock);
    domain_put(d);
    return 0;
}

static bool in_use(struct grant_table *t, grant_ref_t ref)
{
    struct grant_active *a = active_of(t, ref, false);
    return a != NULL && a->readers + a->writers != 0;
}

static int64_t swap_ref(struct vcpu *v, struct gnttab_swap_grant_ref *op)
{
    struct grant_domain *g = v->domain->grant;
    lock(&g->lock);
    struct grant_table *t = g->table;
    uint32_t count = t->ref_count;
    if (op->ref_a >= count || op->ref_b >= count) {
        op->status = GNTST_bad_gntref;
    } else if (in_use(t, op->ref_a) || in_use(t, op->ref_b)) {
        op->status = GNTST_eagain;
    } else {
        uint32_t a = array_index_clamp(op->ref_a, count), b = array_index_clamp(op->ref_b, count);
        size_t size =
            t->version == 1 ? sizeof(struct grant_entry_v1) : sizeof(union grant_entry_v2);
        void *pa = t->version == 1 ? (void *)entry_v1(t, a) : (void *)entry_v2(t, a);
        void *pb = t->version == 1 ? (void *)entry_v1(t, b) : (void *)entry_v2(t, b);
        union grant_entry_v2 was_a, was_b;
        memcpy(&was_a, pa, size);
        memcpy(&was_b, pb, size);
        memcpy(pa, &was_b, size);
        memcpy(pb, &was_a, size);
        op->status = GNTST_okay;
    }
    unlock(&g->lock);
    return 0;
}

/* Frames are never given away by a grant on Arm: the interface's answer to every transfer. */
static int64_t transfer(struct vcpu *v, struct gnttab_transfer *op)
{
    op->status = GNTST_general_error;
    return 0;
}

/* For guests whose page tables hold machine frames. */
static int64_t replace(struct vcpu *v, struct gnttab_unmap_and_replace *op)
{
    op->status = GNTST_general_error;
    return 0;
}

/*
 * arg[0] command, arg[1] array, arg[2] length. A command on arrays does a few
 * elements at a time (H1) and moves arg[1] and arg[2] on. Returns 0, or a
 * negative errno if an element could not be read or written.
 */
#define EACH(type, budget_, call)                                            \
    for (unsigned budget = (budget_); arg[2] > 0; budget--) {                \
        type op;                                                             \
        if (budget == 0) {                                                   \
            return -XEN_ERESTART;                                            \
        }                                                                    \
        if (guest_va_read(v, &op, arg[1], sizeof(op)) != 0) {                \
            return -XEN_EFAULT;                                              \
        }                                                                    \
        int64_t error = call;                                                \
        if (error == 0 && guest_va_write(v, arg[1], &op, sizeof(op)) != 0) { \
            error = -XEN_EFAULT;                                             \
        }                                                                    \
        if (error != 0) {                                                    \
            return error;                                                    \
        }                                                                    \
        arg[1] += sizeof(op);                                                \
        arg[2]--;                                                            \
    }                                                                        \
    return 0

#define ONE(type, call)                                                                    \
    do {                                                                                   \
        type op;                                                                           \
        if (guest_va_read(v, &op, arg[1], sizeof(op)) != 0) {                              \
            return -XEN_EFAULT;                                                            \
        }                                                                                  \
        int64_t error = call;                                                              \
        return error == 0 && guest_va_write(v, arg[1], &op, sizeof(op)) != 0 ? -XEN_EFAULT \
                                                                             : error;      \
    } while (0)

/* Operations that take one structure. */
static apart int64_t single_op(struct vcpu *v, uint64_t *arg)
{
    if (arg[2] != 1) {
        return -XEN_EINVAL;
    }
    switch ((uint32_t)arg[0]) {
    case GNTTABOP_setup_table:
        ONE(struct gnttab_setup_table, setup_table(v, &op));
    case GNTTABOP_query_size:
        ONE(struct gnttab_query_size, query_size(v, &op));
    case GNTTABOP_set_version:
        ONE(struct gnttab_set_version, set_version(v, &op));
    case GNTTABOP_get_status_frames:
        ONE(struct gnttab_get_status_frames, get_status_frames(v, &op));
    default:
        ONE(struct gnttab_get_version, get_version(v, &op));
    }
}

static apart int64_t array_op(struct vcpu *v, uint64_t *arg)
{
    switch ((uint32_t)arg[0]) {
    case GNTTABOP_transfer:
        EACH(struct gnttab_transfer, 64, transfer(v, &op));
    case GNTTABOP_unmap_and_replace:
        EACH(struct gnttab_unmap_and_replace, 64, replace(v, &op));
    default:
        EACH(struct gnttab_swap_grant_ref, 64, swap_ref(v, &op));
    }
}

int64_t grant_table_op(struct vcpu *v, uint64_t *arg)
{
    arg[2] = (uint32_t)arg[2];
    if ((int32_t)arg[2] < 0) {
        return -XEN_EINVAL;
    }
    if (v->domain->grant->table == NULL) {
        return -XEN_EINVAL; /* being torn down */
    }
    switch ((uint32_t)arg[0]) {
    case GNTTABOP_map_grant_ref:
        return grant_map_op(v, arg);
    case GNTTABOP_unmap_grant_ref:
        return grant_unmap_op(v, arg);
    case GNTTABOP_copy:
        return grant_copy_op(v, arg);
    case GNTTABOP_cache_flush:
        return grant_cache_flush_op(v, arg);
    case GNTTABOP_transfer:
    case GNTTABOP_unmap_and_replace:
    case GNTTABOP_swap_grant_ref:
        return array_op(v, arg);
    case GNTTABOP_setup_table:
    case GNTTABOP_query_size:
    case GNTTABOP_set_version:
    case GNTTABOP_get_status_frames:
    case GNTTABOP_get_version:
        return single_op(v, arg);
    default: /* dump_table is for the tool stack of debug builds */
        return -XEN_ENOSYS;
    }
}

/* --- Life --- */

void grant_domain_init(struct domain *d)
{
    lock_init(&d->grant->lock, RANK_GRANT);
    lock_init(&d->grant->map_lock, RANK_GRANT);
}

int grant_domain_create(struct domain *d)
{
    struct grant_domain *g = d->grant;
    _Static_assert(sizeof(struct grant_table) <= FRAME_SIZE, "a table's record is one frame");
    struct grant_table *t = frame_alloc_hyp(d, 0);
    if (t == NULL) {
        return -XEN_ENOMEM;
    }
    t->owner = d;
    t->version = 1;
    int error = grow(t, 1);
    if (error != 0) {
        frame_free_hyp(d, t, 0);
        return error;
    }
    lock(&g->lock);
    CHECK(g->table == NULL);
    g->table = t;
    unlock(&g->lock);
    return 0;
}

/*
 * Leave the table to those who still have something of it mapped; they keep the domain, too (R5), and
 * the active entries that are theirs. All else goes now, some pages a call: -XEN_ERESTART.
 */
int grant_table_detach(struct domain *d)
{
    struct grant_domain *g = d->grant;
    lock(&g->lock);
    struct grant_table *t = g->table != NULL ? g->table : g->leaving;
    g->table = NULL;
    g->leaving = t;
    /* Nobody finds it from now on. Its pages are mapped until the domain's own tables are gone (P4). */
    bool mapped = d->p2m.max_gfn.v != 0;
    for (unsigned n = 0; t != NULL && !mapped && n < DETACH_PAGES;) {
        t->detached = true;
        n++;
        if (t->frame_count != 0) {
            frame_free_shared(d, t->frame[--t->frame_count]);
        } else if (t->status_count != 0) {
            frame_free_shared(d, t->status[--t->status_count]);
        } else if (t->active_seen < GRANT_ACTIVE_PAGES) {
            n -= t->active[t->active_seen] == NULL; /* most were never used */
            active_shrink(t, t->active_seen++);
        } else {
            g->leaving = NULL;
            t->left = t->pins != 0;
            t->left ? (void)domain_hold(d) : frame_free_hyp(d, t, 0);
            break;
        }
    }
    unlock(&g->lock);
    return g->leaving != NULL && !mapped ? -XEN_ERESTART : 0;
}
