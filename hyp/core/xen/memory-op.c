/*
 * memory_op: how much memory a domain has and where its guest sees it.
 *
 * Own frames come and go one by one (or in small blocks); the hypervisor's
 * pages - shared info, grant table - are shown where the guest asks. Grant
 * mappings are the business of grant-map.c and cannot be touched here (R2).
 *
 * Source: public/memory.h.
 */
#include "xen-internal.h"

#include <hyp/arch.h>
#include <hyp/config.h>
#include <hyp/grant.h>
#include <hyp/rights.h>
#include <xen/memory.h>

#define CMD_BITS 6u /* XENMEM_* in the command word; above it, how many extents are done */
#define PART_SHIFT 60u
#define CMD_MASK ((1u << CMD_BITS) - 1)
#define ORDER_MAX 9u /* Xen's limit for an ordinary domain */
/* A large extent is made of blocks of at most this order; a block is scrubbed, some 300 instructions per frame. */
#define BLOCK_ORDER 6u
#define FRAMES_AT_ONCE 64u

/* --- Putting and taking away --- */

/* Memory of its own that a domain has taken out of its tables. */
static void give_up(struct domain *d, mfn_t m)
{
    if (d->config->direct_map) {
        frame_park(d, m);
    } else {
        frame_put(m);
    }
}

int physmap_clear(struct domain *d, gfn_t at)
{
    struct p2m_entry e;
    int error = p2m_take(d, at, P2M_TYPES_RAM | P2M_TYPES_FOREIGN | 1u << P2M_SHARED, &e);
    if (error == 0) {
        p2m_flush(d);
        if (p2m_is_ram(e.type)) {
            give_up(d, e.mfn);
        } else if (e.type != P2M_SHARED) {
            frame_put(e.mfn);
        }
    }
    return error;
}

int physmap_replace(struct domain *d, gfn_t at, mfn_t m, enum p2m_type t)
{
    int error = p2m_map(d, at, m, 1, t);
    if (error == -XEN_EEXIST) {
        error = physmap_clear(d, at);
        if (error == 0) {
            error = p2m_map(d, at, m, 1, t);
        }
    }
    return error;
}

int xen_own_frame(struct domain *d, gfn_t at, mfn_t *out)
{
    return p2m_get_frame(d, at, true, out) == 0 ? 0 : -XEN_EINVAL;
}

/* --- Reservations --- */

struct extents {
    struct domain *d;
    uint64_t at; /* guest array of frame numbers */
    uint64_t count, done;
    uint32_t order;
    uint32_t part; /* blocks of the extent that are done */
};

/* Where addresses are the machine's, only what was there before can come back. */
static int populate_parked(struct domain *d, gfn_t at, unsigned order)
{
    for (uint64_t i = 0; i < 1ull << order; i++) {
        mfn_t m = mfn(at.v + i);
        if (!frame_unpark(d, m)) {
            return -XEN_EINVAL;
        }
        int error = p2m_map(d, gfn(at.v + i), m, 1, P2M_RAM);
        if (error != 0) {
            frame_park(d, m);
            return error;
        }
    }
    return 0;
}

/* Give one block of `order` at `at`. */
static int populate_block(struct domain *d, gfn_t at, unsigned order)
{
    mfn_t m;
    if (d->config->direct_map) {
        return populate_parked(d, at, order);
    }
    int error = frame_alloc_domain(d, order, &m);
    if (error != 0) {
        return error;
    }
    error = p2m_map(d, at, m, 1ull << order, P2M_RAM);
    if (error != 0) {
        frame_release(m, order, d->id);
    }
    return error;
}

/* A large extent in one piece, if there is one; else -XEN_ENOMEM, and block by block. */
static int populate_whole(struct extents *x, uint64_t first)
{
    bool may = x->order > BLOCK_ORDER && x->part == 0 && !x->d->config->direct_map;
    return may ? populate_block(x->d, gfn(first), x->order) : -XEN_ENOMEM;
}

/* Fill an extent; *budget counts frames. -XEN_ERESTART: more to do. */
static int populate_extent(struct extents *x, uint64_t first, uint32_t *budget)
{
    unsigned block = x->order < BLOCK_ORDER ? x->order : BLOCK_ORDER;
    for (; x->part << block < 1u << x->order; x->part++) {
        if (*budget < 1u << block) {
            return -XEN_ERESTART;
        }
        *budget -= 1u << block;
        int error = populate_whole(x, first);
        if (error != -XEN_ENOMEM) {
            return error;
        }
        error = populate_block(x->d, gfn(first + (x->part << block)), block);
        if (error != 0) {
            return error;
        }
    }
    return 0;
}

/* Take an extent back, block by block, each with one invalidation for what was taken. */
static int decrease_extent(struct extents *x, uint64_t first, uint32_t *budget)
{
    mfn_t taken[1u << BLOCK_ORDER] NOT_ZEROED;
    struct domain *d = x->d;
    uint32_t block = 1u << (x->order < BLOCK_ORDER ? x->order : BLOCK_ORDER);
    int error = 0;
    for (; x->part * block < 1u << x->order && error == 0; x->part++) {
        uint32_t count = 0, done = x->part * block;
        if (*budget < block) {
            return -XEN_ERESTART;
        }
        *budget -= block;
        while (count < block && error == 0) {
            struct p2m_entry e;
            error = p2m_take(d, gfn(first + done + count), P2M_TYPES_RAM, &e);
            if (error == 0) {
                taken[count++] = e.mfn;
            }
        }
        p2m_flush(d);
        for (uint32_t i = 0; i < count; i++) {
            give_up(d, taken[i]);
        }
    }
    return error;
}

/*
 * Work through the extents. Returns how many were done when one fails: the
 * interface has no other way to say it. Progress is in the command word: whole
 * extents as Xen has it, and above PART_SHIFT the blocks of the one at work.
 */
static int64_t each_extent(struct vcpu *v, struct extents *x, bool populate)
{
    uint32_t budget = FRAMES_AT_ONCE;
    for (; x->done < x->count; x->done++) {
        uint64_t first;
        if (guest_va_read(v, &first, x->at + x->done * sizeof(first), sizeof(first)) != 0) {
            return (int64_t)x->done;
        }
        int error =
            populate ? populate_extent(x, first, &budget) : decrease_extent(x, first, &budget);
        if (error == -XEN_ERESTART) {
            return error;
        }
        if (error != 0) {
            return (int64_t)x->done;
        }
        x->part = 0;
    }
    return (int64_t)x->done;
}

static int64_t reservation(struct vcpu *v, uint64_t *arg, uint32_t cmd)
{
    struct xen_memory_reservation r;
    struct extents x = {.done = arg[0] << (64 - PART_SHIFT) >> (64 - PART_SHIFT + CMD_BITS),
                        .part = (uint32_t)(arg[0] >> PART_SHIFT)};
    if (guest_va_read(v, &r, arg[1], sizeof(r)) != 0) {
        return (int64_t)x.done;
    }
    if (r.nr_extents >= 1ull << (PART_SHIFT - CMD_BITS) || r.extent_order > ORDER_MAX ||
        x.done > r.nr_extents ||
        (v->domain->config->aarch32 && 1u << r.extent_order > FRAMES_AT_ONCE)) {
        return (int64_t)x.done; /* the last: `part` would be above what its registers hold */
    }
    if (foreign_begin(v, r.domid, &x.d) != 0) {
        return (int64_t)x.done;
    }
    x.at = r.extent_start;
    x.count = r.nr_extents;
    x.order = r.extent_order;
    int64_t result = (int64_t)x.done;
    if (cmd !=
        XENMEM_increase_reservation) { /* without a place to be seen at, memory would only be lost */
        result = each_extent(v, &x, cmd == XENMEM_populate_physmap);
    }
    if (result == -XEN_ERESTART) {
        arg[0] = cmd | x.done << CMD_BITS | (uint64_t)x.part << PART_SHIFT;
    }
    foreign_end(v, x.d);
    return result;
}

static int64_t numbers(struct vcpu *v, uint64_t at, uint32_t cmd)
{
    struct xen_memory_domain target;
    struct domain *d;
    if (guest_va_read(v, &target, at, sizeof(target)) != 0) {
        return -XEN_EFAULT;
    }
    int64_t error = xen_target_by(v, target.domid, RIGHTS_LOOK, &d);
    if (error != 0) {
        return error;
    }
    int64_t result;
    switch (cmd) {
    case XENMEM_current_reservation:
        result = (int64_t)frame_owned_count(d->id);
        break;
    case XENMEM_maximum_reservation:
        result = (int64_t)d->max_frames;
        break;
    default: /* XENMEM_maximum_gpfn */
        result = (int64_t)d->p2m.max_gfn.v - 1;
        break;
    }
    domain_put(d);
    return result;
}

/* --- The physical map --- */

/* What a space and an index name. On success *type says how to map it; P2M_FOREIGN comes with a reference. */
static int64_t find_frame(struct vcpu *v, struct domain *d, uint32_t space, uint64_t index,
                          domid_t foreign, mfn_t *out, enum p2m_type *type)
{
    *type = P2M_SHARED;
    switch (space) {
    case XENMAPSPACE_shared_info:
        *out = va_to_mfn(d->xen->shared);
        return index != 0 ? -XEN_EINVAL : 0;
    case XENMAPSPACE_grant_table: {
        bool status = (index & XENMAPIDX_grant_table_status) != 0;
        index &= ~(uint64_t)XENMAPIDX_grant_table_status;
        return index >> 32 != 0 ? -XEN_EINVAL : grant_frame(d, (uint32_t)index, status, out);
    }
    case XENMAPSPACE_gmfn_foreign:
        return foreign_frame(v, d, foreign, gfn(index), out, type);
    default:
        return -XEN_ENOSYS;
    }
}

static int64_t add_one(struct vcpu *v, struct domain *d, uint32_t space, uint64_t index, gfn_t at,
                       domid_t foreign)
{
    mfn_t m;
    enum p2m_type type;
    if (space == XENMAPSPACE_dev_mmio) {
        return -XEN_EACCES; /* devices are given by the configuration */
    }
    int64_t error = find_frame(v, d, space, index, foreign, &m, &type);
    if (error == 0) {
        error = physmap_replace(d, at, m, type);
        if (error != 0 && p2m_is_foreign(type)) {
            frame_put(m);
        }
    }
    return error;
}

static int64_t add_to_physmap(struct vcpu *v, uint64_t at)
{
    struct xen_add_to_physmap op;
    struct domain *d;
    if (guest_va_read(v, &op, at, sizeof(op)) != 0) {
        return -XEN_EFAULT;
    }
    if (op.space == XENMAPSPACE_gmfn_foreign) {
        return -XEN_ENOSYS; /* has no field for the other domain: only as a batch */
    }
    if (op.space == XENMAPSPACE_gmfn_range && op.size == 0) {
        return 0; /* nothing asked, nothing refused */
    }
    int64_t error = foreign_begin(v, op.domid, &d);
    if (error == 0) {
        error = add_one(v, d, op.space, op.idx, gfn(op.gpfn), DOMID_INVALID);
        foreign_end(v, d);
    }
    return error;
}

/* The structure in the guest's memory counts the progress: its arrays are moved on and its size shrinks. */
static int64_t add_to_physmap_batch(struct vcpu *v, uint64_t at)
{
    struct xen_add_to_physmap_batch op;
    struct domain *d;
    if (guest_va_read(v, &op, at, sizeof(op)) != 0) {
        return -XEN_EFAULT;
    }
    int64_t result = foreign_begin(v, op.domid, &d);
    if (result != 0) {
        return result;
    }
    for (unsigned budget = 32; op.size > 0 && result == 0; budget--) {
        uint64_t index, where;
        if (budget == 0) {
            result = guest_va_write(v, at, &op, sizeof(op)) != 0 ? -XEN_EFAULT : -XEN_ERESTART;
            break;
        }
        if (guest_va_read(v, &index, op.idxs, sizeof(index)) != 0 ||
            guest_va_read(v, &where, op.gpfns, sizeof(where)) != 0) {
            result = -XEN_EFAULT;
            break;
        }
        int32_t error = (int32_t)add_one(v, d, op.space, index, gfn(where), op.u.foreign_domid);
        result = guest_va_write(v, op.errs, &error, sizeof(error)) != 0 ? -XEN_EFAULT : 0;
        op.idxs += sizeof(index);
        op.gpfns += sizeof(where);
        op.errs += sizeof(error);
        op.size--;
    }
    foreign_end(v, d);
    return result;
}

static int64_t remove_from_physmap(struct vcpu *v, uint64_t at)
{
    struct xen_remove_from_physmap op;
    struct domain *d;
    if (guest_va_read(v, &op, at, sizeof(op)) != 0) {
        return -XEN_EFAULT;
    }
    int64_t error = foreign_begin(v, op.domid, &d);
    if (error != 0) {
        return error;
    }
    error = physmap_clear(d, gfn(op.gpfn));
    foreign_end(v, d);
    return error == -XEN_EACCES ? -XEN_EINVAL : error;
}

/* For who builds domains; memory is not promised before it is given. */
static int64_t claim_pages(struct vcpu *v, uint64_t at)
{
    struct xen_memory_reservation r;
    if (guest_va_read(v, &r, at, sizeof(r)) != 0) {
        return -XEN_EFAULT;
    }
    return r.extent_start != 0 || r.extent_order != 0 || r.mem_flags != 0 ? -XEN_EINVAL
                                                                          : -XEN_EPERM;
}

int64_t memory_op(struct vcpu *v, uint64_t *arg)
{
    uint32_t cmd = arg[0] & CMD_MASK;
    switch (cmd) {
    case XENMEM_increase_reservation:
    case XENMEM_decrease_reservation:
    case XENMEM_populate_physmap:
        return reservation(v, arg, cmd);
    default:
        break;
    }
    if (arg[0] >> CMD_BITS != 0) {
        return -XEN_EINVAL; /* only extents can be counted there */
    }
    switch (cmd) {
    case XENMEM_current_reservation:
    case XENMEM_maximum_reservation:
    case XENMEM_maximum_gpfn:
        return numbers(v, arg[1], cmd);
    case XENMEM_maximum_ram_page:
        return 0; /* of the host: nothing a guest on Arm can use */
    case XENMEM_add_to_physmap:
        return add_to_physmap(v, arg[1]);
    case XENMEM_add_to_physmap_batch:
        return add_to_physmap_batch(v, arg[1]);
    case XENMEM_remove_from_physmap:
        return remove_from_physmap(v, arg[1]);
    case XENMEM_acquire_resource:
        return foreign_acquire(v, arg[1]);
    case XENMEM_claim_pages:
        return claim_pages(v, arg[1]);
    case XENMEM_get_sharing_freed_pages:
    case XENMEM_get_sharing_shared_pages:
        return 0; /* none are */
    case XENMEM_get_vnumainfo:
        return -XEN_EOPNOTSUPP;
    default: /* exchange, machine-to-physical lists, sharing, paging, access: not on Arm */
        return -XEN_ENOSYS;
    }
}
