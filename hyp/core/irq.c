/*
 * Physical interrupts: who gets each. See hyp/irq.h.
 *
 *   SGI 0                 another CPU wants this one to look at its work
 *   SGI 1                 the machine stops
 *   PPI 27, 23            virtual timer and PMU of the loaded vCPU: go on to the guest
 *   PPI 26                the hypervisor's own timer
 *   maintenance PPI       the loaded vCPU's list registers want attention
 *   SPIs                  a guest's, or a handler's of our own
 *   anything else         masked at its first occurrence, and said once
 *
 * I1  what is handed to a guest is only dropped in priority here: it stays
 *     active, and so quiet, until the guest ends it or loses it.
 * I2  a level interrupt's cause is removed before it is deactivated.
 * I3  a handler that is called far more often than any device means is masked:
 *     a stuck line costs one CPU a bounded time, not the machine.
 * I4  irq_lock is not held while a handler or the guest's controller is called;
 *     a descriptor in use is `busy`, and whoever removes it waits for that.
 */
#include <hyp/irq.h>

#include <hyp/arch.h>
#include <hyp/assert.h>
#include <hyp/cpu.h>
#include <hyp/domain.h>
#include <hyp/frame.h>
#include <hyp/gic.h>
#include <hyp/lock.h>
#include <hyp/log.h>
#include <xen/errno.h>

enum {
    DESC_COUNT = 255,
    STORM_COUNT = 50000,         /* of one handler's ... */
    STORM_WINDOW_NS = 100000000, /* ... within this: no device of ours has a tenth of it */
};

struct irq_desc {
    uint16_t intid; /* 0: free */
    uint16_t virq;
    bool edge;
    bool leaving;               /* [irq_lock] desc_free() waits for it */
    uint32_t busy;              /* [irq_lock] CPUs that are in its handler */
    uint32_t window_count;      /* [irq_lock] I3 */
    struct domain *domain;      /* [irq_lock] a guest's, or ... */
    void (*handler)(void *arg); /* [irq_lock] ... our own */
    void *arg;
    struct cpu *route;   /* [irq_lock] CPU it interrupts */
    uint64_t window_end; /* [irq_lock] I3 */
};

static lock_t irq_lock = LOCK_INIT(RANK_IRQ);
struct irqs {
    struct irq_desc desc[DESC_COUNT];
    uint8_t index[GIC_INTID_MAX]; /* INTID to descriptor plus one; 0: none */
};
static struct irqs *irqs; /* [irq_lock] */

/* What the bits ask for beyond looking is asked in words that the way out tests anyway. */
static void handle_ipi(struct cpu *c)
{
    uint32_t bits = __atomic_exchange_n(&c->ipi, 0, __ATOMIC_ACQ_REL);

    if (unlikely((bits & IPI_STOP) != 0)) {
        arch_park();
    }
    if (unlikely((bits & IPI_SAVE) != 0)) {
        c->save_request = 1;
    }
    if (c->loaded) {
        vgic_serve(c->loaded);
    }
    struct vcpu *v = c->current;
    if (!v) {
        return;
    }
    if (__atomic_load_n(&c->sched.resched, __ATOMIC_RELAXED) != 0) {
        __atomic_fetch_or(&v->work, WORK_RESCHED, __ATOMIC_RELAXED);
    }
    if ((__atomic_load_n(&v->work, __ATOMIC_RELAXED) & WORK_VGIC) != 0) {
        /* Most IPIs bring a virtual interrupt: here, not on the slow way out. */
        __atomic_fetch_and(&v->work, ~(uint32_t)WORK_VGIC, __ATOMIC_ACQUIRE);
        vgic_flush(v);
    }
}

static void handle_maintenance(struct cpu *c)
{
    if (c->loaded) {
        vgic_maintenance(c->loaded);
    } else {
        arch_ich_hcr_write(0);
    }
}

/* I3. True: too many. */
static bool storming(struct irq_desc *s)
{
    uint64_t now = arch_counter_ticks();

    if (now >= s->window_end) {
        s->window_end = now + ns_to_ticks(STORM_WINDOW_NS);
        s->window_count = 0;
    }
    return ++s->window_count > STORM_COUNT;
}

/* The interrupt follows the vCPU it goes to, so that a guest's devices take time from its own CPU. */
static void follow_target(struct irq_desc *s, struct domain *d, uint16_t virq)
{
    uint8_t target = vgic_spi_target(d, virq);

    if (target >= d->vcpu_count) {
        return;
    }
    struct cpu *to = __atomic_load_n(&d->vcpu[target]->cpu, __ATOMIC_RELAXED);
    if (to && to != s->route) {
        s->route = to;
        gic_set_target(s->intid, to);
    }
}

/* An SPI that somebody has. False: nobody has, or it has to stop. */
static bool handle_owned(uint32_t intid)
{
    lock(&irq_lock);
    if (irqs->index[intid] == 0) {
        unlock(&irq_lock);
        return false;
    }
    struct irq_desc *s = &irqs->desc[irqs->index[intid] - 1];
    struct irq_desc copy = *s;
    bool storm = !copy.domain && storming(s);
    s->busy++;
    unlock(&irq_lock);
    if (storm) {
        log_warn("Interrupt %u fires without end; it is masked.", intid);
        gic_set_enabled(intid, false);
    } else if (copy.domain) {
        follow_target(s, copy.domain, copy.virq);
        vgic_inject(copy.domain->vcpu[0], copy.virq);
    } else {
        copy.handler(copy.arg);
    }
    if (!copy.domain) {
        gic_deactivate(intid); /* I2 */
    }
    lock(&irq_lock);
    s->busy--;
    bool awaited = s->leaving;
    unlock(&irq_lock);
    if (awaited) {
        arch_wake_spinners();
    }
    return true;
}

static void handle_unknown(uint32_t intid)
{
    gic_set_enabled(intid, false);
    gic_deactivate(intid);
    log_warn("Interrupt %u is nobody's; it is masked.", intid);
}

/* Apart, so that the frequent ones save no registers for these. */
static __attribute__((noinline)) void handle_other(struct cpu *c, uint32_t intid)
{
    gic_eoi(intid);
    if (intid < GIC_SGI_COUNT) {
        gic_deactivate(intid);
        arch_park();
    } else if (intid == GIC_PPI_HYP_TIMER) {
        timer_interrupt(c, arch_counter_ticks());
        gic_deactivate(intid);
    } else if (intid == GIC_PPI_PMU) { /* I1 */
        if (c->loaded && arch_pmu_line()) {
            vgic_linked_fired(c->loaded, VIRQ_PMU);
        } else {
            gic_deactivate(intid); /* the overflow has left with its vCPU, and comes back with it */
        }
    } else if (intid == gic_host.maintenance_intid) {
        handle_maintenance(c);
        gic_deactivate(intid);
    } else if (!handle_owned(intid)) {
        handle_unknown(intid);
    }
}

/* One at a time: a second acknowledge that finds nothing costs more than the rare second exception. */
void irq_interrupt(struct cpu *c)
{
    uint32_t intid = gic_ack();

    if (unlikely(intid >= GIC_INTID_MAX)) {
        c->spurious_count++;
        return;
    }
    c->irq_count++;
    if (intid == GIC_PPI_VIRT_TIMER) {
        gic_eoi(intid); /* I1 */
        vtimer_interrupt(c);
    } else if (intid == GIC_SGI_IPI) {
        gic_end(intid);
        handle_ipi(c);
    } else {
        handle_other(c, intid);
    }
}

/* A free descriptor for `intid`, entered. Returns 0, -XEN_EINVAL, -XEN_EBUSY, -XEN_ENOSPC. */
static int desc_enter(uint32_t intid, struct irq_desc *what) REQUIRES(irq_lock)
{
    if (intid < GIC_SPI_FIRST || intid >= gic_host.intid_count) {
        return -XEN_EINVAL;
    }
    if (irqs->index[intid] != 0) {
        return -XEN_EBUSY;
    }
    for (unsigned i = 0; i < DESC_COUNT; i++) {
        if (irqs->desc[i].intid == 0) {
            what->intid = (uint16_t)intid;
            irqs->desc[i] = *what;
            irqs->index[intid] = (uint8_t)(i + 1);
            return 0;
        }
    }
    return -XEN_ENOSPC;
}

static int enter(uint32_t intid, struct irq_desc *what)
{
    what->route = this_cpu();
    lock(&irq_lock);
    int error = desc_enter(intid, what);
    unlock(&irq_lock);
    if (!error) {
        gic_set_config(intid, what->edge, what->route);
    }
    return error;
}

int irq_init(void)
{
    irqs = frame_alloc_hyp(NULL, frame_order(sizeof(*irqs)));
    return irqs ? 0 : -XEN_ENOMEM;
}

int irq_request(uint32_t intid, bool edge, void (*handler)(void *arg), void *arg)
{
    struct irq_desc what = {.edge = edge, .handler = handler, .arg = arg};
    int error = enter(intid, &what);

    if (!error) {
        gic_set_enabled(intid, true);
    }
    return error;
}

/* Wait for I4 and forget. The interrupt is masked; handlers take microseconds. */
static void desc_free(struct irq_desc *s)
{
    for (;;) {
        lock(&irq_lock);
        bool busy = s->busy != 0;
        s->leaving = busy;
        if (!busy) {
            irqs->index[s->intid] = 0;
            *s = (struct irq_desc){0};
        }
        unlock(&irq_lock);
        if (!busy) {
            return;
        }
        arch_relax();
    }
}

int irq_assign(uint32_t intid, bool edge, struct domain *d, uint32_t virq)
{
    struct irq_desc what = {.edge = edge, .domain = d, .virq = (uint16_t)virq};

    if (virq < VGIC_PRIVATE || virq - VGIC_PRIVATE >= d->vgic.nr_spis) {
        return -XEN_EINVAL;
    }
    int error = enter(intid, &what);
    if (!error) {
        error = vgic_link_spi(d, virq, (uint16_t)intid);
        CHECK(error == 0);
        gic_set_enabled(intid, true);
    }
    return error;
}

/* Descriptor `i`, if it is the domain's, and for `intid` (0: any). */
static bool release(unsigned i, struct domain *d, uint32_t wanted)
{
    struct irq_desc *s = &irqs->desc[i];
    lock(&irq_lock);
    uint16_t intid = s->intid, virq = s->virq;
    bool mine = intid != 0 && s->domain == d && !s->leaving && (wanted == 0 || wanted == intid);
    unlock(&irq_lock);
    if (mine) {
        gic_set_enabled(intid, false);
        desc_free(s);
        vgic_unlink_spi(d, virq);
    }
    return mine;
}

int irq_release(uint32_t intid, struct domain *d)
{
    unsigned i = 0;
    while (i < DESC_COUNT && (intid == 0 || !release(i, d, intid))) {
        i++;
    }
    return i < DESC_COUNT ? 0 : -XEN_ENOENT;
}

void irq_release_all(struct domain *d)
{
    for (unsigned i = 0; i < DESC_COUNT; i++) {
        (void)release(i, d, 0);
    }
}

bool irq_owner(uint32_t intid, struct domain **domain, uint32_t *virq)
{
    lock(&irq_lock);
    uint8_t index = intid < GIC_INTID_MAX ? irqs->index[intid] : 0;
    if (index != 0) {
        *domain = irqs->desc[index - 1].domain;
        *virq = irqs->desc[index - 1].virq;
    }
    unlock(&irq_lock);
    return index != 0;
}
