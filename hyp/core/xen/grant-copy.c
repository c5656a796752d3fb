/*
 * Copying by grant reference or by own frame, and cache maintenance of such
 * frames. Nothing is mapped, pinned or referenced: the locks of both ends are
 * held for the length of one copy, at most a page, and with them the entries'
 * claims and the frames stay as they are.
 */
#include <hyp/grant.h>

#include "../mem/p2m-internal.h"
#include "xen-internal.h"

#include <hyp/arch.h>
#include <lib/string.h>

/* One end of a copy. */
struct end {
    struct domain *d;
    const struct gnttab_copy_ptr *ptr;
    bool by_ref, readonly;
};

static void lock_ends(const struct end *a, const struct end *b) NO_LOCK_ANALYSIS("two pairs")
{
    lock_both(&a->d->grant->lock, &b->d->grant->lock);
    lock_both(&a->d->p2m.lock, &b->d->p2m.lock);
}

static void unlock_ends(const struct end *a, const struct end *b) NO_LOCK_ANALYSIS("two pairs")
{
    unlock_both(&a->d->p2m.lock, &b->d->p2m.lock);
    unlock_both(&a->d->grant->lock, &b->d->grant->lock);
}

static void let_go(const struct end *e)
{
    if (e->by_ref) {
        grant_unclaim(e->d->grant->table, e->ptr->u.ref);
    }
}

/* Where the bytes are. GNTST_okay: let_go() of it before unlock_ends(). */
static int find(const struct end *e, domid_t user, uint16_t length, char **at)
    NO_LOCK_ANALYSIS("lock_ends()")
{
    gfn_t frame = gfn(e->ptr->u.gmfn);
    mfn_t found NOT_ZEROED;
    if (e->by_ref) {
        struct grant_table *t = e->d->grant->table;
        int status = t == NULL ? GNTST_bad_domain
                               : grant_claim(t, e->ptr->u.ref, user, e->readonly, e->ptr->offset,
                                             length, &frame);
        if (status != GNTST_okay) {
            return status;
        }
    }
    if (unlikely(!p2m_ram_at(&e->d->p2m, frame, !e->readonly, &found))) {
        let_go(e);
        return GNTST_bad_page;
    }
    *at = (char *)mfn_to_va(found) + e->ptr->offset;
    return GNTST_okay;
}

/* Places in one frame that overlap and are not aligned to each other: by way of a place that is, piece by piece. */
static cold void copy_overlapping(char *to, const char *from, size_t size)
{
    char piece[512 + 8] __attribute__((aligned(8))) NOT_ZEROED;
    for (size_t done = 0, count; done < size; done += count) {
        count = size - done < 512 ? size - done : 512;
        size_t at = to < from ? done : size - done - count;
        char *between = piece + ((uintptr_t)(from + at) & 7);
        memcpy(between, from + at, count);
        arch_copy_unaligned(to + at, between, count);
    }
}

/* A network back end's payload is seldom aligned to the front end's page. */
static apart void copy_unaligned(char *to, const char *from, size_t size)
{
    if ((size_t)(to - from) < size || (size_t)(from - to) < size) {
        copy_overlapping(to, from, size);
    } else {
        arch_copy_unaligned(to, from, size);
    }
}

static int copy_locked(const struct end *from, const struct end *to, domid_t user, uint16_t length)
{
    char *source NOT_ZEROED, *target NOT_ZEROED;
    int status = find(from, user, length, &source);
    if (status != GNTST_okay) {
        return status;
    }
    status = find(to, user, length, &target);
    if (status == GNTST_okay) {
        if (likely((((uintptr_t)target ^ (uintptr_t)source) & 7) == 0)) {
            memmove(target, source, length);
        } else {
            copy_unaligned(target, source, length);
        }
        let_go(to);
    }
    let_go(from);
    return status;
}

/* Whose frame or grant it is; counted unless it is the caller. */
static inline __attribute__((always_inline)) int resolve(struct vcpu *v, struct end *e,
                                                         const struct gnttab_copy_ptr *ptr,
                                                         bool by_ref, bool readonly)
{
    bool self = ptr->domid == DOMID_SELF;
    e->d = self ? v->domain : domain_get(ptr->domid);
    e->ptr = ptr;
    e->by_ref = by_ref;
    e->readonly = readonly;
    if (e->d == NULL) {
        return GNTST_bad_domain;
    }
    return e->by_ref || self ? GNTST_okay : GNTST_permission_denied; /* by number: one's own only */
}

static inline void put_end(const struct end *e)
{
    if (e->d != NULL && e->ptr->domid != DOMID_SELF) {
        domain_put(e->d);
    }
}

int64_t grant_copy_one(struct vcpu *v, void *element)
{
    struct gnttab_copy *op = element;
    struct end from NOT_ZEROED, to NOT_ZEROED;
    if ((uint32_t)op->source.offset + op->len > FRAME_SIZE ||
        (uint32_t)op->dest.offset + op->len > FRAME_SIZE) {
        op->status = GNTST_bad_copy_arg;
        return 0;
    }
    to.d = NULL;
    int status = resolve(v, &from, &op->source, op->flags & GNTCOPY_source_gref, true);
    if (status == GNTST_okay) {
        status = resolve(v, &to, &op->dest, op->flags & GNTCOPY_dest_gref, false);
    }
    if (status == GNTST_okay) {
        lock_ends(&from, &to);
        status = copy_locked(&from, &to, v->domain->id, op->len);
        unlock_ends(&from, &to);
    }
    put_end(&from);
    put_end(&to);
    op->status = (int16_t)status;
    return 0;
}

/*
 * Clean or invalidate bytes of a page before or after a device's DMA. The page
 * is the caller's own, or one granted to it, by machine address. Both commands
 * clean and invalidate: never less than was asked, and never the loss of
 * somebody's data.
 */
int64_t grant_cache_flush(struct vcpu *v, void *element)
{
    const struct gnttab_cache_flush *op = element;
    struct domain *d = v->domain;
    if ((op->op & GNTTAB_CACHE_SOURCE_GREF) != 0) {
        return -XEN_EOPNOTSUPP; /* as Xen */
    }
    if ((uint32_t)op->offset + op->length > FRAME_SIZE ||
        (op->op & ~(GNTTAB_CACHE_CLEAN | GNTTAB_CACHE_INVAL)) != 0) {
        return -XEN_EINVAL;
    }
    if (op->length == 0 || op->op == 0) {
        return 0;
    }
    mfn_t m = mpa_mfn(mpa(op->a.dev_bus_addr));
    if (frame_get(m, d->id)) {
        arch_clean_to_poc((const char *)mfn_to_va(m) + op->offset, op->length);
        frame_put(m);
        return 0;
    }
    return grant_flush_mapped(v, m, op->offset, op->length);
}
