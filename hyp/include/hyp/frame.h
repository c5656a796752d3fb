/*
 * Who owns each machine frame, and the allocator that hands frames out.
 *
 *   state     owner     meaning
 *   NONE      -         not RAM, or RAM that is not ours to give (firmware, holes)
 *   FREE      -         in the allocator
 *   FIXED     -         free, but only for those who ask for this very place (xen,static-mem)
 *   HYP       domid or  used by the hypervisor, charged to that domain's allowance
 *             DOMID_XEN (DOMID_XEN: charged to nobody)
 *   OWNED     domid     a guest's memory, mapped in its stage 2 or about to be
 *   SHARED    domid     a hypervisor page a guest may map (grant table, shared info)
 *
 *   edges: NONE -> FREE        frame_init() at boot, frame_add_range()
 *          NONE -> FIXED       frame_fix_range()
 *          FREE -> OWNED       frame_alloc_domain(); refs = 1, the owner's
 *          FIXED -> OWNED      frame_alloc_domain_at(), likewise
 *          FREE -> HYP -> FREE frame_alloc_hyp(), frame_free_hyp()
 *          HYP <-> SHARED      frame_share(), frame_unshare()
 *          SHARED -> FREE      frame_free_shared(), or the last frame_put() after it
 *          OWNED -> FREE       frame_put(), frame_release*() of the last reference; FIXED if it was
 *
 * F1  a frame is in exactly one state; only the functions above change it.
 * F2  OWNED: refs = 1 for being allocated to its owner + 1 for each foreign
 *     mapping and grant mapping. It goes back only at 0.
 * F3  memory that a guest or the hypervisor used is scrubbed before it is FREE
 *     or FIXED again. Memory that nobody owned since power-on need not be.
 * F4  no frame is reachable by two domains except by a grant or a declared
 *     shared region; checker_run() (debug) walks all stage-2 tables to see.
 * F5  every HYP frame that is spent for a domain counts in domain.hyp_frames,
 *     and that never passes domain.hyp_frames_max.
 *
 * frame_get(), frame_put() of other than the last reference, and frame_info()
 * take no lock. The others take the allocator's (RANK_FRAME), never while
 * they zero memory. Domain numbers are below MAX_DOMAINS.
 */
#ifndef HYP_FRAME_H
#define HYP_FRAME_H

#include <hyp/arch.h>
#include <hyp/types.h>

struct domain;

enum frame_state { FRAME_NONE, FRAME_FREE, FRAME_HYP, FRAME_OWNED, FRAME_SHARED, FRAME_FIXED };

#define FRAME_ORDER_MAX 18 /* 1 GiB */

struct frame_range { /* [start, end), any alignment */
    mpa_t start, end;
};

/*
 * Take over the machine's RAM: all of `ram`, save what touches `reserved` (image, modules, device
 * tree, reserved memory, secure firmware). The direct map must reach all RAM already. The records
 * are placed in the largest gap; they are not written until a frame of their 2 MiB is used. Once,
 * at boot. Returns 0, or -XEN_ENOMEM if no gap can hold the records, -XEN_EINVAL if there is no
 * RAM at all.
 */
must_check int frame_init(const struct frame_range *ram, unsigned ram_count,
                          const struct frame_range *reserved, unsigned reserved_count);
/* Give a part of `ram` that was reserved to the allocator: boot code that is no longer needed. Whole
 * frames within [start, end), with nobody's data in them. */
void frame_add_range(mpa_t start, mpa_t end);
/* Keep such a part for frame_alloc_domain_at(). Whole frames. -XEN_EBUSY: not all of it is RAM that
 * was reserved; then nothing is kept. */
must_check int frame_fix_range(mpa_t start, mpa_t end);

/* Is it RAM, in the direct map? Any value may be asked. No lock. */
bool frame_is_ram(mfn_t m);

struct frame_info {
    enum frame_state state;
    domid_t owner;
    uint32_t refs;
    bool fixed; /* FIXED, or OWNED and will be FIXED again */
};
/* A snapshot for checks and dumps. False if `m` is no RAM that we know. Any value may be asked. */
bool frame_info(mfn_t m, struct frame_info *out);

/*
 * Allocate 2^order frames as guest memory of `d`, aligned to their size. Counts against
 * d->max_frames. Returns 0, -XEN_ENOMEM, or -XEN_E2BIG (over d's limit).
 */
must_check int frame_alloc_domain(struct domain *d, unsigned order, mfn_t *out);
/* The same at a fixed place (xen,static-mem): `count` frames from `at`, all FIXED. -XEN_EBUSY if one
 * is not; -XEN_ERESTART if one is just being scrubbed, on its way to be. The caller bounds `count`. */
must_check int frame_alloc_domain_at(struct domain *d, mfn_t at, uint64_t count);
/* Undo that for 2^order frames which no guest has seen: they are not scrubbed, and all of them OWNED
 * by `owner` with one reference. */
void frame_release(mfn_t m, unsigned order, domid_t owner);
/*
 * The owner gives up `count` frames, which the TLB does not lead to any more. Those that others still
 * hold lose their owner (DOMID_INVALID), so that nothing counts as the domain's any more, and are freed
 * by the last frame_put(). No more once *budget, which each frame lowers by at most one, is used up.
 * Returns how many frames were given up: call again for the rest.
 */
must_check uint64_t frame_release_some(mfn_t m, uint64_t count, domid_t owner, int *budget);
/*
 * A domain whose guest addresses are machine addresses (direct-map) may give a frame of its own up
 * only in appearance: devices would go on to use the address. The frame is out of its tables, holds
 * the owner's reference only, and stays the domain's until it comes back. Constant time.
 */
void frame_park(struct domain *d, mfn_t m);
must_check bool frame_unpark(struct domain *d, mfn_t m);
/* Give all of them up. -XEN_ERESTART: a bounded number is done. */
must_check int frame_release_parked(struct domain *d);
/* Frames that count as this domain's now. */
uint64_t frame_owned_count(domid_t id);

/* 2^order zeroed frames for the hypervisor, charged to `d` (NULL: nobody). NULL if none or
 * over the allowance. */
void *frame_alloc_hyp(struct domain *d, unsigned order);
void frame_free_hyp(struct domain *d, void *va, unsigned order);
/* Let the domain it is charged to map a page of frame_alloc_hyp(d, 0), and take that back. */
void frame_share(void *va);
void frame_unshare(void *va);
/* Free a page that is shared. If another domain still maps it (frame_get_shared()), it is nobody's
 * and charged to nobody until the last frame_put(). */
void frame_free_shared(struct domain *d, void *va);
/* Two words for whoever allocated a single HYP frame, zero at first. */
uint32_t *frame_words(const void *va);

/* Take a reference to a frame that `owner` owns; false if it does not (any more). */
must_check bool frame_get(mfn_t m, domid_t owner);
/* The same for a SHARED page that is charged to `owner`. */
must_check bool frame_get_shared(mfn_t m, domid_t owner);
/* Does anybody but its owner hold it? Steady only while nobody can find the frame, e.g. under
 * its p2m lock. */
bool frame_is_shared(mfn_t m);
/* Drop one of an OWNED frame; the last one scrubs and frees it. */
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

/* The order of the smallest block that holds so many bytes. */
static inline unsigned frame_order(size_t size_bytes)
{
    unsigned order = 0;

    while (FRAME_SIZE << order < size_bytes) {
        order++;
    }
    return order;
}

struct frame_stats {
    uint64_t total, free, hyp, owned; /* frames; free includes FIXED */
    mfn_t last;                       /* no frame is above */
    mpa_t table;                      /* frame records themselves */
    uint64_t table_bytes;
};
void frame_stats(struct frame_stats *out);

#endif
