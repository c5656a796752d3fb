#include "vgic-model.h"

#include <hyp/assert.h>
#include <hyp/cpu.h>
#include <hyp/gic.h>
#include <hyp/vtimer.h>
#include <string.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

struct domain *model_domain;
unsigned model_traps;

static struct banked {
    uint32_t ctl;
    uint64_t cval, offset;
    uint8_t timer_active;
} banked[MODEL_CPUS];

#define LR_STATE_PENDING (1ull << 62)
#define LR_STATE_ACTIVE (1ull << 63)

struct cpu *model_on(unsigned cpu)
{
    struct banked *b = &banked[this_cpu()->id];

    *b =
        (struct banked){fake_vtimer_ctl, fake_vtimer_cval, fake_vtimer_offset, fake_irq_active[27]};
    b = &banked[cpu];
    fake_vtimer_ctl = b->ctl;
    fake_vtimer_cval = b->cval;
    fake_vtimer_offset = b->offset;
    fake_irq_active[27] = b->timer_active;
    return fake_run_on(cpu);
}

struct vcpu *model_vcpu(unsigned id)
{
    return model_domain->vcpu[id];
}

bool model_on_vcpu(struct vcpu *v)
{
    if (v->cpu) {
        model_on(v->cpu->id);
    }
    return v->cpu != NULL;
}

/* As core/domain.c has it: set, and interrupt the CPU or wake the vCPU if it is loaded but blocked. */
void vcpu_notify_other(struct vcpu *v, uint32_t bits)
{
    v->work |= bits;
    if (v->cpu && this_cpu()->current != v) {
        if (!v->cpu->current) {
            v->cpu->current = v;
        }
        cpu_kick(v->cpu, IPI_RESCHED);
    }
}

void vcpu_notify(struct vcpu *v, uint32_t bits)
{
    vcpu_notify_other(v, bits);
}

void gic_deactivate(uint32_t intid)
{
    fake_irq_active[intid] = 0;
}

static void unload(struct cpu *c)
{
    struct vcpu *v = c->loaded;

    if (v) {
        vgic_save(v);
        vtimer_save(v);
        c->loaded = c->current = NULL;
        v->cpu = NULL;
        for (unsigned n = 0; n < fake_lr_count; n++) {
            uint64_t lr = fake_hw[c->id].lr[n]; /* nothing of one guest is left for the next */
            assert_true(lr >> 62 == 0 && ((lr >> 41 & 1) == 0 || (lr >> 61 & 1) != 0));
        }
        assert_int_equal(fake_irq_active[27], 0);
    }
}

void model_switch(unsigned cpu, struct vcpu *v)
{
    if (v && v->cpu) {
        unload(model_on(v->cpu->id));
    }
    struct cpu *c = model_on(cpu);
    unload(c);
    if (v) {
        vgic_restore(v);
        vtimer_restore(v);
        c->loaded = c->current = v;
        v->cpu = c;
    }
}

void model_boot(unsigned version, uint32_t nr_spis)
{
    struct vgic_config config = {
        .version = version,
        .nr_spis = nr_spis,
        .dist = gpa(MODEL_DIST),
        .redist = gpa(MODEL_REDIST),
        .cpu = gpa(0x03002000),
    };

    fake_boot(MODEL_CPUS, 1 << 20);
    memset(banked, 0, sizeof(banked));
    fake_vtimer_ctl = 0;
    model_traps = 0;
    for (unsigned i = 0; i < MODEL_CPUS; i++) {
        timer_cpu_init(&cpus[i]->timers);
    }
    model_domain = fake_domain(1, "guest", MODEL_VCPUS);
    model_domain->vtimer_offset_ticks = 700;
    assert_int_equal(vgic_domain_init(model_domain, &config), 0);
    for (unsigned i = 0; i < MODEL_VCPUS; i++) {
        vtimer_vcpu_init(model_vcpu(i));
        *fake_vif(i % MODEL_CPUS) = (struct vgic_vif){0};
    }
    for (unsigned i = 0; i < MODEL_CPUS; i++) {
        model_switch(i, model_vcpu(i));
    }
    model_settle();
}

static void way_out(struct vcpu *v)
{
    for (unsigned i = 0; v->work != 0; i++) {
        assert_in_range(i, 0, 20);
        uint32_t work = v->work;
        v->work = 0;
        if ((work & WORK_TIMER) != 0) {
            vtimer_work(v);
        }
        if (((work | v->work) & WORK_VGIC) != 0) {
            v->work &= ~(uint32_t)WORK_VGIC;
            vgic_flush(v);
        }
    }
}

/* One CPU until it is quiet. True if anything happened. */
static bool settle_cpu(struct cpu *c)
{
    bool busy = false;

    model_on(c->id);
    if (c->ipi != 0) {
        c->ipi = 0;
        busy = true;
        if (c->loaded) {
            vgic_serve(c->loaded);
        }
    }
    if (fake_hw[c->id].timer_deadline_ticks <= fake_counter_ticks) {
        fake_hw[c->id].timer_deadline_ticks = TICKS_NEVER;
        timer_interrupt(c, fake_counter_ticks);
        busy = true;
    }
    if ((arch_vtimer_ctl() & 7) == 5 && fake_irq_active[27] == 0) {
        fake_irq_active[27] = 1;
        vtimer_interrupt(c);
        busy = true;
    }
    if (c->current && c->current->work != 0) {
        way_out(c->current);
        busy = true;
    }
    if (c->loaded && arch_ich_misr_read() != 0) {
        model_traps++;
        vgic_maintenance(c->loaded);
        if (c->current) {
            way_out(c->current);
        }
        assert_int_equal(arch_ich_misr_read(), 0); /* G2: it never fires again without cause */
        busy = true;
    }
    return busy;
}

void model_settle(void)
{
    unsigned self = this_cpu()->id, rounds = 0;
    bool busy;

    do {
        busy = false;
        for (unsigned i = 0; i < MODEL_CPUS; i++) {
            busy |= settle_cpu(cpus[i]);
        }
        assert_in_range(rounds++, 0, 50);
    } while (busy);
    model_on(self);
    assert_int_equal(fake_locks_held(), 0);
}

void model_advance(uint64_t ticks)
{
    fake_advance(ticks);
    model_settle();
}

bool model_info(struct vcpu *v, uint32_t intid, struct model_info *out)
{
    struct vgic *g = &v->domain->vgic;
    unsigned i = intid % 32, word = intid / 32 - 1;

    if (intid >= VGIC_PRIVATE && intid - VGIC_PRIVATE >= g->nr_spis) {
        return false;
    }
    const struct vgic_bank *b = intid < VGIC_PRIVATE ? &v->vgic.priv : &g->spi[word].bank;
    *out = (struct model_info){
        .enabled = b->enabled >> i & 1,
        .pending = (b->latch | (b->line & ~b->edge) | (b->resident & b->lr_pending)) >> i & 1,
        .active = (b->active | (b->resident & b->lr_active)) >> i & 1,
        .hw = b->hw >> i & 1,
        .priority = b->priority[i],
        .target = intid < VGIC_PRIVATE ? (uint8_t)v->id : g->spi[word].target[i],
    };
    return true;
}

static uint64_t access(struct vcpu *v, struct mmio_access a)
{
    enum vgic_outcome o;

    for (unsigned i = 0;; i++) {
        assert_true(model_on_vcpu(v));
        v->cpu->current = v;
        o = vgic_mmio(v, &a);
        way_out(v);
        if (o != VGIC_RETRY) {
            break;
        }
        assert_in_range(i, 0, 5);
        model_settle();
    }
    assert_int_equal(o, VGIC_DONE);
    return a.value;
}

uint64_t model_read(struct vcpu *v, uint64_t at, unsigned size)
{
    return access(v, (struct mmio_access){.at = gpa(at), .size = (uint8_t)size});
}

void model_write(struct vcpu *v, uint64_t at, unsigned size, uint64_t value)
{
    access(v, (struct mmio_access){
                  .at = gpa(at), .size = (uint8_t)size, .write = true, .value = value});
}

static struct vgic_vif *vif_of(struct vcpu *v)
{
    assert_true(model_on_vcpu(v));
    return fake_vif(v->cpu->id);
}

void model_cpu_interface(struct vcpu *v, unsigned groups, unsigned priority_mask, bool eoi_mode)
{
    vif_of(v)->vmcr = groups | (uint32_t)eoi_mode << 9 | priority_mask << 24;
}

static unsigned lr_priority(uint64_t lr)
{
    return lr >> 48 & 0xff;
}

unsigned model_ack(struct vcpu *v, unsigned *priority)
{
    struct vgic_vif *f = vif_of(v);
    uint64_t *lrs = fake_hw[v->cpu->id].lr, *best = NULL;
    unsigned running = arch_vif_running_priority(f), mask = f->vmcr >> 24;

    for (unsigned n = 0; n < fake_lr_count; n++) {
        unsigned group = (lrs[n] >> 60 & 1) != 0 ? MODEL_GROUP1 : MODEL_GROUP0;
        for (unsigned m = 0; m < n; m++) { /* never two for one interrupt */
            assert_false(lrs[n] >> 62 != 0 && lrs[m] >> 62 != 0 &&
                         (lrs[n] & 0x1fff) == (lrs[m] & 0x1fff));
        }
        if (lrs[n] >> 62 == 1 && (f->vmcr & group) != 0 && lr_priority(lrs[n]) < mask &&
            lr_priority(lrs[n]) < running && (!best || lr_priority(lrs[n]) < lr_priority(*best))) {
            best = &lrs[n];
        }
    }
    if (!best || (fake_hw[v->cpu->id].ich_hcr & 1) == 0) {
        return MODEL_SPURIOUS;
    }
    *best ^= LR_STATE_PENDING | LR_STATE_ACTIVE;
    uint32_t bit = 1u << lr_priority(*best) / 8;
    if ((*best >> 60 & 1) != 0) {
        f->ap1[0] |= bit;
    } else {
        f->ap0[0] |= bit;
    }
    *priority = lr_priority(*best);
    return *best & 0x1fff;
}

void model_deactivate(struct vcpu *v, unsigned intid)
{
    vif_of(v);
    for (unsigned n = 0; n < fake_lr_count; n++) {
        uint64_t *lr = &fake_hw[v->cpu->id].lr[n];
        if ((*lr & LR_STATE_ACTIVE) != 0 && (*lr & 0x1fff) == intid) {
            *lr &= ~LR_STATE_ACTIVE;
            if ((*lr >> 61 & 1) != 0) {
                fake_irq_active[*lr >> 32 & 0x3ff] = 0;
            }
            return;
        }
    }
    fake_hw[v->cpu->id].ich_hcr += 1ull << 27;
}

void model_eoi(struct vcpu *v, unsigned intid)
{
    struct vgic_vif *f = vif_of(v);
    uint32_t lowest = f->ap0[0] | f->ap1[0];

    lowest &= -lowest;
    f->ap0[0] &= ~lowest;
    f->ap1[0] &= ~lowest;
    if ((f->vmcr >> 9 & 1) == 0) {
        model_deactivate(v, intid);
    }
}

void model_timer_set(struct vcpu *v, uint32_t ctl, uint64_t cval)
{
    assert_true(model_on_vcpu(v));
    fake_vtimer_ctl = ctl;
    fake_vtimer_cval = cval;
}

bool model_timer_phys(unsigned cpu)
{
    model_on(cpu);
    return fake_irq_active[27] != 0;
}

void model_device_fire(unsigned physical, unsigned virq)
{
    if (fake_irq_active[physical] == 0) {
        fake_irq_active[physical] = 1;
        vgic_inject(model_vcpu(0), virq);
    }
}

bool model_wfi(struct vcpu *v)
{
    assert_true(model_on_vcpu(v));
    bool pending = vgic_has_pending(v);

    if (pending || v->work != 0) {
        way_out(v);
        return false;
    }
    v->cpu->current = NULL;
    return true;
}

void model_start(unsigned version, uint32_t nr_spis)
{
    model_boot(version, nr_spis);
    for (unsigned i = 0; i < MODEL_CPUS; i++) {
        struct vcpu *v = model_vcpu(i);
        model_cpu_interface(v, 3, 0xf0, false);
        if (version == 3) {
            model_write(v, SGIF(i, 0x100), 4, ~0u);
        } else {
            model_write(v, DIST(0x100), 4, ~0u);
        }
    }
    model_write(model_vcpu(0), DIST(0), 4, 3);
    for (unsigned w = 1; w <= (nr_spis + 31) / 32; w++) {
        model_write(model_vcpu(0), DIST(0x100 + 4 * w), 4, ~0u);
    }
    model_settle();
}

unsigned model_next(unsigned vcpu)
{
    unsigned priority;

    model_settle();
    return model_ack(model_vcpu(vcpu), &priority);
}
