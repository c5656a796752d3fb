/*
 * Registers of the virtual interrupt controller that both versions have.
 *
 * An access finds the interrupts it concerns: a bank, and whose. Reads of
 * pending and active state need what list registers hold. Ours are folded on
 * the spot; another CPU is asked for its own and the guest runs its
 * instruction again until that is done (VGIC_RETRY), because EL2 never waits.
 * Writes never wait: they change memory, mark what list registers hold of it
 * (squash_*), and ask for a fold; GICD_CTLR.RWP tells the guest when it is
 * done, as hardware does.
 */
#include <hyp/arch.h>

#include "vgic-internal.h"

enum {
    REG_GROUP = 1, /* number of the 128 byte block at 0x080, 0x100, ... */
    REG_SET_ENABLE,
    REG_CLEAR_ENABLE,
    REG_SET_PENDING,
    REG_CLEAR_PENDING,
    REG_SET_ACTIVE,
    REG_CLEAR_ACTIVE,
};
enum { PRIORITY_MASK = 0xf8 };

/* The interrupts an access concerns. */
struct span {
    struct vcpu *v; /* who accesses */
    struct vcpu *t; /* private ones: whose; NULL: SPIs */
    struct vgic_bank *bank;
    unsigned word; /* SPI bank number */
};

/* False: INTIDs that do not exist here. */
static bool span_find(struct vcpu *v, struct vcpu *t, unsigned word, struct span *out)
{
    struct vgic *g = &v->domain->vgic;

    if (word == 0) {
        *out = (struct span){.v = v, .t = t, .bank = t ? &t->vgic.priv : NULL};
        return t != NULL;
    }
    if (word > g->bank_count || (t && g->version == 3)) {
        return false; /* second case: an SGI frame's extended PPIs, of which there are none */
    }
    *out = (struct span){.v = v, .bank = &g->spi[word - 1].bank, .word = word - 1};
    return true;
}

static void span_lock(const struct span *s) NO_LOCK_ANALYSIS("which bank, a value tells")
{
    lock(s->t ? &s->t->vgic.lock : &s->v->domain->vgic.lock);
}

static void span_unlock(const struct span *s) NO_LOCK_ANALYSIS("which bank, a value tells")
{
    unlock(s->t ? &s->t->vgic.lock : &s->v->domain->vgic.lock);
}

static void span_update(const struct span *s, uint32_t mask)
{
    if (s->t) {
        vgic_update_private(s->t, mask);
    } else {
        vgic_update_spis(s->v->domain, s->word, mask);
    }
}

/* vCPUs whose list registers hold some of `mask`. */
static uint64_t span_holders(const struct span *s, uint32_t mask)
{
    uint64_t holders = 0;

    mask &= s->bank->resident;
    if (s->t) {
        return mask != 0 ? 1ull << s->t->id : 0;
    }
    while (mask != 0) {
        holders |= 1ull << s->v->domain->vgic.spi[s->word].holder[bit_take(&mask)];
    }
    return holders;
}

/* Have what our own list registers hold of `mask` in memory. Only this CPU makes them hold any. */
static void span_sync_own(const struct span *s, uint32_t mask)
{
    if (unlikely((__atomic_load_n(&s->bank->resident, __ATOMIC_RELAXED) & mask) != 0) &&
        (span_holders(s, mask) >> s->v->id & 1) != 0) {
        vgic_sync(s->v);
    }
}

/* True: memory is up to date, or was at some moment since the guest first tried this read. */
static bool span_gather(const struct span *s, uint64_t at)
{
    struct vgic *g = &s->v->domain->vgic;
    struct vgic_cpu *c = &s->v->vgic;

    span_sync_own(s, ~0u);
    if (c->wait_at == at + 1) {
        bool waiting = (__atomic_load_n(&g->folding, __ATOMIC_ACQUIRE) & c->wait_for) != 0;
        c->wait_at = waiting ? c->wait_at : 0;
        return !waiting;
    }
    span_lock(s);
    uint64_t others = span_holders(s, ~0u) & ~(1ull << s->v->id);
    for (uint64_t m = others; m != 0; m &= m - 1) {
        vgic_request_fold(s->v->domain->vcpu[__builtin_ctzll(m)]);
    }
    span_unlock(s);
    c->wait_at = others != 0 ? at + 1 : 0;
    c->wait_for = others;
    return others == 0;
}

static enum vgic_outcome read_bits(const struct span *s, unsigned reg, struct mmio_access *a)
{
    const struct vgic_bank *b = s->bank;
    uint32_t bits;

    if (reg >= REG_SET_PENDING && !span_gather(s, a->at.v)) {
        return VGIC_RETRY;
    }
    span_lock(s);
    switch (reg) {
    case REG_GROUP:
        bits = s->v->domain->vgic.version == 3 ? b->group : 0;
        break;
    case REG_SET_ENABLE:
    case REG_CLEAR_ENABLE:
        bits = b->enabled;
        break;
    case REG_SET_PENDING:
    case REG_CLEAR_PENDING:
        bits = bank_pending(b);
        break;
    default:
        bits = bank_active(b);
        break;
    }
    a->value = bits & b->valid;
    span_unlock(s);
    return VGIC_DONE;
}

/* Linked ones that software makes pending or active must be so physically, or their end ends
 * nothing (G4). */
static void span_claim_physical(const struct span *s, uint32_t mask)
{
    mask &=
        s->bank->hw; /* whatever `phys` says of residents: the guest may have ended them since */
    if (s->t && s->t != s->v) {
        return; /* banked on another CPU */
    }
    s->bank->phys |= mask;
    while (mask != 0) {
        unsigned i = bit_take(&mask);
        arch_irq_set_active(s->t ? i : s->v->domain->vgic.spi[s->word].pintid[i], true);
    }
}

static void span_settle(const struct span *s)
{
    if (!s->t) {
        vgic_settle_spis(s->v->domain, s->word);
    } else if (s->t == s->v) {
        vgic_settle_private(s->v);
    } else if (s->t->vgic.loaded) {
        vgic_request_fold(s->t);
    }
}

/* Activation by software: it is the target's to end. It has to get into a list register for that.
 */
static void set_active(const struct span *s, uint32_t mask)
{
    struct domain *d = s->v->domain;

    span_claim_physical(s, mask);
    mask &= ~s->bank->active;
    s->bank->active |= mask; /* a resident one, too: the guest may have ended it since */
    if (s->t) {
        vgic_request_fold(s->t);
        return;
    }
    struct vgic_spi_bank *spi = &d->vgic.spi[s->word];
    for (mask &= ~s->bank->resident; mask != 0;) {
        unsigned i = bit_take(&mask);
        struct vcpu *t = spi->target[i] < d->vcpu_count ? d->vcpu[spi->target[i]] : s->v;
        spi->holder[i] = (uint8_t)t->id;
        __atomic_fetch_or(&t->vgic.spi_words, 1u << s->word, __ATOMIC_RELAXED);
        vgic_request_fold(t);
    }
}

static void write_bits(const struct span *s, unsigned reg, uint32_t bits)
{
    struct vgic_bank *b = s->bank;
    bool v2 = s->v->domain->vgic.version == 2;

    bits &= b->valid;
    if (v2 && s->t && (reg == REG_SET_PENDING || reg == REG_CLEAR_PENDING)) {
        bits &= ~SGI_BITS; /* theirs are GICD_SPENDSGIR and GICD_CPENDSGIR */
    }
    span_sync_own(s, reg == REG_SET_ENABLE ? 0 : bits);
    span_lock(s);
    switch (reg) {
    case REG_GROUP:
        if (v2) {
            break;
        }
        b->group = (b->group & ~b->valid) | bits;
        bits = b->valid;
        break;
    case REG_SET_ENABLE:
        bits &= ~b->enabled;
        b->enabled |= bits;
        break;
    case REG_CLEAR_ENABLE:
        b->enabled &= ~bits;
        break;
    case REG_SET_PENDING:
        span_claim_physical(s, bits);
        b->latch |= bits;
        break;
    case REG_CLEAR_PENDING:
        b->latch &= ~bits;
        b->squash_pending |= bits & b->resident;
        b->lr_pending &= ~bits;
        span_settle(s);
        break;
    case REG_SET_ACTIVE:
        set_active(s, bits);
        break;
    case REG_CLEAR_ACTIVE:
        b->active &= ~bits;
        b->squash_active |= bits & b->resident;
        b->lr_active &= ~bits;
        span_settle(s);
        break;
    }
    span_update(s, bits);
    span_unlock(s);
}

static enum vgic_outcome access_bits(struct vcpu *v, struct vcpu *t, struct mmio_access *a,
                                     uint32_t offset)
{
    struct span s;

    if (a->size != 4 || !span_find(v, t, (offset & 0x7f) / 4, &s)) {
        a->value = 0;
        return VGIC_DONE;
    }
    if (!a->write) {
        return read_bits(&s, offset / 0x80, a);
    }
    write_bits(&s, offset / 0x80, (uint32_t)a->value);
    return VGIC_DONE;
}

/* Bytes or words. */
static void access_priority(struct vcpu *v, struct vcpu *t, struct mmio_access *a, uint32_t offset)
{
    unsigned intid = offset - 0x400, first = intid % 32;
    struct span s;
    uint64_t read = 0;

    if (a->size > 4 || !span_find(v, t, intid / 32, &s)) {
        a->value = 0;
        return;
    }
    span_lock(&s);
    for (unsigned i = 0; i < a->size; i++) {
        if (a->write && (s.bank->valid >> (first + i) & 1) != 0) {
            s.bank->priority[first + i] = (uint8_t)(a->value >> i * 8) & PRIORITY_MASK;
        }
        read |= (uint64_t)s.bank->priority[first + i] << i * 8;
    }
    if (a->write) {
        span_update(&s, ((1u << a->size) - 1) << first);
    } else {
        a->value = read;
    }
    span_unlock(&s);
}

/* Every second bit of a word, packed, and the reverse. */
static uint32_t odd_bits_pack(uint32_t v)
{
    uint32_t out = 0;

    for (unsigned i = 0; i < 16; i++) {
        out |= (v >> (2 * i + 1) & 1) << i;
    }
    return out;
}

static uint32_t odd_bits_spread(uint32_t v)
{
    uint32_t out = 0;

    for (unsigned i = 0; i < 16; i++) {
        out |= (v >> i & 1) << (2 * i + 1);
    }
    return out;
}

/* GICD_ICFGR: 16 interrupts, two bits each, the upper one says edge. SGIs cannot be changed. */
static void access_config(struct vcpu *v, struct vcpu *t, struct mmio_access *a, uint32_t offset)
{
    unsigned intid = (offset - 0xc00) * 4, first = intid % 32;
    struct span s;

    if (a->size != 4 || !span_find(v, t, intid / 32, &s)) {
        a->value = 0;
        return;
    }
    uint32_t mask = 0xffffu << first & s.bank->valid & (s.t ? ~SGI_BITS : ~0u);
    if (a->write) {
        span_sync_own(&s, mask);
    }
    span_lock(&s);
    if (a->write) {
        uint32_t edge = odd_bits_pack((uint32_t)a->value) << first & mask;
        s.bank->edge = (s.bank->edge & ~mask) | edge;
        span_update(&s, mask);
    } else {
        a->value = odd_bits_spread(s.bank->edge >> first & 0xffff);
    }
    span_unlock(&s);
}

/*
 * ISENABLER and ICENABLER of private interrupts, which guests write often: write_bits() without what
 * does not apply. What is in a list register is folded on the way out.
 */
static enum vgic_outcome enable_private(struct vcpu *t, uint32_t bits, bool on)
{
    struct vgic_bank *b = &t->vgic.priv;

    lock(&t->vgic.lock);
    b->enabled = on ? b->enabled | bits : b->enabled & ~bits;
    if (((b->resident | b->latch | b->line) & bits) != 0) {
        vgic_update_private(t, bits);
    }
    unlock(&t->vgic.lock);
    return VGIC_DONE;
}

enum vgic_outcome vgic_common(struct vcpu *v, struct vcpu *t, struct mmio_access *a,
                              uint32_t offset)
{
    if (t && a->write && a->size == 4 && (offset & ~0x80u) == REG_SET_ENABLE * 0x80) {
        return enable_private(t, (uint32_t)a->value, offset == REG_SET_ENABLE * 0x80);
    }
    if (offset >= 0x080 && offset < 0x400) {
        return access_bits(v, t, a, offset);
    }
    if (offset >= 0x400 && offset < 0x800) {
        access_priority(v, t, a, offset);
    } else if (offset >= 0xc00 && offset < 0xd00) {
        access_config(v, t, a, offset);
    } else {
        a->value = 0;
    }
    return VGIC_DONE;
}

/* Bit 31, RWP: an earlier write has yet to reach a list register. */
uint32_t vgic_ctlr_read(struct domain *d)
{
    bool waiting = __atomic_load_n(&d->vgic.folding, __ATOMIC_ACQUIRE) != 0;

    return __atomic_load_n(&d->vgic.ctlr, __ATOMIC_RELAXED) | (waiting ? 1u << 31 : 0);
}

void vgic_ctlr_write(struct vcpu *v, uint32_t value)
{
    struct domain *d = v->domain;
    struct vgic *g = &d->vgic;

    lock(&g->lock);
    bool changed = g->ctlr != value;
    __atomic_store_n(&g->ctlr, value, __ATOMIC_RELAXED);
    for (unsigned i = 0; changed && i < d->vcpu_count; i++) {
        struct vcpu *t = d->vcpu[i];
        lock(&t->vgic.lock);
        vgic_request_fold(t);
        unlock(&t->vgic.lock);
    }
    for (unsigned w = 0; changed && w < g->bank_count; w++) {
        vgic_update_spis(d, w, ~0u);
    }
    unlock(&g->lock);
}

enum vgic_outcome vgic_mmio(struct vcpu *v, struct mmio_access *a)
{
    struct vgic *g = &v->domain->vgic;
    uint64_t offset = a->at.v - g->dist_base.v;

    if (offset < g->dist_size) {
        return g->version == 3 ? vgic_v3_dist(v, a, (uint32_t)offset)
                               : vgic_v2_dist(v, a, (uint32_t)offset);
    }
    offset = a->at.v - g->redist_base.v;
    if (g->version == 3 && offset < (uint64_t)v->domain->vcpu_count * VGIC_REDIST_SIZE) {
        return vgic_v3_redist(v, a, offset);
    }
    return VGIC_NOT_MINE;
}
