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
/* Elements per call before the guest may take its interrupts (H1): a page copied is 3,600 instructions at most. */
#define BATCH 12u

/* --- Entries; all [grant lock] --- */

/* The active entry of `ref`, which is in range, made if `make`; NULL: no memory, or not in use. */
static inline struct grant_active *active_of(struct grant_table *t, grant_ref_t ref, bool make)
{
    struct grant_active **page = &t->active[ref / GRANT_ACTIVE_PER_PAGE];
    if (unlikely(*page == NULL) && make) {
        *page = frame_alloc_hyp(t->owner, 0);
    }
    return likely(*page != NULL) ? &(*page)[ref % GRANT_ACTIVE_PER_PAGE] : NULL;
}

static bool in_use(struct grant_table *t, grant_ref_t ref)
{
    const struct grant_active *a = active_of(t, ref, false);
    return a != NULL && (a->readers | a->writers) != 0;
}

/* The entry `ref`, which is in range, in the guest's page: of version 2 they are twice as long. */
static inline void *entry(const struct grant_table *t, grant_ref_t ref)
{
    static_assert(sizeof(union grant_entry_v2) == 2 * sizeof(struct grant_entry_v1), "GRANT_SIZE");
    uint32_t at = ref * GRANT_SIZE(t->version);
    return (char *)t->frame[GRANT_SHARED][at / FRAME_SIZE] + at % FRAME_SIZE;
}

/* Where GTF_reading and GTF_writing of an entry are: in its flags, or, version 2, in the status page. */
static inline uint16_t *status_of(const struct grant_table *t, grant_ref_t ref)
{
    if (likely(t->version == 1)) {
        return entry(t, ref);
    }
    uint16_t *page = t->frame[GRANT_STATUS][ref / GRANT_STATUS_PER_FRAME];
    return &page[ref % GRANT_STATUS_PER_FRAME];
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

/*
 * Check what the guest wrote, and set the bits that tell it that the entry is in use, so that no
 * revocation comes between. Version 1 has both in one word: what was there when they were set counts.
 * Version 2: set them first, look again afterwards; the guest clears flags first, looks at bits afterwards.
 */
static inline bool claim_head(struct grant_table *t, grant_ref_t ref, uint32_t *head, domid_t user,
                              bool readonly)
{
    uint32_t bits = GTF_reading | (readonly ? 0 : GTF_writing);
    uint32_t want = (uint32_t)user << 16 | GTF_permit_access;
    uint32_t mask = 0xffff0000u | GTF_type_mask | (readonly ? 0 : GTF_readonly);
    uint32_t then = __atomic_load_n(head, __ATOMIC_SEQ_CST);
    if (((then ^ want) & mask) != 0) {
        return false;
    }
    if (likely(t->version == 1)) {
        then = __atomic_fetch_or(head, bits, __ATOMIC_SEQ_CST);
    } else {
        __atomic_fetch_or(status_of(t, ref), (uint16_t)bits, __ATOMIC_SEQ_CST);
        then = __atomic_load_n(head, __ATOMIC_SEQ_CST);
    }
    return ((then ^ want) & mask) == 0;
}

/* The frame that a claimed entry names, if that shows these bytes of it. Read once. */
static inline bool named_by(const struct grant_table *t, const void *at, uint32_t offset,
                            uint32_t length, gfn_t *out)
{
    if (likely(t->version == 1)) {
        const struct grant_entry_v1 *e = at;
        *out = gfn(__atomic_load_n(&e->frame, __ATOMIC_RELAXED));
        return true;
    }
    union grant_entry_v2 e;
    memcpy(&e, at, sizeof(e));
    *out = gfn(e.sub_page.frame);
    return (e.hdr.flags & GTF_sub_page) == 0 ||
           (offset >= e.sub_page.page_off &&
            offset + length <= (uint32_t)e.sub_page.page_off + e.sub_page.length);
}

int grant_claim(struct grant_table *t, grant_ref_t ref, domid_t user, bool readonly,
                uint32_t offset, uint32_t length, gfn_t *out)
{
    if (unlikely(ref >= t->ref_count)) {
        return GNTST_bad_gntref;
    }
    ref = array_index_clamp(ref, t->ref_count);
    void *at = entry(t, ref);
    if ((unlikely(in_use(t, ref)) && active_of(t, ref, false)->domid != user)) {
        return GNTST_general_error;
    }
    if (likely(claim_head(t, ref, at, user, readonly) && named_by(t, at, offset, length, out))) {
        return GNTST_okay;
    }
    grant_unclaim(t, ref);
    return GNTST_general_error;
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

static int pin_locked(struct grant_table *t, domid_t user, struct maptrack *m)
{
    gfn_t named NOT_ZEROED;
    int status = grant_claim(t, m->ref, user, m->readonly, 0, FRAME_SIZE, &named);
    if (status != GNTST_okay) {
        return status;
    }
    grant_ref_t ref = array_index_clamp(m->ref, t->ref_count);
    struct grant_active *a = active_of(t, ref, true);
    status = likely(a != NULL) ? activate(t, a, named, user, m->readonly) : GNTST_no_space;
    if (status != GNTST_okay) {
        grant_unclaim(t, ref);
        return status;
    }
    m->readonly ? a->readers++ : a->writers++;
    t->pins++;
    m->table = t;
    m->mfn = a->mfn;
    return GNTST_okay;
}

int grant_pin(struct domain *granter, domid_t user, struct maptrack *m)
{
    struct grant_domain *g = granter->grant;
    lock(&g->lock);
    int status = g->table != NULL ? pin_locked(g->table, user, m) : GNTST_bad_domain;
    unlock(&g->lock);
    return status;
}

/* A page of active entries of a table that is left goes when none of them is pinned. [grant lock] */
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

void grant_unpin(const struct maptrack *m)
{
    struct grant_table *t = m->table;
    struct grant_domain *g = t->owner->grant;
    lock(&g->lock);
    struct grant_active *a = active_of(t, m->ref, false);
    CHECK(a != NULL && (m->readonly ? a->readers : a->writers) > 0);
    m->readonly ? a->readers-- : a->writers--;
    t->pins--;
    bool idle = (a->readers | a->writers) == 0;
    if (likely(t == g->table)) {
        unclaim(t, m->ref, a->readers, a->writers);
    } else if (idle) {
        active_shrink(t, m->ref / GRANT_ACTIVE_PER_PAGE);
    }
    struct domain *left = t->pins == 0 && t != g->table && t != g->leaving ? t->owner : NULL;
    unlock(&g->lock);
    if (idle) {
        frame_put(mfn(m->mfn));
    }
    if (left != NULL) {
        frame_free_hyp(left, t, 0);
        domain_put(left); /* taken when it was left */
    }
}

/* --- Growing --- */

static void count_refs(struct grant_table *t, uint8_t version)
{
    t->version = version;
    t->ref_count = t->frame_count[GRANT_SHARED] * (uint32_t)FRAME_SIZE / GRANT_SIZE(version);
}

static int grow_kind(struct grant_table *t, unsigned kind, uint32_t frames)
{
    for (; t->frame_count[kind] < frames; t->frame_count[kind]++) {
        void *page = frame_alloc_hyp(t->owner, 0);
        if (page == NULL) {
            return -XEN_ENOMEM;
        }
        frame_share(page);
        t->frame[kind][t->frame_count[kind]] = page;
    }
    return 0;
}

/* At least `frames` shared frames, and the status frames that go with them in this version. */
static int grow(struct grant_table *t, uint32_t frames, uint8_t version)
{
    uint32_t status_frames = (frames + SHARED_PER_STATUS - 1) / SHARED_PER_STATUS;
    int error = version == 2 ? grow_kind(t, GRANT_STATUS, status_frames) : 0;
    if (error == 0) {
        error = grow_kind(t, GRANT_SHARED, frames);
    }
    count_refs(t, t->version);
    return error;
}

int grant_frame(struct domain *d, uint32_t index, bool status, mfn_t *out)
{
    lock(&d->grant->lock);
    struct grant_table *t = d->grant->table;
    int error = -XEN_EINVAL;
    if (t != NULL && index < GRANT_FRAMES_MAX / (status ? SHARED_PER_STATUS : 1) &&
        (!status || t->version == 2)) {
        index = array_index_clamp(index, GRANT_FRAMES_MAX);
        error = grow(t, status ? (index + 1) * SHARED_PER_STATUS : index + 1, t->version);
    }
    if (error == 0) {
        *out = va_to_mfn(t->frame[status][index]);
    }
    unlock(&d->grant->lock);
    return error;
}

void grant_seed(struct domain *d, grant_ref_t ref, domid_t to, gfn_t frame)
{
    lock(&d->grant->lock);
    struct grant_entry_v1 *e = entry(d->grant->table, ref);
    *e = (struct grant_entry_v1){GTF_permit_access, to, (uint32_t)frame.v};
    unlock(&d->grant->lock);
}

/* --- Operations on the table, and what is refused: each has one structure, which goes back --- */

/* What the table of a domain is like. */
struct shape {
    uint8_t version;
    uint32_t frames, status_frames;
};

/* After it has grown to `frames`. Errors of xen_target(); -XEN_EINVAL: it has none; -XEN_ENOMEM. */
static int look(struct vcpu *v, domid_t id, uint32_t frames, struct shape *out)
{
    struct domain *d;
    int error = xen_target(v, id, &d);
    if (error != 0) {
        return error;
    }
    lock(&d->grant->lock);
    struct grant_table *t = d->grant->table;
    error = t != NULL ? grow(t, frames, t->version) : -XEN_EINVAL;
    if (error == 0) {
        *out =
            (struct shape){t->version, t->frame_count[GRANT_SHARED], t->frame_count[GRANT_STATUS]};
    }
    unlock(&d->grant->lock);
    domain_put(d);
    return error;
}

/* List where the guest has the frames: on Arm it puts them there itself, so nothing is known to tell. */
static int64_t list_frames(struct vcpu *v, uint64_t at, uint32_t count)
{
    uint64_t none = ~0ull;
    int64_t error = 0;
    for (uint32_t i = 0; i < count && error == 0; i++) {
        error = guest_va_write(v, at + i * sizeof(none), &none, sizeof(none));
    }
    return error;
}

static int64_t setup_table(struct vcpu *v, void *arg)
{
    struct gnttab_setup_table *op = arg;
    struct shape s;
    int error =
        op->nr_frames > GRANT_FRAMES_MAX ? -XEN_EINVAL : look(v, op->dom, op->nr_frames, &s);
    if (error != 0) {
        bool stranger = error == -XEN_ESRCH || error == -XEN_EPERM;
        op->status = stranger ? GNTST_permission_denied : GNTST_general_error;
        return 0;
    }
    op->status = GNTST_okay;
    return list_frames(v, op->frame_list, op->nr_frames);
}

static int64_t get_status_frames(struct vcpu *v, void *arg)
{
    struct gnttab_get_status_frames *op = arg;
    struct shape s;
    if (look(v, op->dom, 0, &s) != 0) {
        op->status = GNTST_bad_domain;
        return 0;
    }
    bool good = s.version == 2 && op->nr_frames <= s.status_frames;
    op->status = good ? GNTST_okay : GNTST_general_error;
    return good ? list_frames(v, op->frame_list, op->nr_frames) : 0;
}

static int64_t query_size(struct vcpu *v, void *arg)
{
    struct gnttab_query_size *op = arg;
    struct shape s;
    if (look(v, op->dom, 0, &s) != 0) {
        op->status = GNTST_permission_denied;
        return 0;
    }
    op->nr_frames = s.frames;
    op->max_nr_frames = GRANT_FRAMES_MAX;
    op->status = GNTST_okay;
    return 0;
}

static int64_t get_version(struct vcpu *v, void *arg)
{
    struct gnttab_get_version *op = arg;
    struct shape s;
    int64_t error = look(v, op->dom, 0, &s);
    if (error == 0) {
        op->version = s.version;
    }
    return error;
}

/* The reserved entries, which the tool stack may have filled, survive in the other layout. */
static void convert(struct grant_table *t, uint8_t version)
{
    struct grant_entry_v1 keep[GNTTAB_NR_RESERVED_ENTRIES];
    for (unsigned i = 0; i < ARRAY_LEN(keep); i++) {
        keep[i] = *(const struct grant_entry_v1 *)entry(t, i);
        if (t->version == 2) {
            keep[i].frame = (uint32_t)((const union grant_entry_v2 *)entry(t, i))->full_page.frame;
        }
        bool usable = (keep[i].flags & GTF_type_mask) == GTF_permit_access;
        keep[i].flags = usable ? keep[i].flags & (GTF_type_mask | GTF_readonly) : GTF_invalid;
    }
    for (unsigned kind = GRANT_SHARED; kind <= GRANT_STATUS; kind++) {
        for (uint32_t i = 0; i < t->frame_count[kind]; i++) {
            arch_zero_pages(t->frame[kind][i], FRAME_SIZE);
        }
    }
    count_refs(t, version);
    for (unsigned i = 0; i < ARRAY_LEN(keep); i++) {
        if (version == 2) {
            ((union grant_entry_v2 *)entry(t, i))->full_page.frame = keep[i].frame;
            keep[i].frame = 0; /* what is behind the head of these */
        }
        *(struct grant_entry_v1 *)entry(t, i) = keep[i];
    }
}

/* No entry may be in use: the number of a use would mean another entry. Status frames stay once made. */
static int64_t set_version(struct vcpu *v, void *arg)
{
    struct gnttab_set_version *op = arg;
    struct grant_domain *g = v->domain->grant;
    struct grant_table *t = g->table;
    int64_t error = 0;
    if (op->version != 1 && op->version != 2) {
        return -XEN_EINVAL;
    }
    lock(&g->lock);
    if (t->version != op->version) {
        error =
            t->pins != 0 ? -XEN_EBUSY : grow(t, t->frame_count[GRANT_SHARED], (uint8_t)op->version);
        if (error == 0) {
            convert(t, (uint8_t)op->version);
        }
    }
    unlock(&g->lock);
    return error;
}

static int16_t swap_locked(struct grant_table *t, grant_ref_t a, grant_ref_t b)
{
    if (a >= t->ref_count || b >= t->ref_count) {
        return GNTST_bad_gntref;
    }
    a = array_index_clamp(a, t->ref_count);
    b = array_index_clamp(b, t->ref_count);
    if (in_use(t, a) || in_use(t, b)) {
        return GNTST_eagain;
    }
    union grant_entry_v2 was_a, was_b;
    memcpy(&was_a, entry(t, a), GRANT_SIZE(t->version));
    memcpy(&was_b, entry(t, b), GRANT_SIZE(t->version));
    memcpy(entry(t, a), &was_b, GRANT_SIZE(t->version));
    memcpy(entry(t, b), &was_a, GRANT_SIZE(t->version));
    return GNTST_okay;
}

static int64_t swap_ref(struct vcpu *v, void *arg)
{
    struct gnttab_swap_grant_ref *op = arg;
    struct grant_domain *g = v->domain->grant;
    lock(&g->lock);
    op->status = swap_locked(g->table, op->ref_a, op->ref_b);
    unlock(&g->lock);
    return 0;
}

/* Frames are never given away by a grant on Arm: the interface's answer to every transfer. */
static int64_t transfer(struct vcpu *v, void *arg)
{
    ((struct gnttab_transfer *)arg)->status = GNTST_general_error;
    return 0;
}

/* For guests whose page tables hold machine frames. */
static int64_t replace(struct vcpu *v, void *arg)
{
    ((struct gnttab_unmap_and_replace *)arg)->status = GNTST_general_error;
    return 0;
}

/* dump_table is for the tool stack of debug builds; map and unmap go by several elements at once (grant-map.c). */
static const struct {
    int64_t (*carry_out)(struct vcpu *v, void *element);
    uint8_t size;
    uint8_t out; /* from here on it is written back */
    bool one;    /* takes one structure, not an array */
} operations[] = {
    [GNTTABOP_setup_table] = {setup_table, sizeof(struct gnttab_setup_table), 0, true},
    [GNTTABOP_transfer] = {transfer, sizeof(struct gnttab_transfer), 0, false},
    [GNTTABOP_copy] = {grant_copy_one, sizeof(struct gnttab_copy),
                       offsetof(struct gnttab_copy, status), false},
    [GNTTABOP_query_size] = {query_size, sizeof(struct gnttab_query_size), 0, true},
    [GNTTABOP_unmap_and_replace] = {replace, sizeof(struct gnttab_unmap_and_replace), 0, false},
    [GNTTABOP_set_version] = {set_version, sizeof(struct gnttab_set_version), 0, true},
    [GNTTABOP_get_status_frames] = {get_status_frames, sizeof(struct gnttab_get_status_frames), 0,
                                    true},
    [GNTTABOP_get_version] = {get_version, sizeof(struct gnttab_get_version), 0, true},
    [GNTTABOP_swap_grant_ref] = {swap_ref, sizeof(struct gnttab_swap_grant_ref), 0, false},
    [GNTTABOP_cache_flush] = {grant_cache_flush, sizeof(struct gnttab_cache_flush),
                              sizeof(struct gnttab_cache_flush), false},
};

static apart int64_t each(struct vcpu *v, uint32_t cmd, uint64_t *arg)
{
    if (cmd >= ARRAY_LEN(operations) || operations[cmd].carry_out == NULL) {
        return -XEN_ENOSYS;
    }
    cmd = array_index_clamp(cmd, ARRAY_LEN(operations));
    uint32_t size = operations[cmd].size, out = operations[cmd].out;
    if (operations[cmd].one && arg[2] != 1) {
        return -XEN_EINVAL;
    }
    for (unsigned budget = BATCH; arg[2] > 0; budget--) {
        union {
            struct gnttab_copy copy; /* the largest */
            uint64_t aligned;
        } element NOT_ZEROED;
        if (budget == 0) {
            return -XEN_ERESTART;
        }
        if (guest_va_read(v, &element, arg[1], size) != 0) {
            return -XEN_EFAULT;
        }
        int64_t error = operations[cmd].carry_out(v, &element);
        if (error == 0 && out < size) {
            error = guest_va_write(v, arg[1] + out, (char *)&element + out, size - out);
        }
        if (error != 0) {
            return error;
        }
        arg[1] += size;
        arg[2]--;
    }
    return 0;
}

/*
 * arg[0] command, arg[1] array, arg[2] length. A command on arrays does a few
 * elements at a time (H1) and moves arg[1] and arg[2] on. Returns 0, or a
 * negative errno if an element could not be read or written.
 */
int64_t grant_table_op(struct vcpu *v, uint64_t *arg)
{
    uint32_t cmd = (uint32_t)arg[0];
    arg[2] = (uint32_t)arg[2];
    if ((int32_t)arg[2] < 0) {
        return -XEN_EINVAL;
    }
    switch (cmd) {
    case GNTTABOP_map_grant_ref:
        return grant_map_op(v, arg);
    case GNTTABOP_unmap_grant_ref:
        return grant_unmap_op(v, arg);
    default:
        return each(v, cmd, arg);
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
    static_assert(sizeof(struct grant_table) <= FRAME_SIZE, "a table's record is one frame");
    struct grant_table *t = frame_alloc_hyp(d, 0);
    if (t == NULL) {
        return -XEN_ENOMEM;
    }
    t->owner = d;
    count_refs(t, 1);
    int error = grow(t, 1, 1);
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
    for (unsigned n = 0; g->leaving != NULL && !mapped && n < DETACH_PAGES;) {
        unsigned kind = t->frame_count[GRANT_SHARED] != 0 ? GRANT_SHARED : GRANT_STATUS;
        n++;
        if (t->frame_count[kind] != 0) {
            frame_free_shared(d, t->frame[kind][--t->frame_count[kind]]);
        } else if (t->active_seen < GRANT_ACTIVE_PAGES) {
            n -= t->active[t->active_seen] == NULL; /* most were never used */
            active_shrink(t, t->active_seen++);
        } else {
            g->leaving = NULL;
            t->pins != 0 ? (void)domain_hold(d) : frame_free_hyp(d, t, 0);
        }
    }
    unlock(&g->lock);
    return g->leaving != NULL && !mapped ? -XEN_ERESTART : 0;
}
