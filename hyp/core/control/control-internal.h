/*
 * The control families: domctl.c, sysctl.c.
 *
 * Each operation is one row of a table: its handler, the rights of which one
 * is needed, over whom, and whether the structure goes back to the caller. The
 * dispatcher copies the structure in once (H2), looks at the version, finds
 * the target, asks for the right, and only then calls.
 *
 * A handler that cannot finish in one step returns -XEN_ERESTART and leaves
 * where it is in c->progress, 24 bits: they travel in the command word of the
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

enum control_flags {
    CONTROL_OUT = 1,   /* the structure is written back on success */
    CONTROL_ALONE = 2, /* no target: the number is not looked at, or by the handler */
    CONTROL_OTHER = 4, /* the target is not the caller: -XEN_EINVAL */
    CONTROL_BUILD = 8, /* the target is half built, and locked meanwhile (foreign.c, L1) */
    CONTROL_ENDS = 16, /* that the target has gone in the middle of it is its success */
};

struct control_call {
    struct vcpu *v;
    struct domain *d; /* the target, counted; NULL with CONTROL_ALONE */
    uint32_t cmd;     /* the operation: one handler may serve a few that are alike */
    uint32_t progress;
    union { /* both begin with command and version */
        struct xen_domctl domctl;
        struct xen_sysctl sysctl;
    };
};

struct control_row {
    int64_t (*handler)(struct control_call *c);
    uint16_t rights; /* one of these, over the target */
    uint8_t flags;   /* enum control_flags */
    const char *name;
};

/* Carry out the operation whose structure, of `size` bytes, is at the caller's `at`. */
int64_t control_call(struct vcpu *v, uint64_t at, size_t size, const struct control_row *rows,
                     uint32_t row_count);

/* Is this domain, or its own, among those that the caller is shown? */
bool control_sees(struct vcpu *v, const struct domain *d);
/* What the tools are told of one domain. */
void control_describe(struct domain *d, struct xen_domctl_getdomaininfo *info);
/* A mask of at most 64 bits to or from the caller's bitmap. -XEN_EFAULT. */
must_check int control_put_bitmap(struct vcpu *v, const struct xenctl_bitmap *to, uint64_t mask);
must_check int control_get_bitmap(struct vcpu *v, const struct xenctl_bitmap *from, uint64_t *mask);
/* CPUs that there are, bit n for CPU n. */
uint64_t control_online_mask(void);
/* Put a domain into a pool, its vCPUs on CPUs of it. -XEN_ENOENT: no such pool; -XEN_EINVAL: it has no CPU. */
must_check int control_join_pool(struct domain *d, uint32_t pool);

/* XEN_DOMCTL_vuart_op (vuart-ring.c). */
int64_t domctl_vuart(struct control_call *c);

#endif
