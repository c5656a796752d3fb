/*
 * domctl: devices of the board for a domain of the tools (irqs=, iomem=).
 *
 * Who hands a device on holds it himself (hyp/rights.h, device and irq) and
 * controls whom he gives it to. There is no IOMMU: what the device does by DMA
 * nobody confines, and the log says so, as for configured domains.
 */
#include "control-internal.h"

#include <hyp/irq.h>
#include <hyp/log.h>

#define MAP_AT_ONCE 64u /* the tools ask again for less */

/* Permission is asked for first, and goes no further than the mapping: nobody gets a right by it (T2). */
int64_t domctl_irq_permission(struct domctl_call *c)
{
    return rights_irq(c->v->domain, c->op.u.irq_permission.pirq) ? 0 : -XEN_EPERM;
}

int64_t domctl_iomem_permission(struct domctl_call *c)
{
    const struct xen_domctl_iomem_permission *op = &c->op.u.iomem_permission;
    if (op->nr_mfns == 0 || op->first_mfn + op->nr_mfns < op->first_mfn) {
        return -XEN_EINVAL;
    }
    return rights_iomem(c->v->domain, mfn(op->first_mfn), op->nr_mfns) ? 0 : -XEN_EPERM;
}

static int unmap_device(struct domain *d, gfn_t at, mfn_t first, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        struct p2m_entry e;
        if (!p2m_lookup(d, gfn(at.v + i), &e) || e.type != P2M_MMIO || e.mfn.v != first.v + i) {
            return -XEN_EINVAL;
        }
    }
    return p2m_unmap(d, at, count);
}

/* Half built: the tree that the tools wrote says what is there. */
int64_t domctl_memory_mapping(struct domctl_call *c)
{
    const struct xen_domctl_memory_mapping *op = &c->op.u.memory_mapping;
    mfn_t first = mfn(op->first_mfn);
    if (op->nr_mfns == 0 || op->nr_mfns > MAP_AT_ONCE) {
        return op->nr_mfns == 0 ? -XEN_EINVAL : -XEN_E2BIG;
    }
    if (!rights_iomem(c->v->domain, first, op->nr_mfns) || frame_is_ram(first)) {
        return -XEN_EPERM;
    }
    if (op->add_mapping == DPCI_REMOVE_MAPPING) {
        return unmap_device(c->d, gfn(op->first_gfn), first, op->nr_mfns);
    }
    lock(&c->d->lock); /* foreign.c, L1 */
    int error = c->d->state != DOMAIN_CREATED
                    ? -XEN_EPERM
                    : p2m_map(c->d, gfn(op->first_gfn), first, op->nr_mfns, P2M_MMIO);
    unlock(&c->d->lock);
    if (error == 0) {
        log_line("%s: has device registers at %#lx, %lu pages. No IOMMU confines it.", c->d->name,
                 first.v << FRAME_SHIFT, op->nr_mfns);
    }
    return error;
}

int64_t domctl_bind_irq(struct domctl_call *c)
{
    const struct xen_domctl_bind_pt_irq *op = &c->op.u.bind_pt_irq;
    if (op->irq_type != PT_IRQ_TYPE_SPI || op->machine_irq != op->u.spi.spi) {
        return -XEN_EINVAL;
    }
    if (!rights_irq(c->v->domain, op->machine_irq)) {
        return -XEN_EPERM;
    }
    lock(&c->d->lock);
    int error = c->d->state != DOMAIN_CREATED
                    ? -XEN_EPERM
                    : irq_assign(op->machine_irq, false, c->d, op->u.spi.spi);
    unlock(&c->d->lock);
    return error;
}

/* Also of one that runs: its interrupt is masked from then on, and anybody's to be given. */
int64_t domctl_unbind_irq(struct domctl_call *c)
{
    const struct xen_domctl_bind_pt_irq *op = &c->op.u.bind_pt_irq;
    if (op->irq_type != PT_IRQ_TYPE_SPI || op->machine_irq != op->u.spi.spi) {
        return -XEN_EINVAL;
    }
    if (!rights_irq(c->v->domain, op->machine_irq)) {
        return -XEN_EPERM;
    }
    lock(&c->d->lock); /* against another such call, and its end */
    bool alive = c->d->state == DOMAIN_CREATED || c->d->state == DOMAIN_RUNNING;
    int error = alive ? irq_release(op->machine_irq, c->d) : -XEN_ENOENT;
    unlock(&c->d->lock);
    return error;
}

/* Assignment is to an IOMMU. */
int64_t domctl_assign_device(struct domctl_call *c)
{
    return -XEN_EOPNOTSUPP;
}
