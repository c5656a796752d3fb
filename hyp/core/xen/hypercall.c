/*
 * Dispatch of hypercalls, multicall, and the small ones that have no state.
 * See hyp/hypercall.h for H1..H3.
 */
#include <hyp/hypercall.h>

#include "xen-internal.h"

#include <hyp/evtchn.h>
#include <hyp/grant.h>

#define HYPERCALL(name, handler) int64_t handler(struct vcpu *v, uint64_t *arg);
#include "hypercall-list.h"
#undef HYPERCALL

#define HYPERCALL_COUNT 48u

static int64_t (*const handlers[HYPERCALL_COUNT])(struct vcpu *v, uint64_t *arg) = {
#define HYPERCALL(name, handler) [__HYPERVISOR_##name] = handler,
#include "hypercall-list.h"
#undef HYPERCALL
};

static const char *const names[HYPERCALL_COUNT] = {
#define HYPERCALL(name, handler) [__HYPERVISOR_##name] = #name,
#include "hypercall-list.h"
#undef HYPERCALL
};

const char *hypercall_name(uint64_t number)
{
    return number < HYPERCALL_COUNT ? names[number] : NULL;
}

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

/*
 * arg[0] array of multicall_entry, arg[1] length. Entries are made in order,
 * a few at a time (H1); an entry that wants to be made again leaves its
 * progress in its own arguments in the guest's memory, and the multicall goes
 * on from it. Calls in it cannot be multicalls: that answers -XEN_EINVAL.
 */
int64_t multicall(struct vcpu *v, uint64_t *arg)
{
    for (unsigned budget = 8; arg[1] > 0; budget--) {
        struct multicall_entry e;
        if (budget == 0) {
            return -XEN_ERESTART;
        }
        if (guest_va_read(v, &e, arg[0], sizeof(e)) != 0) {
            return -XEN_EFAULT;
        }
        int64_t result =
            e.op == __HYPERVISOR_multicall ? -XEN_EINVAL : hypercall_call(v, e.op, e.args);
        if (result == -XEN_ERESTART) {
            int error = guest_va_write(v, arg[0] + offsetof(struct multicall_entry, args), e.args,
                                       sizeof(e.args));
            return error != 0 ? error : -XEN_ERESTART;
        }
        if (guest_va_write(v, arg[0] + offsetof(struct multicall_entry, result), &result,
                           sizeof(result)) != 0) {
            return -XEN_EFAULT;
        }
        arg[0] += sizeof(e);
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

/* PCI devices and pins are the domain's own business: no operation of this family is for guests on Arm. */
int64_t physdev_op(struct vcpu *v, uint64_t *arg)
{
    return -XEN_ENOSYS;
}
