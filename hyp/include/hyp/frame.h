/*
 * One record per machine frame, and the allocator that hands frames out.
 *
 *   state     owner     meaning
 *   NONE      -         not RAM, or RAM that is not ours to give (firmware, holes)
 *   FREE      -         in the allocator
 *   HYP       domid or  used by the hypervisor, charged to that domain's allowance
 *             DOMID_XEN (DOMID_XEN: charged to nobody)
 *   OWNED     domid     a guest's memory, mapped in its stage 2 or about to be
 *   SHARED    domid     a hypervisor page a guest may map (grant table, shared info)
 *
 *   edges: NONE -> FREE        frame_add_range()        at boot
 *          FREE -> OWNED       frame_alloc_domain()     refs = 1, the owner's
 *          FREE -> HYP         frame_alloc_hyp()
 *          HYP <-> SHARED      frame_share() / frame_unshare()
 *          OWNED,HYP -> FREE   frame_put() of the last reference
 *
 * F1  a frame is in exactly one state; only the functions above change it.
 * F2  OWNED: refs = 1 for being allocated to its owner + 1 for each foreign
 *     mapping, grant mapping or copy in flight. It goes back only at 0.
 * F3  memory that a guest owned is scrubbed before it is anybody else's.
 *     Memory that nobody owned since power-on need not be (F_DIRTY tells).
 * F4  no frame is reachable by two domains except by a grant or a declared
 *     shared region; checker_run() (debug) walks all stage-2 tables to see.
 * F5  every HYP frame that is spent for a domain counts in domain.hyp_frames,
 *     and that never passes domain.hyp_frames_max.
 */
#ifndef HYP_FRAME_H
#define HYP_FRAME_H

#include <hyp/arch.h>
#include <hyp/types.h>

struct domain;

enum frame_state { FRAME_NONE, FRAME_FREE, FRAME_HYP, FRAME_OWNED, FRAME_SHARED };

struct frame {
    uint32_t refs;   /* [atomic] */
    uint16_t owner;  /* [frame lock] domid_t */
    uint8_t state;   /* [frame lock] enum frame_state */
    uint8_t order : 5, dirty : 1, spare : 2; /* [frame lock] FREE: order of the free block it heads */
    uint32_t next;   /* [frame lock] FREE: next and previous block of that order, as frame index */
    uint32_t prev;
};

#define FRAME_ORDER_MAX 18 /* 1 GiB */

/* Give [start, end) to the allocator. `dirty` false: nobody has owned it since power-on. */
void frame_add_range(mpa_t start, mpa_t end, bool dirty);

/* The record of a frame, or NULL if `m` is not RAM that we know. Any value may be asked. */
struct frame *frame_of(mfn_t m);

/*
 * Allocate 2^order frames as guest memory of `d`, aligned to their size,
 * scrubbed. Counts against d->max_frames. Returns 0, -XEN_ENOMEM, -XEN_E2BIG (over d's limit).
 */
must_check int frame_alloc_domain(struct domain *d, unsigned order, mfn_t *out);
/* The same at a fixed place (xen,static-mem, direct-map): `count` frames from `at`. -XEN_EBUSY if one is not free. */
must_check int frame_alloc_domain_at(struct domain *d, mfn_t at, uint64_t count);

/* 2^order zeroed frames for the hypervisor, charged to `d` (NULL: nobody). NULL if none or over the allowance. */
void *frame_alloc_hyp(struct domain *d, unsigned order);
void frame_free_hyp(struct domain *d, void *va, unsigned order);

/* Take a reference to a frame that `owner` owns; false if it does not (any more). */
must_check bool frame_get(mfn_t m, domid_t owner);
/* Drop one; the last one scrubs and frees. */
void frame_put(mfn_t m);

/* The direct map; the frame must be RAM. */
static inline void *mfn_to_va(mfn_t m)
{
    return arch_ram_va(m.v << FRAME_SHIFT);
}
static inline mfn_t va_to_mfn(const void *va)
{
    return mfn(arch_ram_mpa(va) >> FRAME_SHIFT);
}

struct frame_stats {
    uint64_t total, free, hyp, owned;
    uint64_t table_bytes; /* frame records themselves */
};
void frame_stats(struct frame_stats *out);

#endif
