/*
 * Dispatch of hypercalls, multicall, and the small ones that have no state.
 * See hyp/hypercall.h for H1..H3.
 */
#include <hyp/hypercall.h>

#include "xen-internal.h"

#include <hyp/rights.h>

#define HYPERCALL_COUNT 48u

static int64_t (*const handlers[HYPERCALL_COUNT])(struct vcpu *v, uint64_t *arg) = {
#define HYPERCALL(name) [__HYPERVISOR_##name] = name,
#include "hypercall-list.h"
#undef HYPERCALL
};

static inline __attribute__((always_inline)) int64_t call(struct vcpu *v, uint64_t number,
                                                          uint64_t *arg)
{
    if (number >= HYPERCALL_COUNT) {
        return number == BULKHEAD_HYPERCALL ? bulkhead_op(v, arg) : -XEN_ENOSYS;
    }
    number = array_index_clamp((uint32_t)number, HYPERCALL_COUNT);
    return handlers[number] != NULL ? handlers[number](v, arg) : -XEN_ENOSYS;
}

int64_t hypercall_call(struct vcpu *v, uint64_t number, uint64_t *arg)
{
    return call(v, number, arg);
}

void hypercall(struct vcpu *v)
{
    uint64_t *arg = arch_hypercall_args(&v->arch);
    int64_t result = call(v, arch_hypercall_number(&v->arch), arg);
    if (unlikely(result == -XEN_ERESTART)) {
        arch_hypercall_again(&v->arch);
        return;
    }
    arg[0] = (uint64_t)result;
}

/* --- Operations with one structure --- */

static inline __attribute__((always_inline)) int64_t
handle(const struct xen_op *o, struct vcpu *v, struct domain *d, uint64_t *reg, void *arg)
{
    if (likely((o->flags & OP_LOCKED) == 0)) {
        return o->handler(v, d, reg, arg);
    }
    lock(&d->evtchn->lock);
    int64_t result = o->handler(v, d, reg, arg);
    unlock(&d->evtchn->lock);
    return result;
}

static cold int64_t handle_for(domid_t id, const struct xen_op *o, struct vcpu *v, uint64_t *reg,
                               void *arg)
{
    bool built = o->rights == RIGHT_BIT(RIGHT_BUILD);
    struct domain *d;
    int64_t result = built ? foreign_begin_other(v, id, &d) : xen_target_by(v, id, o->rights, &d);
    if (result != 0) {
        return result;
    }
    result = handle(o, v, d, reg, arg);
    if (built) {
        foreign_end_other(d);
    } else {
        domain_put(d);
    }
    return result;
}

int64_t xen_op_make(struct vcpu *v, uint64_t *reg, const struct xen_op *o, uint64_t at)
{
    uint64_t arg[XEN_OP_MAX / 8] NOT_ZEROED; /* what is copied in is all that is looked at */
    if (o->size != 0 && guest_va_read(v, arg, at, o->size) != 0) {
        return -XEN_EFAULT;
    }
    struct domain *d = v->domain;
    domid_t id = o->rights != 0 ? *(const domid_t *)arg : DOMID_SELF;
    bool own = likely(id == DOMID_SELF || id == d->id);
    int64_t result = own ? handle(o, v, d, reg, arg) : handle_for(id, o, v, reg, arg);
    unsigned back = result == 0 ? OP_OUT : result == -XEN_ERESTART ? OP_PROGRESS : 0;
    return (o->flags & back) != 0 && guest_va_write(v, at, arg, o->size) != 0 ? -XEN_EFAULT
                                                                              : result;
}

/* --- Small families --- */

/* One that wants to be made again leaves its progress in its own arguments in the guest's memory. */
static int64_t multicall_one(struct vcpu *v, struct domain *d, const uint64_t *reg, void *arg)
{
    struct multicall_entry *e = arg;
    int64_t result = e->op == __HYPERVISOR_multicall ? -XEN_EINVAL : call(v, e->op, e->args);
    e->result = (uint64_t)result;
    return result == -XEN_ERESTART ? result : 0;
}

/* arg[0] array of multicall_entry, arg[1] length. Entries are made in order, a few at a time (H1). */
int64_t multicall(struct vcpu *v, uint64_t *arg)
{
    static const struct xen_op one = {multicall_one, sizeof(struct multicall_entry),
                                      .flags = OP_OUT | OP_PROGRESS};
    for (unsigned budget = 8; arg[1] > 0; budget--) {
        int64_t result = budget != 0 ? xen_op_make(v, arg, &one, arg[0]) : -XEN_ERESTART;
        if (result != 0) {
            return result;
        }
        arg[0] += sizeof(struct multicall_entry);
        arg[1]--;
    }
    return 0;
}

int64_t vm_assist(struct vcpu *v, uint64_t *arg)
{
    uint32_t bit = 1u << VMASST_TYPE_runstate_update_flag;
    if (arg[1] != VMASST_TYPE_runstate_update_flag) {
        return -XEN_EINVAL;
    }
    switch ((uint32_t)arg[0]) {
    case VMASST_CMD_enable:
        __atomic_fetch_or(&v->domain->xen->vm_assist, bit, __ATOMIC_RELAXED);
        return 0;
    case VMASST_CMD_disable:
        __atomic_fetch_and(&v->domain->xen->vm_assist, ~bit, __ATOMIC_RELAXED);
        return 0;
    default:
        return -XEN_ENOSYS;
    }
}
