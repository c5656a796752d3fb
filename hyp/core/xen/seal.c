/*
 * The seal: a domain fixes for good what of its memory is code.
 *
 *   OPEN --TEXT--> RODATA --> REST --> SEALED            each step bounded, resumed by the hypercall
 *            |        |
 *            +--------+--> BACK_TEXT --> BACK_RODATA --> OPEN, with the error
 *
 * B1  from the first step on nothing is mapped but grants and nothing is taken but grants: p2m_map()
 *     and p2m_take() ask p2m.seal. So no entry appears behind the cursor.
 * B2  a page of text or rodata loses its write permission first and is looked at for other holders
 *     then: whoever maps a grant of it later gets it read-only (p2m_get_frame()), whoever did
 *     before is seen. So SEALED means that nobody can write there.
 * B3  only TEXT and RODATA can fail, and what they did is undone: the pages were P2M_RAM.
 *     REST goes by whole entries and so needs no table page.
 *
 * A hostile guest gains nothing by not resuming: it stays between two states, with fewer rights.
 * Where its vCPU would start anew (PSCI) is asked of p2m.seal too. Interface: abi/bulkhead/seal.h.
 */
#include "../mem/p2m-internal.h"
#include "xen-internal.h"

#include <hyp/arch.h>
#include <hyp/assert.h>
#include <hyp/log.h>
#include <hyp/rights.h>

#define STEPS 96u /* entries that one call goes through; each is looked at, written and merged */

/* What a state does: entries of type `from` in its range become `to`. */
static const struct {
    uint8_t from, to, next;
    bool whole; /* all of the range must be of type `from`, and nobody else's */
} step_of[] = {
    [SEAL_TEXT] = {P2M_RAM, P2M_RAM_RO, SEAL_RODATA, true},
    [SEAL_RODATA] = {P2M_RAM, P2M_RAM_R, SEAL_REST, true},
    [SEAL_REST] = {P2M_RAM, P2M_RAM_XN, SEALED, false},
    [SEAL_BACK_TEXT] = {P2M_RAM_RO, P2M_RAM, SEAL_BACK_RODATA, false},
    [SEAL_BACK_RODATA] = {P2M_RAM_R, P2M_RAM, SEAL_OPEN, false},
};

static void enter(struct domain *d, enum seal_state state)
{
    struct p2m_seal *s = &d->p2m.seal;
    bool rodata = state == SEAL_RODATA || state == SEAL_BACK_RODATA;
    s->todo = state == SEAL_REST ? (struct p2m_range){0, d->p2m.max_gfn.v}
              : rodata           ? s->rodata
                                 : s->text;
    s->state = (uint8_t)state;
}

/* The next entries of type `t` in [*at, limit), cut at the ends: *at moves to them; returns their end. */
static uint64_t next_run(struct domain *d, uint64_t *at, uint64_t limit, enum p2m_type t,
                         unsigned *steps)
{
    uint64_t g = *at;
    lock(&d->p2m.lock);
    for (; *steps > 0 && g < limit; --*steps) {
        struct p2m_path path;
        p2m_descend(&d->p2m, gfn(g), &path);
        s2_pte_t e = *path.slot[path.level];
        bool wanted = arch_s2_valid(e) && arch_s2_type(e) == t;
        if (!wanted && g != *at) {
            break;
        }
        g = (g | (level_frames(path.level) - 1)) + 1;
        g = g < limit ? g : limit;
        *at = wanted ? *at : g;
    }
    unlock(&d->p2m.lock);
    return g;
}

/* Does anybody hold one of these frames beside the domain itself? */
static bool is_lent(struct domain *d, uint64_t at, uint64_t end)
{
    struct p2m_entry e;
    bool lent = false;
    for (; at < end && !lent; at++) {
        lent = !p2m_lookup(d, gfn(at), &e) || frame_is_shared(e.mfn);
    }
    return lent;
}

/* Undo what was done, up to the cursor. */
static void give_up(struct domain *d, int error)
{
    struct p2m_seal *s = &d->p2m.seal;
    CHECK(step_of[s->state].whole); /* B3 */
    if (s->state == SEAL_TEXT) {
        s->text.end = s->todo.at;
    }
    s->rodata.end = s->state == SEAL_TEXT ? s->rodata.at : s->todo.at;
    s->error = error;
    enter(d, SEAL_BACK_TEXT);
}

static int64_t seal_go_on(struct domain *d)
{
    struct p2m_seal *s = &d->p2m.seal;
    unsigned steps = STEPS;
    while (s->state != SEALED && s->state != SEAL_OPEN) {
        typeof(step_of[0]) *step = &step_of[s->state];
        if (s->todo.at >= s->todo.end) {
            enter(d, step->next);
            continue;
        }
        if (steps == 0) {
            return -XEN_ERESTART;
        }
        uint64_t start = s->todo.at, limit = s->todo.end;
        limit = step->whole && limit - start > STEPS ? start + STEPS : limit;
        uint64_t end = next_run(d, &start, limit, step->from, &steps);
        int error = step->whole && (start != s->todo.at || start == end) ? -XEN_EINVAL : 0;
        if (error == 0 && start < end) {
            error = p2m_set_type(d, gfn(start), end - start, step->to);
        }
        if (error == 0) {
            s->todo.at = end;
            error = step->whole && is_lent(d, start, end) ? -XEN_EBUSY : 0;
        }
        if (error != 0) {
            give_up(d, error);
        }
    }
    return s->state == SEALED ? 0 : s->error;
}

static bool range_ok(const struct p2m *p, uint64_t at, uint64_t count)
{
    return count <= p->gfn_limit && at <= p->gfn_limit - count;
}

static int seal_begin(struct domain *d, const struct bulkhead_seal *r)
{
    if (r->version != BULKHEAD_SEAL_VERSION || r->flags != 0 || r->text_count == 0 ||
        !range_ok(&d->p2m, r->text_frame, r->text_count) ||
        !range_ok(&d->p2m, r->rodata_frame, r->rodata_count)) {
        return -XEN_EINVAL;
    }
    if (d->vcpu_count != 1) {
        return -XEN_EOPNOTSUPP; /* the others' translation registers are in other CPUs */
    }
    d->p2m.seal = (struct p2m_seal){.text = {r->text_frame, r->text_frame + r->text_count},
                                    .rodata = {r->rodata_frame, r->rodata_frame + r->rodata_count}};
    enter(d, SEAL_TEXT);
    return 0;
}

int64_t seal_step(struct domain *d, const struct bulkhead_seal *r)
{
    if (d->p2m.seal.state == SEALED) {
        return -XEN_EPERM;
    }
    int error = d->p2m.seal.state == SEAL_OPEN ? seal_begin(d, r) : 0;
    return error != 0 ? error : seal_go_on(d);
}

static int64_t drop_right(struct vcpu *v, struct domain *d, const uint64_t *reg, void *arg)
{
    const struct bulkhead_drop_right *drop = arg;
    bool ends = drop->words[sizeof(drop->words) - 1] == 0;
    return ends ? rights_drop(d, drop->words) : -XEN_EINVAL;
}

static int64_t seal(struct vcpu *v, struct domain *d, const uint64_t *reg, void *arg)
{
    int64_t result = seal_step(d, arg);
    if (result == 0) {
        arch_vcpu_fix_translation(v);
        dlog(d, "sealed: %llu pages of code, %llu of read-only data, nothing else executable",
             (unsigned long long)d->p2m.mapped_frames[P2M_RAM_RO],
             (unsigned long long)d->p2m.mapped_frames[P2M_RAM_R]);
    }
    return result;
}

int64_t bulkhead_op(struct vcpu *v, uint64_t *arg)
{
    static const struct xen_op ops[] = {
        [BULKHEAD_OP_seal] = {seal, sizeof(struct bulkhead_seal)},
        [BULKHEAD_OP_drop_right] = {drop_right, sizeof(struct bulkhead_drop_right)},
    };
    return xen_op(v, arg, ops, ARRAY_LEN(ops), arg[1]);
}
