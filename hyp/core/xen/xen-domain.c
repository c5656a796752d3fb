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
    int error = rights_require(v->domain, any_of, d, "a call on behalf");
    if (error == 0) {
        *out = d;
    } else {
        domain_put(d);
    }
    return error;
}

int xen_target(struct vcpu *v, domid_t id, struct domain **out)
{
    return xen_target_by(v, id, RIGHT_BIT(RIGHT_CONTROL), out);
}

struct xen_links xen_links(struct domain *d)
{
    struct xen_links l = {0};
    lock(&d->evtchn->lock);
    for (uint32_t port = 1; port < d->evtchn->port_count; port++) {
        uint8_t state = evtchn_of(d->evtchn, port)->state;
        l.channels += state != EVTCHN_FREE;
        l.interdomain += state == EVTCHN_INTERDOMAIN;
    }
    unlock(&d->evtchn->lock);
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
        tell_wall_clock(d);
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
    return frame_order(sizeof(*d->xen) + d->vcpu_max * sizeof(d->xen->vcpu[0]));
}

void xen_vcpu_create(struct vcpu *v)
{
    v->evtchn = &v->domain->xen->vcpu[v->id];
    vcpu_op_init(v);
}

/* What every start begins with: nothing pending, everything masked as nothing is bound. */
static void fresh(struct domain *d)
{
    memset(d->xen->shared, 0, FRAME_SIZE);
    memset(d->xen->shared->evtchn_mask, 0xff, sizeof(d->xen->shared->evtchn_mask));
    memset(d->xen->param, 0, sizeof(d->xen->param));
    d->xen->vm_assist = 0;
    d->xen->shutdown_code = -1;
    d->evtchn->polling = 0;
    d->xen->time_offset_s = 0;
    d->vcpu[0]->evtchn->info = &d->xen->shared->vcpu_info[0];
    d->xen->param[HVM_PARAM_CALLBACK_IRQ] = (uint64_t)HVM_PARAM_CALLBACK_TYPE_PPI << 56 |
                                            HVM_PARAM_CALLBACK_TYPE_PPI_FLAG_LOW_LEVEL << 8 |
                                            GUEST_EVTCHN_PPI;
}

int xen_domain_create(struct domain *d)
{
    struct xen_domain *x = frame_alloc_hyp(d, order_for(d));
    if (x == NULL) {
        return -XEN_ENOMEM;
    }
    d->xen = x;
    d->evtchn = &x->evtchn;
    d->grant = &x->grant;
    for (uint32_t i = 0; i < d->vcpu_count; i++) {
        xen_vcpu_create(d->vcpu[i]);
    }
    lock_init(&x->lock, RANK_VDEV);
    lock_init(&x->ioreq_lock, RANK_IOREQ);
    lock_init(&x->console_lock, RANK_XEN_CONSOLE);
    sched_op_init(d);
    evtchn_domain_init(d);
    grant_domain_init(d);
    x->shared = frame_alloc_hyp(d, 0);
    if (x->shared == NULL) {
        return -XEN_ENOMEM;
    }
    frame_share(x->shared);
    return 0;
}

/* The n-th page of the guest's memory with a meaning, referenced: it is told of it by `param`. */
static int magic_page(struct domain *d, unsigned n, unsigned param, mfn_t *held)
{
    gfn_t at = gfn((GUEST_MAGIC_BASE >> FRAME_SHIFT) + n);
    int error = physmap_populate(d, at, 0, P2M_RAM_XN);
    d->xen->param[param] = at.v;
    return error == 0 ? xen_own_frame(d, at, held) : error;
}

static int announce_console(struct domain *d)
{
    mfn_t m;
    int error = magic_page(d, 0, HVM_PARAM_CONSOLE_PFN, &m);
    if (error == 0) {
        error = xen_console_create(d, mfn_to_va(m));
    }
    d->xen->param[HVM_PARAM_CONSOLE_EVTCHN] = d->xen->console_port;
    return error;
}

/* The page says that nobody serves it yet; the store will change that and send an event. */
static int announce_store(struct domain *d)
{
    uint64_t *param = d->xen->param;
    uint32_t port = 0;
    mfn_t m;
    int error = magic_page(d, 1, HVM_PARAM_STORE_PFN, &m);
    if (error == 0) {
        ((struct xenstore_domain_interface *)mfn_to_va(m))->connection = XENSTORE_RECONNECT;
        frame_put(m);
        grant_seed(d, GNTTAB_RESERVED_XENSTORE, STORE_DOMAIN, gfn(param[HVM_PARAM_STORE_PFN]));
        error = evtchn_open(d, EVTCHN_UNBOUND, STORE_DOMAIN, NULL, &port);
    }
    param[HVM_PARAM_STORE_EVTCHN] = port;
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
    if (error == 0 && c->enhanced && !c->dom0) { /* a dom0 has calls for both */
        error = announce_console(d);
        /* The store itself is told of no store: Linux then offers a page of its own. */
        if (error == 0 && !c->enhanced_no_xenstore && !rights_allow(d, RIGHT_STORE, NULL)) {
            error = announce_store(d);
        }
    }
    return error;
}

/* --- Death --- */

int xen_domain_stop(struct domain *d)
{
    ioreq_stop(d);
    int error = evtchn_domain_stop(d);
    if (error == 0) {
        error = grant_domain_stop(d);
    }
    if (error == 0) { /* after the steps that may be many, as there may be many vCPUs */
        sched_op_stop(d);
        for (uint32_t i = 0; i < d->vcpu_count; i++) {
            vcpu_op_stop(d->vcpu[i]);
        }
        xen_console_stop(d);
        vuart_ring_stop(d);
    }
    return error;
}

void xen_domain_destroy(struct domain *d)
{
    struct xen_domain *x = d->xen;
    if (x == NULL) {
        return;
    }
    if (x->shared != NULL) {
        frame_free_shared(d, x->shared); /* who builds domains may still map it */
    }
    frame_free_hyp(d, x, order_for(d));
}

void xen_tell_domain_exception(void)
{
    for (struct domain *d = domain_next(NULL); d != NULL; d = domain_next(d)) {
        if (rights_allow(d, RIGHT_STORE, NULL) || rights_allow(d, RIGHT_CONTROL, NULL)) {
            evtchn_virq(d->vcpu[0], VIRQ_DOM_EXC);
        }
    }
}

/* --- Parameters --- */

/* Those that there are. A guest reads at most what it was told at its birth; who controls it may change all. */
#define PARAM_BIT(name) (1ull << HVM_PARAM_##name)
#define PARAMS_TOLD                                                             \
    (PARAM_BIT(CALLBACK_IRQ) | PARAM_BIT(STORE_PFN) | PARAM_BIT(STORE_EVTCHN) | \
     PARAM_BIT(CONSOLE_PFN) | PARAM_BIT(CONSOLE_EVTCHN))
#define PARAMS (PARAMS_TOLD | PARAM_BIT(MONITOR_RING_PFN))

static int64_t param(struct vcpu *v, struct domain *d, const uint64_t *reg, void *arg)
{
    struct xen_hvm_param *p = arg;
    bool set = (uint32_t)reg[0] == HVMOP_set_param, own = d == v->domain;
    if (p->index >= HVM_NR_PARAMS || (PARAMS >> p->index & 1) == 0) {
        return -XEN_EINVAL;
    }
    if (own && (set || (PARAMS_TOLD >> p->index & 1) == 0)) {
        return -XEN_EPERM;
    }
    uint64_t *value = &d->xen->param[array_index_clamp(p->index, HVM_NR_PARAMS)];
    lock(&d->xen->lock);
    if (set) {
        *value = p->value;
    }
    p->value = *value;
    unlock(&d->xen->lock);
    return 0;
}

/* Nobody listens: as Xen without a monitor. */
static int64_t request_vm_event(struct vcpu *v, struct domain *d, const uint64_t *reg, void *arg)
{
    return reg[1] != 0 ? -XEN_EINVAL : 0;
}

int64_t hvm_op(struct vcpu *v, uint64_t *arg)
{
    static const struct xen_op ops[] = {
        [HVMOP_set_param] = {param, sizeof(struct xen_hvm_param), 0, RIGHT_BIT(RIGHT_CONTROL)},
        [HVMOP_get_param] = {param, sizeof(struct xen_hvm_param), OP_OUT, RIGHT_BIT(RIGHT_CONTROL)},
        [HVMOP_guest_request_vm_event] = {request_vm_event},
    };
    return xen_op(v, arg, ops, ARRAY_LEN(ops), arg[1]);
}
