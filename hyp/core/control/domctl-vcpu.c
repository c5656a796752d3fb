/* domctl: vCPUs - how many, where they run, how much they get, their registers. */
#include "control-internal.h"

#include <hyp/arch.h>
#include <hyp/config.h>
#include <hyp/cpu.h>

static struct vcpu *vcpu_of(struct domain *d, uint32_t id)
{
    return id < d->vcpu_count ? d->vcpu[array_index_clamp(id, d->vcpu_count)] : NULL;
}

#define VCPUS_AT_ONCE 8u

/* As many as it was made for. All but the first come here, a few a step. */
int64_t domctl_max_vcpus(struct domctl_call *c)
{
    struct domain *d = c->d;
    int64_t error = c->op.u.max_vcpus.max == d->vcpu_max ? 0 : -XEN_EINVAL;
    lock(&d->lock);
    for (unsigned i = 0; error == 0 && d->vcpu_count < d->vcpu_max; i++) {
        error = d->state != DOMAIN_CREATED ? -XEN_EINVAL
                : i == VCPUS_AT_ONCE       ? -XEN_ERESTART
                                           : domain_add_vcpu(d);
    }
    unlock(&d->lock);
    return error;
}

int64_t domctl_vcpu_info(struct domctl_call *c)
{
    struct xen_domctl_getvcpuinfo *op = &c->op.u.getvcpuinfo;
    struct vcpu *v = vcpu_of(c->d, op->vcpu);
    if (v == NULL) {
        return -XEN_ESRCH;
    }
    enum sched_state state = __atomic_load_n(&v->sched.state, __ATOMIC_RELAXED);
    op->online = state != SCHED_OFFLINE;
    op->blocked = state == SCHED_BLOCKED;
    op->running = state == SCHED_RUNNING;
    op->cpu_time = ticks_to_ns(sched_runtime_ticks(v, arch_counter_ticks()));
    op->cpu = v->sched.home->id;
    return 0;
}

/* --- Affinity --- */

int64_t domctl_get_affinity(struct domctl_call *c)
{
    struct xen_domctl_vcpuaffinity *op = &c->op.u.vcpuaffinity;
    struct vcpu *v = vcpu_of(c->d, op->vcpu);
    if (v == NULL || (op->flags & (XEN_VCPUAFFINITY_HARD | XEN_VCPUAFFINITY_SOFT)) == 0) {
        return -XEN_EINVAL;
    }
    int64_t error = 0;
    if ((op->flags & XEN_VCPUAFFINITY_HARD) != 0) {
        error = control_put_bitmap(c->v, &op->cpumap_hard, v->sched.asked);
    }
    if (error == 0 && (op->flags & XEN_VCPUAFFINITY_SOFT) != 0) {
        error = control_put_bitmap(c->v, &op->cpumap_soft, v->soft_affinity);
    }
    return error;
}

/* The soft one is remembered and told, and has no effect: docs/scheduling.md. */
int64_t domctl_set_affinity(struct domctl_call *c)
{
    struct xen_domctl_vcpuaffinity *op = &c->op.u.vcpuaffinity;
    struct vcpu *v = vcpu_of(c->d, op->vcpu);
    uint64_t mask;
    if (v == NULL || (op->flags & (XEN_VCPUAFFINITY_HARD | XEN_VCPUAFFINITY_SOFT)) == 0) {
        return -XEN_EINVAL;
    }
    int64_t error = 0;
    if ((op->flags & XEN_VCPUAFFINITY_HARD) != 0) {
        error = control_get_bitmap(c->v, &op->cpumap_hard, &mask);
        if (error == 0) {
            error = sched_set_affinity(v, mask);
        }
        if (error == 0) {
            error = control_put_bitmap(c->v, &op->cpumap_hard,
                                       v->sched.affinity & control_online_mask());
        }
    }
    if (error == 0 && (op->flags & XEN_VCPUAFFINITY_SOFT) != 0) {
        error = control_get_bitmap(c->v, &op->cpumap_soft, &mask);
        if (error == 0) {
            v->soft_affinity = mask;
            mask &= v->sched.affinity & control_online_mask();
            error = control_put_bitmap(c->v, &op->cpumap_soft, mask);
        }
    }
    return error;
}

/* There is one node. */
int64_t domctl_set_nodes(struct domctl_call *c)
{
    uint64_t mask;
    int64_t error = control_get_bitmap(c->v, &c->op.u.nodeaffinity.nodemap, &mask);
    return error != 0 ? error : (mask & 1) == 0 ? -XEN_EINVAL : 0;
}

int64_t domctl_get_nodes(struct domctl_call *c)
{
    return control_put_bitmap(c->v, &c->op.u.nodeaffinity.nodemap, 1);
}

/* --- Scheduling --- */

/* Weight and cap, under the name that the tools have for it. */
int64_t domctl_scheduler(struct domctl_call *c)
{
    struct xen_domctl_scheduler_op *op = &c->op.u.scheduler_op;
    struct sched_params p = c->d->vcpu[0]->sched.params;
    if (op->sched_id != XEN_SCHEDULER_CREDIT2) {
        return -XEN_EINVAL;
    }
    switch (op->cmd) {
    case XEN_DOMCTL_SCHEDOP_getinfo:
        op->u.credit2.weight = (uint16_t)p.weight;
        op->u.credit2.cap = (uint16_t)p.cap_percent;
        return 0;
    case XEN_DOMCTL_SCHEDOP_putinfo:
        p.weight = op->u.credit2.weight != 0 ? op->u.credit2.weight : p.weight;
        p.cap_percent = op->u.credit2.cap != UINT16_MAX ? op->u.credit2.cap : p.cap_percent;
        return p.class != SCHED_SHARE ? -XEN_EINVAL : sched_set(c->d, &p);
    default:
        return -XEN_EINVAL;
    }
}

/* --- Registers --- */

int64_t domctl_get_context(struct domctl_call *c)
{
    struct xen_domctl_vcpucontext *op = &c->op.u.vcpucontext;
    struct vcpu *v = vcpu_of(c->d, op->vcpu);
    struct vcpu_guest_context context;
    if (v == NULL) {
        return -XEN_ESRCH;
    }
    int error = sched_pause_sync(v);
    if (error != 0) {
        return error;
    }
    arch_vcpu_get_context(v, &context);
    context.flags = v->sched.online ? VGCF_online : 0;
    sched_unpause(v);
    return guest_va_write(c->v, op->ctxt, &context, sizeof(context)) != 0 ? -XEN_EFAULT : 0;
}

/* Of a domain that has never run: its lock is held, and no CPU has anything of it. */
int64_t domctl_set_context(struct domctl_call *c)
{
    struct xen_domctl_vcpucontext *op = &c->op.u.vcpucontext;
    struct vcpu *v = vcpu_of(c->d, op->vcpu);
    struct vcpu_guest_context context;
    if (v == NULL) {
        return -XEN_ESRCH;
    }
    if (op->ctxt == 0) { /* back to how it was before the first one */
        sched_set_online(v, false);
        return 0;
    }
    if (guest_va_read(c->v, &context, op->ctxt, sizeof(context)) != 0) {
        return -XEN_EFAULT;
    }
    int error = arch_vcpu_set_context(v, &context, c->d->config->aarch32);
    if (error == 0) {
        sched_set_online(v, (context.flags & VGCF_online) != 0);
    }
    return error;
}
