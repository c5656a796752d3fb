/*
 * The control families: domctl*.c, sysctl*.c.
 *
 * Each operation is one row of a table: its handler, the rights of which one
 * is needed, over whom, and whether the structure goes back to the caller. The
 * dispatcher copies the structure in once (H2), looks at the version, finds
 * the target, asks for the right, and only then calls.
 *
 * A handler that cannot finish in one step returns -XEN_ERESTART and leaves
 * where it is in op->progress, 24 bits: they travel in the command word of the
 * guest's own structure, as memory_op's do, and what the handler changed in
 * the structure travels along.
 */
#ifndef CORE_CONTROL_INTERNAL_H
#define CORE_CONTROL_INTERNAL_H

#include "../xen/xen-internal.h"

#include <hyp/rights.h>
#include <xen/domctl.h>
#include <xen/sysctl.h>

#define CONTROL_CMD_BITS 8

/* Who holds one of these sees the machine as a whole, and the state of a domain that it is over. */
#define RIGHTS_HOST (RIGHTS_LOOK | RIGHT_BIT(RIGHT_BUILD) | RIGHT_BIT(RIGHT_SCHEDULE))
#define RIGHTS_ANY (RIGHT_BIT(RIGHT_COUNT) - 1)

enum control_flags {
    CONTROL_OUT = 1,   /* the structure is written back on success */
    CONTROL_ALONE = 2, /* no target: the number is not looked at, or by the handler */
    CONTROL_OTHER = 4, /* the target is not the caller: -XEN_EINVAL */
    CONTROL_BUILD = 8, /* the target is half built, and locked meanwhile (foreign.c, L1) */
    CONTROL_ENDS = 16, /* that the target has gone in the middle of it is its success */
};

struct domctl_call {
    struct vcpu *v;
    struct domain *d; /* the target, counted; NULL with CONTROL_ALONE */
    struct xen_domctl op;
    uint32_t progress;
};

struct sysctl_call {
    struct vcpu *v;
    struct xen_sysctl op;
    uint32_t progress;
};

/* Is this domain, or its own, among those that the caller is shown? */
bool control_sees(struct vcpu *v, const struct domain *d);
/* What the tools are told of one domain. */
void control_describe(struct domain *d, struct xen_domctl_getdomaininfo *info);
/* A mask of at most 64 bits to or from the caller's bitmap. -XEN_EFAULT. */
must_check int control_put_bitmap(struct vcpu *v, const struct xenctl_bitmap *to, uint64_t mask);
must_check int control_get_bitmap(struct vcpu *v, const struct xenctl_bitmap *from, uint64_t *mask);

/* CPUs that there are, bit n for CPU n. */
uint64_t control_online_mask(void);
/* The handlers of sysctl-sched.c. */
int64_t sysctl_cpupool(struct sysctl_call *c);
int64_t sysctl_scheduler(struct sysctl_call *c);
int64_t sysctl_debug_keys(struct sysctl_call *c);
/* Put a domain into a pool, its vCPUs on CPUs of it. -XEN_ENOENT: no such pool; -XEN_EINVAL: it has no CPU. */
must_check int control_join_pool(struct domain *d, uint32_t pool);

#define DOMCTL(handler) int64_t handler(struct domctl_call *c)
/* domctl-life.c */
DOMCTL(domctl_create);
DOMCTL(domctl_destroy);
DOMCTL(domctl_pause);
DOMCTL(domctl_unpause);
DOMCTL(domctl_set_handle);
DOMCTL(domctl_time_offset);
DOMCTL(domctl_max_mem);
DOMCTL(domctl_set_pool);
DOMCTL(domctl_get_pool);
DOMCTL(domctl_cacheflush);
DOMCTL(domctl_set_width);
DOMCTL(domctl_get_width);
/* domctl-vcpu.c */
DOMCTL(domctl_max_vcpus);
DOMCTL(domctl_vcpu_info);
DOMCTL(domctl_get_affinity);
DOMCTL(domctl_set_affinity);
DOMCTL(domctl_set_nodes);
DOMCTL(domctl_get_nodes);
DOMCTL(domctl_scheduler);
DOMCTL(domctl_get_context);
DOMCTL(domctl_set_context);
/* domctl-device.c */
DOMCTL(domctl_irq_permission);
DOMCTL(domctl_iomem_permission);
DOMCTL(domctl_memory_mapping);
DOMCTL(domctl_bind_irq);
DOMCTL(domctl_unbind_irq);
DOMCTL(domctl_assign_device);
/* vuart-ring.c */
DOMCTL(domctl_vuart);
#undef DOMCTL

#endif
