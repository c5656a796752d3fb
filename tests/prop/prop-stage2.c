/*
 * Stage 2 against its specification, around the edges of 2 MiB blocks.
 *
 * From each of some beginnings (nothing mapped; two blocks; a block with a
 * hole; pages that are no block) every sequence of operations up to a length,
 * at the places and lengths where blocks split and merge. After each one the
 * tables are what the specification says and the TLB holds nothing stale; at
 * the end everything is torn down, and all is free.
 */
#include "../../hyp/core/xen/xen-internal.h"
#include "memory.h"
#include "prop.h"

#include <arch/stage2.h>
#include <fake.h>
#include <hyp/assert.h>
#include <hyp/checker.h>
#include <xen/errno.h>

#define M2 512u
#define FRAMES 1536u /* 6 MiB of the domain's own memory, aligned */
#define GFNS 1028u   /* from 2 gfns before the first block to 2 after the second */
#define BEFORE 2u

static struct spec_window window;
static struct spec_memory pre, post;
static struct domain *d;
static uint64_t free_at_start;

static gfn_t g_at(unsigned g)
{
    return gfn(window.first_gfn.v + g);
}

static mfn_t m_at(unsigned frame)
{
    return mfn(window.first_frame.v + frame);
}

static void finish(struct spec_call *c)
{
    spec_memory_look(&window, &post);
    PROVE_RULE(spec_memory_step(&window, &pre, c, &post));
    fake_tlb_check(d);
    pre = post;
}

static void map(unsigned g, unsigned frame, unsigned count, enum p2m_type t)
{
    struct spec_call c = {.op = SPEC_MAP, .gfn = g, .frame = frame, .count = count, .type = t};
    c.result = p2m_map(d, g_at(g), m_at(frame), count, t);
    finish(&c);
}

static void unmap(unsigned g, unsigned count)
{
    struct spec_call c = {.op = SPEC_UNMAP, .gfn = g, .count = count};
    c.result = p2m_unmap(d, g_at(g), count);
    finish(&c);
}

static void set_type(unsigned g, unsigned count, enum p2m_type t)
{
    struct spec_call c = {.op = SPEC_SET_TYPE, .gfn = g, .count = count, .type = t};
    c.result = p2m_set_type(d, g_at(g), count, t);
    finish(&c);
}

static void take(unsigned g)
{
    struct spec_call c = {.op = SPEC_TAKE, .gfn = g, .count = 1};
    struct p2m_entry e = {.mfn = m_at(0)};
    c.result = p2m_take(d, g_at(g), P2M_TYPES_RAM, &e);
    p2m_flush(d);
    c.frame = (unsigned)(e.mfn.v - window.first_frame.v);
    finish(&c);
}

/* Text at g, read-only data at g2; made again until it is done. */
static void seal(unsigned g, unsigned count, unsigned g2, unsigned count2)
{
    struct spec_call c = {.op = SPEC_SEAL, .gfn = g, .count = count, .gfn2 = g2, .count2 = count2};
    struct bulkhead_seal r = {BULKHEAD_SEAL_VERSION, 0, g_at(g).v, count, g_at(g2).v, count2};
    do {
        c.result = (int)seal_step(d, &r);
    } while (c.result == -XEN_ERESTART);
    PROVE(c.result != -XEN_EPERM || pre.sealed[0]);
    finish(&c);
}

static void boot(void)
{
    mfn_t m;
    struct frame_stats s;
    fake_boot(1, 16ull << 20);
    frame_stats(&s);
    free_at_start = s.free;
    d = fake_domain(1, "guest", 1);
    PROVE(p2m_init(d) == 0);
    PROVE(frame_alloc_domain(d, 11, &m) == 0);
    window = (struct spec_window){
        .first_frame = m,
        .frame_count = FRAMES,
        .tables_only = true,
        .domain = {d},
        .first_gfn = gfn((1ull << 18) - M2 - BEFORE), /* the second block is in the next gigabyte */
        .gfn_count = GFNS,
    };
    spec_memory_look(&window, &pre);
    switch (ANY(0, 3)) {
    case 1:
        map(BEFORE, 0, 2 * M2, P2M_RAM);
        break;
    case 2:
        map(BEFORE, 0, 2 * M2, P2M_RAM);
        unmap(BEFORE + 1, 1);
        break;
    case 3:
        map(BEFORE, 1, M2, P2M_RAM_RO);
        break;
    }
}

static bool few_lengths;

/* Places and lengths that matter, all inside the window. */
static void any_range(unsigned *g, unsigned *count)
{
    static const unsigned place[] = {0, BEFORE, BEFORE + 1, BEFORE + M2 - 1, BEFORE + M2};
    static const unsigned length[] = {2, 1, M2, M2 + 1};
    *g = place[ANY(0, ARRAY_LEN(place) - 1)];
    *count = length[ANY(few_lengths ? 1 : 0, ARRAY_LEN(length) - 1)];
    ASSUME(*g + *count <= GFNS);
}

static void step(void)
{
    unsigned g, count;
    uint64_t what = ANY(0, 8);
    any_range(&g, &count);
    switch (what) {
    case 0: /* where a block's part belongs */
        map(g, g >= BEFORE ? g - BEFORE : FRAMES - BEFORE + g - M2, count, P2M_RAM);
        break;
    case 1: /* one beside */
        map(g, g + 1, count, P2M_RAM);
        break;
    case 2:
        map(g, g >= BEFORE ? g - BEFORE : 0, count, P2M_RAM_XN);
        break;
    case 3:
        unmap(g, count);
        break;
    case 4:
        set_type(g, count, P2M_RAM_RO);
        break;
    case 5:
        set_type(g, count, P2M_RAM);
        break;
    case 6:
        ASSUME(count == 1);
        take(g);
        break;
    case 7:
        seal(g, count, g + count < GFNS - 2 ? g + count : 0, 2);
        break;
    case 8:
        seal(g, count, BEFORE + M2 - 1, 1);
        break;
    }
}

/* Free what we gave it; the same frame may have been mapped twice, so by the frames and not by
 * the tables. */
static void end(void)
{
    struct frame_stats s;
    d->p2m.seal.state = SEAL_OPEN; /* or nothing could be unmapped */
    PROVE(p2m_unmap(d, window.first_gfn, GFNS) == 0);
    fake_tlb_check(d);
    PROVE(d->p2m.table_frames == 1u << arch_s2_root_order()); /* P5 */
    PROVE(p2m_teardown(d) == 0);
    p2m_destroy(d);
    frame_release(window.first_frame, 11, 1);
    frame_stats(&s);
    PROVE(s.free == free_at_start && d->hyp_frames == 0);
    PROVE(checker_frames() == 0);
}

static void sequence(unsigned length)
{
    boot();
    for (unsigned i = 0; i < length; i++) {
        step();
    }
    end();
}

static void good_one_step(void)
{
    few_lengths = false;
    sequence(1);
}

static void good_two_steps(void)
{
    few_lengths = true;
    sequence(2);
}

/* Table pages run out at any point: nothing half done, nothing stale, nothing lost. */
static void good_without_table_pages(void)
{
    boot();
    d->hyp_frames_max = d->hyp_frames + ANY(0, 3);
    step();
    d->hyp_frames_max = ~0ull;
    end();
}

static void bad_forgotten_invalidation(void)
{
    boot();
    fake_flush_broken = true;
    step();
    step();
}

/* An entry written behind the code's back. */
static void bad_wrong_entry(void)
{
    boot();
    struct spec_call c = {.op = SPEC_UNMAP, .gfn = 0, .count = 1};
    PROVE(p2m_map(d, g_at(1), m_at(9), 1, P2M_RAM) == 0);
    spec_memory_look(&window, &post);
    PROVE_RULE(spec_memory_step(&window, &pre, &c, &post));
}

const struct prop props[] = {
    {"good_stage2_one_step", good_one_step, "4 beginnings, 9 operations, 20 ranges", NULL},
    {"good_stage2_without_table_pages", good_without_table_pages,
     "the same with 0 to 3 more table pages to be had", NULL},
    {"good_stage2_two_steps", good_two_steps,
     "4 beginnings, every 2 of 9 operations, 15 ranges each", NULL},
    {"bad_forgotten_invalidation", bad_forgotten_invalidation, "invalidation does nothing",
     "check failed"},
    {"bad_wrong_entry", bad_wrong_entry, "one entry too many",
     "a guest frame is mapped to what it must not be"},
    {NULL, NULL, NULL, NULL},
};
