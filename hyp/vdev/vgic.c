/*
 * Delivery of virtual interrupts: what is pending in memory goes into list
 * registers, what the guest did to list registers comes back. See hyp/vgic.h
 * for the invariants G1 to G5.
 *
 *            inject, level, SGI, registers
 *                     |  set bits under the bank's lock, vgic_update_*()
 *                     v
 *   memory --refill--> list register --guest takes, ends--> empty
 *      ^                     |
 *      +--------fold---------+
 *
 * vgic_flush() has a short way for the common case: only additions, and they
 * fit. Then list registers are not read; finished ones are recognised by the
 * mask of empty ones alone. Anything else folds all and sorts.
 */
#include <hyp/vgic.h>

#include <hyp/arch.h>
#include <hyp/assert.h>
#include <hyp/cpu.h>

#include "vgic-internal.h"

/* Nothing but additions since the last refill, and they all fitted. */
static bool short_way_open(const struct vgic_cpu *c)
{
    return c->refold == 0 && c->hcr == HCR_EN && c->spi_words == 0;
}

static void hcr_set(struct vgic_cpu *c, uint32_t hcr)
{
    /* Writing zeroes EOIcount, which was folded: always when it can have counted. */
    if (c->hcr != hcr || (hcr & HCR_LRENPIE) != 0) {
        c->hcr = hcr;
        arch_ich_hcr_write(hcr);
    }
}

/* Of what is new and deliverable, does any have to get into a list register before NPIE? G2 */
static bool urgent(const struct vgic_cpu *c, uint32_t fresh)
{
    while (fresh != 0) {
        unsigned i = bit_take(&fresh);
        unsigned group = (c->priv.group >> i & 1) != 0 ? DIST_GROUP1 : DIST_GROUP0;
        if (c->priv.priority[i] < c->worst || c->overflow != group) {
            return true;
        }
    }
    return false;
}

void vgic_update_private(struct vcpu *v, uint32_t mask)
{
    struct vgic_cpu *c = &v->vgic;
    uint32_t fresh = bank_deliverable(&v->domain->vgic, &c->priv) & mask;

    if ((c->priv.resident & mask) != 0) {
        vgic_request_fold(v);
    } else if (fresh != 0 && (c->overflow == 0 || urgent(c, fresh))) {
        vgic_notify(v);
    }
}

static struct vgic_bank *bank_of(struct vcpu *v, uint32_t intid)
{
    return intid < VGIC_PRIVATE ? &v->vgic.priv : &v->domain->vgic.spi[intid / 32 - 1].bank;
}

/* The physical interrupt that a linked one stands for. */
static uint32_t physical_of(const struct vgic *g, uint32_t intid)
{
    return intid < VGIC_PRIVATE ? intid : g->spi[intid / 32 - 1].pintid[intid % 32];
}

/* An SPI came back from a list register: what is left of it is somebody's, maybe not ours any more.
 */
static void fold_spi(struct vcpu *v, uint32_t intid, uint32_t bit)
{
    unsigned word = intid / 32 - 1;
    struct vgic_spi_bank *s = &v->domain->vgic.spi[word];

    if ((s->bank.active & bit) != 0 || s->target[intid % 32] == v->id) {
        __atomic_fetch_or(&v->vgic.spi_words, 1u << word, __ATOMIC_RELAXED);
    } else {
        vgic_update_spis(v->domain, word, bit);
    }
    vgic_settle(&s->bank, s->pintid);
}

/* G4 for linked ones that are pending in memory. A no-op in hardware if the device has fired. */
static void claim(struct vcpu *v, struct vgic_bank *b, uint32_t intid, uint32_t bit)
{
    if (bit != 0) {
        b->phys |= bit;
        arch_irq_set_active(physical_of(&v->domain->vgic, intid), true);
    }
}

/* `lr` is what list register `n` holds now; its state is zero if the interrupt is over. */
static void fold_one(struct vcpu *v, unsigned n, uint64_t lr)
{
    struct vgic_cpu *c = &v->vgic;
    uint32_t intid = c->lr_intid[n], bit = 1u << intid % 32;
    struct vgic_bank *b = bank_of(v, intid);
    bool pending = (lr & LR_PENDING) != 0, active = (lr & LR_ACTIVE) != 0;
    uint8_t source = lr >> LR_SOURCE_SHIFT & 7;

    if (pending && (b->lr_latch & ~b->squash_pending & bit) != 0) {
        b->latch |= bit;
        if (intid < 16) {
            c->sgi_from[intid] |= (uint8_t)(1u << source);
        }
    }
    if (active && (b->squash_active & bit) == 0) {
        b->active |= bit;
        if (intid < 16) {
            c->sgi_source[intid] = source;
        }
    }
    if ((b->hw & bit) != 0) {
        if (!pending && intid < VGIC_PRIVATE) {
            b->line &= ~bit; /* taken: the physical one fires again if its line is still high */
        }
        if (!pending && !active) { /* the guest's deactivation ended the physical one, too ... */
            b->phys &= ~bit;
            claim(v, b, intid,
                  b->latch & bit); /* ... but another is pending: of the device, or ISPENDR's */
        }
    }
    b->resident &= ~bit;
    b->squash_pending &= ~bit;
    b->squash_active &= ~bit;
    if (intid >= VGIC_PRIVATE) {
        fold_spi(v, intid, bit);
    }
}

/*
 * Interrupts by urgency: active ones first, because the end of one that is in no list register only
 * counts (fold_eoi_count()), then pending ones.
 */
#define PICK_MAX 31 /* as many as EOIcount counts */
struct pick {
    unsigned room, count;
    unsigned pending_count, active_count; /* all there were, chosen or not */
    uint32_t best[2];                     /* most urgent pending one of each group, or NO_KEY */
    uint32_t key[PICK_MAX];
};
#define NO_KEY (~0u)
#define KEY_PENDING (1u << 31)
#define KEY_GROUP1 (1u << 11)
#define KEY_INTID(k) ((k)&0x3ffu)
#define KEY_PRIORITY(k) ((k) >> 16 & 0xff)

static void pick_one(struct pick *p, uint32_t key)
{
    if (p->count == p->room) {
        if (key >= p->key[p->room - 1]) {
            return;
        }
        p->count--;
    }
    unsigned i = p->count++;
    for (; i > 0 && p->key[i - 1] > key; i--) {
        p->key[i] = p->key[i - 1];
    }
    p->key[i] = key;
}

static void pick_from(struct pick *p, const struct vgic_bank *b, unsigned first, uint32_t pending,
                      uint32_t active)
{
    for (uint32_t m = pending | active; m != 0;) {
        unsigned i = bit_take(&m);
        uint32_t is_pending = pending >> i & 1, group1 = b->group >> i & 1;
        uint32_t key = (uint32_t)b->priority[i] << 16 | group1 * KEY_GROUP1 |
                       is_pending * KEY_PENDING | (first + i);
        p->pending_count += is_pending;
        p->active_count += !is_pending;
        if (is_pending && key < p->best[group1]) {
            p->best[group1] = key;
        }
        pick_one(p, key);
    }
}

/* All that are `v`'s; of SPIs pending ones routed to it, active ones it took. */
static void pick_all(struct pick *p, struct vcpu *v, unsigned room, bool spis)
{
    struct vgic *g = &v->domain->vgic;
    const struct vgic_bank *priv = &v->vgic.priv;

    p->room = room;
    p->count = p->pending_count = p->active_count = 0;
    p->best[0] = p->best[1] = NO_KEY;
    pick_from(p, priv, 0, bank_deliverable(g, priv), priv->active);
    for (uint32_t words = spis ? v->vgic.spi_words : 0; words != 0;) {
        unsigned word = bit_take(&words);
        struct vgic_spi_bank *s = &g->spi[word];
        uint32_t pending = 0, active = 0;
        for (uint32_t m = bank_deliverable(g, &s->bank); m != 0;) {
            unsigned i = bit_take(&m);
            pending |= s->target[i] == v->id ? 1u << i : 0;
        }
        for (uint32_t m = s->bank.active & ~s->bank.resident; m != 0;) {
            unsigned i = bit_take(&m);
            active |= s->holder[i] == v->id ? 1u << i : 0;
        }
        if ((pending | active) == 0) {
            __atomic_fetch_and(&v->vgic.spi_words, ~(1u << word), __ATOMIC_RELAXED);
        }
        pick_from(p, &s->bank, VGIC_PRIVATE + word * 32, pending, active);
    }
}

/*
 * The guest ended `count` interrupts that had no list register. Which ones, hardware does not say; by
 * the order of priorities they are the most urgent ones.
 */
static void fold_eoi_count(struct vcpu *v, unsigned count, bool spis)
{
    struct pick p __attribute__((uninitialized)); /* all that is read is written first */

    if (count == 0) {
        return;
    }
    pick_all(&p, v, count, spis);
    for (unsigned n = 0; n < p.count && (p.key[n] & KEY_PENDING) == 0; n++) {
        uint32_t intid = KEY_INTID(p.key[n]), bit = 1u << intid % 32;
        bank_of(v, intid)->active &= ~bit;
        if (intid >= VGIC_PRIVATE) {
            fold_spi(v, intid, bit);
        }
    }
}

/*
 * Everything back to memory, and the virtual timer's level looked at again: it has no other way to
 * tell us that the guest turned it off. List registers keep their contents; they are overwritten
 * next.
 */
static void fold_all(struct vcpu *v, bool spis)
{
    struct vgic_cpu *c = &v->vgic;
    uint32_t used = c->lr_used;

    __atomic_store_n(&c->refold, 0, __ATOMIC_RELAXED);
    if (__atomic_load_n(&v->domain->vgic.folding, __ATOMIC_RELAXED) != 0) {
        __atomic_fetch_and(&v->domain->vgic.folding, ~(1ull << v->id), __ATOMIC_ACQ_REL);
    }
    while (used != 0) {
        unsigned n = bit_take(&used);
        fold_one(v, n, arch_lr_read(n));
    }
    c->lr_used = c->lr_spi = 0;
    if ((c->hcr & HCR_LRENPIE) != 0) {
        fold_eoi_count(v, (unsigned)(arch_ich_hcr_read() >> HCR_EOICOUNT_SHIFT) & 31, spis);
    }
    if ((c->priv.line & VTIMER_BIT) != 0 && !vtimer_line(v)) {
        c->priv.line &= ~VTIMER_BIT;
    }
    vgic_settle(&c->priv, NULL);
}

/* What both ways of loading list register `n` end with. `latched`: the interrupt's bit, or zero. */
static inline __attribute__((always_inline)) void load(struct vcpu *v, unsigned n, uint32_t intid,
                                                       uint64_t lr, bool pending, bool active,
                                                       uint32_t latched)
{
    struct vgic_cpu *c = &v->vgic;
    struct vgic_bank *b = bank_of(v, intid);
    uint32_t bit = 1u << intid % 32;

    b->lr_latch = (b->lr_latch & ~bit) | latched;
    b->lr_pending = (b->lr_pending & ~bit) | (pending ? bit : 0);
    b->lr_active = (b->lr_active & ~bit) | (active ? bit : 0);
    b->resident |= bit;
    c->lr_intid[n] = (uint16_t)intid;
    c->lr_used |= (uint16_t)(1u << n);
    arch_lr_write(n, lr);
}

/*
 * Move one interrupt into list register `n`. A trap at its end (LR_EOI) is asked for only if more
 * of the same waits then: a line that is high, another sender's SGI, a latch that has to go
 * elsewhere.
 */
static void load_one(struct vcpu *v, unsigned n, uint32_t intid, bool eoi)
{
    struct vgic_cpu *c = &v->vgic;
    struct vgic *g = &v->domain->vgic;
    struct vgic_bank *b = bank_of(v, intid);
    struct vgic_spi_bank *s = intid < VGIC_PRIVATE ? NULL : &g->spi[intid / 32 - 1];
    uint32_t bit = 1u << intid % 32;
    bool active = (b->active & bit) != 0, linked = (b->hw & bit) != 0;
    /* May be pending and active: it goes from active to pending without us. */
    bool both = (!s || s->target[intid % 32] == v->id) && !linked &&
                (intid >= 16 || g->version == 3) &&
                (b->enabled & group_mask(g->ctlr, b) & bit) != 0;
    uint32_t latched = !active || both ? b->latch & bit : 0;
    bool pending = !active || latched != 0;
    uint64_t lr = intid | (uint64_t)b->priority[intid % 32] << LR_PRIORITY_SHIFT |
                  (pending ? LR_PENDING : 0) | (active ? LR_ACTIVE : 0) |
                  ((b->group & bit) != 0 ? LR_GROUP1 : 0);

    b->latch &= ~latched;
    b->active &= ~bit;
    if (intid < 16 && g->version == 2) {
        unsigned source = c->sgi_source[intid];
        if (!active) {
            source = (unsigned)__builtin_ctz(c->sgi_from[intid] | 0x100u) & 7;
            c->sgi_from[intid] &= (uint8_t)(c->sgi_from[intid] - 1);
            b->latch |= c->sgi_from[intid] != 0 ? bit : 0;
        }
        lr |= (uint64_t)source << LR_SOURCE_SHIFT;
    }
    if (linked) {
        lr |= LR_HW | (uint64_t)physical_of(g, intid) << LR_PINTID_SHIFT;
    } else if (eoi || ((b->latch | (b->line & ~b->edge)) & bit) != 0) {
        lr |= LR_EOI;
    }
    if (s) {
        s->holder[intid % 32] = (uint8_t)v->id;
        c->lr_spi |= (uint16_t)(1u << n);
    }
    load(v, n, intid, lr, pending, active, latched);
}

/*
 * G2 when not all fit: the least urgent active one gives way, so that at least one pending one of
 * each group is in. Returns true if both groups wait: a guest can then have one of them turned off
 * at its CPU interface, NPIE would not tell, and each end must trap instead. (A guest that does so and
 * also drops priorities without deactivating waits for the next trap of any kind; only it notices.)
 */
static bool pick_balance(struct pick *p)
{
    unsigned have[2] = {0, 0}, last = p->count;

    for (unsigned i = 0; i < p->count; i++) {
        if ((p->key[i] & KEY_PENDING) != 0) {
            have[(p->key[i] & KEY_GROUP1) != 0]++;
        }
    }
    for (unsigned group = 0; group < 2; group++) {
        if (p->best[group] != NO_KEY && have[group] == 0 && last > 0) {
            bool needed = (p->key[last - 1] & KEY_PENDING) != 0 && have[!group] == 1;
            last -= needed && last > 1 ? 2 : 1;
            p->key[last] = p->best[group];
            have[group] = 1;
        }
    }
    return p->best[0] != NO_KEY && p->best[1] != NO_KEY;
}

/* The long way: `stale` are list registers whose contents were folded and must not stay. */
static void refill_sorted(struct vcpu *v, uint32_t stale, bool spis)
{
    struct vgic_cpu *c = &v->vgic;
    struct pick p __attribute__((uninitialized)); /* all that is read is written first */
    uint32_t hcr = HCR_EN;
    unsigned chosen_pending = 0;
    bool mixed = false;

    pick_all(&p, v, (unsigned)__builtin_ctz(c->lr_all + 1u), spis);
    c->overflow = 0;
    c->worst = 0;
    if (p.pending_count + p.active_count > p.count) {
        mixed = pick_balance(&p);
    }
    for (unsigned n = 0; n < p.count; n++) {
        bool pending = (p.key[n] & KEY_PENDING) != 0;
        load_one(v, n, KEY_INTID(p.key[n]), mixed);
        stale &= ~(1u << n);
        chosen_pending += pending;
        if (pending && KEY_PRIORITY(p.key[n]) > c->worst) {
            c->worst = (uint8_t)KEY_PRIORITY(p.key[n]);
        }
    }
    if (chosen_pending < p.pending_count) {
        c->overflow = (uint8_t)((p.best[0] != NO_KEY ? DIST_GROUP0 : 0) |
                                (p.best[1] != NO_KEY ? DIST_GROUP1 : 0));
        hcr |= HCR_NPIE;
    }
    if (p.count - chosen_pending < p.active_count) {
        hcr |= HCR_LRENPIE;
    }
    while (stale != 0) {
        arch_lr_write(bit_take(&stale), 0);
    }
    hcr_set(c, hcr);
}

/* An interrupt is over: what fold_one() does for an empty list register, without the rest. */
static inline void retire_one(struct vcpu *v, unsigned n)
{
    struct vgic_bank *b = &v->vgic.priv;
    uint32_t intid = v->vgic.lr_intid[n], bit = 1u << intid % 32;

    if (unlikely(intid >= VGIC_PRIVATE || ((b->squash_pending | b->squash_active) & bit) != 0)) {
        fold_one(v, n, 0);
        return;
    }
    b->resident &= ~bit;
    if ((b->hw & bit) != 0) {
        b->line &= ~bit;
        b->phys &= ~bit;
        claim(v, b, intid, b->latch & bit);
    }
}

/* Recognise finished interrupts without reading list registers; SPIs only under the distributor's lock. */
static inline __attribute__((always_inline)) void retire(struct vcpu *v, bool spis)
{
    struct vgic_cpu *c = &v->vgic;
    uint32_t done = c->lr_used & (spis ? ~0u : ~(uint32_t)c->lr_spi);

    if (done == 0) {
        return;
    }
    done &= (uint32_t)arch_lr_empty_mask();
    c->lr_used &= (uint16_t)~done;
    c->lr_spi &= (uint16_t)~done;
    while (done != 0) {
        retire_one(v, bit_take(&done));
    }
}

/* load_one() for one that is pending, not active, and private: most are. */
static inline __attribute__((always_inline)) void load_fresh(struct vcpu *v, unsigned n,
                                                             uint32_t intid)
{
    struct vgic_cpu *c = &v->vgic;
    struct vgic_bank *b = &c->priv;
    uint32_t bit = 1u << intid, latched = b->latch & bit;
    uint64_t lr = intid | (uint64_t)b->priority[intid] << LR_PRIORITY_SHIFT | LR_PENDING;

    if (c->lr_used == 0 || b->priority[intid] > c->worst) {
        c->worst = b->priority[intid];
    }
    if (unlikely(intid < 16 && v->domain->vgic.version == 2)) {
        load_one(v, n, intid, false);
        return;
    }
    lr |= (b->group & bit) != 0 ? LR_GROUP1 : 0;
    if ((b->hw & bit) != 0) {
        lr |= LR_HW | (uint64_t)intid << LR_PINTID_SHIFT;
    } else if ((b->line & ~b->edge & bit) != 0) {
        lr |= LR_EOI;
    }
    b->latch ^= latched;
    load(v, n, intid & (VGIC_PRIVATE - 1), lr, true, false, latched);
}

/* Of `set`, not empty, those with the best priority there is. */
static uint32_t most_urgent(const struct vgic_bank *b, uint32_t set, uint8_t *priority)
{
    uint32_t best = 0;

    *priority = 0xff;
    while (set != 0) {
        unsigned i = bit_take(&set);
        if (b->priority[i] < *priority) {
            *priority = b->priority[i];
            best = 0;
        }
        best |= b->priority[i] == *priority ? 1u << i : 0;
    }
    return best;
}

/*
 * What does not fit waits for NPIE. True if that is sound without sorting: none of it (of which
 * `priority` is the best) is more urgent than any that is in, and all are of one group and private.
 */
static bool overflow_begin(struct vcpu *v, uint8_t priority)
{
    struct vgic_cpu *c = &v->vgic;
    uint32_t enabled = c->priv.enabled, group1 = enabled & c->priv.group;

    if (priority < c->worst || c->lr_spi != 0 || (group1 != 0 && group1 != enabled)) {
        return false;
    }
    c->overflow = group1 != 0 ? DIST_GROUP1 : DIST_GROUP0;
    hcr_set(c, HCR_EN | HCR_NPIE);
    return true;
}

/* Most urgent first into what is free; see refill_added(). Apart, so that the way of one stays short. */
static __attribute__((noinline)) bool refill_several(struct vcpu *v, uint32_t fresh, uint32_t free)
{
    struct vgic_cpu *c = &v->vgic;
    uint8_t priority;

    while (fresh != 0) {
        uint32_t best = most_urgent(&c->priv, fresh, &priority);
        fresh &= ~best;
        while (best != 0 && free != 0) {
            load_fresh(v, bit_take(&free), bit_take(&best));
        }
        if (best != 0) {
            return overflow_begin(v, priority);
        }
    }
    c->overflow = 0;
    hcr_set(c, HCR_EN);
    return true;
}

/*
 * The short way: only private additions. False: take the long way, because they cannot simply wait,
 * or because one came again that is still in a list register, where it may have to become pending
 * beside active.
 */
static bool refill_added(struct vcpu *v, bool spis)
{
    struct vgic_cpu *c = &v->vgic;

    retire(v, spis);
    uint32_t fresh = bank_deliverable(&v->domain->vgic, &c->priv);
    uint32_t free = c->lr_all & ~(uint32_t)c->lr_used;
    if (unlikely((c->priv.latch & c->priv.resident) != 0 || (free == 0 && c->overflow != 0))) {
        return false; /* second case: all are active, and one has to give way, or NPIE storms */
    }
    if (unlikely(free == 0 || (fresh & (fresh - 1)) != 0 || c->overflow != 0)) {
        return refill_several(v, fresh, free);
    }
    if (fresh != 0) {
        load_fresh(v, (unsigned)__builtin_ctz(free), (unsigned)__builtin_ctz(fresh));
    }
    return true;
}

/*
 * On the spot, since `v` is what this CPU runs: all else that is deliverable is in list registers while
 * the short way is open and no WORK_VGIC is due.
 */
static __attribute__((noinline)) void added_here(struct vcpu *v, unsigned intid)
{
    struct vgic_cpu *c = &v->vgic;
    uint32_t bit = 1u << intid;
    bool open = short_way_open(c);

    if ((c->priv.resident & bit) != 0) {
        if (open) {
            retire(v, false);
        }
        if (!open || (c->priv.resident & bit) != 0) {
            vgic_notify(v);
            return;
        }
    }
    if ((bank_deliverable(&v->domain->vgic, &c->priv) & bit) == 0 ||
        (c->overflow != 0 && !urgent(c, bit))) {
        return;
    }
    if (open && c->lr_used == c->lr_all) {
        retire(v, false);
    }
    if (open && c->lr_used != c->lr_all) {
        load_fresh(v, (unsigned)__builtin_ctz(c->lr_all & ~(uint32_t)c->lr_used), intid);
    } else if (!open || !overflow_begin(v, c->priv.priority[intid])) {
        vgic_notify(v);
    }
}

void vgic_added_private(struct vcpu *v, unsigned intid)
{
    struct vgic_cpu *c = &v->vgic;
    uint32_t bit = 1u << intid;

    if (vgic_is_here(v)) {
        added_here(v, intid);
    } else if ((c->priv.resident & bit) != 0 ||
               ((bank_deliverable(&v->domain->vgic, &c->priv) & bit) != 0 &&
                (c->overflow == 0 || urgent(c, bit)))) {
        vcpu_notify_other(v, WORK_VGIC);
    }
}

/*
 * The shortest way, that of most IPIs: no SPI is in or due, as spis_lock() has seen, nothing asks for a
 * fold or overflows, and there is at most one addition, which fits. False, and nothing but finished ones
 * has changed: take another way.
 */
static inline __attribute__((always_inline)) bool flush_one(struct vcpu *v)
{
    struct vgic_cpu *c = &v->vgic;
    uint32_t used = c->lr_used;

    if (c->refold != 0 || c->hcr != HCR_EN) {
        return false;
    }
    if (used != 0) {
        uint32_t done = used & (uint32_t)arch_lr_empty_mask();
        used &= ~done;
        c->lr_used = (uint16_t)used;
        while (done != 0) {
            retire_one(v, bit_take(&done));
        }
    }
    uint32_t fresh = bank_deliverable(&v->domain->vgic, &c->priv), free = c->lr_all & ~used;
    if (unlikely((c->priv.latch & c->priv.resident) != 0 || (fresh & (fresh - 1)) != 0 ||
                 free == 0)) {
        return false;
    }
    if (fresh != 0) {
        load_fresh(v, (unsigned)__builtin_ctz(free), (unsigned)__builtin_ctz(fresh));
    }
    return true;
}

static __attribute__((noinline)) void flush_locked(struct vcpu *v, bool spis)
{
    struct vgic_cpu *c = &v->vgic;
    bool added = c->refold == 0 && (c->hcr & ~(uint32_t)HCR_NPIE) == HCR_EN && c->spi_words == 0;

    if (!added || c->overflow == (DIST_GROUP0 | DIST_GROUP1) || !refill_added(v, spis)) {
        uint32_t stale = c->lr_used;
        fold_all(v, spis);
        refill_sorted(v, stale, spis);
    }
}

/*
 * SPIs are looked at only if there can be any: the distributor's lock is shared by all vCPUs. What
 * comes after that look brings its own WORK_VGIC.
 */
static inline bool spis_lock(struct vcpu *v)
    NO_LOCK_ANALYSIS("locks the SPIs only if there are any")
{
    struct vgic_cpu *c = &v->vgic;
    bool spis = (__atomic_load_n(&c->spi_words, __ATOMIC_RELAXED) | c->lr_spi) != 0;

    if (spis) {
        lock(&v->domain->vgic.lock);
    }
    lock(&c->lock);
    return spis;
}

static void spis_unlock(struct vcpu *v, bool spis)
    NO_LOCK_ANALYSIS("locks the SPIs only if there are any")
{
    unlock(&v->vgic.lock);
    if (spis) {
        unlock(&v->domain->vgic.lock);
    }
}

void vgic_flush(struct vcpu *v)
{
    bool spis = spis_lock(v);

    if (spis || !flush_one(v)) {
        flush_locked(v, spis);
    }
    spis_unlock(v, spis);
}

static void sync_locked(struct vcpu *v, bool spis)
{
    uint32_t stale = v->vgic.lr_used;

    fold_all(v, spis);
    while (stale != 0) {
        arch_lr_write(bit_take(&stale), 0);
    }
}

void vgic_sync(struct vcpu *v)
{
    bool spis = spis_lock(v);

    sync_locked(v, spis);
    spis_unlock(v, spis);
    __atomic_store_n(&v->vgic.refold, 1, __ATOMIC_RELAXED);
    __atomic_fetch_or(&v->work, WORK_VGIC, __ATOMIC_RELAXED);
}

/* NPIE alone means that nothing pending is in: what waits may simply follow. */
void vgic_maintenance(struct vcpu *v)
{
    if (arch_ich_misr_read() != MISR_NP) {
        __atomic_store_n(&v->vgic.refold, 1, __ATOMIC_RELAXED);
    }
    vgic_flush(v);
}

/* The one before it may still be in a list register that nobody looked at since the guest ended it. */
void vgic_linked_fired(struct vcpu *v, uint32_t intid)
{
    struct vgic_cpu *c = &v->vgic;
    uint32_t bit = 1u << intid;

    lock(&c->lock);
    if ((c->priv.resident & bit) != 0) {
        retire(v, false);
    }
    if (unlikely((c->priv.resident & bit) != 0)) {
        unlock(&c->lock); /* the guest made it active itself, and not by acknowledging it */
        vgic_sync(v);
        lock(&c->lock);
    }
    c->priv.phys |= bit;
    c->priv.line |= bit;
    c->priv.latch |= c->priv.edge & bit;
    vgic_added_private(v, intid);
    unlock(&c->lock);
}

void vgic_serve(struct vcpu *v)
{
    /* Who sets its bit of `folding` has set `refold`, and sends the IPI afterwards. */
    if (__atomic_load_n(&v->vgic.refold, __ATOMIC_RELAXED) != 0 &&
        (__atomic_load_n(&v->domain->vgic.folding, __ATOMIC_ACQUIRE) >> v->id & 1) != 0) {
        vgic_sync(v);
    }
}

void vgic_save(struct vcpu *v)
{
    struct vgic_cpu *c = &v->vgic;
    bool spis = spis_lock(v);

    sync_locked(v, spis);
    for (uint32_t m = c->priv.phys; m != 0;) {
        arch_irq_set_active(bit_take(&m), false); /* banked per CPU: the next vCPU's is another */
    }
    c->priv.phys = 0;
    c->loaded = false;
    c->overflow = 0;
    arch_vif_save(&c->vif);
    c->hcr = 0;
    arch_ich_hcr_write(0);
    spis_unlock(v, spis);
}

void vgic_restore(struct vcpu *v)
{
    struct vgic_cpu *c = &v->vgic;

    lock(&c->lock);
    (void)vgic_line_set(&c->priv, VTIMER_BIT, vtimer_line(v));
    c->loaded = true;
    c->lr_all = (uint16_t)((1u << arch_lr_count()) - 1);
    arch_vif_load(&c->vif);
    hcr_set(c, HCR_EN);
    c->priv.phys = c->priv.hw & (c->priv.line | c->priv.active);
    for (uint32_t m = c->priv.phys; m != 0;) {
        arch_irq_set_active(bit_take(&m), true);
    }
    if ((c->priv.active | c->spi_words) != 0) {
        __atomic_store_n(&c->refold, 1,
                         __ATOMIC_RELAXED); /* else all that there is are additions */
    }
    if (c->refold != 0 || bank_deliverable(&v->domain->vgic, &c->priv) != 0) {
        __atomic_fetch_or(&v->work, WORK_VGIC, __ATOMIC_RELAXED);
    }
    unlock(&c->lock);
}
