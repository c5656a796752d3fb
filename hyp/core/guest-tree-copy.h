/*
 * The part of a guest's tree that comes from its partial tree: aliases,
 * passthrough and reserved-memory are copied, with what only the hypervisor
 * reads left out and the interrupt controller's phandle put right.
 */
#ifndef HYP_CORE_GUEST_TREE_COPY_H
#define HYP_CORE_GUEST_TREE_COPY_H

#include <hyp/config.h>

#define TREE_PHANDLES 64 /* that a partial tree may define */

struct tree_writer {
    void *fdt;
    int error;           /* the first one libfdt told */
    const void *partial; /* NULL: none */
    uint64_t partial_bytes;
    uint32_t gic_phandle;            /* that of /gic in the partial tree, or Xen's */
    uint32_t clock_phandle;          /* not one of the partial tree's */
    uint32_t phandle[TREE_PHANDLES]; /* those of the partial tree */
    unsigned phandle_count;
};

/* Remember the first error. */
static inline void tree_note(struct tree_writer *w, int error)
{
    w->error = w->error != 0 || error >= 0 ? w->error : error;
}

/* Look through the partial tree, if there is one, and choose the phandles. */
void tree_copy_open(struct tree_writer *w, const struct domain_config *c);
/* The properties of its /aliases, into the node that is being written. */
void tree_copy_aliases(struct tree_writer *w);
/* Its /passthrough and /reserved-memory, into the root that is being written. */
void tree_copy_devices(struct tree_writer *w);

#endif
