/* Until the Xen interface is merged every number answers -XEN_ENOSYS, as H3 of hyp/hypercall.h says. */
#include <hyp/hypercall.h>

#include <hyp/domain.h>
#include <xen/errno.h>

void hypercall(struct vcpu *v)
{
    arch_hypercall_args(&v->arch)[0] = (uint64_t)-XEN_ENOSYS;
}
