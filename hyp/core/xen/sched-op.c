/*
 * sched_op: a guest waits, gives way, or ends.
 *
 * Source: public/sched.h.
 */
#include "xen-internal.h"

#include <hyp/arch.h>
#include <hyp/evtchn.h>
#include <hyp/log.h>
#include <hyp/sched.h>
#include <hyp/xen.h>
#include <xen/sched.h>

#define POLL_PORTS_MAX 128u /* as Xen */

/* Sleep until an interrupt is pending for the vCPU; one that arrives in between is remembered by sched_wake(). */
static void wait_for_interrupt(struct vcpu *v)
{
    if (!vgic_has_pending(v)) {
        sched_block(v);
    }
}

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

static void poll_over(struct timer *t, uint64_t now_ticks)
{
    struct evtchn_vcpu *x = container_of(t, struct evtchn_vcpu, poll_timer);
    sched_wake(x->vcpu);
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
static int64_t poll(struct vcpu *v, uint64_t at)
{
    struct sched_poll p;
    struct evtchn_vcpu *x = v->evtchn;
    if (guest_va_read(v, &p, at, sizeof(p)) != 0) {
        return -XEN_EFAULT;
    }
    if (p.nr_ports > POLL_PORTS_MAX) {
        return -XEN_EINVAL;
    }
    poll_end(v);
    evtchn_port_t only = 0;
    if (p.nr_ports == 1 && guest_va_read(v, &only, p.ports, sizeof(only)) != 0) {
        return -XEN_EFAULT;
    }
    __atomic_store_n(&x->poll_port, only, __ATOMIC_RELAXED);
    __atomic_fetch_or(&v->domain->evtchn->polling, 1ull << v->id, __ATOMIC_SEQ_CST);
    int64_t found = any_pending(v, &p);
    if (found != 0 || vgic_has_pending(v)) {
        poll_end(v);
        return found < 0 ? found : 0;
    }
    if (p.timeout != 0) {
        timer_set(&x->poll_timer, v->domain->vtimer_offset_ticks + ns_to_ticks(p.timeout));
    }
    sched_block(v);
    return 0;
}

static int64_t shut_down(struct vcpu *v, uint64_t at, bool later)
{
    struct sched_shutdown s;
    struct xen_domain *x = v->domain->xen;
    if (guest_va_read(v, &s, at, sizeof(s)) != 0) {
        return -XEN_EFAULT;
    }
    if (s.reason > SHUTDOWN_MAX) {
        return -XEN_EINVAL;
    }
    lock(&x->lock);
    if (x->shutdown_code < 0) { /* the first word counts */
        x->shutdown_code = (int32_t)s.reason;
    }
    enum shutdown_reason reason = (enum shutdown_reason)x->shutdown_code;
    unlock(&x->lock);
    if (!later) {
        domain_shutdown(v->domain, reason);
    }
    return 0;
}

static int64_t remote_shutdown(struct vcpu *v, uint64_t at)
{
    struct sched_remote_shutdown s;
    struct domain *d;
    if (guest_va_read(v, &s, at, sizeof(s)) != 0) {
        return -XEN_EFAULT;
    }
    if (s.reason > SHUTDOWN_MAX) {
        return -XEN_EINVAL;
    }
    int64_t error = s.domain_id == DOMID_SELF ? -XEN_ESRCH : xen_target(v, s.domain_id, &d);
    if (error == 0) {
        if (d == v->domain) {
            error = -XEN_EPERM;
        } else {
            domain_shutdown(d, (enum shutdown_reason)s.reason);
        }
        domain_put(d);
    }
    return error;
}

/* --- Watchdogs: a domain that stops talking to one is stopped itself --- */

static void watchdog_bites(struct timer *t, uint64_t now_ticks)
{
    struct xen_watchdog *w = container_of(t, struct xen_watchdog, timer);
    log_warn("%s: its watchdog was not fed in time.", w->domain->name);
    domain_shutdown(w->domain, SHUTDOWN_watchdog);
}

static int64_t watchdog_set(struct xen_domain *x, uint32_t i, uint32_t timeout_s)
{
    struct xen_watchdog *w = &x->watchdog[i];
    w->on = timeout_s != 0;
    if (w->on) {
        timer_set(&w->timer, arch_counter_ticks() + timeout_s * arch_counter_hz());
    } else {
        timer_cancel(&w->timer);
    }
    return 0;
}

static int64_t watchdog_locked(struct xen_domain *x, const struct sched_watchdog *op)
{
    if (op->id == 0) {
        for (uint32_t i = 0; i < XEN_WATCHDOGS && op->timeout != 0; i++) {
            if (!x->watchdog[i].on) {
                (void)watchdog_set(x, i, op->timeout);
                return i + 1;
            }
        }
        return op->timeout == 0 ? -XEN_EINVAL : -XEN_EEXIST;
    }
    if (op->id > XEN_WATCHDOGS || !x->watchdog[array_index_clamp(op->id - 1, XEN_WATCHDOGS)].on) {
        return -XEN_EINVAL;
    }
    return watchdog_set(x, array_index_clamp(op->id - 1, XEN_WATCHDOGS), op->timeout);
}

static int64_t watchdog(struct vcpu *v, uint64_t at)
{
    struct sched_watchdog op;
    if (guest_va_read(v, &op, at, sizeof(op)) != 0) {
        return -XEN_EFAULT;
    }
    lock(&v->domain->xen->lock);
    int64_t result = watchdog_locked(v->domain->xen, &op);
    unlock(&v->domain->xen->lock);
    return result;
}

int64_t sched_op(struct vcpu *v, uint64_t *arg)
{
    switch ((uint32_t)arg[0]) {
    case SCHEDOP_yield:
        sched_yield(v);
        return 0;
    case SCHEDOP_block:
        wait_for_interrupt(v);
        return 0;
    case SCHEDOP_shutdown:
        return shut_down(v, arg[1], false);
    case SCHEDOP_poll:
        return poll(v, arg[1]);
    case SCHEDOP_remote_shutdown:
        return remote_shutdown(v, arg[1]);
    case SCHEDOP_shutdown_code:
        return shut_down(v, arg[1], true);
    case SCHEDOP_watchdog:
        return watchdog(v, arg[1]);
    case SCHEDOP_pin_override:
        return -XEN_EPERM;
    default:
        return -XEN_ENOSYS;
    }
}

void sched_op_init(struct domain *d)
{
    for (unsigned i = 0; i < XEN_WATCHDOGS; i++) {
        timer_init(&d->xen->watchdog[i].timer, watchdog_bites);
        d->xen->watchdog[i].domain = d;
    }
    d->xen->shutdown_code = -1;
}

void sched_op_vcpu_init(struct vcpu *v)
{
    timer_init(&v->evtchn->poll_timer, poll_over);
}

void sched_op_stop(struct domain *d)
{
    for (unsigned i = 0; i < XEN_WATCHDOGS; i++) {
        timer_retire(&d->xen->watchdog[i].timer);
        d->xen->watchdog[i].on = false;
    }
    for (uint32_t i = 0; i < d->vcpu_count; i++) {
        timer_retire(&d->vcpu[i]->evtchn->poll_timer);
    }
    d->evtchn->polling = 0;
    d->xen->shutdown_code = -1;
}
