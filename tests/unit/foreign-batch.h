/* A foreign mapping of one page, with what its handles point to behind it. Source: public/memory.h. */
#ifndef FOREIGN_BATCH_H
#define FOREIGN_BATCH_H

#include <stddef.h>
#include <stdint.h>
#include <xen/memory.h>
#include <xen/xen.h>

struct foreign_batch {
    struct xen_add_to_physmap_batch op;
    uint64_t index, at;
    int32_t error;
};

/* For a structure that lies at guest address `here`: frame `index` of `from`, put at frame `at`. */
static inline struct foreign_batch foreign_batch(uint64_t here, domid_t from, uint64_t index,
                                                 uint64_t at)
{
    return (struct foreign_batch){.op = {.domid = DOMID_SELF,
                                         .space = XENMAPSPACE_gmfn_foreign,
                                         .size = 1,
                                         .u.foreign_domid = from,
                                         .idxs = here + offsetof(struct foreign_batch, index),
                                         .gpfns = here + offsetof(struct foreign_batch, at),
                                         .errs = here + offsetof(struct foreign_batch, error)},
                                  .index = index,
                                  .at = at};
}

#endif
