/*
 * The virtual interrupt controller against a reference: seeded random
 * sequences of what guests, devices and schedulers do. After each step the
 * machine settles and the guest's view must be the reference's: what an
 * acknowledge returns, what registers read, whether WFI sleeps.
 *
 * The reference is a GIC without list registers: one record per interrupt.
 *
 * Where the reference is not asked: an interrupt is not re-prioritised or
 * re-grouped while active, and sequences in which more are active than there
 * are list registers end them in the order of priorities, as guests with
 * EOImode 0 do (hyp/vdev/vgic.c, fold_eoi_count).
 */
#include "vgic-model.h"

#include <hyp/vtimer.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { NOBODY = 255, PHYS_FIRST = 200, LINKED_FIRST = 40, LINKED_COUNT = 3 };

struct irq {
    bool enabled, group1, edge, line, latch, active, soft; /* soft: activated by a register write */
    uint8_t priority, target, holder, from, source;
};

static struct {
    unsigned version, ctlr;
    struct irq priv[MODEL_VCPUS][32], spi[MODEL_SPIS];
    struct {
        unsigned groups, mask;
        bool eoi_mode;
        unsigned depth; /* acknowledged, priority not dropped */
        unsigned stack[64], priority[64];
        unsigned dropped[64], dropped_count; /* mode 1: to be deactivated */
        uint32_t vctl;
        uint64_t vcval;
        bool timer_moved; /* since the level was last looked at */
    } cpu[MODEL_VCPUS];
} ref;

static uint32_t seed;
static bool trace; /* VGIC_TRACE is set */
static unsigned step;

static unsigned any(unsigned below)
{
    seed = seed * 1664525u + 1013904223u;
    return (unsigned)((uint64_t)(seed >> 4) * below >> 28);
}

static struct irq *irq_of(unsigned vcpu, unsigned intid)
{
    return intid < 32 ? &ref.priv[vcpu][intid] : &ref.spi[intid - 32];
}

static bool timer_line(unsigned vcpu)
{
    return (ref.cpu[vcpu].vctl & 3) == 1 &&
           fake_counter_ticks - model_domain->vtimer_offset_ticks >= ref.cpu[vcpu].vcval;
}

static bool pending(unsigned vcpu, unsigned intid)
{
    struct irq *i = irq_of(vcpu, intid);

    if (ref.version == 2 && intid < 16) {
        return i->from != 0;
    }
    if (intid == VIRQ_VTIMER && !i->active) {
        return i->latch || timer_line(vcpu);
    }
    return i->latch || (i->line && !i->edge);
}

static unsigned active_count(unsigned vcpu)
{
    unsigned n = 0;

    for (unsigned intid = 0; intid < 32 + MODEL_SPIS; intid++) {
        struct irq *i = irq_of(vcpu, intid);
        n += i->active && (intid < 32 || i->holder == vcpu);
    }
    return n;
}

static bool eligible(unsigned vcpu, unsigned intid)
{
    struct irq *i = irq_of(vcpu, intid);
    unsigned group = i->group1 ? MODEL_GROUP1 : MODEL_GROUP0, d = ref.cpu[vcpu].depth;

    return i->enabled && !i->active && (ref.ctlr & group) != 0 && pending(vcpu, intid) &&
           (intid < 32 || i->target == vcpu) && (ref.cpu[vcpu].groups & group) != 0 &&
           i->priority < ref.cpu[vcpu].mask &&
           (d == 0 || i->priority < ref.cpu[vcpu].priority[d - 1]);
}

/* Most urgent priority there is to acknowledge; 256: nothing. */
static unsigned best(unsigned vcpu)
{
    unsigned p = 256;

    for (unsigned intid = 0; intid < 32 + MODEL_SPIS; intid++) {
        if (eligible(vcpu, intid) && irq_of(vcpu, intid)->priority < p) {
            p = irq_of(vcpu, intid)->priority;
        }
    }
    return p;
}

/* For whoever has to find out why: the reference's view and the list registers. */
static void explain(unsigned vcpu)
{
    struct vcpu *v = model_vcpu(vcpu);

    for (unsigned intid = 0; intid < 32 + MODEL_SPIS; intid++) {
        const struct irq *i = irq_of(vcpu, intid);
        struct model_info info = {0};
        model_info(v, intid, &info);
        if (pending(vcpu, intid) || i->active || info.pending || info.active) {
            printf(
                "# %u: reference pending %d active %d enabled %d group1 %d priority %#x target %u "
                "holder %u; is pending %d active %d enabled %d priority %#x target %u\n",
                intid, pending(vcpu, intid), i->active, i->enabled, i->group1, i->priority,
                i->target, i->holder, info.pending, info.active, info.enabled, info.priority,
                info.target);
        }
    }
    for (unsigned n = 0; v->cpu && n < fake_lr_count; n++) {
        printf("# LR%u %#018llx\n", n, (unsigned long long)fake_hw[v->cpu->id].lr[n]);
    }
    fflush(stdout);
    printf("# vCPU %u on CPU %d: CTLR %u groups %u mask %#x depth %u, HCR %#x, SPI words %#x, "
           "overflow %u\n",
           vcpu, v->cpu ? (int)v->cpu->id : -1, ref.ctlr, ref.cpu[vcpu].groups, ref.cpu[vcpu].mask,
           ref.cpu[vcpu].depth, v->vgic.hcr, v->vgic.spi_words, v->vgic.overflow);
}

#define EXPECT(x)                                                                          \
    do {                                                                                   \
        if (!(x)) {                                                                        \
            explain(vcpu);                                                                 \
            fail_msg("version %u, step %u, line %d: %s", ref.version, step, __LINE__, #x); \
        }                                                                                  \
    } while (0)

/*
 * Active beyond what list registers hold, and not ended in the order of priorities: nobody could tell
 * which one ended.
 */
static bool active_enough(unsigned vcpu)
{
    bool any_order = ref.cpu[vcpu].eoi_mode;

    for (unsigned intid = 0; intid < 32 + MODEL_SPIS; intid++) {
        struct irq *i = irq_of(vcpu, intid);
        any_order |= i->active && i->soft && (intid < 32 || i->holder == vcpu);
    }
    return any_order && active_count(vcpu) + 2 >= fake_lr_count;
}

static void do_ack(unsigned vcpu)
{
    if (active_enough(vcpu)) {
        return;
    }
    unsigned priority = 0, got = model_ack(model_vcpu(vcpu), &priority), intid = got & 0x3ff;
    if (trace) {
        printf("#   got %u\n", got);
    }
    unsigned want = best(vcpu);

    if (got == MODEL_SPURIOUS) {
        EXPECT(want == 256);
        return;
    }
    struct irq *i = irq_of(vcpu, intid);
    if (intid == VIRQ_VTIMER && ref.cpu[vcpu].timer_moved) {
        EXPECT(priority <= want);
    } else {
        EXPECT(priority == want);
        EXPECT(eligible(vcpu, intid) && i->priority == want);
    }
    if (ref.version == 2 && intid < 16) {
        EXPECT((i->from >> (got >> 10) & 1) != 0);
        i->from &= (uint8_t) ~(1u << (got >> 10));
        i->source = (uint8_t)(got >> 10);
    }
    i->latch = false;
    i->active = true;
    i->soft = false;
    i->holder = (uint8_t)vcpu;
    unsigned d = ref.cpu[vcpu].depth++;
    ref.cpu[vcpu].stack[d] = got;
    ref.cpu[vcpu].priority[d] = priority;
}

static void do_eoi(unsigned vcpu)
{
    if (ref.cpu[vcpu].depth == 0) {
        return;
    }
    unsigned got = ref.cpu[vcpu].stack[--ref.cpu[vcpu].depth];
    bool was = irq_of(vcpu, got & 0x3ff)->active;
    if (trace) {
        printf("#   ends %u (active %d)\n", got, was);
    }

    if (!was) {
        model_cpu_interface(model_vcpu(vcpu), ref.cpu[vcpu].groups, ref.cpu[vcpu].mask, true);
    }
    model_eoi(model_vcpu(vcpu), got);
    model_cpu_interface(model_vcpu(vcpu), ref.cpu[vcpu].groups, ref.cpu[vcpu].mask,
                        ref.cpu[vcpu].eoi_mode);
    if (!ref.cpu[vcpu].eoi_mode) {
        irq_of(vcpu, got & 0x3ff)->active = false;
    } else if (was) {
        ref.cpu[vcpu].dropped[ref.cpu[vcpu].dropped_count++] = got;
    }
}

static void do_dir(unsigned vcpu)
{
    unsigned n = ref.cpu[vcpu].dropped_count;

    if (n == 0) {
        return;
    }
    unsigned at = any(n), got = ref.cpu[vcpu].dropped[at];
    ref.cpu[vcpu].dropped[at] = ref.cpu[vcpu].dropped[n - 1];
    ref.cpu[vcpu].dropped_count--;
    if (trace) {
        printf("#   deactivates %u (active %d)\n", got, irq_of(vcpu, got & 0x3ff)->active);
    }
    if (irq_of(vcpu, got & 0x3ff)->active) {
        irq_of(vcpu, got & 0x3ff)->active = false;
        model_deactivate(model_vcpu(vcpu), got);
    }
}

static void do_interface(unsigned vcpu)
{
    static const uint8_t masks[] = {0xf8, 0xf8, 0xf8, 0x80, 0x40, 0};
    bool idle = active_count(vcpu) == 0 && ref.cpu[vcpu].depth == 0;

    ref.cpu[vcpu].groups = any(4) == 0 ? any(4) : 3;
    ref.cpu[vcpu].mask = masks[any(6)];
    ref.cpu[vcpu].eoi_mode = idle ? any(4) == 0 : ref.cpu[vcpu].eoi_mode;
    ref.cpu[vcpu].groups = ref.cpu[vcpu].eoi_mode ? 3 : ref.cpu[vcpu].groups; /* pick_balance() */
    model_cpu_interface(model_vcpu(vcpu), ref.cpu[vcpu].groups, ref.cpu[vcpu].mask,
                        ref.cpu[vcpu].eoi_mode);
}

static bool linked(unsigned intid)
{
    return intid == VIRQ_VTIMER || intid == VIRQ_PMU ||
           (intid >= LINKED_FIRST && intid < LINKED_FIRST + LINKED_COUNT);
}

static void do_inject(unsigned vcpu)
{
    unsigned intid = 16 + any(16 + MODEL_SPIS);

    if (linked(intid) || (ref.version == 2 && intid < 16)) {
        return;
    }
    vgic_inject(model_vcpu(vcpu), intid);
    irq_of(vcpu, intid)->latch = true;
}

static void do_level(unsigned vcpu)
{
    unsigned intid = 16 + any(16 + 20);
    bool high = any(2);

    if (linked(intid) || intid == VIRQ_PTIMER) {
        return;
    }
    struct irq *i = irq_of(vcpu, intid);
    vgic_set_level(model_vcpu(vcpu), intid, high);
    i->latch |= high && !i->line && i->edge;
    i->line = high;
}

static void do_sgi(unsigned vcpu)
{
    unsigned sgi = any(16), list = any(8);

    if (ref.version == 2) {
        model_write(model_vcpu(vcpu), MODEL_DIST + 0xf00, 4, list << 16 | sgi);
        for (unsigned t = 0; t < MODEL_VCPUS; t++) {
            ref.priv[t][sgi].from |= (uint8_t)((list >> t & 1) << vcpu);
        }
        return;
    }
    model_on_vcpu(model_vcpu(vcpu));
    bool others = any(4) == 0, group0 = any(8) == 0;
    vgic_send_sgi(model_vcpu(vcpu), group0 ? VGIC_SGI0R : VGIC_SGI1R,
                  (uint64_t)others << 40 | sgi << 24 | list);
    for (unsigned t = 0; t < MODEL_VCPUS; t++) {
        bool to = others ? t != vcpu : (list >> t & 1) != 0;
        ref.priv[t][sgi].latch |= to && (!group0 || !ref.priv[t][sgi].group1);
    }
}

/* Register of 32 bits of private interrupts of `t`, or of SPIs. */
static uint64_t bits_at(unsigned t, unsigned reg, unsigned word)
{
    return ref.version == 3 && word == 0 ? MODEL_REDIST + t * 0x20000ull + 0x10000 + reg
                                         : MODEL_DIST + reg + word * 4;
}

static void apply_bits(unsigned vcpu, unsigned t, unsigned reg, unsigned intid)
{
    struct irq *i = irq_of(t, intid);

    switch (reg) {
    case 0x100:
        i->enabled = true;
        break;
    case 0x180:
        i->enabled = false;
        break;
    case 0x200:
        i->latch |= !(ref.version == 2 && intid < 16);
        break;
    case 0x280:
        i->latch = false;
        break;
    case 0x300:
        i->soft |= !i->active;
        i->holder = i->active             ? i->holder
                    : intid < 32          ? (uint8_t)t
                    : i->target == NOBODY ? (uint8_t)vcpu
                                          : i->target;
        i->active = true;
        break;
    case 0x380:
        i->active = false;
        for (unsigned v = 0; v < MODEL_VCPUS; v++) { /* a guest would not end it again later */
            for (unsigned n = 0; n < ref.cpu[v].dropped_count; n++) {
                if ((ref.cpu[v].dropped[n] & 0x3ff) == intid && (intid >= 32 || v == t)) {
                    ref.cpu[v].dropped[n] = ref.cpu[v].dropped[--ref.cpu[v].dropped_count];
                    n--;
                }
            }
        }
        break;
    }
}

static void do_bits(unsigned vcpu)
{
    static const uint16_t regs[] = {0x100, 0x100, 0x180, 0x200, 0x280, 0x300, 0x380};
    unsigned reg = regs[any(7)], word = any(4), t = ref.version == 2 ? vcpu : any(MODEL_VCPUS);
    uint32_t mask = 1u << any(32) | (any(4) == 0 ? 1u << any(32) | 1u << any(32) : 0);

    for (unsigned v = 0; v < MODEL_VCPUS; v++) {
        if ((reg == 0x300 || reg == 0x380) && active_count(v) >= fake_lr_count - 3) {
            return;
        }
    }
    if (word == 0 && (reg == 0x200 || reg == 0x300) && t != vcpu) {
        mask &= ~(1u << VIRQ_VTIMER | 1u << VIRQ_PMU); /* cannot be claimed from another CPU */
    }
    for (unsigned b = 0; b < 32; b++) {
        if ((mask >> b & 1) != 0 && word * 32 + b < 32 + MODEL_SPIS) {
            apply_bits(vcpu, t, reg, word * 32 + b);
        }
    }
    if (trace) {
        printf("#   %#x of vCPU %u word %u mask %#x\n", reg, t, word, mask);
    }
    model_write(model_vcpu(vcpu), bits_at(t, reg, word), 4, mask);
}

static void do_read_bits(unsigned vcpu)
{
    static const uint16_t regs[] = {0x100, 0x180, 0x200, 0x280, 0x300, 0x380};
    unsigned reg = regs[any(6)], word = any(4), t = ref.version == 2 ? vcpu : any(MODEL_VCPUS);
    uint32_t got = (uint32_t)model_read(model_vcpu(vcpu), bits_at(t, reg, word), 4), want = 0,
             care = ~0u;

    for (unsigned b = 0; b < 32 && word * 32 + b < 32 + MODEL_SPIS; b++) {
        struct irq *i = irq_of(t, word * 32 + b);
        bool is = reg < 0x200 ? i->enabled : reg < 0x300 ? pending(t, word * 32 + b) : i->active;
        want |= (uint32_t)is << b;
    }
    if (word == 0 && (reg & 0x200) != 0 && reg < 0x300) {
        care &= ~(1u << VIRQ_VTIMER | 1u << VIRQ_PMU); /* seen when the level is looked at */
    }
    EXPECT((got & care) == (want & care));
}

static void do_priority(unsigned vcpu)
{
    unsigned t = ref.version == 2 ? vcpu : any(MODEL_VCPUS), intid = any(32 + MODEL_SPIS),
             p = any(32) * 8;
    struct irq *i = irq_of(t, intid);

    if (i->active) {
        return;
    }
    i->priority = (uint8_t)p;
    model_write(model_vcpu(vcpu),
                bits_at(t, 0x400, intid < 32 ? 0 : 1) - (intid < 32 ? 0 : 4) + intid, 1,
                p | any(8));
    EXPECT(model_read(model_vcpu(vcpu),
                      bits_at(t, 0x400, intid < 32 ? 0 : 1) - (intid < 32 ? 0 : 4) + intid,
                      1) == p);
}

static void do_group(unsigned vcpu)
{
    unsigned t = any(MODEL_VCPUS), word = any(4);

    if (ref.version == 2) {
        return;
    }
    uint32_t old = (uint32_t)model_read(model_vcpu(vcpu), bits_at(t, 0x80, word), 4),
             flip = 1u << any(32);
    for (unsigned b = 0; b < 32 && word * 32 + b < 32 + MODEL_SPIS; b++) {
        struct irq *i = irq_of(t, word * 32 + b);
        EXPECT((old >> b & 1) == i->group1);
        if (i->active || linked(word * 32 + b)) {
            flip &= ~(1u << b);
        }
        i->group1 ^= flip >> b & 1;
    }
    model_write(model_vcpu(vcpu), bits_at(t, 0x80, word), 4, old ^ flip);
}

static void do_route(unsigned vcpu)
{
    unsigned spi = any(MODEL_SPIS), to = any(MODEL_VCPUS + 1);

    ref.spi[spi].target = to < MODEL_VCPUS ? (uint8_t)to : NOBODY;
    if (ref.version == 3) {
        model_write(model_vcpu(vcpu), MODEL_DIST + 0x6000 + 8 * (32 + spi), 8, to);
    } else {
        model_write(model_vcpu(vcpu), MODEL_DIST + 0x800 + 32 + spi, 1, 1u << to);
    }
}

static void do_config(unsigned vcpu)
{
    unsigned intid = 16 + any(16 + MODEL_SPIS), t = ref.version == 2 ? vcpu : any(MODEL_VCPUS);
    uint64_t at = bits_at(t, 0xc00, intid < 32 ? 0 : 1) - (intid < 32 ? 0 : 4) + intid / 16 * 4;

    if (linked(intid)) {
        return;
    }
    uint32_t v = (uint32_t)model_read(model_vcpu(vcpu), at, 4) ^ 2u << intid % 16 * 2;
    model_write(model_vcpu(vcpu), at, 4, v);
    irq_of(t, intid)->edge ^= true;
    EXPECT(((v >> intid % 16 * 2 & 2) != 0) == irq_of(t, intid)->edge);
}

static void do_ctlr(unsigned vcpu)
{
    ref.ctlr = any(8) != 0 ? 3 : any(4);
    model_write(model_vcpu(vcpu), MODEL_DIST, 4, ref.ctlr | 0x10);
    ref.ctlr &= ref.version == 2 ? 1 : 3;
}

static void do_device(unsigned vcpu)
{
    unsigned n = any(LINKED_COUNT);
    bool quiet = fake_irq_active[PHYS_FIRST + n] == 0;
    struct irq *i = &ref.spi[LINKED_FIRST + n - 32];

    EXPECT(quiet || i->latch || i->active); /* G4: never stuck */
    EXPECT(!quiet || !i->active);
    model_device_fire(PHYS_FIRST + n, LINKED_FIRST + n);
    i->latch |=
        quiet; /* one that software made pending may be so physically: then it does not fire */
}

static void do_timer(unsigned vcpu)
{
    uint64_t now = fake_counter_ticks - model_domain->vtimer_offset_ticks;

    ref.cpu[vcpu].vctl = any(4) != 0 ? 1 : any(4);
    ref.cpu[vcpu].vcval = now + any(200) - 50;
    ref.cpu[vcpu].timer_moved = true;
    model_timer_set(model_vcpu(vcpu), ref.cpu[vcpu].vctl, ref.cpu[vcpu].vcval);
}

static void do_ptimer(unsigned vcpu)
{
    struct vcpu *v = model_vcpu(vcpu);

    model_on_vcpu(v);
    switch (any(3)) {
    case 0:
        vtimer_ptimer_write(v, PTIMER_CTL, any(4) != 0 ? 1 : any(4));
        break;
    case 1:
        vtimer_ptimer_write(v, PTIMER_CVAL, fake_counter_ticks + any(200) - 50);
        break;
    case 2:
        vtimer_ptimer_write(v, PTIMER_TVAL, any(200) - 50);
        break;
    }
}

static void ptimers_follow(void)
{
    for (unsigned i = 0; i < MODEL_VCPUS; i++) {
        const struct vtimer_regs *r = &model_vcpu(i)->timer_regs;
        struct irq *irq = &ref.priv[i][VIRQ_PTIMER];
        bool high = (r->p_ctl & 3) == 1 && fake_counter_ticks >= r->p_cval;
        if (model_vcpu(i)->cpu && (model_vcpu(i)->work & WORK_TIMER) == 0) {
            irq->latch |= high && !irq->line && irq->edge;
            irq->line = high;
        }
    }
}

static void do_switch(unsigned vcpu)
{
    unsigned to = any(MODEL_VCPUS);

    model_switch(any(MODEL_CPUS), model_vcpu(to));
    ref.cpu[vcpu].timer_moved = ref.cpu[to].timer_moved = false;
}

static void do_wfi(unsigned vcpu)
{
    model_wfi(model_vcpu(vcpu));
}

/* After everything settled: nobody sleeps who has something to take. */
static void check_sleepers(void)
{
    for (unsigned vcpu = 0; vcpu < MODEL_VCPUS; vcpu++) {
        struct vcpu *v = model_vcpu(vcpu);
        if (v->cpu && !v->cpu->current) {
            EXPECT(best(vcpu) == 256);
        }
    }
}

/* Active state, in memory and in list registers together, is the reference's after every step. */
static void check_active(unsigned vcpu)
{
    struct vcpu *v = model_vcpu(vcpu);
    bool is[32 + MODEL_SPIS] = {false};

    for (unsigned intid = 0; intid < 32 + MODEL_SPIS; intid++) {
        const struct vgic_spi_bank *s = &model_domain->vgic.spi[intid / 32 - (intid >= 32)];
        is[intid] = intid < 32
                        ? v->vgic.priv.active >> intid & 1
                        : (s->bank.active >> intid % 32 & 1) != 0 && s->holder[intid % 32] == vcpu;
    }
    for (unsigned n = 0; v->cpu && n < fake_lr_count; n++) {
        uint64_t lr = fake_hw[v->cpu->id].lr[n];
        if (lr >> 63 != 0) {
            is[lr & 0x3ff] = true;
        }
    }
    for (unsigned intid = 0; intid < 32 + MODEL_SPIS; intid++) {
        const struct irq *i = irq_of(vcpu, intid);
        if (is[intid] != (i->active && (intid < 32 || i->holder == vcpu))) {
            printf("# INTID %u\n", intid);
            EXPECT(is[intid] == i->active);
        }
    }
}

#define STEP(f) \
    {           \
        f, #f   \
    }
static const struct {
    void (*take)(unsigned vcpu);
    const char *name;
} steps[] = {
    STEP(do_ack),    STEP(do_ack),    STEP(do_ack),       STEP(do_ack),       STEP(do_eoi),
    STEP(do_eoi),    STEP(do_eoi),    STEP(do_dir),       STEP(do_inject),    STEP(do_inject),
    STEP(do_level),  STEP(do_level),  STEP(do_sgi),       STEP(do_sgi),       STEP(do_bits),
    STEP(do_bits),   STEP(do_bits),   STEP(do_read_bits), STEP(do_priority),  STEP(do_group),
    STEP(do_route),  STEP(do_config), STEP(do_ctlr),      STEP(do_device),    STEP(do_timer),
    STEP(do_ptimer), STEP(do_switch), STEP(do_wfi),       STEP(do_interface),
};

static void guest_boots(void)
{
    for (unsigned v = 0; v < MODEL_VCPUS; v++) {
        for (unsigned i = 0; i < 32; i++) {
            ref.priv[v][i] = (struct irq){
                .group1 = ref.version == 3, .edge = i < 16, .enabled = ref.version == 2 && i < 16};
        }
        model_switch(v % MODEL_CPUS, model_vcpu(v));
        ref.cpu[v].groups = 3;
        ref.cpu[v].mask = 0xf8;
        model_cpu_interface(model_vcpu(v), 3, 0xf8, false);
    }
    for (unsigned i = 0; i < MODEL_SPIS; i++) {
        ref.spi[i] = (struct irq){.group1 = ref.version == 3};
    }
    model_switch(0, model_vcpu(0));
    do_ctlr(0);
    for (unsigned n = 0; n < LINKED_COUNT; n++) {
        assert_int_equal(vgic_link_spi(model_domain, LINKED_FIRST + n, (uint16_t)(PHYS_FIRST + n)),
                         0);
    }
}

static void run(unsigned version, uint32_t start, unsigned lrs, unsigned count)
{
    memset(&ref, 0, sizeof(ref));
    trace = getenv("VGIC_TRACE") != NULL;
    ref.version = version;
    seed = start;
    model_boot(version, MODEL_SPIS);
    fake_lr_count = lrs;
    guest_boots();
    for (step = 0; step < count; step++) {
        unsigned vcpu = any(MODEL_VCPUS);
        struct vcpu *v = model_vcpu(vcpu);
        if (!v->cpu || !v->cpu->current) {
            model_switch(any(MODEL_CPUS), v);
            ref.cpu[vcpu].timer_moved = false;
            model_settle();
            ptimers_follow();
        }
        unsigned n = any(sizeof(steps) / sizeof(steps[0]));
        if (trace) {
            printf("# %u: vCPU %u %s\n", step, vcpu, steps[n].name);
        }
        steps[n].take(vcpu);
        ptimers_follow();
        model_settle();
        if (any(8) == 0) {
            model_advance(any(100));
            ptimers_follow();
        }
        ptimers_follow();
        check_sleepers();
        for (unsigned i = 0; i < MODEL_VCPUS; i++) {
            check_active(i);
        }
    }
}

static void sweep(unsigned version, unsigned lrs)
{
    unsigned runs = getenv("VGIC_RUNS") ? (unsigned)atoi(getenv("VGIC_RUNS")) : 60;

    for (uint32_t s = 1; s <= runs; s++) {
        run(version, s * 7919, lrs, 1500);
    }
}

static void good_v3_follows_the_reference(void **state)
{
    sweep(3, 16);
}

static void good_v3_with_four_list_registers(void **state)
{
    sweep(3, 4);
}

static void good_v2_follows_the_reference(void **state)
{
    sweep(2, 16);
}

static void good_v2_with_four_list_registers(void **state)
{
    sweep(2, 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_v3_follows_the_reference),
        cmocka_unit_test(good_v3_with_four_list_registers),
        cmocka_unit_test(good_v2_follows_the_reference),
        cmocka_unit_test(good_v2_with_four_list_registers),
    };
    return cmocka_run_group_tests_name("vgic-prop", tests, NULL, NULL);
}
