/*
 * sched_op: a guest waits, gives way, or ends.
 *
 * Source: public/sched.h.
 */
#include "xen-internal.h"

#include <hyp/arch.h>
#include <hyp/evtchn.h>
#include <hyp/log.h>
#include <hyp/rights.h>
#include <hyp/sched.h>
#include <hyp/xen.h>
#include <xen/sched.h>

#define POLL_PORTS_MAX 128u /* as Xen */

/* 1: one of the ports is pending; 0: none; negative: the list is bad. */
static int64_t any_pending(struct vcpu *v, const struct sched_poll *p)
{
    for (uint32_t i = 0; i < p->nr_ports; i++) {
        evtchn_port_t port;
        if (guest_va_read(v, &port, p->ports + i * sizeof(port), sizeof(port)) != 0) {
            return -XEN_EFAULT;
        }
        if (port == 0 || port >= v->domain->evtchn->port_count) {
            return -XEN_EINVAL;
        }
        if (evtchn_is_pending(v->domain, port)) {
            return 1;
        }
    }
    return 0;
}

static void poll_end(struct vcpu *v)
{
    timer_cancel(&v->evtchn->poll_timer);
    __atomic_fetch_and(&v->domain->evtchn->polling, ~(1ull << v->id), __ATOMIC_SEQ_CST);
}

/*
 * Say that we poll, then look at the ports: who raises sets the bit first and
 * then looks at who polls. One of the two sees the other. What is left of an
 * earlier poll that something else ended is swept away first; at worst it
 * wakes a vCPU for nothing.
 */
static int64_t poll(struct vcpu *v, struct domain *d, const uint64_t *reg, void *arg)
{
    const struct sched_poll *p = arg;
    if (p->nr_ports > POLL_PORTS_MAX) {
        return -XEN_EINVAL;
    }
    poll_end(v);
    evtchn_port_t only = 0;
    if (p->nr_ports == 1 && guest_va_read(v, &only, p->ports, sizeof(only)) != 0) {
        return -XEN_EFAULT;
    }
    __atomic_store_n(&v->evtchn->poll_port, only, __ATOMIC_RELAXED);
    __atomic_fetch_or(&v->domain->evtchn->polling, 1ull << v->id, __ATOMIC_SEQ_CST);
    int64_t found = any_pending(v, p);
    if (found != 0 || vgic_has_pending(v)) {
        poll_end(v);
        return found < 0 ? found : 0;
    }
    if (p->timeout != 0) {
        timer_set(&v->evtchn->poll_timer, v->domain->vtimer_offset_ticks + ns_to_ticks(p->timeout));
    }
    sched_block(v);
    return 0;
}

/* Sleep until an interrupt is pending for the vCPU; one that arrives in between is remembered by sched_wake(). */
static int64_t block(struct vcpu *v, struct domain *d, const uint64_t *reg, void *arg)
{
    if (!vgic_has_pending(v)) {
        sched_block(v);
    }
    return 0;
}

/* SCHEDOP_shutdown, and SCHEDOP_shutdown_code, which says why beforehand: the first word counts. */
static int64_t shut_down(struct vcpu *v, struct domain *d, const uint64_t *reg, void *arg)
{
    const struct sched_shutdown *s = arg;
    struct xen_domain *x = d->xen;
    if (s->reason > SHUTDOWN_MAX) {
        return -XEN_EINVAL;
    }
    lock(&x->lock);
    if (x->shutdown_code < 0) {
        x->shutdown_code = (int32_t)s->reason;
    }
    enum shutdown_reason reason = (enum shutdown_reason)x->shutdown_code;
    unlock(&x->lock);
    if ((uint32_t)reg[0] == SCHEDOP_shutdown) {
        domain_shutdown(d, reason);
    }
    return 0;
}

static int64_t remote_shutdown(struct vcpu *v, struct domain *d, const uint64_t *reg, void *arg)
{
    const struct sched_remote_shutdown *s = arg;
    if (d == v->domain) {
        return s->domain_id == DOMID_SELF ? -XEN_ESRCH : -XEN_EPERM;
    }
    if (s->reason > SHUTDOWN_MAX) {
        return -XEN_EINVAL;
    }
    domain_shutdown(d, (enum shutdown_reason)s->reason);
    return 0;
}

/* --- Watchdogs: a domain that stops talking to one is stopped itself --- */

static void watchdog_bites(struct timer *t, uint64_t now_ticks)
{
    struct xen_watchdog *w = container_of(t, struct xen_watchdog, timer);
    log_warn("%s: its watchdog was not fed in time.", w->domain->name);
    domain_shutdown(w->domain, SHUTDOWN_watchdog);
}

/* The one that is named, or for number 0 one that is not in use, whose number is returned. */
static int64_t watchdog_locked(struct xen_domain *x, const struct sched_watchdog *op)
{
    bool new = op->id == 0;
    struct xen_watchdog *w = NULL;
    uint32_t id = 0;
    while (w == NULL && id < XEN_WATCHDOGS) {
        struct xen_watchdog *at = &x->watchdog[id++];
        w = (new ? !at->on : at->on && op->id == id) ? at : NULL;
    }
    if (w == NULL || (new && op->timeout == 0)) {
        return new && op->timeout != 0 ? -XEN_EEXIST : -XEN_EINVAL;
    }
    w->on = op->timeout != 0;
    if (w->on) {
        timer_set(&w->timer, arch_counter_ticks() + op->timeout * arch_counter_hz());
    } else {
        timer_cancel(&w->timer);
    }
    return new ? id : 0;
}

static int64_t watchdog(struct vcpu *v, struct domain *d, const uint64_t *reg, void *arg)
{
    lock(&d->xen->lock);
    int64_t result = watchdog_locked(d->xen, arg);
    unlock(&d->xen->lock);
    return result;
}

int64_t sched_op(struct vcpu *v, uint64_t *arg)
{
    static const struct xen_op ops[] = {
        [SCHEDOP_block] = {block},
        [SCHEDOP_shutdown] = {shut_down, sizeof(struct sched_shutdown)},
        [SCHEDOP_poll] = {poll, sizeof(struct sched_poll)},
        [SCHEDOP_remote_shutdown] = {remote_shutdown, sizeof(struct sched_remote_shutdown), 0,
                                     RIGHT_BIT(RIGHT_CONTROL)},
        [SCHEDOP_shutdown_code] = {shut_down, sizeof(struct sched_shutdown)},
        [SCHEDOP_watchdog] = {watchdog, sizeof(struct sched_watchdog)},
        [SCHEDOP_pin_override] = {.error = XEN_EPERM},
    };
    if ((uint32_t)arg[0] == SCHEDOP_yield) { /* by who spins: quickly */
        sched_yield(v);
        return 0;
    }
    return xen_op(v, arg, ops, ARRAY_LEN(ops), arg[1]);
}

void sched_op_init(struct domain *d)
{
    for (unsigned i = 0; i < XEN_WATCHDOGS; i++) {
        timer_init(&d->xen->watchdog[i].timer, watchdog_bites);
        d->xen->watchdog[i].domain = d;
    }
}

void sched_op_stop(struct domain *d)
{
    for (unsigned i = 0; i < XEN_WATCHDOGS; i++) {
        timer_retire(&d->xen->watchdog[i].timer);
        d->xen->watchdog[i].on = false;
    }
}
