/*
 * Frames against their specification, on a machine with eight of them.
 *
 * Two of them are reserved at boot, and so none of the allocator's until they
 * are kept for their place. Every sequence of operations up to a length, with every choice of domain and
 * order and, where frames are alike, of the first few that differ. After each
 * one the whole machine is what the specification says, the allocator's own
 * structures are well-formed, and each owner leaves its mark in its frames, so
 * that a frame that changes hands unscrubbed shows.
 */
#include "memory.h"
#include "prop.h"

#include <fake.h>
#include <hyp/checker.h>
#include <xen/errno.h>

#define FRAMES 8
#define RECORD_FRAMES 3 /* chunk table, and records of one chunk */
#define RESERVED 3      /* the first of the two */
#define CHOICE 2        /* how many frames of one kind are told apart */

static struct spec_window window;
static struct spec_memory pre, post;
static unsigned held[FRAMES]; /* references that we, not the owner, hold */

static void boot(void)
{
    fake_boot(1, (FRAMES + RECORD_FRAMES) * FRAME_SIZE);
    const struct frame_range ram = {mpa(FAKE_RAM_BASE), mpa(fake_ram_end())};
    const struct frame_range reserved = {mpa(FAKE_RAM_BASE + RESERVED * FRAME_SIZE),
                                         mpa(FAKE_RAM_BASE + (RESERVED + 2) * FRAME_SIZE)};
    PROVE(frame_init(&ram, 1, &reserved, 1) == 0);
    window = (struct spec_window){
        .first_frame = mpa_mfn(mpa(FAKE_RAM_BASE)),
        .frame_count = FRAMES,
        .domain = {fake_domain(1, "a", 1), fake_domain(2, "b", 1)},
    };
    window.domain[0]->max_frames = 6;
    for (unsigned i = 0; i < FRAMES; i++) {
        held[i] = 0;
    }
    spec_memory_look(&window, &pre);
}

static mfn_t at(unsigned frame)
{
    return mfn(window.first_frame.v + frame);
}

/* One of the first few frames in this state (of this owner; 0: any), or drop the case. */
static unsigned any_frame(enum frame_state state, domid_t owner, bool held_only)
{
    unsigned found[CHOICE], n = 0;
    for (unsigned i = 0; i < FRAMES && n < CHOICE; i++) {
        const struct spec_frame *f = &pre.frame[i];
        if (f->state == state && (owner == 0 || f->owner == owner) && (!held_only || held[i] > 0)) {
            found[n++] = i;
        }
    }
    ASSUME(n > 0);
    return found[ANY(0, n - 1)];
}

static void leave_marks(const struct spec_call *c)
{
    for (unsigned i = 0; i < FRAMES; i++) {
        if (post.frame[i].state == FRAME_OWNED && pre.frame[i].state != FRAME_OWNED) {
            *(uint64_t *)mfn_to_va(at(i)) = 0x1000 + c->domain;
        }
    }
}

static void do_alloc(struct spec_call *c)
{
    mfn_t m = at(0);
    c->domain = (unsigned)ANY(0, 1);
    c->order = (unsigned)ANY(0, 2);
    c->result = frame_alloc_domain(window.domain[c->domain], c->order, &m);
    c->frame = (unsigned)(m.v - window.first_frame.v);
}

static void do_alloc_at(struct spec_call *c)
{
    c->domain = (unsigned)ANY(0, 1);
    c->frame = (unsigned)ANY(0, 2) * 3;
    c->count = (unsigned)ANY(1, 2);
    c->result = frame_alloc_domain_at(window.domain[c->domain], at(c->frame), c->count);
}

static void do_get(struct spec_call *c)
{
    c->frame = any_frame(FRAME_OWNED, 0, false);
    c->domain = (unsigned)ANY(0, 1);
    c->result = frame_get(at(c->frame), window.domain[c->domain]->id);
    held[c->frame] += c->result != 0;
}

static void do_put(struct spec_call *c)
{
    c->frame = any_frame(FRAME_OWNED, 0, true);
    held[c->frame]--;
    frame_put(at(c->frame));
}

static void do_release(struct spec_call *c)
{
    c->domain = (unsigned)ANY(0, 1);
    c->frame = any_frame(FRAME_OWNED, window.domain[c->domain]->id, false);
    int budget = 1;
    PROVE(frame_release_some(at(c->frame), 1, window.domain[c->domain]->id, &budget) == 1);
}

static void do_hyp_alloc(struct spec_call *c)
{
    void *va = frame_alloc_hyp(window.domain[0], 0);
    c->result = va != NULL ? 0 : -XEN_ENOMEM;
    c->frame = va != NULL ? (unsigned)(va_to_mfn(va).v - window.first_frame.v) : 0;
}

static void do_hyp_free(struct spec_call *c)
{
    c->frame = any_frame(FRAME_HYP, 0, false);
    frame_free_hyp(window.domain[0], mfn_to_va(at(c->frame)), 0);
}

static void do_share(struct spec_call *c)
{
    bool back = ANY(0, 1) != 0;
    c->op = back ? SPEC_UNSHARE : SPEC_SHARE;
    c->frame = any_frame(back ? FRAME_SHARED : FRAME_HYP, 0, false);
    (back ? frame_unshare : frame_share)(mfn_to_va(at(c->frame)));
}

static void do_fix(struct spec_call *c)
{
    c->frame = (unsigned)ANY(0, 2) * 3;
    c->count = 2;
    c->result = frame_fix_range(mfn_mpa(at(c->frame)), mfn_mpa(at(c->frame + c->count)));
}

static void (*const operations[])(struct spec_call *) = {
    [SPEC_ALLOC] = do_alloc,       [SPEC_ALLOC_AT] = do_alloc_at, [SPEC_GET] = do_get,
    [SPEC_PUT] = do_put,           [SPEC_RELEASE] = do_release,   [SPEC_HYP_ALLOC] = do_hyp_alloc,
    [SPEC_HYP_FREE] = do_hyp_free, [SPEC_SHARE] = do_share,       [SPEC_UNSHARE] = do_fix,
};

static void step(void)
{
    struct spec_call c = {.op = (enum spec_op)ANY(SPEC_ALLOC, SPEC_UNSHARE)};
    void (*operation)(struct spec_call *) = operations[c.op];
    c.op = operation == do_fix ? SPEC_FIX : c.op;
    operation(&c);
    spec_memory_look(&window, &post);
    PROVE_RULE(spec_memory_step(&window, &pre, &c, &post));
    PROVE(checker_frames() == 0);
    leave_marks(&c);
    spec_memory_look(&window, &pre);
}

static void sequence(unsigned length)
{
    boot();
    for (unsigned i = 0; i < length; i++) {
        step();
    }
    PROVE(frame_owned_count(1) <= 6);
}

static void good_four_steps(void)
{
    sequence(4);
}

/* Scrubbing that scrubs nothing: F3. */
static void bad_no_scrubbing(void)
{
    boot();
    fake_zero_watch(true);
    for (unsigned i = 0; i < 4; i++) {
        step();
    }
}

/* A reference dropped once too often: F2. */
static void bad_double_put(void)
{
    boot();
    step();
    step();
    unsigned frame = any_frame(FRAME_OWNED, 0, false);
    struct spec_call c = {
        .op = SPEC_GET, .frame = frame, .domain = pre.frame[frame].owner - 1u, .result = 1};
    frame_put(at(frame));
    spec_memory_look(&window, &post);
    PROVE_RULE(spec_memory_step(&window, &pre, &c, &post));
}

const struct prop props[] = {
    {"good_frames_four_steps", good_four_steps,
     "8 frames, 2 domains, every sequence of 4 of 9 operations", NULL},
    {"bad_no_scrubbing", bad_no_scrubbing, "the same, zeroing does nothing",
     "a frame holds what it must not hold"},
    {"bad_double_put", bad_double_put, "2 operations, then a reference dropped that is not held",
     "a frame is in another state than it must be"},
    {NULL, NULL, NULL, NULL},
};
