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
#define BUILT RIGHT_BIT(RIGHT_BUILD)

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
    struct p2m_entry e NOT_ZEROED;
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

int physmap_map_over(struct domain *d, gfn_t at, mfn_t m, enum p2m_type t)
{
    int error = physmap_clear(d, at);
    return error == 0 ? p2m_map(d, at, m, 1, t) : error;
}

int xen_own_frame(struct domain *d, gfn_t at, mfn_t *out)
{
    return p2m_get_frame(d, at, true, out) == 0 ? 0 : -XEN_EINVAL;
}

/* --- Reservations --- */

struct extents {
    struct domain *d;
    bool populate; /* else decrease */
    uint64_t at;   /* guest array of frame numbers */
    uint64_t count, done;
    uint32_t order;
    uint32_t part; /* blocks of the extent that are done */
};

/* Where addresses are the machine's, only what was there before can come back. */
static cold int populate_parked(struct domain *d, gfn_t at, unsigned order)
{
    int error = 0;
    for (uint64_t i = 0; i < 1ull << order && error == 0; i++) {
        mfn_t m = mfn(at.v + i);
        if (!frame_unpark(d, m)) {
            return -XEN_EINVAL;
        }
        error = p2m_map(d, gfn(at.v + i), m, 1, P2M_RAM);
        if (error != 0) {
            frame_park(d, m);
        }
    }
    return error;
}

int physmap_populate(struct domain *d, gfn_t at, unsigned order, enum p2m_type t)
{
    mfn_t m NOT_ZEROED;
    int error = frame_alloc_domain(d, order, &m);
    if (error == 0) {
        error = p2m_map(d, at, m, 1ull << order, t);
        if (error != 0) {
            frame_release(m, order, d->id);
        }
    }
    return error;
}

static inline int populate_block(struct domain *d, gfn_t at, unsigned order)
{
    return unlikely(d->config->direct_map) ? populate_parked(d, at, order)
                                           : physmap_populate(d, at, order, P2M_RAM);
}

/* Take a block back, with one invalidation for what was taken, also when it ends before its time. */
static int decrease_block(struct domain *d, gfn_t at, unsigned order)
{
    mfn_t taken[1u << BLOCK_ORDER] NOT_ZEROED;
    uint32_t count = 0;
    int error = 0;
    while (count < 1u << order && error == 0) {
        struct p2m_entry e NOT_ZEROED;
        error = p2m_take(d, gfn(at.v + count), P2M_TYPES_RAM, &e);
        if (error == 0) {
            taken[count++] = e.mfn;
        }
    }
    p2m_flush(d);
    for (uint32_t i = 0; i < count; i++) {
        give_up(d, taken[i]);
    }
    return error;
}

/* One extent, block by block; to populate, in one piece, if there is one. *budget counts frames. */
static int extent(struct extents *x, uint64_t first, uint32_t *budget)
{
    unsigned order = x->order < BLOCK_ORDER ? x->order : BLOCK_ORDER;
    if (unlikely(x->order > BLOCK_ORDER) && x->part == 0 && x->populate &&
        !x->d->config->direct_map) {
        int error = populate_block(x->d, gfn(first), x->order);
        if (error != -XEN_ENOMEM) {
            return error;
        }
    }
    for (; x->part << order < 1u << x->order; x->part++) {
        if (*budget < 1u << order) {
            return -XEN_ERESTART;
        }
        *budget -= 1u << order;
        gfn_t at = gfn(first + (x->part << order));
        int error = x->populate ? populate_block(x->d, at, order) : decrease_block(x->d, at, order);
        if (error != 0) {
            return error;
        }
    }
    x->part = 0;
    return 0;
}

/*
 * Work through the extents. Returns how many were done when one fails: the
 * interface has no other way to say it. Progress is in the command word: whole
 * extents as Xen has it, and above PART_SHIFT the blocks of the one at work.
 */
static int64_t each_extent(struct vcpu *v, struct extents *x)
{
    uint32_t budget = FRAMES_AT_ONCE;
    int error = 0;
    while (x->done < x->count && error == 0) {
        uint64_t first NOT_ZEROED;
        error = guest_va_read(v, &first, x->at + x->done * sizeof(first), sizeof(first));
        if (error == 0) {
            error = extent(x, first, &budget);
        }
        x->done += error == 0;
    }
    return error == -XEN_ERESTART ? error : (int64_t)x->done;
}

static apart int64_t reservation(struct vcpu *v, uint64_t *arg, uint32_t cmd)
{
    struct xen_memory_reservation r NOT_ZEROED;
    uint64_t done = arg[0] << (64 - PART_SHIFT) >> (64 - PART_SHIFT + CMD_BITS);
    struct domain *d;
    if (guest_va_read(v, &r, arg[1], sizeof(r)) != 0 ||
        r.nr_extents >= 1ull << (PART_SHIFT - CMD_BITS) || r.extent_order > ORDER_MAX ||
        done > r.nr_extents ||
        /* `part` would be above what the registers of AArch32 hold */
        (v->domain->config->aarch32 && 1u << r.extent_order > FRAMES_AT_ONCE) ||
        /* without a place to be seen at, memory would only be lost */
        cmd == XENMEM_increase_reservation || foreign_begin(v, r.domid, &d) != 0) {
        return (int64_t)done;
    }
    struct extents x = {.d = d,
                        .populate = cmd == XENMEM_populate_physmap,
                        .at = r.extent_start,
                        .count = r.nr_extents,
                        .done = done,
                        .order = r.extent_order,
                        .part = (uint32_t)(arg[0] >> PART_SHIFT)};
    int64_t result = each_extent(v, &x);
    if (result == -XEN_ERESTART) {
        arg[0] = cmd | x.done << CMD_BITS | (uint64_t)x.part << PART_SHIFT;
    }
    foreign_end(v, d);
    return result;
}

static int64_t current_reservation(struct vcpu *v, struct domain *d, const uint64_t *reg, void *arg)
{
    return (int64_t)frame_owned_count(d->id);
}

static int64_t maximum_reservation(struct vcpu *v, struct domain *d, const uint64_t *reg, void *arg)
{
    return (int64_t)d->max_frames;
}

static int64_t maximum_gpfn(struct vcpu *v, struct domain *d, const uint64_t *reg, void *arg)
{
    return (int64_t)d->p2m.max_gfn.v - 1;
}

/* --- The physical map --- */

/* What a space and an index name. On success *type says how to map it; P2M_FOREIGN comes with a reference. */
static inline int64_t find_frame(struct vcpu *v, struct domain *d, uint32_t space, uint64_t index,
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
    case XENMAPSPACE_dev_mmio:
        return -XEN_EACCES; /* devices are given by the configuration */
    default:
        return -XEN_ENOSYS;
    }
}

static inline int64_t add_one(struct vcpu *v, struct domain *d, uint32_t space, uint64_t index,
                              gfn_t at, domid_t foreign)
{
    mfn_t m NOT_ZEROED;
    enum p2m_type type NOT_ZEROED;
    int64_t error = find_frame(v, d, space, index, foreign, &m, &type);
    if (error == 0) {
        error = physmap_replace(d, at, m, type);
        if (error != 0 && p2m_is_foreign(type)) {
            frame_put(m);
        }
    }
    return error;
}

static int64_t add_to_physmap(struct vcpu *v, struct domain *d, const uint64_t *reg, void *arg)
{
    const struct xen_add_to_physmap *a = arg;
    if (unlikely(a->space > XENMAPSPACE_grant_table) && a->space != XENMAPSPACE_dev_mmio) {
        /* Memory of others only as a batch, one's own not at all; nothing asked is nothing refused. */
        return a->space == XENMAPSPACE_gmfn_range && a->size == 0 ? 0 : -XEN_ENOSYS;
    }
    return add_one(v, d, a->space, a->idx, gfn(a->gpfn), DOMID_INVALID);
}

/* The structure in the guest's memory counts the progress: its arrays are moved on and its size shrinks. */
static int64_t add_to_physmap_batch(struct vcpu *v, struct domain *d, const uint64_t *reg,
                                    void *arg)
{
    struct xen_add_to_physmap_batch *a = arg;
    for (unsigned budget = 32; a->size > 0; budget--) {
        uint64_t index, where;
        if (budget == 0) {
            return -XEN_ERESTART;
        }
        if (guest_va_read(v, &index, a->idxs, sizeof(index)) != 0 ||
            guest_va_read(v, &where, a->gpfns, sizeof(where)) != 0) {
            return -XEN_EFAULT;
        }
        int32_t error = (int32_t)add_one(v, d, a->space, index, gfn(where), a->u.foreign_domid);
        if (guest_va_write(v, a->errs, &error, sizeof(error)) != 0) {
            return -XEN_EFAULT;
        }
        a->idxs += sizeof(index);
        a->gpfns += sizeof(where);
        a->errs += sizeof(error);
        a->size--;
    }
    return 0;
}

static int64_t remove_from_physmap(struct vcpu *v, struct domain *d, const uint64_t *reg, void *arg)
{
    int error = physmap_clear(d, gfn(((const struct xen_remove_from_physmap *)arg)->gpfn));
    return error == -XEN_EACCES ? -XEN_EINVAL : error;
}

/* For who builds domains; memory is not promised before it is given. */
static int64_t claim_pages(struct vcpu *v, struct domain *d, const uint64_t *reg, void *arg)
{
    const struct xen_memory_reservation *r = arg;
    bool good = r->extent_start == 0 && r->extent_order == 0 && r->mem_flags == 0;
    return good ? -XEN_EPERM : -XEN_EINVAL;
}

/* Of the host's memory, or of what domains share unasked: none that a guest on Arm could use. */
static int64_t none(struct vcpu *v, struct domain *d, const uint64_t *reg, void *arg)
{
    return 0;
}

/* Not here are exchange, machine-to-physical lists, paging, access: not on Arm. */
static const struct xen_op ops[] = {
    [XENMEM_maximum_ram_page] = {none},
    [XENMEM_current_reservation] = {current_reservation, sizeof(domid_t), 0, RIGHTS_LOOK},
    [XENMEM_maximum_reservation] = {maximum_reservation, sizeof(domid_t), 0, RIGHTS_LOOK},
    [XENMEM_add_to_physmap] = {add_to_physmap, sizeof(struct xen_add_to_physmap), 0, BUILT},
    [XENMEM_maximum_gpfn] = {maximum_gpfn, sizeof(domid_t), 0, RIGHTS_LOOK},
    [XENMEM_remove_from_physmap] = {remove_from_physmap, sizeof(struct xen_remove_from_physmap), 0,
                                    BUILT},
    [XENMEM_get_sharing_freed_pages] = {none},
    [XENMEM_get_sharing_shared_pages] = {none},
    [XENMEM_add_to_physmap_batch] = {add_to_physmap_batch, sizeof(struct xen_add_to_physmap_batch),
                                     OP_PROGRESS, BUILT},
    [XENMEM_claim_pages] = {claim_pages, sizeof(struct xen_memory_reservation)},
    [XENMEM_get_vnumainfo] = {.error = XEN_EOPNOTSUPP},
    [XENMEM_acquire_resource] = {foreign_acquire, sizeof(struct xen_mem_acquire_resource)},
};

int64_t memory_op(struct vcpu *v, uint64_t *arg)
{
    uint32_t cmd = arg[0] & CMD_MASK;
    if (cmd == XENMEM_increase_reservation || cmd == XENMEM_decrease_reservation ||
        cmd == XENMEM_populate_physmap) {
        return reservation(v, arg, cmd);
    }
    /* Only extents can be counted there. */
    return arg[0] == cmd ? xen_op(v, arg, ops, ARRAY_LEN(ops), arg[1]) : -XEN_EINVAL;
}
