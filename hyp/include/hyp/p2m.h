/*
 * Stage-2 translation of one domain: gfn -> mfn.
 *
 * The walk, the splitting and merging of blocks and the order of
 * break-before-make are here, in pure C; how an entry is encoded and how a TLB
 * entry dies is the architecture's (hyp/arch.h, arch_s2_*).
 *
 * P1  an entry that is valid is never replaced by a different valid one without
 *     break, TLB invalidation, make (DDI 0487I.a D8.14.1).
 * P2  the largest block that fits both alignments is used: 1 GiB, 2 MiB, 4 KiB.
 * P3  table pages come from the domain's own allowance.
 * P4  a frame leaves the table before its reference is dropped, and the TLB is
 *     invalidated in between.
 */
#ifndef HYP_P2M_H
#define HYP_P2M_H

#include <hyp/lock.h>
#include <hyp/types.h>

struct domain;

enum p2m_type {
    P2M_INVALID, /* nothing there */
    P2M_RAM,     /* the domain's own memory, rwx */
    P2M_RAM_RO,  /* r-x */
    P2M_RAM_XN,  /* rw-: sealed data */
    P2M_MMIO,    /* a device handed to the guest, nGnRE, xn */
    P2M_MMIO_C,  /* device memory the guest may map cacheable (framebuffers), xn */
    P2M_GRANT_RW,
    P2M_GRANT_RO,
    P2M_FOREIGN,   /* another domain's frame, mapped by right */
    P2M_SHARED,    /* a hypervisor page the guest may use, xn */
    P2M_TYPE_COUNT
};

struct p2m {
    lock_t lock;
    mpa_t root;            /* [const] arch_s2_root_order() frames */
    uint64_t vmid;         /* [arch] generation and number */
    uint64_t table_frames; /* [lock] */
    uint64_t mapped_frames[P2M_TYPE_COUNT]; /* [lock] */
    gfn_t max_gfn;         /* [lock] one past the highest gfn ever mapped */
};

must_check int p2m_init(struct domain *d);
/* Free all table pages. Resumable: returns -XEN_ERESTART after a bounded number of pages until it is done. */
must_check int p2m_teardown(struct domain *d);

/*
 * Map [at, at+count) to [to, to+count). Every gfn must be unmapped (-XEN_EEXIST) and inside the
 * address space (-XEN_EINVAL). -XEN_ENOMEM: out of table pages; then nothing is mapped.
 */
must_check int p2m_map(struct domain *d, gfn_t at, mfn_t to, uint64_t count, enum p2m_type t);
/* Unmap; holes are skipped. One TLB invalidation. References are the caller's. */
must_check int p2m_unmap(struct domain *d, gfn_t at, uint64_t count);

struct p2m_entry {
    mfn_t mfn;
    enum p2m_type type;
    unsigned order; /* of the block that holds it */
};
/* Look one gfn up. False: nothing there. */
bool p2m_lookup(struct domain *d, gfn_t g, struct p2m_entry *out);
/* Change type of what is mapped there (seal, log-dirty): break-before-make where rights shrink. */
must_check int p2m_set_type(struct domain *d, gfn_t at, uint64_t count, enum p2m_type t);
/* Walk the mapped entries in order: fn returns false to stop. For teardown, dump and checker. */
void p2m_walk(struct domain *d, gfn_t from, bool (*fn)(void *arg, gfn_t g, const struct p2m_entry *e),
              void *arg);

/*
 * Copy between the guest's physical memory and ours. All or -XEN_EFAULT (unmapped, or read-only for
 * writes). The frame is held by a reference meanwhile. These are the only ways to touch guest memory.
 */
must_check int guest_read(struct domain *d, void *to, gpa_t from, size_t size_bytes);
must_check int guest_write(struct domain *d, gpa_t to, const void *from, size_t size_bytes);
must_check int guest_zero(struct domain *d, gpa_t at, size_t size_bytes);

#endif
