/*
 * Physical interrupts: who gets each. See hyp/irq.h.
 *
 *   SGI 0                 another CPU wants this one to look at its work
 *   SGI 1                 the machine stops
 *   PPI 27, 23            virtual timer and PMU of the loaded vCPU: go on to the guest
 *   PPI 26                the hypervisor's own timer
 *   maintenance PPI       the loaded vCPU's list registers want attention
 *   SPIs                  a guest's, or a handler's of our own
 *   anything else         is nobody's: masked at its first occurrence, and said once
 *
 * I1  what is handed to a guest is only dropped in priority here: it stays
 *     active, and so quiet, until the guest ends it or loses it.
 * I2  a level interrupt's cause is removed before it is deactivated.
 * I3  a handler that is called far more often than any device means is masked:
 *     a stuck line costs one CPU a bounded time, not the machine.
 * I4  irq_lock is not held while a handler or the guest's controller is called;
 *     meanwhile it is `busy`, and whoever takes it back waits for that.
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
    STORM_COUNT = 50000,         /* of one handler's ... */
    STORM_WINDOW_NS = 100000000, /* ... within this: no device of ours has a tenth of it */
};

/* Somebody has it if it has a domain or a handler. All under irq_lock. */
struct irq {
    struct domain *domain;  /* a guest's, or ... */
    void (*handler)(void);  /* ... our own */
    uint32_t window, count; /* I3: how often in which window */
    uint16_t virq;          /* as the guest counts */
    uint16_t route;         /* number of the CPU it interrupts */
    uint8_t busy;           /* CPUs that are in its handler */
    bool leaving;           /* it is being taken back */
};

static lock_t irq_lock = LOCK_INIT(RANK_IRQ);
static struct irq *irqs; /* [irq_lock] GIC_INTID_MAX of them */

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

/* I3. True: too many. */
static bool storming(struct irq *s)
{
    uint32_t window = (uint32_t)(ticks_to_ns(arch_counter_ticks()) / STORM_WINDOW_NS);

    s->count = window == s->window ? s->count + 1 : 1;
    s->window = window;
    return s->count > STORM_COUNT;
}

/* The interrupt follows the vCPU it goes to, so that a guest's devices take time from its own CPU. */
static void follow_target(struct irq *s, struct domain *d, uint32_t intid)
{
    uint8_t target = vgic_spi_target(d, s->virq);

    if (target >= d->vcpu_count) {
        return;
    }
    struct cpu *to = __atomic_load_n(&d->vcpu[target]->cpu, __ATOMIC_RELAXED);
    if (to && to->id != s->route) {
        s->route = (uint16_t)to->id;
        gic_set_target(intid, to);
    }
}

/* What nobody has, and what has to stop. */
static void mask(uint32_t intid, const char *why)
{
    gic_set_enabled(intid, false);
    log_warn("Interrupt %u %s; it is masked.", intid, why);
}

/* True: a guest has it now. */
static bool handle_device(uint32_t intid)
{
    struct irq *s = &irqs[intid];

    lock(&irq_lock);
    struct domain *d = s->domain;
    void (*handler)(void) = s->handler;
    bool storm = handler && storming(s);
    s->busy++; /* I4: owner and virq stay */
    unlock(&irq_lock);
    if (d) {
        follow_target(s, d, intid);
        vgic_inject(d->vcpu[0], s->virq);
    } else if (!handler || storm) {
        mask(intid, storm ? "fires without end" : "is nobody's");
    } else {
        handler();
    }
    lock(&irq_lock);
    s->busy--;
    bool awaited = s->leaving;
    unlock(&irq_lock);
    if (awaited) {
        arch_wake_spinners();
    }
    return d;
}

/* Apart, so that the frequent ones save no registers for these. */
static __attribute__((noinline)) void handle_other(struct cpu *c, uint32_t intid)
{
    bool guests = false; /* I1 */

    gic_eoi(intid);
    if (intid < GIC_SGI_COUNT) {
        arch_park();
    } else if (intid == GIC_PPI_HYP_TIMER) {
        timer_interrupt(c, arch_counter_ticks());
    } else if (intid == GIC_PPI_PMU) {
        guests =
            c->loaded && arch_pmu_line(); /* else it left with its vCPU, and comes back with it */
        if (guests) {
            vgic_linked_fired(c->loaded, VIRQ_PMU);
        }
    } else if (intid != gic_host.maintenance_intid) {
        guests = handle_device(intid);
    } else if (c->loaded) {
        vgic_maintenance(c->loaded);
    } else {
        arch_ich_hcr_write(0);
    }
    if (!guests) {
        gic_deactivate(intid); /* I2 */
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

/* Give it to whom `what` says, and let it come. Returns 0, -XEN_EINVAL, -XEN_EBUSY. */
static int give(uint32_t intid, bool edge, struct irq what)
{
    if (intid < GIC_SPI_FIRST || intid >= gic_host.intid_count) {
        return -XEN_EINVAL;
    }
    struct irq *s = &irqs[intid];
    what.route = (uint16_t)this_cpu()->id;
    lock(&irq_lock);
    bool taken = s->domain || s->handler;
    if (!taken) {
        what.busy = s->busy;
        *s = what;
    }
    unlock(&irq_lock);
    if (taken) {
        return -XEN_EBUSY;
    }
    gic_set_config(intid, edge, this_cpu());
    if (what.domain) {
        int error = vgic_link_spi(what.domain, what.virq, (uint16_t)intid);
        CHECK(error == 0);
    }
    gic_set_enabled(intid, true);
    return 0;
}

int irq_init(void)
{
    irqs = frame_alloc_hyp(NULL, frame_order(GIC_INTID_MAX * sizeof(*irqs)));
    return irqs ? 0 : -XEN_ENOMEM;
}

int irq_request(uint32_t intid, bool edge, void (*handler)(void))
{
    return give(intid, edge, (struct irq){.handler = handler});
}

int irq_assign(uint32_t intid, bool edge, struct domain *d, uint32_t virq)
{
    if (virq < VGIC_PRIVATE || virq - VGIC_PRIVATE >= d->vgic.nr_spis) {
        return -XEN_EINVAL;
    }
    return give(intid, edge, (struct irq){.domain = d, .virq = (uint16_t)virq});
}

int irq_release(uint32_t intid, struct domain *d)
{
    struct irq *s = &irqs[intid < GIC_INTID_MAX ? intid : 0];

    lock(&irq_lock);
    bool mine = s->domain == d && !s->leaving;
    s->leaving |= mine;
    unlock(&irq_lock);
    if (!mine) {
        return -XEN_ENOENT;
    }
    gic_set_enabled(intid, false);
    lock(&irq_lock);
    while (s->busy) { /* I4: handlers take microseconds */
        unlock(&irq_lock);
        arch_relax();
        lock(&irq_lock);
    }
    uint32_t virq = s->virq;
    *s = (struct irq){0};
    unlock(&irq_lock);
    vgic_unlink_spi(d, virq);
    return 0;
}

void irq_release_all(struct domain *d)
{
    for (uint32_t intid = GIC_SPI_FIRST; intid < gic_host.intid_count; intid++) {
        if (irqs[intid].domain == d) {
            (void)!irq_release(intid, d);
        }
    }
}

bool irq_owner(uint32_t intid, struct domain **domain, uint32_t *virq)
{
    struct irq s = {0};

    if (intid < GIC_INTID_MAX) {
        lock(&irq_lock);
        s = irqs[intid];
        unlock(&irq_lock);
    }
    *domain = s.domain;
    *virq = s.virq;
    return s.domain || s.handler;
}
