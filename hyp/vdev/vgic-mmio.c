/*
 * Registers of the virtual interrupt controller, of both versions: one
 * distributor, whose interrupts 0..31 are the accessing vCPU's (GICv2) or in
 * redistributors (GICv3). GICv3 has one security state (GICD_CTLR.DS),
 * affinity routing always on, no LPIs, no 1-of-N delivery; GICv2 no Security
 * Extensions and no groups, as a guest in Non-secure state sees a GIC-400.
 *
 * An access finds the interrupts it concerns: a bank, and whose. Reads of
 * pending and active state need what list registers hold. Ours are folded on
 * the spot; another CPU is asked for its own and the guest runs its
 * instruction again until that is done (VGIC_RETRY), because EL2 never waits.
 * Writes never wait: they change memory, mark what list registers hold of it
 * (squash_*), and ask for a fold; GICD_CTLR.RWP tells the guest when it is
 * done, as hardware does.
 *
 * Sources: IHI 0069H 12.9 (GICD), 12.11 (GICR); IHI 0048B.b 4.3.
 */
#include <hyp/arch.h>

#include "vgic-internal.h"

enum {
    GICD_CTLR = 0x0000,
    GICD_TYPER = 0x0004,
    GICD_IIDR = 0x0008,
    GICD_IGROUPR = 0x0080,
    GICD_ISENABLER = 0x0100,
    GICD_SGIR = 0x0f00, /* v2 */
    GICR_CTLR = 0x0000,
    GICR_IIDR = 0x0004,
    GICR_TYPER = 0x0008,
    GICR_TYPER_HIGH = 0x000c,
    GICR_WAKER = 0x0014,
    SGI_FRAME = 0x10000,
    ID_REGISTERS_SIZE = 0x30, /* at the end of a frame */

    CTLR_ARE = 1u << 4,
    CTLR_DS = 1u << 6,
    TYPER_NO_1_OF_N = 1u << 25,
    TYPER_ID_BITS_10 = 9u << 19,
    IIDR = 0x4200043b, /* Arm's code, product 0x42: none of Arm's, so that no erratum of theirs is
                          assumed */
    WAKER_SLEEP = 1u << 1,
    WAKER_CHILDREN = 1u << 2,
    REDIST_RWP = 1u << 3,
    PRIORITY_MASK = 0xf8,
};

/* Where registers are that say something of each interrupt. */
enum frame { V2_DIST = 1, V3_DIST = 2, V3_SGI = 4 };

/* The interrupts an access concerns. */
struct span {
    struct vcpu *v; /* who accesses */
    struct vcpu *t; /* private ones: whose; NULL: SPIs */
    struct vgic_bank *bank;
    struct vgic_spi_bank *spi; /* SPIs */
    unsigned word;             /* SPI bank number */
};

/* `t` has the private interrupts of the frame; NULL: it has none. False: INTIDs that do not exist here. */
static bool span_find(struct vcpu *v, struct vcpu *t, enum frame frame, unsigned word,
                      struct span *out)
{
    struct vgic *g = &v->domain->vgic;

    if (word == 0) {
        *out = (struct span){.v = v, .t = t, .bank = t ? &t->vgic.priv : NULL};
        return t != NULL;
    }
    if (word > g->bank_count || frame == V3_SGI) {
        return false;
    }
    struct vgic_spi_bank *spi = &g->spi[word - 1];
    *out = (struct span){.v = v, .bank = &spi->bank, .spi = spi, .word = word - 1};
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
        holders |= 1ull << s->spi->holder[bit_take(&mask)];
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

/* Number of the 128 byte block, and half of it: the second of each two clears. */
enum bits { GROUP, ENABLE, PENDING, ACTIVE };

static enum vgic_outcome read_bits(const struct span *s, enum bits what, struct mmio_access *a)
{
    const struct vgic_bank *b = s->bank;

    if (what >= PENDING && !span_gather(s, a->at.v)) {
        return VGIC_RETRY;
    }
    span_lock(s);
    uint32_t bits = what == GROUP     ? b->group
                    : what == ENABLE  ? b->enabled
                    : what == PENDING ? bank_pending(b)
                                      : bank_active(b);
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
        arch_irq_set_active(s->t ? i : s->spi->pintid[i], true);
    }
}

static void span_settle(const struct span *s)
{
    if (!s->t || s->t == s->v) {
        vgic_settle(s->bank, s->spi ? s->spi->pintid : NULL);
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
    struct vgic_spi_bank *spi = s->spi;
    for (mask &= ~s->bank->resident; mask != 0;) {
        unsigned i = bit_take(&mask);
        struct vcpu *t = spi->target[i] < d->vcpu_count ? d->vcpu[spi->target[i]] : s->v;
        spi->holder[i] = (uint8_t)t->id;
        __atomic_fetch_or(&t->vgic.spi_words, 1u << s->word, __ATOMIC_RELAXED);
        vgic_request_fold(t);
    }
}

static void write_bits(const struct span *s, enum bits what, bool clear, uint32_t bits)
{
    struct vgic_bank *b = s->bank;

    bits &= b->valid;
    if (s->v->domain->vgic.version == 2 && s->t && what == PENDING) {
        bits &= ~SGI_BITS; /* theirs are GICD_SPENDSGIR and GICD_CPENDSGIR */
    }
    span_sync_own(s, what == ENABLE ? 0 : bits);
    span_lock(s);
    if (what == GROUP) {
        b->group = bits;
        bits = b->valid;
    } else if (what == ENABLE) {
        b->enabled = clear ? b->enabled & ~bits : b->enabled | bits;
    } else if (what == PENDING && !clear) {
        span_claim_physical(s, bits);
        b->latch |= bits;
    } else if (what == PENDING) {
        b->latch &= ~bits;
        b->squash_pending |= bits & b->resident;
        b->lr_pending &= ~bits;
        span_settle(s);
    } else if (!clear) {
        set_active(s, bits);
    } else {
        b->active &= ~bits;
        b->squash_active |= bits & b->resident;
        b->lr_active &= ~bits;
        span_settle(s);
    }
    span_update(s, bits);
    span_unlock(s);
}

static enum vgic_outcome access_bits(const struct span *s, struct mmio_access *a, unsigned block)
{
    if (!a->write) {
        return read_bits(s, block / 2, a);
    }
    write_bits(s, block / 2, block % 2 != 0, (uint32_t)a->value);
    return VGIC_DONE;
}

/* What a register says of each interrupt: one bit in many blocks of registers, or ... */
enum field { BIT, PRIORITY, CONFIG, TARGET, SENDERS_CLEAR, SENDERS_SET };

/* All registers that say something of each of 1024 interrupts; `bits` of them per interrupt. */
static const struct block {
    uint32_t start, end;
    uint8_t frames; /* that have it */
    uint8_t sizes;  /* widths an access can have, each as its bit */
    uint8_t bits;
    enum field field;
} blocks[] = {
    {0x0080, 0x0100, V3_DIST | V3_SGI, 4, 1, BIT},                        /* GICD_IGROUPR */
    {0x0100, 0x0400, V2_DIST | V3_DIST | V3_SGI, 4, 1, BIT},              /* to GICD_ICACTIVER */
    {0x0400, 0x0800, V2_DIST | V3_DIST | V3_SGI, 1 | 2 | 4, 8, PRIORITY}, /* GICD_IPRIORITYR */
    {0x0800, 0x0c00, V2_DIST, 1 | 2 | 4, 8, TARGET},                      /* GICD_ITARGETSR */
    {0x0c00, 0x0d00, V2_DIST | V3_DIST | V3_SGI, 4, 2, CONFIG},           /* GICD_ICFGR */
    {0x0f10, 0x0f20, V2_DIST, 1 | 2 | 4, 8, SENDERS_CLEAR},               /* GICD_CPENDSGIR */
    {0x0f20, 0x0f30, V2_DIST, 1 | 2 | 4, 8, SENDERS_SET},                 /* GICD_SPENDSGIR */
    {0x6000, 0x8000, V3_DIST, 4 | 8, 64, TARGET},                         /* GICD_IROUTER */
    {0, ~0u, V2_DIST | V3_DIST | V3_SGI, 0, 1, BIT},                      /* all else is reserved */
};

static uint32_t field_read(const struct span *s, enum field field, unsigned i)
{
    switch (field) {
    case PRIORITY:
        return s->bank->priority[i];
    case CONFIG:
        return (s->bank->edge >> i & 1) << 1;
    case TARGET: /* of private ones the reader itself */
        return s->t ? 1u << s->t->id : s->spi->route[i];
    default:
        return s->t->vgic.sgi_from[i];
    }
}

/*
 * GICD_ITARGETSR: of several the first (1 of N). GICD_IROUTER: Aff3 and Interrupt_Routing_Mode are
 * RAZ/WI (TYPER.A3V, No1N). What is routed to nobody stays pending, as in hardware.
 */
static void route_write(const struct span *s, unsigned i, uint32_t value)
{
    const struct domain *d = s->v->domain;
    uint32_t target = VGIC_NOBODY;

    if (d->vgic.version == 2) {
        value &= (1u << d->vcpu_count) - 1;
        target = value != 0 ? (uint32_t)__builtin_ctz(value) : target;
    } else {
        value &= 0xffffff;
        target = value <= 0xffff && (value & 0xff) < 16 ? (value >> 8) * 16 + (value & 15) : target;
    }
    s->spi->route[i] = value;
    s->spi->target[i] = target < d->vcpu_count ? (uint8_t)target : VGIC_NOBODY;
}

/* An SGI of version 2 is pending once per sending CPU. */
static void senders_write(struct vcpu *t, unsigned sgi, uint32_t senders, bool set)
{
    uint8_t *from = &t->vgic.sgi_from[sgi];
    uint32_t bit = 1u << sgi;

    senders &= (1u << t->domain->vcpu_count) - 1;
    *from = (uint8_t)(set ? *from | senders : *from & ~senders);
    t->vgic.priv.latch = (t->vgic.priv.latch & ~bit) | (*from != 0 ? bit : 0);
}

static void field_write(const struct span *s, enum field field, unsigned i, uint32_t value)
{
    if (field == PRIORITY) {
        s->bank->priority[i] = value & PRIORITY_MASK;
    } else if (field == CONFIG && (!s->t || i >= 16)) { /* that of SGIs cannot be changed */
        s->bank->edge = (s->bank->edge & ~(1u << i)) | (value >> 1 & 1) << i;
    } else if (field == TARGET && s->spi) {
        route_write(s, i, value);
    } else if (field == SENDERS_CLEAR || field == SENDERS_SET) {
        senders_write(s->t, i, value, field == SENDERS_SET);
    }
}

/* Each interrupt that a good access covers, or the part of one. */
static void access_fields(const struct span *s, struct mmio_access *a, const struct block *b,
                          unsigned first)
{
    unsigned count = a->size * 8u > b->bits ? a->size * 8u / b->bits : 1;
    uint32_t mask = ((1u << count) - 1) << first & s->bank->valid;
    uint64_t read = 0;

    span_sync_own(s, mask);
    span_lock(s);
    for (unsigned i = 0; i < count; i++) {
        if ((mask >> (first + i) & 1) == 0) {
            continue;
        }
        if (a->write) {
            field_write(s, b->field, first + i, (uint32_t)(a->value >> i * b->bits));
        }
        read |= (uint64_t)field_read(s, b->field, first + i) << i * b->bits;
    }
    if (a->write) {
        span_update(s, mask);
    }
    a->value = read;
    span_unlock(s);
}

/*
 * ISENABLER and ICENABLER of private interrupts, which guests write often: write_bits() without what
 * does not apply. What is in a list register is folded on the way out.
 */
static __attribute__((noinline)) enum vgic_outcome enable_private(struct vcpu *t, uint32_t bits,
                                                                  bool on)
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

/* Bit 31, RWP: an earlier write has yet to reach a list register. */
static uint32_t ctlr_read(const struct domain *d)
{
    bool waiting = __atomic_load_n(&d->vgic.folding, __ATOMIC_ACQUIRE) != 0;

    return __atomic_load_n(&d->vgic.ctlr, __ATOMIC_RELAXED) | (waiting ? 1u << 31 : 0);
}

static void ctlr_write(struct vcpu *v, uint32_t value)
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

static uint64_t id_start(const struct vgic *g)
{
    return g->dist_size - ID_REGISTERS_SIZE;
}

/* PIDR4..7, PIDR0..3, CIDR0..3 at a frame's end: architecture revision 2 or 3 in PIDR2. */
static uint32_t id_register(const struct vgic *g, uint64_t offset)
{
    static const uint8_t id[2][ID_REGISTERS_SIZE / 4] = {
        {0x04, 0, 0, 0, 0x90, 0xb4, 0x2b, 0, 0x0d, 0xf0, 0x05, 0xb1},
        {0x44, 0, 0, 0, 0x92, 0xb4, 0x3b, 0, 0x0d, 0xf0, 0x05, 0xb1},
    };

    return offset >= id_start(g) ? id[g->version - 2][(offset - id_start(g)) / 4] : 0;
}

static uint32_t dist_read(const struct domain *d, uint32_t offset)
{
    const struct vgic *g = &d->vgic;
    bool v3 = g->version == 3;

    if (offset == GICD_TYPER) {
        return g->bank_count |
               (v3 ? TYPER_NO_1_OF_N | TYPER_ID_BITS_10 : (d->vcpu_count - 1u) << 5);
    }
    if (offset == GICD_CTLR) {
        return v3 ? ctlr_read(d) | CTLR_ARE | CTLR_DS : ctlr_read(d) & DIST_GROUP0;
    }
    return offset == GICD_IIDR ? IIDR : id_register(g, offset);
}

/* Here and below functions are apart, so that none saves registers for another. */
static __attribute__((noinline)) enum vgic_outcome dist_write(struct vcpu *v, uint32_t offset,
                                                              uint32_t value)
{
    bool v2 = v->domain->vgic.version == 2;

    if (offset == GICD_CTLR) {
        ctlr_write(v, value & (v2 ? DIST_GROUP0 : DIST_GROUP0 | DIST_GROUP1));
    } else if (offset == GICD_SGIR && v2) {
        vgic_v2_send_sgi(v, value);
    }
    return VGIC_DONE;
}

/* Registers of the distributor as a whole. */
static enum vgic_outcome access_dist(struct vcpu *v, struct mmio_access *a, uint32_t offset)
{
    if (a->size == 4 && a->write) {
        return dist_write(v, offset, (uint32_t)a->value);
    }
    a->value = a->size == 4 ? dist_read(v->domain, offset) : 0;
    return VGIC_DONE;
}

static __attribute__((noinline)) enum vgic_outcome access_block(struct vcpu *v, struct vcpu *t,
                                                                enum frame frame,
                                                                struct mmio_access *a,
                                                                uint32_t offset)
{
    const struct block *b = blocks;
    struct span s;

    while (offset < b->start || offset >= b->end || (b->frames & frame) == 0) {
        b++;
    }
    unsigned bit = (offset - b->start) * 8, intid = bit / b->bits % 1024;
    if ((b->sizes & a->size) == 0 || bit % b->bits != 0 ||
        !span_find(v, t, frame, intid / 32, &s)) {
        a->value = 0;
        return VGIC_DONE;
    }
    if (b->field == BIT) {
        return access_bits(&s, a, offset / 0x80);
    }
    access_fields(&s, a, b, intid % 32);
    return VGIC_DONE;
}

static uint64_t redist_typer(const struct vcpu *t)
{
    uint64_t last = t->id == t->domain->vcpu_count - 1u;

    return (uint64_t)vgic_affinity(t->id) << 32 | (uint64_t)t->id << 8 | last << 4;
}

static uint64_t redist_read(const struct vcpu *t, uint32_t offset)
{
    const struct vgic *g = &t->domain->vgic;

    switch (offset) {
    case GICR_CTLR:
        return (__atomic_load_n(&g->folding, __ATOMIC_ACQUIRE) >> t->id & 1) != 0 ? REDIST_RWP : 0;
    case GICR_IIDR:
        return IIDR;
    case GICR_TYPER:
        return redist_typer(t);
    case GICR_TYPER_HIGH:
        return redist_typer(t) >> 32;
    case GICR_WAKER:
        return t->vgic.asleep ? WAKER_SLEEP | WAKER_CHILDREN : 0;
    default:
        return id_register(g, offset);
    }
}

/* ProcessorSleep is kept and ChildrenAsleep follows at once; delivery goes on, as it may. */
static __attribute__((noinline)) enum vgic_outcome
access_redist(struct vcpu *t, struct mmio_access *a, uint32_t offset)
{
    if (a->size != 4 && !(a->size == 8 && offset == GICR_TYPER)) {
        a->value = 0;
    } else if (!a->write) {
        uint64_t value = redist_read(t, offset);
        a->value = a->size == 4 ? (uint32_t)value : value;
    } else if (offset == GICR_WAKER) {
        t->vgic.asleep = (a->value & WAKER_SLEEP) != 0;
    }
    return VGIC_DONE;
}

enum vgic_outcome vgic_mmio(struct vcpu *v, struct mmio_access *a)
{
    struct vgic *g = &v->domain->vgic;
    enum frame frame = g->version == 3 ? V3_DIST : V2_DIST;
    struct vcpu *t = g->version == 3 ? NULL : v;
    uint64_t offset = a->at.v - g->dist_base.v;

    if (offset >= g->dist_size) {
        offset = a->at.v - g->redist_base.v;
        if (t || offset >= (uint64_t)v->domain->vcpu_count * VGIC_REDIST_SIZE) {
            return VGIC_NOT_MINE;
        }
        t = v->domain->vcpu[offset / VGIC_REDIST_SIZE];
        offset %= VGIC_REDIST_SIZE;
        if (offset < SGI_FRAME) {
            return access_redist(t, a, (uint32_t)offset);
        }
        offset -= SGI_FRAME;
        frame = V3_SGI;
    } else if (offset < GICD_IGROUPR || offset == GICD_SGIR || offset >= id_start(g)) {
        return access_dist(v, a, (uint32_t)offset);
    }
    if (t && a->write && a->size == 4 && (offset & ~0x80ull) == GICD_ISENABLER) {
        return enable_private(t, (uint32_t)a->value, offset == GICD_ISENABLER);
    }
    return access_block(v, t, frame, a, (uint32_t)offset);
}
