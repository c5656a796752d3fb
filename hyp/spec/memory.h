/*
 * Executable specification of frames and stage 2: what each operation may do
 * to the abstract state, and nothing else. It knows no records, lists, blocks
 * or TLBs; F1, F2, F3, P4 and "nothing else changes" are what it is made of.
 *
 * A test looks at a window of the machine: some frames, some guest frames of
 * some domains. spec_memory_look() takes the real state to the abstract one;
 * spec_memory_step() says what is wrong with a step from one to the next.
 *
 * Contents are abstracted to a mark, the first word of a frame: 0 is clean.
 */
#ifndef HYP_SPEC_MEMORY_H
#define HYP_SPEC_MEMORY_H

#include <hyp/frame.h>
#include <hyp/p2m.h>

#define SPEC_FRAMES 1600
#define SPEC_GFNS 1600
#define SPEC_DOMAINS 2
#define SPEC_NO_FRAME 0xffffu

struct domain;

struct spec_frame {
    uint8_t state; /* enum frame_state */
    domid_t owner; /* 0 when FREE, FIXED, NONE */
    uint32_t refs; /* 0 when FREE, FIXED, NONE */
    bool fixed;    /* FIXED, or OWNED and will be FIXED again */
    uint64_t mark; /* OWNED only, else 0 */
};

struct spec_entry {
    uint8_t type;   /* enum p2m_type; P2M_INVALID: nothing */
    uint16_t frame; /* index in the window; SPEC_NO_FRAME: outside */
};

/* The window: which part of the machine is looked at. */
struct spec_window {
    mfn_t first_frame;
    unsigned frame_count;
    bool tables_only;                    /* leave the frames' own states and contents out */
    struct domain *domain[SPEC_DOMAINS]; /* NULL: not there */
    gfn_t first_gfn;
    unsigned gfn_count;
};

struct spec_memory {
    struct spec_frame frame[SPEC_FRAMES];
    struct spec_entry map[SPEC_DOMAINS][SPEC_GFNS];
    bool sealed[SPEC_DOMAINS];
};

enum spec_op {
    SPEC_ALLOC,     /* frame_alloc_domain(domain, order): result, frame */
    SPEC_ALLOC_AT,  /* frame_alloc_domain_at(domain, frame, count): result */
    SPEC_GET,       /* frame_get(frame, domain): result 1 or 0 */
    SPEC_PUT,       /* frame_put(frame) */
    SPEC_RELEASE,   /* frame_release_some(frame, 1 << order, domain) until it is done */
    SPEC_HYP_ALLOC, /* frame_alloc_hyp(domain, 0): result 0 or -XEN_ENOMEM, frame */
    SPEC_HYP_FREE,  /* frame_free_hyp(domain, frame, 0) */
    SPEC_SHARE,     /* frame_share(frame) */
    SPEC_UNSHARE,   /* frame_unshare(frame) */
    SPEC_FIX,       /* frame_fix_range(frame, count): result */
    SPEC_MAP,       /* p2m_map(domain, gfn, frame, count, type): result */
    SPEC_UNMAP,     /* p2m_unmap(domain, gfn, count): result */
    SPEC_TAKE,      /* p2m_take(domain, gfn) and p2m_flush(): result, frame */
    SPEC_SET_TYPE,  /* p2m_set_type(domain, gfn, count, type): result */
    SPEC_GET_FRAME, /* p2m_get_frame(domain, gfn, writable): result, frame */
    SPEC_TEARDOWN,  /* p2m_teardown(domain) until it is done */
    SPEC_SEAL,      /* bulkhead_op(seal): text is gfn, count; rodata gfn2, count2: result */
    SPEC_OP_COUNT
};

/* A call with its result. Frames and gfns are indices in the window. */
struct spec_call {
    enum spec_op op;
    unsigned domain; /* index in the window */
    unsigned frame, order, gfn, count;
    enum p2m_type type;
    bool writable;
    unsigned gfn2, count2; /* SEAL */
    int result;
};

/* abstract(): the real state as the specification sees it. */
void spec_memory_look(const struct spec_window *w, struct spec_memory *out);

/* NULL if `call` may take `pre` to `post`, else which rule it breaks. */
const char *spec_memory_step(const struct spec_window *w, const struct spec_memory *pre,
                             const struct spec_call *call, const struct spec_memory *post);

#endif
