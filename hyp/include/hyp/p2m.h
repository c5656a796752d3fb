/*
 * Stage-2 translation of one domain: gfn -> mfn.
 *
 * The walk, the splitting and merging of blocks and the order of
 * break-before-make are here, in pure C; how an entry is encoded and how a TLB
 * entry dies is the architecture's (hyp/arch.h, <arch/stage2.h>).
 *
 * P1  an entry that is valid is never replaced by a different valid one without
 *     break, TLB invalidation, make (DDI 0487I.a D8.14.1); only rights may
 *     change in place, and an invalidation follows.
 * P2  the largest block that fits both alignments is used: 1 GiB, 2 MiB, 4 KiB.
 * P3  table pages come from the domain's own allowance.
 * P4  a frame leaves the table before its reference is dropped, and the TLB is
 *     invalidated in between.
 * P5  no table page is empty, save the root: the last entry takes it along.
 *     One table of the lowest level is excepted, that p2m_take() emptied last:
 *     a page that comes and goes alone costs no table each time.
 *
 * Who holds references: RAM types carry the owner's own; P2M_FOREIGN and
 * P2M_GRANT_* one that whoever mapped them took (frame_get()) and drops after
 * unmapping. p2m itself touches references in p2m_teardown() only.
 *
 * While an entry is broken, another vCPU of the domain may fault on it though
 * nothing is wrong: the abort handler asks p2m_allows() first and retries.
 */
#ifndef HYP_P2M_H
#define HYP_P2M_H

#include <hyp/lock.h>
#include <hyp/types.h>

struct domain;

enum p2m_type {
    P2M_INVALID, /* nothing there */
    P2M_RAM,     /* the domain's own memory, rwx */
    P2M_RAM_RO,  /* r-x: sealed text */
    P2M_RAM_XN,  /* rw-: sealed data */
    P2M_MMIO,    /* a device handed to the guest, nGnRE, xn */
    P2M_MMIO_C,  /* device memory the guest may map cacheable (framebuffers), xn */
    P2M_GRANT_RW,
    P2M_GRANT_RO,
    P2M_FOREIGN,    /* another domain's frame, mapped by right */
    P2M_FOREIGN_RO, /* likewise, to look at */
    P2M_SHARED,     /* a hypervisor page the guest may use, xn */
    P2M_RAM_R,      /* r--: sealed read-only data */
    P2M_TYPE_COUNT
};

enum { P2M_R = 1, P2M_W = 2, P2M_X = 4 };

/* What a guest may do with each; the architecture's encoding follows it. */
static inline unsigned p2m_rights(enum p2m_type t)
{
    switch (t) {
    case P2M_RAM:
        return P2M_R | P2M_W | P2M_X;
    case P2M_RAM_RO:
        return P2M_R | P2M_X;
    case P2M_GRANT_RO:
    case P2M_RAM_R:
    case P2M_FOREIGN_RO:
        return P2M_R;
    case P2M_RAM_XN:
    case P2M_MMIO:
    case P2M_MMIO_C:
    case P2M_GRANT_RW:
    case P2M_FOREIGN:
    case P2M_SHARED:
        return P2M_R | P2M_W;
    case P2M_INVALID:
    case P2M_TYPE_COUNT:
        break;
    }
    return 0;
}

static inline bool p2m_is_ram(enum p2m_type t)
{
    return t == P2M_RAM || t == P2M_RAM_RO || t == P2M_RAM_XN || t == P2M_RAM_R;
}

static inline bool p2m_is_foreign(enum p2m_type t)
{
    return t == P2M_FOREIGN || t == P2M_FOREIGN_RO;
}

static inline bool p2m_is_mmio(enum p2m_type t)
{
    return t == P2M_MMIO || t == P2M_MMIO_C;
}

/* How far the seal is (seal.c). From the first step on only grants come and go. */
enum seal_state {
    SEAL_OPEN,
    SEAL_TEXT,
    SEAL_RODATA,
    SEAL_REST,
    SEALED,
    SEAL_BACK_TEXT,
    SEAL_BACK_RODATA
};

struct p2m_seal {
    struct p2m_range {
        uint64_t at, end; /* gfns, [at, end) */
    } text, rodata, todo; /* todo: what the state has yet to do */
    int error;
    uint8_t state; /* enum seal_state; written by the domain's only vCPU */
};

struct p2m {
    lock_t lock;
    mpa_t root;            /* [const] arch_s2_root_order() frames; 0: none */
    uint64_t gfn_limit;    /* [const] one past the highest gfn there can be; 0 without a root */
    uint64_t table_frames; /* [lock] the root and tables in use */
    uint64_t mapped_frames[P2M_TYPE_COUNT]; /* [lock] */
    gfn_t max_gfn;                          /* [lock] one past the highest gfn ever mapped */
    /* Invalidation owed: [stale_start, stale_end), for tables too. */
    gfn_t stale_start, stale_end; /* [lock] */
    bool stale_tables;            /* [lock] */
    void *retired;  /* [lock] tables to be freed after it, linked by frame_words()[1] */
    gfn_t idle;     /* [lock] P5: a gfn of that table, if it is still empty */
    uint64_t dying; /* [lock] p2m_teardown(): the 1 GiB entry being emptied; 0: none */
    gfn_t dying_at; /* [lock] p2m_teardown(): nothing is left below */
    struct p2m_seal seal;
};

must_check int p2m_init(struct domain *d);
/*
 * Unmap all: memory of the domain goes to frame_release_some(), foreign frames to frame_put(); grants
 * must be gone. Ends as p2m_init() left it, ready to be filled again. No vCPU of `d` runs
 * meanwhile. Resumable: -XEN_ERESTART after a bounded amount of work until it is done, then 0.
 */
must_check int p2m_teardown(struct domain *d);
/* Free the root of an empty p2m. Also after a p2m_init() that failed or never was. */
void p2m_destroy(struct domain *d);

/*
 * Map [at, at+count) to [to, to+count). Every gfn must be unmapped (-XEN_EEXIST) and inside the
 * address space (-XEN_EINVAL). -XEN_ENOMEM: out of table pages; then nothing is mapped.
 * -XEN_EPERM: the domain is sealed and this is no grant.
 * The work is one step for each block used; callers bound it.
 */
must_check int p2m_map(struct domain *d, gfn_t at, mfn_t to, uint64_t count, enum p2m_type t);
/* Unmap; holes are skipped. One TLB invalidation. References are the caller's. -XEN_ENOMEM: a
 * block could not be split; then nothing is unmapped. -XEN_EPERM: the domain is sealed. */
must_check int p2m_unmap(struct domain *d, gfn_t at, uint64_t count);

struct p2m_entry {
    mfn_t mfn; /* of the gfn asked for */
    enum p2m_type type;
    unsigned order; /* of the block that holds it */
};

/*
 * Unmap one gfn and say what was there; the invalidation is owed until p2m_flush(), so that a
 * batch needs one. The frame's reference must not be dropped before that. `types` has a bit for
 * each enum p2m_type that the caller may take: -XEN_EACCES if another one is there. -XEN_ENOENT:
 * nothing there; -XEN_EBUSY: its own memory, and others hold the frame (a domain cannot give up
 * what it lends, or it could own more than its limit); -XEN_ENOMEM as above; -XEN_EPERM: the
 * domain is sealed and `types` are not only grants.
 */
must_check int p2m_take(struct domain *d, gfn_t g, uint32_t types, struct p2m_entry *out);
#define P2M_TYPES_RAM (1u << P2M_RAM | 1u << P2M_RAM_RO | 1u << P2M_RAM_XN | 1u << P2M_RAM_R)
#define P2M_TYPES_FOREIGN (1u << P2M_FOREIGN | 1u << P2M_FOREIGN_RO)
#define P2M_TYPES_GRANT (1u << P2M_GRANT_RW | 1u << P2M_GRANT_RO)
/* Do what invalidation is owed; nothing if somebody did it already. */
void p2m_flush(struct domain *d);

/* Look one gfn up. False: nothing there; out->order is of the hole. */
bool p2m_lookup(struct domain *d, gfn_t g, struct p2m_entry *out);
/* Would this access of the guest be allowed? If so, a stage-2 fault on it was a passing one:
 * retry. */
bool p2m_allows(struct domain *d, gpa_t at, bool write, bool fetch);
/* Look up memory that `d` owns and take a reference to its frame. -XEN_EFAULT: not mapped, not
 * its own, or not writable when it must be. */
must_check int p2m_get_frame(struct domain *d, gfn_t g, bool writable, mfn_t *out);
/* Change the rights of RAM that is mapped there (seal, log-dirty): `t` is one of the P2M_RAM
 * types. Holes are skipped; -XEN_EINVAL if anything but RAM is there, -XEN_ENOMEM: a block
 * could not be split; -XEN_EPERM: sealed. Then nothing has changed. */
must_check int p2m_set_type(struct domain *d, gfn_t at, uint64_t count, enum p2m_type t);
#endif
