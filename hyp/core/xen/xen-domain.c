/*
 * The Xen interface of a domain from birth to death, and its parameters.
 *
 * A domain announced the interface is born complete: console and store page
 * are there, with their channels, and granted to whoever serves them. Nothing
 * has to be added from outside ("init-dom0less" in Xen).
 *
 *   GUEST_MAGIC_BASE + 0x0000  console ring, served by the hypervisor
 *                    + 0x1000  store ring; `connection` says "not yet": a guest waits for the event
 */
#include <hyp/xen.h>

#include "xen-internal.h"

#include <hyp/arch.h>
#include <hyp/assert.h>
#include <hyp/config.h>
#include <hyp/evtchn.h>
#include <hyp/grant.h>
#include <hyp/rights.h>
#include <lib/string.h>
#include <xen/guest-layout.h>

/* Who serves the store: the configuration gives this number to the domain with that right. */
#define STORE_DOMAIN 0

/* Real time at counter 0. */
static uint64_t wall_clock_ns;

int xen_target_by(struct vcpu *v, domid_t id, uint32_t any_of, struct domain **out)
{
    if (id == DOMID_SELF || id == v->domain->id) {
        *out = domain_hold(v->domain);
        return 0;
    }
    struct domain *d = domain_get(id);
    if (d == NULL) {
        return -XEN_ESRCH;
    }
    int error =
        d->xen == NULL ? -XEN_ESRCH : rights_require(v->domain, any_of, d, "a call on behalf");
    if (error != 0) {
        domain_put(d);
        return error;
    }
    *out = d;
    return 0;
}

int xen_target(struct vcpu *v, domid_t id, struct domain **out)
{
    return xen_target_by(v, id, RIGHT_BIT(RIGHT_CONTROL), out);
}

struct xen_links xen_links(struct domain *d)
{
    struct xen_links l = {0};
    for (uint32_t port = 1; port < d->evtchn->port_count;
         port++) { /* at most 1,023; a glance each */
        uint8_t state = evtchn_of(d->evtchn, port)->state;
        l.channels += state != EVTCHN_FREE;
        l.interdomain += state == EVTCHN_INTERDOMAIN;
    }
    lock(&d->grant->lock);
    l.grants_used = d->grant->table != NULL ? d->grant->table->pins : 0;
    unlock(&d->grant->lock);
    lock(&d->grant->map_lock);
    l.grants_mapped = d->grant->track_used;
    unlock(&d->grant->map_lock);
    return l;
}

/* --- Wall clock --- */

/* Odd version while it changes; readers of the shared page retry. */
static void tell_wall_clock(struct domain *d)
{
    struct shared_info *s = d->xen->shared;
    if (wall_clock_ns == 0) {
        return;
    }
    lock(&d->xen->lock);
    uint64_t at_start =
        wall_clock_ns + ticks_to_ns(d->vtimer_offset_ticks) +
        (uint64_t)__atomic_load_n(&d->xen->time_offset_s, __ATOMIC_RELAXED) * 1000000000u;
    __atomic_store_n(&s->wc_version, s->wc_version | 1, __ATOMIC_RELAXED);
    arch_wmb();
    s->wc_sec = (uint32_t)(at_start / 1000000000u);
    s->wc_sec_hi = (uint32_t)(at_start / 1000000000u >> 32);
    s->wc_nsec = (uint32_t)(at_start % 1000000000u);
    arch_wmb();
    __atomic_store_n(&s->wc_version, s->wc_version + 1, __ATOMIC_RELAXED);
    unlock(&d->xen->lock);
}

void xen_set_wall_clock(uint64_t seconds, uint32_t nanoseconds)
{
    wall_clock_ns = seconds * 1000000000u + nanoseconds - ticks_to_ns(arch_counter_ticks());
    for (struct domain *d = domain_next(NULL); d != NULL; d = domain_next(d)) {
        if (d->xen != NULL) {
            tell_wall_clock(d);
        }
    }
}

void xen_set_time_offset(struct domain *d, int64_t seconds)
{
    __atomic_store_n(&d->xen->time_offset_s, seconds, __ATOMIC_RELAXED);
    tell_wall_clock(d);
}

/* --- Birth --- */

static unsigned order_for(const struct domain *d)
{
    return frame_order(sizeof(struct xen_domain) + sizeof(struct evtchn_domain) +
                       sizeof(struct grant_domain) + d->vcpu_max * sizeof(struct evtchn_vcpu));
}

void xen_vcpu_create(struct vcpu *v)
{
    v->evtchn = (struct evtchn_vcpu *)(v->domain->grant + 1) + v->id;
    vcpu_op_init(v);
    sched_op_vcpu_init(v);
}

/* Parts of one allocation, in the order of order_for(). */
static void lay_out(struct domain *d, void *va)
{
    struct xen_domain *x = va;
    d->evtchn = (struct evtchn_domain *)(x + 1);
    d->grant = (struct grant_domain *)(d->evtchn + 1);
    d->xen = x;
    for (uint32_t i = 0; i < d->vcpu_count; i++) {
        xen_vcpu_create(d->vcpu[i]);
    }
}

/* What every start begins with: nothing pending, everything masked as nothing is bound. */
static void fresh(struct domain *d)
{
    memset(d->xen->shared, 0, FRAME_SIZE);
    memset(d->xen->shared->evtchn_mask, 0xff, sizeof(d->xen->shared->evtchn_mask));
    memset(d->xen->param, 0, sizeof(d->xen->param));
    d->xen->vm_assist = 0;
    d->xen->time_offset_s = 0;
    d->vcpu[0]->evtchn->info = &d->xen->shared->vcpu_info[0];
    d->xen->param[HVM_PARAM_CALLBACK_IRQ] = (uint64_t)HVM_PARAM_CALLBACK_TYPE_PPI << 56 |
                                            HVM_PARAM_CALLBACK_TYPE_PPI_FLAG_LOW_LEVEL << 8 |
                                            GUEST_EVTCHN_PPI;
}

int xen_domain_create(struct domain *d)
{
    unsigned order = order_for(d);
    void *va = frame_alloc_hyp(d, order);
    if (va == NULL) {
        return -XEN_ENOMEM;
    }
    lay_out(d, va);
    struct xen_domain *x = d->xen;
    x->order = order;
    x->console_frame = x->store_frame = MFN_NONE;
    lock_init(&x->lock, RANK_VDEV);
    lock_init(&x->ioreq_lock, RANK_IOREQ);
    lock_init(&x->console_lock, RANK_XEN_CONSOLE);
    sched_op_init(d);
    int error = evtchn_domain_create(d);
    grant_domain_init(d);
    x->shared = error == 0 ? frame_alloc_hyp(d, 0) : NULL;
    if (x->shared == NULL) {
        return -XEN_ENOMEM;
    }
    frame_share(x->shared);
    fresh(d);
    return 0;
}

/* A page of the guest's memory with a meaning, at a place that is nobody's. */
static int magic_page(struct domain *d, uint64_t at, mfn_t *held)
{
    gfn_t g = gpa_gfn(gpa(at));
    mfn_t m;
    int error = frame_alloc_domain(d, 0, &m);
    if (error != 0) {
        return error;
    }
    error = p2m_map(d, g, m, 1, P2M_RAM_XN);
    if (error != 0) {
        frame_release(m, 0, d->id);
        return error;
    }
    CHECK(frame_get(m, d->id)); /* nobody runs yet who could have taken it away */
    *held = m;
    return 0;
}

static int announce_console(struct domain *d)
{
    struct xen_domain *x = d->xen;
    int error = magic_page(d, GUEST_MAGIC_BASE, &x->console_frame);
    if (error == 0) {
        error = xen_console_create(d);
    }
    if (error == 0) {
        x->console = mfn_to_va(x->console_frame);
        x->param[HVM_PARAM_CONSOLE_PFN] = GUEST_MAGIC_BASE >> FRAME_SHIFT;
        x->param[HVM_PARAM_CONSOLE_EVTCHN] = x->console_port;
    }
    return error;
}

/* The page says that nobody serves it yet; the store will change that and send an event. */
static int announce_store(struct domain *d)
{
    struct xen_domain *x = d->xen;
    uint64_t at = GUEST_MAGIC_BASE + FRAME_SIZE;
    uint32_t port;
    int error = magic_page(d, at, &x->store_frame);
    if (error == 0) {
        error = evtchn_open_unbound(d, STORE_DOMAIN, &port);
    }
    if (error == 0) {
        struct xenstore_domain_interface *ring = mfn_to_va(x->store_frame);
        ring->connection = XENSTORE_RECONNECT;
        x->param[HVM_PARAM_STORE_PFN] = at >> FRAME_SHIFT;
        x->param[HVM_PARAM_STORE_EVTCHN] = port;
        grant_seed(d, GNTTAB_RESERVED_XENSTORE, STORE_DOMAIN, gpa_gfn(gpa(at)), false);
    }
    return error;
}

int xen_domain_start(struct domain *d)
{
    const struct domain_config *c = d->config;
    fresh(d);
    tell_wall_clock(d);
    int error = rights_grant(d);
    d->evtchn->port_limit =
        rights_allow(d, RIGHT_STORE, NULL) ? EVTCHN_PORTS_MAX : EVTCHN_PORTS_DEFAULT;
    if (error == 0) {
        error = grant_domain_create(d);
    }
    if (error == 0 && c != NULL && c->enhanced && !c->dom0) { /* a dom0 has calls for both */
        error = announce_console(d);
        /* The store itself is told of no store: Linux then offers a page of its own. */
        if (error == 0 && !c->enhanced_no_xenstore && !rights_allow(d, RIGHT_STORE, NULL)) {
            error = announce_store(d);
        }
    }
    return error;
}

/* --- Death --- */

static void let_go(mfn_t *held)
{
    if (held->v != MFN_NONE.v) {
        frame_put(*held);
        *held = MFN_NONE;
    }
}

int xen_domain_stop(struct domain *d)
{
    struct xen_domain *x = d->xen;
    if (x == NULL) {
        return 0;
    }
    ioreq_stop(d);
    int error = evtchn_reset(d);
    if (error == 0) {
        error = grant_domain_stop(d);
    }
    if (error == 0) { /* after the steps that may be many, as there may be many vCPUs */
        sched_op_stop(d);
        for (uint32_t i = 0; i < d->vcpu_count; i++) {
            vcpu_op_stop(d->vcpu[i]);
        }
        lock(&x->console_lock);
        x->console = NULL;
        unlock(&x->console_lock);
        vuart_ring_stop(d);
        let_go(&x->console_frame);
        let_go(&x->store_frame);
    }
    return error;
}

void xen_domain_destroy(struct domain *d)
{
    struct xen_domain *x = d->xen;
    if (x == NULL) {
        return;
    }
    evtchn_domain_destroy(d);
    if (x->shared != NULL) {
        frame_free_shared(d, x->shared); /* who builds domains may still map it */
    }
    for (uint32_t i = 0; i < d->vcpu_count; i++) {
        d->vcpu[i]->evtchn = NULL;
    }
    d->xen = NULL;
    d->evtchn = NULL;
    d->grant = NULL;
    frame_free_hyp(d, x, x->order);
}

void xen_tell_domain_exception(void)
{
    for (struct domain *d = domain_next(NULL); d != NULL; d = domain_next(d)) {
        if (rights_allow(d, RIGHT_STORE, NULL) || rights_allow(d, RIGHT_CONTROL, NULL)) {
            evtchn_virq_domain(d, VIRQ_DOM_EXC);
        }
    }
}

/* --- Parameters --- */

/* Told to the guest at its birth; only who controls it may change them. */
static bool param_is_ours(uint32_t index)
{
    return index == HVM_PARAM_CALLBACK_IRQ || index == HVM_PARAM_STORE_PFN ||
           index == HVM_PARAM_STORE_EVTCHN || index == HVM_PARAM_CONSOLE_PFN ||
           index == HVM_PARAM_CONSOLE_EVTCHN;
}

static int64_t param(struct vcpu *v, uint64_t at, bool set)
{
    struct xen_hvm_param p;
    struct domain *d;
    if (guest_va_read(v, &p, at, sizeof(p)) != 0) {
        return -XEN_EFAULT;
    }
    if (p.index >= HVM_NR_PARAMS) {
        return -XEN_EINVAL;
    }
    uint32_t index = array_index_clamp(p.index, HVM_NR_PARAMS);
    int64_t error = xen_target(v, p.domid, &d);
    if (error != 0) {
        return error;
    }
    bool foreign = d != v->domain;
    if (!param_is_ours(index) && index != HVM_PARAM_MONITOR_RING_PFN) {
        error = -XEN_EINVAL;
    } else if (!foreign && (set || index == HVM_PARAM_MONITOR_RING_PFN)) {
        error = -XEN_EPERM;
    } else {
        lock(&d->xen->lock);
        if (set) {
            d->xen->param[index] = p.value;
        } else {
            p.value = d->xen->param[index];
        }
        unlock(&d->xen->lock);
    }
    domain_put(d);
    if (error == 0 && !set && guest_va_write(v, at, &p, sizeof(p)) != 0) {
        error = -XEN_EFAULT;
    }
    return error;
}

int64_t hvm_op(struct vcpu *v, uint64_t *arg)
{
    switch ((uint32_t)arg[0]) {
    case HVMOP_set_param:
        return param(v, arg[1], true);
    case HVMOP_get_param:
        return param(v, arg[1], false);
    case HVMOP_guest_request_vm_event: /* nobody listens: as Xen without a monitor */
        return arg[1] != 0 ? -XEN_EINVAL : 0;
    default:
        return -XEN_ENOSYS;
    }
}
