/*
 * Copying by grant reference or by own frame, and cache maintenance of such
 * frames. Nothing is mapped: both ends are held by references for the length
 * of one copy, at most a page.
 */
#include <hyp/grant.h>

#include "xen-internal.h"

#include <hyp/arch.h>
#include <lib/string.h>

/* Elements per call before the guest may take its interrupts (H1): a page copied is some 1,000 instructions. */
#define BATCH 16u

/* One end of a copy, held. */
struct end {
    struct domain *d; /* counted */
    struct grant_use use;
    bool by_ref, readonly;
};

static int hold(struct vcpu *v, const struct gnttab_copy_ptr *p, bool by_ref, bool readonly,
                uint16_t length, struct end *out)
{
    domid_t self = v->domain->id;
    struct domain *d = p->domid == DOMID_SELF ? domain_hold(v->domain) : domain_get(p->domid);
    if (d == NULL) {
        return GNTST_bad_domain;
    }
    int status = GNTST_permission_denied; /* by frame number: one's own only */
    if (by_ref) {
        status = grant_pin(d, p->u.ref, self, readonly, false, &out->use);
    } else if (p->domid == DOMID_SELF) {
        out->use = (struct grant_use){.start = 0, .length = FRAME_SIZE};
        status = p2m_get_frame(d, gfn(p->u.gmfn), !readonly, &out->use.mfn) == 0 ? GNTST_okay
                                                                                 : GNTST_bad_page;
    }
    if (status == GNTST_okay && by_ref &&
        (p->offset < out->use.start || p->offset + length > out->use.start + out->use.length)) {
        grant_unpin(out->use.table, out->use.ref, readonly, false);
        status = GNTST_general_error; /* beyond the part that a sub-page grant shows */
    }
    if (status != GNTST_okay) {
        domain_put(d);
        return status;
    }
    out->d = d;
    out->by_ref = by_ref;
    out->readonly = readonly;
    return GNTST_okay;
}

static void let_go(const struct end *e)
{
    if (e->by_ref) {
        grant_unpin(e->use.table, e->use.ref, e->readonly, false);
    } else {
        frame_put(e->use.mfn);
    }
    domain_put(e->d);
}

static int copy_one(struct vcpu *v, const struct gnttab_copy *op)
{
    struct end from, to;
    if ((uint32_t)op->source.offset + op->len > FRAME_SIZE ||
        (uint32_t)op->dest.offset + op->len > FRAME_SIZE) {
        return GNTST_bad_copy_arg;
    }
    int status = hold(v, &op->source, op->flags & GNTCOPY_source_gref, true, op->len, &from);
    if (status != GNTST_okay) {
        return status;
    }
    status = hold(v, &op->dest, op->flags & GNTCOPY_dest_gref, false, op->len, &to);
    if (status == GNTST_okay) {
        /* The two may be one frame: memmove. */
        memmove((char *)mfn_to_va(to.use.mfn) + op->dest.offset,
                (const char *)mfn_to_va(from.use.mfn) + op->source.offset, op->len);
        let_go(&to);
    }
    let_go(&from);
    return status;
}

int64_t grant_copy_op(struct vcpu *v, uint64_t *arg)
{
    for (unsigned budget = BATCH; arg[2] > 0; budget--) {
        struct gnttab_copy op;
        if (budget == 0) {
            return -XEN_ERESTART;
        }
        if (guest_va_read(v, &op, arg[1], sizeof(op)) != 0) {
            return -XEN_EFAULT;
        }
        int16_t status = (int16_t)copy_one(v, &op);
        if (guest_va_write(v, arg[1] + offsetof(struct gnttab_copy, status), &status,
                           sizeof(status)) != 0) {
            return -XEN_EFAULT;
        }
        arg[1] += sizeof(op);
        arg[2]--;
    }
    return 0;
}

/*
 * Clean or invalidate bytes of a page before or after a device's DMA. The page
 * is the caller's own, or one granted to it, by machine address. Both commands
 * clean and invalidate: never less than was asked, and never the loss of
 * somebody's data.
 */
static int64_t cache_flush(struct vcpu *v, const struct gnttab_cache_flush *op)
{
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

int64_t grant_cache_flush_op(struct vcpu *v, uint64_t *arg)
{
    for (unsigned budget = BATCH; arg[2] > 0; budget--) {
        struct gnttab_cache_flush op;
        if (budget == 0) {
            return -XEN_ERESTART;
        }
        if (guest_va_read(v, &op, arg[1], sizeof(op)) != 0) {
            return -XEN_EFAULT;
        }
        int64_t error = cache_flush(v, &op);
        if (error != 0) {
            return error;
        }
        arg[1] += sizeof(op);
        arg[2]--;
    }
    return 0;
}
