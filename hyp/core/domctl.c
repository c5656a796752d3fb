/*
 * domctl: control of domains. So far what a store needs to know: which domains
 * there are and how they are.
 *
 * Source: public/domctl.h.
 */
#include "xen-internal.h"

#include <hyp/arch.h>
#include <xen/control.h>

int64_t domctl(struct vcpu *v, uint64_t *arg);

static uint32_t online_count(const struct domain *d)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < d->vcpu_count; i++) {
        count += d->vcpu[i]->sched.online != 0;
    }
    return count;
}

static void describe(struct domain *d, struct xen_domctl_getdomaininfo *info)
{
    uint64_t ticks = 0;
    for (uint32_t i = 0; i < d->vcpu_count; i++) {
        ticks += sched_runtime_ticks(d->vcpu[i], arch_counter_ticks());
    }
    lock(&d->lock);
    uint32_t flags = d->state == DOMAIN_DYING  ? XEN_DOMINF_dying
                     : d->state == DOMAIN_DOWN ? XEN_DOMINF_shutdown
                     : d->paused_by_console    ? XEN_DOMINF_paused
                                               : XEN_DOMINF_running;
    flags |= d->state == DOMAIN_DOWN ? (uint32_t)d->reason << XEN_DOMINF_shutdownshift : 0;
    unlock(&d->lock);
    *info =
        (struct xen_domctl_getdomaininfo){.domain = d->id,
                                          .flags = flags | XEN_DOMINF_hvm_guest | XEN_DOMINF_hap,
                                          .tot_pages = frame_owned_count(d->id),
                                          .max_pages = d->max_frames,
                                          .shared_info_frame = ~0ull,
                                          .cpu_time = ticks_to_ns(ticks),
                                          .nr_online_vcpus = online_count(d),
                                          .max_vcpu_id = d->vcpu_count - 1u,
                                          .gpaddr_bits = 40};
}

/* The domain with that number or the next higher one. */
static int64_t getdomaininfo(struct xen_domctl *op)
{
    for (struct domain *d = domain_next(NULL); d != NULL; d = domain_next(d)) {
        if (d->id >= op->domain) {
            describe(d, &op->u.getdomaininfo);
            op->domain = d->id;
            domain_put(d);
            return 0;
        }
    }
    return -XEN_ESRCH;
}

int64_t domctl(struct vcpu *v, uint64_t *arg)
{
    struct xen_domctl op;
    size_t head = offsetof(struct xen_domctl, u);
    if (guest_va_read(v, &op, arg[0], head) != 0) {
        return -XEN_EFAULT;
    }
    if (op.interface_version != XEN_DOMCTL_INTERFACE_VERSION) {
        return -XEN_EACCES;
    }
    bool may_look = xen_has_right(v->domain, "store") || xen_has_right(v->domain, "inspect") ||
                    xen_has_right(v->domain, "control");
    if (op.cmd != XEN_DOMCTL_getdomaininfo || !may_look) {
        return -XEN_EPERM;
    }
    int64_t error = getdomaininfo(&op);
    size_t size = head + sizeof(op.u.getdomaininfo);
    return error == 0 && guest_va_write(v, arg[0], &op, size) != 0 ? -XEN_EFAULT : error;
}
