/*
 * One rule for each operation. A rule says if the result is one that the
 * operation may have in this state, and turns the state into the one that must
 * follow; spec_memory_step() then compares with what followed.
 */
#include "memory.h"

#include <hyp/domain.h>
#include <lib/string.h>
#include <xen/errno.h>

static struct spec_memory expected; /* too big for a stack */

static bool is_free(const struct spec_frame *f)
{
    return f->state == FRAME_FREE;
}

/* Frames. */

static unsigned owned_by(domid_t id, const struct spec_window *w)
{
    unsigned n = 0;
    for (unsigned i = 0; i < w->frame_count; i++) {
        n += expected.frame[i].state == FRAME_OWNED && expected.frame[i].owner == id;
    }
    return n;
}

/* Is there an aligned free run of this size? The buddy system promises to find it. */
static bool free_run(const struct spec_window *w, unsigned order)
{
    for (unsigned i = 0; i + (1u << order) <= w->frame_count; i++) {
        unsigned n = 0;
        while (n < 1u << order && is_free(&expected.frame[i + n])) {
            n++;
        }
        if (n == 1u << order && ((w->first_frame.v + i) & (n - 1)) == 0) {
            return true;
        }
    }
    return false;
}

static bool all_in_state(unsigned frame, unsigned count, enum frame_state state)
{
    for (unsigned i = frame; i < frame + count; i++) {
        if (expected.frame[i].state != state) {
            return false;
        }
    }
    return true;
}

/* F1, F3: from FREE or FIXED to owned, clean. */
static const char *become_owned(const struct spec_window *w, unsigned frame, unsigned count,
                                enum frame_state from, domid_t id)
{
    if (frame + count > w->frame_count) {
        return "allocated outside the window";
    }
    if (!all_in_state(frame, count, from)) {
        return from == FRAME_FIXED ? "allocated a frame that was not kept for its place"
                                   : "allocated a frame that was not free";
    }
    for (unsigned i = frame; i < frame + count; i++) {
        expected.frame[i].state = FRAME_OWNED;
        expected.frame[i].owner = id;
        expected.frame[i].refs = 1;
        expected.frame[i].mark = 0;
    }
    return NULL;
}

static const char *rule_alloc(const struct spec_window *w, const struct spec_call *c)
{
    const struct domain *d = w->domain[c->domain];
    bool fits = owned_by(d->id, w) + (1u << c->order) <= d->max_frames;
    if (c->result == -XEN_E2BIG) {
        return fits ? "refused below the limit" : NULL;
    }
    if (!fits) {
        return "allocated above the limit";
    }
    if (c->result == -XEN_ENOMEM) {
        return free_run(w, c->order) ? "found no memory though there was" : NULL;
    }
    if (((w->first_frame.v + c->frame) & ((1u << c->order) - 1)) != 0) {
        return "allocated a block that is not aligned";
    }
    return become_owned(w, c->frame, 1u << c->order, FRAME_FREE, d->id);
}

static const char *rule_alloc_at(const struct spec_window *w, const struct spec_call *c)
{
    const struct domain *d = w->domain[c->domain];
    if (c->result == -XEN_EBUSY) {
        return all_in_state(c->frame, c->count, FRAME_FIXED) ? "refused a place that was free"
                                                             : NULL;
    }
    bool fits = owned_by(d->id, w) + c->count <= d->max_frames;
    if (c->result == -XEN_E2BIG) {
        return fits ? "refused below the limit" : NULL;
    }
    return fits ? become_owned(w, c->frame, c->count, FRAME_FIXED, d->id)
                : "allocated above the limit";
}

/* F2: it goes back only at 0, and where it came from. */
static void drop(unsigned frame)
{
    struct spec_frame *f = &expected.frame[frame];
    if (--f->refs == 0) {
        *f = (struct spec_frame){.state = f->fixed ? FRAME_FIXED : FRAME_FREE, .fixed = f->fixed};
    }
}

static const char *rule_get(const struct spec_window *w, const struct spec_call *c)
{
    struct spec_frame *f = &expected.frame[c->frame];
    bool own = f->state == FRAME_OWNED && f->owner == w->domain[c->domain]->id;
    if (own != (c->result != 0)) {
        return own ? "refused the owner's frame" : "referred to a frame that is not the owner's";
    }
    f->refs += own;
    return NULL;
}

static const char *rule_put(const struct spec_window *w, const struct spec_call *c)
{
    drop(c->frame);
    return NULL;
}

static void release(unsigned frame)
{
    if (expected.frame[frame].refs > 1) {
        expected.frame[frame].owner = DOMID_INVALID;
    }
    drop(frame);
}

static const char *rule_release(const struct spec_window *w, const struct spec_call *c)
{
    for (unsigned i = 0; i < 1u << c->order; i++) {
        release(c->frame + i);
    }
    return NULL;
}

static const char *rule_hyp_alloc(const struct spec_window *w, const struct spec_call *c)
{
    struct spec_frame *f = &expected.frame[c->frame];
    if (c->result == -XEN_ENOMEM) {
        return free_run(w, 0) ? "found no memory though there was" : NULL;
    }
    if (!is_free(f)) {
        return "allocated a frame that was not free";
    }
    *f = (struct spec_frame){FRAME_HYP, w->domain[c->domain]->id, 1, false, 0};
    return NULL;
}

static const char *rule_hyp_free(const struct spec_window *w, const struct spec_call *c)
{
    expected.frame[c->frame] = (struct spec_frame){.state = FRAME_FREE};
    return NULL;
}

static const char *rule_share(const struct spec_window *w, const struct spec_call *c)
{
    expected.frame[c->frame].state = c->op == SPEC_SHARE ? FRAME_SHARED : FRAME_HYP;
    return NULL;
}

static const char *rule_fix(const struct spec_window *w, const struct spec_call *c)
{
    bool reserved = all_in_state(c->frame, c->count, FRAME_NONE);
    if (reserved != (c->result == 0)) {
        return reserved ? "refused to keep frames" : "kept frames that were not reserved";
    }
    for (unsigned i = c->frame; reserved && i < c->frame + c->count; i++) {
        expected.frame[i].state = FRAME_FIXED;
        expected.frame[i].fixed = true;
    }
    return NULL;
}

/* Stage 2. */

static bool any_mapped(const struct spec_call *c)
{
    for (unsigned g = c->gfn; g < c->gfn + c->count; g++) {
        if (expected.map[c->domain][g].type != P2M_INVALID) {
            return true;
        }
    }
    return false;
}

/* After the seal only grants come and go. */
static bool is_sealed(const struct spec_call *c, enum p2m_type t)
{
    return expected.sealed[c->domain] && (P2M_TYPES_GRANT >> t & 1) == 0;
}

static const char *rule_map(const struct spec_window *w, const struct spec_call *c)
{
    if (is_sealed(c, c->type) || c->result == -XEN_EPERM) {
        return is_sealed(c, c->type) == (c->result == -XEN_EPERM)
                   ? NULL
                   : "the seal was broken, or imagined";
    }
    bool occupied = any_mapped(c);
    if (c->result == -XEN_EEXIST) {
        return occupied ? NULL : "refused a free range";
    }
    if (c->result == -XEN_ENOMEM) {
        return NULL; /* table pages are below the abstraction */
    }
    if (occupied || c->result != 0) {
        return "mapped over what was mapped, or failed without a reason";
    }
    for (unsigned i = 0; i < c->count; i++) {
        expected.map[c->domain][c->gfn + i] =
            (struct spec_entry){(uint8_t)c->type, (uint16_t)(c->frame + i)};
    }
    return NULL;
}

static const char *rule_unmap(const struct spec_window *w, const struct spec_call *c)
{
    if (expected.sealed[c->domain]) {
        return c->result == -XEN_EPERM ? NULL : "unmapped what is sealed";
    }
    for (unsigned g = c->gfn; c->result == 0 && g < c->gfn + c->count; g++) {
        expected.map[c->domain][g] = (struct spec_entry){P2M_INVALID, 0};
    }
    return c->result == 0 || c->result == -XEN_ENOMEM ? NULL : "failed without a reason";
}

static const char *rule_take(const struct spec_window *w, const struct spec_call *c)
{
    struct spec_entry *e = &expected.map[c->domain][c->gfn];
    if (expected.sealed[c->domain]) { /* asked for RAM */
        return c->result == -XEN_EPERM ? NULL : "took what is sealed";
    }
    if (c->result == -XEN_ENOMEM) {
        return NULL;
    }
    if (e->type == P2M_INVALID) {
        return c->result == -XEN_ENOENT ? NULL : "took what is not there";
    }
    bool lent = p2m_is_ram((enum p2m_type)e->type) && expected.frame[e->frame].refs > 1;
    if (lent) {
        return c->result == -XEN_EBUSY ? NULL : "took memory that others hold";
    }
    if (c->result != 0 || c->frame != e->frame) {
        return "did not take what was there";
    }
    *e = (struct spec_entry){P2M_INVALID, 0};
    return NULL;
}

static const char *rule_set_type(const struct spec_window *w, const struct spec_call *c)
{
    struct spec_entry *map = expected.map[c->domain];
    bool only_ram = true;
    if (expected.sealed[c->domain]) {
        return c->result == -XEN_EPERM ? NULL : "changed the rights of what is sealed";
    }
    for (unsigned g = c->gfn; g < c->gfn + c->count; g++) {
        only_ram =
            only_ram && (map[g].type == P2M_INVALID || p2m_is_ram((enum p2m_type)map[g].type));
    }
    if (c->result == -XEN_ENOMEM) {
        return NULL;
    }
    if (only_ram != (c->result == 0)) {
        return only_ram ? "failed without a reason" : "changed what is not RAM";
    }
    for (unsigned g = c->gfn; only_ram && g < c->gfn + c->count; g++) {
        map[g].type = map[g].type != P2M_INVALID ? (uint8_t)c->type : P2M_INVALID;
    }
    return NULL;
}

static const char *rule_get_frame(const struct spec_window *w, const struct spec_call *c)
{
    const struct spec_entry *e = &expected.map[c->domain][c->gfn];
    bool may = p2m_is_ram((enum p2m_type)e->type) &&
               (!c->writable || (p2m_rights((enum p2m_type)e->type) & P2M_W) != 0) &&
               expected.frame[e->frame].state == FRAME_OWNED &&
               expected.frame[e->frame].owner == w->domain[c->domain]->id;
    if (!may) {
        return c->result == -XEN_EFAULT ? NULL : "gave a frame that is not the domain's to give";
    }
    if (c->result != 0 || c->frame != e->frame) {
        return "refused a frame, or gave another";
    }
    expected.frame[e->frame].refs++;
    return NULL;
}

/* All of a range is plain memory that nobody else holds. */
static bool can_seal(const struct spec_window *w, unsigned domain, unsigned gfn, unsigned count)
{
    for (unsigned g = gfn; g < gfn + count; g++) {
        const struct spec_entry *e = &expected.map[domain][g];
        if (e->type != P2M_RAM || (!w->tables_only && expected.frame[e->frame].refs != 1)) {
            return false;
        }
    }
    return true;
}

static const char *rule_seal(const struct spec_window *w, const struct spec_call *c)
{
    bool disjoint = c->gfn + c->count <= c->gfn2 || c->gfn2 + c->count2 <= c->gfn || c->count2 == 0;
    bool may = !expected.sealed[c->domain] && c->count > 0 && disjoint &&
               can_seal(w, c->domain, c->gfn, c->count) &&
               can_seal(w, c->domain, c->gfn2, c->count2);
    if (c->result == -XEN_ENOMEM) {
        return NULL;
    }
    if (may != (c->result == 0)) {
        return may ? "refused to seal without a reason" : "sealed what cannot be sealed";
    }
    for (unsigned g = 0; may && g < w->gfn_count; g++) {
        struct spec_entry *e = &expected.map[c->domain][g];
        if (e->type == P2M_RAM) {
            e->type = g - c->gfn < c->count     ? P2M_RAM_RO
                      : g - c->gfn2 < c->count2 ? P2M_RAM_R
                                                : P2M_RAM_XN;
        }
    }
    expected.sealed[c->domain] |= may;
    return NULL;
}

static const char *rule_teardown(const struct spec_window *w, const struct spec_call *c)
{
    for (unsigned g = 0; g < w->gfn_count; g++) {
        struct spec_entry *e = &expected.map[c->domain][g];
        if (p2m_is_ram((enum p2m_type)e->type)) {
            release(e->frame);
        } else if (p2m_is_foreign((enum p2m_type)e->type)) {
            drop(e->frame);
        }
        *e = (struct spec_entry){P2M_INVALID, 0};
    }
    expected.sealed[c->domain] = false;
    return NULL;
}

static const char *(*const rules[SPEC_OP_COUNT])(const struct spec_window *,
                                                 const struct spec_call *) = {
    [SPEC_ALLOC] = rule_alloc,
    [SPEC_ALLOC_AT] = rule_alloc_at,
    [SPEC_GET] = rule_get,
    [SPEC_PUT] = rule_put,
    [SPEC_RELEASE] = rule_release,
    [SPEC_HYP_ALLOC] = rule_hyp_alloc,
    [SPEC_HYP_FREE] = rule_hyp_free,
    [SPEC_SHARE] = rule_share,
    [SPEC_UNSHARE] = rule_share,
    [SPEC_FIX] = rule_fix,
    [SPEC_MAP] = rule_map,
    [SPEC_UNMAP] = rule_unmap,
    [SPEC_TAKE] = rule_take,
    [SPEC_SET_TYPE] = rule_set_type,
    [SPEC_GET_FRAME] = rule_get_frame,
    [SPEC_TEARDOWN] = rule_teardown,
    [SPEC_SEAL] = rule_seal,
};

/* Looking and comparing. */

static void look_at_frame(mfn_t m, struct spec_frame *f)
{
    struct frame_info info;
    if (!frame_info(m, &info)) {
        return;
    }
    f->state = (uint8_t)info.state;
    f->fixed = info.fixed;
    if (info.state == FRAME_OWNED || info.state == FRAME_HYP || info.state == FRAME_SHARED) {
        f->owner = info.owner;
        f->refs = info.refs;
    }
    f->mark = info.state == FRAME_OWNED ? *(const uint64_t *)mfn_to_va(m) : 0;
}

static void look_at_map(const struct spec_window *w, struct domain *d, struct spec_entry *map)
{
    uint64_t first = w->first_gfn.v, last = first + w->gfn_count, next;
    memset(map, 0, w->gfn_count * sizeof(map[0]));
    for (uint64_t g = first; d != NULL && g < last; g = next) {
        struct p2m_entry e = {.order = 0};
        bool there = p2m_lookup(d, gfn(g), &e);
        next = (g >> e.order << e.order) + (1ull << e.order);
        for (uint64_t frame = e.mfn.v - w->first_frame.v; there && g < next && g < last;
             g++, frame++) {
            map[g - first] = (struct spec_entry){
                (uint8_t)e.type, frame < w->frame_count ? (uint16_t)frame : SPEC_NO_FRAME};
        }
    }
}

void spec_memory_look(const struct spec_window *w, struct spec_memory *out)
{
    memset(out->frame, 0, w->frame_count * sizeof(out->frame[0]));
    for (unsigned i = 0; !w->tables_only && i < w->frame_count; i++) {
        look_at_frame(mfn(w->first_frame.v + i), &out->frame[i]);
    }
    for (unsigned d = 0; d < SPEC_DOMAINS; d++) {
        look_at_map(w, w->domain[d], out->map[d]);
        out->sealed[d] = w->domain[d] != NULL && w->domain[d]->p2m.seal.state == SEALED;
    }
}

static const char *compare(const struct spec_window *w, const struct spec_memory *post)
{
    for (unsigned i = 0; i < w->frame_count; i++) {
        const struct spec_frame *a = &expected.frame[i], *b = &post->frame[i];
        if (a->state != b->state || a->fixed != b->fixed) {
            return "a frame is in another state than it must be";
        }
        if (a->owner != b->owner) {
            return "a frame has another owner than it must have";
        }
        if (a->refs != b->refs) {
            return "a frame has another number of references than it must have";
        }
        if (a->mark != b->mark) {
            return "a frame holds what it must not hold";
        }
    }
    for (unsigned d = 0; d < SPEC_DOMAINS; d++) {
        if (expected.sealed[d] != post->sealed[d]) {
            return "a domain is sealed that must not be, or the other way round";
        }
        for (unsigned g = 0; g < w->gfn_count; g++) {
            const struct spec_entry *a = &expected.map[d][g], *b = &post->map[d][g];
            if (a->type != b->type || (a->type != P2M_INVALID && a->frame != b->frame)) {
                return "a guest frame is mapped to what it must not be";
            }
        }
    }
    return NULL;
}

const char *spec_memory_step(const struct spec_window *w, const struct spec_memory *pre,
                             const struct spec_call *call, const struct spec_memory *post)
{
    memcpy(expected.frame, pre->frame, w->frame_count * sizeof(pre->frame[0]));
    memcpy(expected.sealed, pre->sealed, sizeof(pre->sealed));
    for (unsigned d = 0; d < SPEC_DOMAINS; d++) {
        memcpy(expected.map[d], pre->map[d], w->gfn_count * sizeof(pre->map[d][0]));
    }
    const char *broken = rules[call->op](w, call);
    return broken != NULL ? broken : compare(w, post);
}
