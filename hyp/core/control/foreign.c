/*
 * Memory of one domain in the hands of another.
 *
 * L1  who changes the memory of a domain that he builds holds its lock and has
 *     seen, under it, that it is CREATED: so its first run and its end come
 *     before or after, and nothing is mapped into what is being torn down.
 * L2  nobody maps memory of another domain but: the builder, until it first
 *     runs; who may emulate its devices; who may inspect it, read-only; and the store and the consoles'
 *     service the one ring page each that the guest was told of.
 * L3  a mapping holds a reference to its frame (hyp/p2m.h), so it outlives the
 *     domain if need be and never leads to anybody else's memory.
 */
#include "../xen/xen-internal.h"

#include <hyp/grant.h>
#include <hyp/rights.h>
#include <xen/memory.h>

int foreign_begin_other(struct vcpu *v, domid_t id, struct domain **out)
    NO_LOCK_ANALYSIS("released by foreign_end_other()")
{
    int error = xen_target_by(v, id, RIGHT_BIT(RIGHT_BUILD), out);
    if (error != 0) {
        return error;
    }
    lock(&(*out)->lock);
    if ((*out)->state != DOMAIN_CREATED) {
        foreign_end_other(*out);
        return -XEN_EPERM;
    }
    return 0;
}

void foreign_end_other(struct domain *d) NO_LOCK_ANALYSIS("taken by foreign_begin_other()")
{
    unlock(&d->lock);
    domain_put(d);
}

/* Is this a ring page that `caller` serves: the store's, the console's, the serial line's? */
static bool is_ring(const struct domain *caller, struct domain *from, gfn_t at)
{
    lock(&from->xen->lock);
    uint64_t store = from->xen->param[HVM_PARAM_STORE_PFN];
    uint64_t console = from->xen->param[HVM_PARAM_CONSOLE_PFN];
    unlock(&from->xen->lock);
    bool line = from->xen->vuart.gfn != 0 && at.v == from->xen->vuart.gfn;
    return (at.v == store && rights_allow(caller, RIGHT_STORE, from)) ||
           ((at.v == console || line) && rights_allow(caller, RIGHT_CONSOLE, from));
}

/* A page of the hypervisor's that the half-built guest has mapped: its grant table, shared info. */
static int shared_page(struct domain *from, gfn_t at, mfn_t *out)
{
    struct p2m_entry e;
    if (!p2m_lookup(from, at, &e) || e.type != P2M_SHARED || !frame_get_shared(e.mfn, from->id)) {
        return -XEN_EINVAL;
    }
    *out = e.mfn;
    return 0;
}

static int find(struct domain *caller, struct domain *from, gfn_t at, mfn_t *out,
                enum p2m_type *type)
{
    bool building = rights_allow(caller, RIGHT_BUILD, from);
    *type = P2M_FOREIGN;
    if (building || is_ring(caller, from, at) || rights_allow(caller, RIGHT_EMULATE, from)) {
        int error = xen_own_frame(from, at, out);
        return error != 0 && building ? shared_page(from, at, out) : error;
    }
    *type = P2M_FOREIGN_RO;
    int error = rights_require(caller, RIGHT_BIT(RIGHT_INSPECT), from, "the mapping of a frame");
    return error != 0 ? error : p2m_get_frame(from, at, false, out) == 0 ? 0 : -XEN_EINVAL;
}

int foreign_frame(struct vcpu *v, struct domain *d, domid_t id, gfn_t at, mfn_t *out,
                  enum p2m_type *type)
{
    if (d != v->domain) {
        return -XEN_EPERM; /* one maps for oneself */
    }
    if (id == DOMID_SELF || id == d->id) {
        return -XEN_EINVAL; /* one's own memory is not foreign */
    }
    struct domain *from = domain_get(id);
    if (from == NULL) {
        return -XEN_ESRCH;
    }
    int error = find(d, from, at, out, type);
    domain_put(from);
    return error;
}

/* --- Resources --- */

#define RESOURCE_FRAMES 16u /* in one call, which is bounded by it */

/* One of them, referenced: of the caller's server over `from`, or a grant frame of `from`, which it builds. */
static int resource(struct vcpu *v, struct domain *from, const struct xen_mem_acquire_resource *op,
                    uint32_t i, mfn_t *out)
{
    if (op->type == XENMEM_resource_ioreq_server) {
        return ioreq_frame(from, v->domain, op->id, op->frame + i, out);
    }
    bool status = op->id == XENMEM_resource_grant_table_id_status;
    int error = grant_frame(from, (uint32_t)op->frame + i, status, out);
    return error == 0 && !frame_get_shared(*out, from->id) ? -XEN_EINVAL : error;
}

/* Map them where the caller lists. */
static int acquire(struct vcpu *v, struct domain *from, const struct xen_mem_acquire_resource *op)
{
    int error = 0;
    for (uint32_t i = 0; i < op->nr_frames && error == 0; i++) {
        uint64_t where;
        mfn_t m;
        error = guest_va_read(v, &where, op->frame_list + i * sizeof(where), sizeof(where));
        if (error == 0) {
            error = resource(v, from, op, i, &m);
        }
        if (error == 0) {
            error = physmap_replace(v->domain, gfn(where), m, P2M_FOREIGN);
            if (error != 0) {
                frame_put(m);
            }
        }
    }
    return error;
}

int64_t foreign_acquire(struct vcpu *v, struct domain *d, const uint64_t *reg, void *arg)
{
    struct xen_mem_acquire_resource *op = arg;
    struct domain *from;
    if (op->pad != 0) {
        return -XEN_EINVAL;
    }
    if (op->domid == DOMID_SELF || op->domid == d->id) {
        return -XEN_EPERM;
    }
    bool server = op->type == XENMEM_resource_ioreq_server;
    int64_t error =
        xen_target_by(v, op->domid, RIGHT_BIT(server ? RIGHT_EMULATE : RIGHT_BUILD), &from);
    if (error != 0) {
        return error;
    }
    if (!server && (op->type != XENMEM_resource_grant_table ||
                    op->id > XENMEM_resource_grant_table_id_status)) {
        error = -XEN_EOPNOTSUPP;
    } else if (op->frame_list == 0) {
        op->nr_frames = op->nr_frames != 0 ? op->nr_frames : server ? 2 : GRANT_FRAMES_MAX;
        error = guest_va_write(v, reg[1], op, sizeof(*op));
    } else {
        bool many = op->nr_frames > RESOURCE_FRAMES || op->frame >= GRANT_FRAMES_MAX;
        error = many ? -XEN_E2BIG : acquire(v, from, op);
    }
    domain_put(from);
    return error;
}
