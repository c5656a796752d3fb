/*
 * Bulkhead's own hypercalls, beside Xen's: number 0x4248 ("BH") in x16, HVC #0xEA1 as for Xen's.
 * Stock Xen answers -XEN_ENOSYS to numbers beyond its table.
 *
 *   x0  BULKHEAD_OP_*      x1  guest virtual address of its argument
 */
#ifndef BULKHEAD_SEAL_H
#define BULKHEAD_SEAL_H

#include <stdint.h>

#define BULKHEAD_HYPERCALL 0x4248
#define BULKHEAD_OP_seal 1
#define BULKHEAD_OP_drop_right 2
#define BULKHEAD_SEAL_VERSION 1

/*
 * From success on, for the life of the domain: its text is read-only and executable, its read-only
 * data neither writable nor executable, all else never executable; nothing is mapped or unmapped
 * but grants; SCTLR_EL1, TCR_EL1, TTBRn_EL1, MAIR_EL1 and what else HCR_EL2.TVM traps cannot be
 * written. On error nothing has changed:
 *   EPERM sealed already; EINVAL version, flags, or a range that is not plain memory of the
 *   caller, or they overlap; EBUSY others have a page of the ranges mapped; EOPNOTSUPP more than
 *   one vCPU; ENOMEM no table page for a boundary inside a block.
 */
struct bulkhead_seal {
    uint32_t version;    /* BULKHEAD_SEAL_VERSION */
    uint32_t flags;      /* 0 */
    uint64_t text_frame; /* guest frame numbers */
    uint64_t text_count;
    uint64_t rodata_frame;
    uint64_t rodata_count; /* may be 0 */
};

/*
 * Words as in bulkhead,rights: a right, and one domain if only that over it is to go. The caller
 * has it no more, until it is built anew. EINVAL: no such right, or "all but one" of a right over
 * everybody; ESRCH: no such domain. What one does not have can be dropped.
 */
struct bulkhead_drop_right {
    char words[64]; /* filled up with zeros, one at least */
};

#endif
