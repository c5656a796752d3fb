/*
 * Event channels: the table, raising, and the operations on channels.
 * Invariants E1..E4 and the state machine are in hyp/evtchn.h.
 *
 * Edges: take_port() FREE -> any; close_locked() any -> FREE (and the peer's
 * INTERDOMAIN -> UNBOUND); bind_interdomain() the peer's UNBOUND -> INTERDOMAIN.
 */
#include <hyp/evtchn.h>

#include "xen-internal.h"

#include <hyp/arch.h>
#include <hyp/rights.h>
#include <hyp/sched.h>

#define STOP_PAGES 16u /* that one call of evtchn_domain_stop() gives back, with the lock */

/* --- Raising --- */

/* Set one bit; true if it was set before. Ordered against all accesses around it. */
static bool bit_test_and_set(uint64_t *words, uint32_t bit)
{
    uint64_t mask = 1ull << bit % 64;
    return (__atomic_fetch_or(&words[bit / 64], mask, __ATOMIC_SEQ_CST) & mask) != 0;
}

static bool bit_test_and_clear(uint64_t *words, uint32_t bit)
{
    uint64_t mask = 1ull << bit % 64;
    return (__atomic_fetch_and(&words[bit / 64], ~mask, __ATOMIC_SEQ_CST) & mask) != 0;
}

static bool bit_test(const uint64_t *words, uint32_t bit)
{
    return (__atomic_load_n(&words[bit / 64], __ATOMIC_SEQ_CST) >> bit % 64 & 1) != 0;
}

void evtchn_upcall(struct vcpu *v)
{
    if (__atomic_exchange_n(&v->evtchn->info->evtchn_upcall_pending, 1, __ATOMIC_SEQ_CST) == 0) {
        vgic_inject(v, VIRQ_EVTCHN);
    }
}

/* Wake who polls for `port`: it named that one, or several. */
static void wake_pollers(struct domain *d, uint32_t port)
{
    uint64_t polling = __atomic_load_n(&d->evtchn->polling, __ATOMIC_SEQ_CST);
    for (uint32_t i = 0; polling != 0 && i < d->vcpu_count; i++) {
        struct vcpu *v = d->vcpu[i];
        uint32_t wanted = __atomic_load_n(&v->evtchn->poll_port, __ATOMIC_RELAXED);
        if ((polling >> i & 1) != 0 && (wanted == port || wanted == 0)) {
            __atomic_fetch_and(&d->evtchn->polling, ~(1ull << i), __ATOMIC_SEQ_CST);
            sched_wake(v);
        }
    }
}

/* Two-level ABI: `port` is pending, and newly so or newly unmasked. Its vCPU hears unless it is masked. */
static void two_level_tell(struct domain *d, const struct evtchn *c, uint32_t port)
{
    if (!bit_test(d->xen->shared->evtchn_mask, port)) {
        struct vcpu *v = d->vcpu[__atomic_load_n(&c->vcpu, __ATOMIC_RELAXED)];
        if (!bit_test_and_set(&v->evtchn->info->evtchn_pending_sel, port / 64)) {
            evtchn_upcall(v);
        }
    }
}

/* Apart, so that an event that was pending anyway saves no registers. `two_level`: its bit is new. */
static apart void tell(struct domain *d, uint32_t port, bool two_level)
{
    struct evtchn_domain *e = d->evtchn;
    struct evtchn *c = evtchn_at(e, port);
    bool fresh = two_level;
    if (two_level) {
        two_level_tell(d, c, port);
    }
    if (__atomic_load_n(&e->fifo_page, __ATOMIC_SEQ_CST) != NULL) {
        fresh |= fifo_raise(d, c, port);
    }
    if (fresh && unlikely(__atomic_load_n(&e->polling, __ATOMIC_SEQ_CST) != 0)) {
        wake_pollers(d, port);
    }
}

/*
 * Pending bit first, then look at the mask: a guest that unmasks clears the
 * mask first and then looks at pending. One of the two sees the other's write.
 * The FIFO is looked at once more afterwards: the guest may be changing to it,
 * and have looked at the two-level bit before we set it.
 */
void evtchn_raise(struct domain *d, uint32_t port)
{
    struct evtchn_domain *e = d->evtchn;
    bool fresh = __atomic_load_n(&e->fifo_page, __ATOMIC_RELAXED) == NULL &&
                 port < EVTCHN_2L_NR_CHANNELS &&
                 !bit_test_and_set(d->xen->shared->evtchn_pending, port);
    if (fresh || __atomic_load_n(&e->fifo_page, __ATOMIC_SEQ_CST) != NULL) {
        tell(d, port, fresh);
    }
}

bool evtchn_is_pending(struct domain *d, evtchn_port_t port)
{
    if (d->evtchn->fifo_page != NULL) {
        return (fifo_clear(d, port, 0) & 1u << EVTCHN_FIFO_PENDING) != 0;
    }
    return port < EVTCHN_2L_NR_CHANNELS && bit_test(d->xen->shared->evtchn_pending, port);
}

bool evtchn_clear_two_level(struct domain *d, evtchn_port_t port)
{
    return port < EVTCHN_2L_NR_CHANNELS && bit_test_and_clear(d->xen->shared->evtchn_pending, port);
}

/* --- The table; callers hold its lock --- */

static int grow(struct domain *d)
{
    struct evtchn_domain *e = d->evtchn;
    if (e->bucket == NULL) {
        e->bucket = frame_alloc_hyp(d, 0);
    }
    struct evtchn *page = e->bucket != NULL ? frame_alloc_hyp(d, 0) : NULL;
    if (page == NULL) {
        return -XEN_ENOMEM;
    }
    e->bucket[e->port_count / EVTCHN_BUCKET] = page;
    __atomic_store_n(&e->port_count, e->port_count + EVTCHN_BUCKET, __ATOMIC_RELEASE);
    return 0;
}

/* The lowest free port becomes the channel `as`. Bounded: search_from skips what is known to be taken. */
static int take_port(struct domain *d, struct evtchn *as, uint32_t *out)
{
    struct evtchn_domain *e = d->evtchn;
    bool fifo = e->fifo_page != NULL;
    uint32_t limit = fifo ? EVTCHN_FIFO_NR_CHANNELS : EVTCHN_2L_NR_CHANNELS, first_busy = 0;
    limit = limit < e->port_limit ? limit : e->port_limit;
    for (uint32_t port = e->search_from; port < limit; port++) {
        int error = port >= e->port_count ? grow(d) : 0;
        if (error != 0) {
            return error;
        }
        struct evtchn *c = evtchn_at(e, port);
        if (c->state != EVTCHN_FREE) {
            continue;
        }
        if (fifo && (fifo_clear(d, port, 0) & 1u << EVTCHN_FIFO_LINKED) != 0) {
            first_busy = first_busy != 0 ? first_busy : port; /* still linked by the guest: later */
            continue;
        }
        as->priority = EVTCHN_FIFO_PRIORITY_DEFAULT;
        as->fifo_priority = c->fifo_priority;
        as->fifo_vcpu = c->fifo_vcpu;
        *c = *as;
        e->search_from = first_busy != 0 ? first_busy : port + 1;
        *out = port;
        return 0;
    }
    return -XEN_ENOSPC;
}

/* The port's life ends, and nothing of it is pending in the next one. */
static void set_free(struct domain *d, struct evtchn *c, uint32_t port)
{
    struct evtchn_domain *e = d->evtchn;
    (void)evtchn_clear_two_level(d, port);
    if (e->fifo_page != NULL) { /* it may still be linked; the guest unlinks it when it comes by */
        (void)fifo_clear(d, port, 1u << EVTCHN_FIFO_PENDING);
    }
    c->state = EVTCHN_FREE;
    c->remote = NULL;
    c->fifo_pending = false;
    if (port < e->search_from) {
        e->search_from = port;
    }
}

static bool virq_is_per_vcpu(uint32_t virq)
{
    return virq == VIRQ_TIMER || virq == VIRQ_DEBUG || virq == VIRQ_XENOPROF || virq == VIRQ_XENPMU;
}

/* Close `port`; the peer's table is locked too if it is INTERDOMAIN. */
static void close_locked(struct domain *d, struct evtchn *c, uint32_t port)
{
    if (c->state == EVTCHN_INTERDOMAIN) {
        struct evtchn *peer = evtchn_of(c->remote->evtchn, c->remote_port);
        peer->state = EVTCHN_UNBOUND;
        peer->remote = NULL;
        peer->remote_id = d->id;
    } else if (c->state == EVTCHN_VIRQ) {
        /* A domain-wide one may have been moved by bind_vcpu; it is registered at vCPU 0. */
        d->vcpu[virq_is_per_vcpu(c->virq) ? c->vcpu : 0]->evtchn->virq_port[c->virq] = 0;
    }
    set_free(d, c, port);
}

/*
 * An INTERDOMAIN channel needs the lock of its peer's table too, and only lock_both() knows the order
 * of the two: the peer may change between look and lock. Then -XEN_ERESTART: the guest calls again.
 */
static int64_t close_port(struct domain *d, uint32_t port)
{
    lock_t *ours = &d->evtchn->lock;
    lock(ours);
    struct evtchn *c = evtchn_of(d->evtchn, port);
    if (c == NULL || c->state == EVTCHN_FREE || c->state == EVTCHN_SERVED) {
        unlock(ours);
        return -XEN_EINVAL;
    }
    if (c->state != EVTCHN_INTERDOMAIN || c->remote == d) {
        close_locked(d, c, port);
        unlock(ours);
        return 0;
    }
    struct domain *peer = domain_hold(c->remote);
    unlock(ours);
    lock_t *theirs = &peer->evtchn->lock;
    lock_both(ours, theirs);
    bool same = c->state == EVTCHN_INTERDOMAIN && c->remote == peer;
    if (same) {
        close_locked(d, c, port);
    }
    unlock_both(ours, theirs);
    domain_put(peer);
    return same ? 0 : -XEN_ERESTART;
}

/* Close every channel but those SERVED, FIFO state gone. -XEN_ERESTART: a bounded number done. */
static int close_all(struct domain *d)
{
    struct evtchn_domain *e = d->evtchn;
    uint32_t port = e->reset_at;
    for (int steps = 4096; steps > 0 && port < e->port_count; port++, steps--) {
        uint8_t state =
            evtchn_at(e, port)->state; /* a glance without the lock: close_port() looks */
        if (state != EVTCHN_FREE && state != EVTCHN_SERVED) {
            steps -= 128; /* what closing one costs in glances */
            if (close_port(d, port) == -XEN_ERESTART) {
                break;
            }
        }
    }
    e->reset_at = port < e->port_count ? port : 0;
    if (e->reset_at != 0) {
        return -XEN_ERESTART;
    }
    fifo_destroy(d);
    return 0;
}

/* --- From the hypervisor's side --- */

int evtchn_open(struct domain *d, enum evtchn_state state, domid_t remote, evtchn_notify_fn notify,
                evtchn_port_t *port)
{
    struct evtchn as = {.state = (uint8_t)state, .remote_id = remote, .notify = notify};
    lock(&d->evtchn->lock);
    int error = take_port(d, &as, port);
    unlock(&d->evtchn->lock);
    return error;
}

void evtchn_close_served(struct domain *d, evtchn_port_t port)
{
    lock(&d->evtchn->lock);
    struct evtchn *c = evtchn_of(d->evtchn, port);
    if (c != NULL && c->state == EVTCHN_SERVED) {
        set_free(d, c, port);
    }
    unlock(&d->evtchn->lock);
}

void evtchn_notify(struct domain *d, evtchn_port_t port)
{
    lock(&d->evtchn->lock);
    struct evtchn *c = evtchn_of(d->evtchn, port);
    if (c != NULL && c->state == EVTCHN_XEN) {
        evtchn_raise(d, port);
    }
    unlock(&d->evtchn->lock);
}

void evtchn_notify_served(struct domain *d, evtchn_port_t port)
{
    lock(&d->evtchn->lock);
    struct evtchn *c = evtchn_of(d->evtchn, port);
    bool bound = c != NULL && c->state == EVTCHN_SERVED && c->remote_port != 0;
    uint32_t there = bound ? c->remote_port : 0;
    domid_t id = bound ? c->remote_id : DOMID_INVALID;
    unlock(&d->evtchn->lock);
    struct domain *remote = domain_get(id);
    if (remote != NULL) {
        evtchn_notify(remote, there);
        domain_put(remote);
    }
}

void evtchn_virq(struct vcpu *v, unsigned virq)
{
    struct evtchn_domain *e = v->domain->evtchn;
    lock(&e->lock);
    uint32_t port = v->evtchn->virq_port[virq];
    if (port != 0) {
        evtchn_raise(v->domain, port);
    }
    unlock(&e->lock);
}

/* --- Operations. Each has its structure copied in, and out again if it succeeds. --- */

static int64_t alloc_unbound(struct vcpu *v, struct domain *d, const uint64_t *reg, void *arg)
{
    struct evtchn_alloc_unbound *op = arg;
    domid_t remote = op->remote_dom == DOMID_SELF ? v->domain->id : op->remote_dom;
    struct evtchn as = {.state = EVTCHN_UNBOUND, .remote_id = remote};
    return take_port(d, &as, &op->port);
}

static int64_t bind_locked(struct domain *d, struct domain *remote,
                           struct evtchn_bind_interdomain *op)
{
    struct evtchn *theirs = evtchn_of(remote->evtchn, op->remote_port);
    bool served = theirs != NULL && theirs->state == EVTCHN_SERVED && remote != d;
    if (op->remote_port == 0 || theirs == NULL || theirs->remote_id != d->id ||
        (theirs->state != EVTCHN_UNBOUND && !served)) {
        return -XEN_EINVAL;
    }
    struct evtchn ours = {.state = served ? EVTCHN_XEN : EVTCHN_INTERDOMAIN,
                          .remote_id = remote->id,
                          .remote_port = op->remote_port};
    if (served) {
        ours.notify = theirs->notify;
    } else {
        ours.remote = remote;
    }
    int error = take_port(d, &ours, &op->local_port);
    if (error != 0) {
        return error;
    }
    theirs->remote_port = op->local_port; /* SERVED and bound anew: the last one hears it */
    if (!served) {
        theirs->state = EVTCHN_INTERDOMAIN;
        theirs->remote = d;
        /* What the peer sent before there was anybody to hear it is heard now. */
        evtchn_raise(d, op->local_port);
    }
    return 0;
}

static int64_t bind_interdomain(struct vcpu *v, struct domain *d, const uint64_t *reg, void *arg)
{
    struct evtchn_bind_interdomain *op = arg;
    struct domain *remote =
        op->remote_dom == DOMID_SELF ? domain_hold(d) : domain_get(op->remote_dom);
    if (remote == NULL) {
        return -XEN_ESRCH;
    }
    lock_both(&d->evtchn->lock, &remote->evtchn->lock);
    int64_t error = bind_locked(d, remote, op);
    unlock_both(&d->evtchn->lock, &remote->evtchn->lock);
    domain_put(remote);
    return error;
}

static int64_t bind_virq(struct vcpu *v, struct domain *d, const uint64_t *reg, void *arg)
{
    struct evtchn_bind_virq *op = arg;
    if (op->virq >= NR_VIRQS || (!virq_is_per_vcpu(op->virq) && op->vcpu != 0)) {
        return -XEN_EINVAL;
    }
    if (op->vcpu >= d->vcpu_count) {
        return -XEN_ENOENT;
    }
    struct evtchn_vcpu *target = d->vcpu[array_index_clamp(op->vcpu, d->vcpu_count)]->evtchn;
    uint32_t *bound = &target->virq_port[array_index_clamp(op->virq, NR_VIRQS)];
    if (*bound != 0) {
        return -XEN_EEXIST;
    }
    struct evtchn as = {
        .state = EVTCHN_VIRQ, .virq = (uint16_t)op->virq, .vcpu = (uint16_t)op->vcpu};
    int error = take_port(d, &as, &op->port);
    if (error == 0) {
        *bound = op->port;
    }
    return error;
}

static int64_t bind_ipi(struct vcpu *v, struct domain *d, const uint64_t *reg, void *arg)
{
    struct evtchn_bind_ipi *op = arg;
    if (op->vcpu >= d->vcpu_count) {
        return -XEN_ENOENT;
    }
    struct evtchn as = {.state = EVTCHN_IPI, .remote = d, .vcpu = (uint16_t)op->vcpu};
    int error = take_port(d, &as, &op->port);
    if (error == 0) {
        evtchn_at(d->evtchn, op->port)->remote_port = op->port;
    }
    return error;
}

static int64_t close(struct vcpu *v, struct domain *d, const uint64_t *reg, void *arg)
{
    const struct evtchn_close *op = arg;
    return close_port(d, op->port);
}

static int64_t status(struct vcpu *v, struct domain *d, const uint64_t *reg, void *arg)
{
    static const uint8_t as_told[] = {
        [EVTCHN_FREE] = EVTCHNSTAT_closed,  [EVTCHN_UNBOUND] = EVTCHNSTAT_unbound,
        [EVTCHN_VIRQ] = EVTCHNSTAT_virq,    [EVTCHN_INTERDOMAIN] = EVTCHNSTAT_interdomain,
        [EVTCHN_IPI] = EVTCHNSTAT_ipi,      [EVTCHN_XEN] = EVTCHNSTAT_interdomain,
        [EVTCHN_SERVED] = EVTCHNSTAT_closed};
    struct evtchn_status *op = arg;
    const struct evtchn *c = evtchn_of(d->evtchn, op->port);
    if (c == NULL) {
        return -XEN_EINVAL;
    }
    op->status = as_told[c->state];
    op->vcpu = c->vcpu;
    if (op->status == EVTCHNSTAT_unbound) {
        op->u.unbound.dom = c->remote_id;
    } else if (op->status == EVTCHNSTAT_interdomain) {
        op->u.interdomain.dom = c->state == EVTCHN_XEN ? DOMID_XEN : c->remote_id;
        op->u.interdomain.port = c->remote_port;
    } else if (op->status == EVTCHNSTAT_virq) {
        op->u.virq = c->virq;
    }
    return 0;
}

static int64_t bind_vcpu(struct vcpu *v, struct domain *d, const uint64_t *reg, void *arg)
{
    const struct evtchn_bind_vcpu *op = arg;
    struct evtchn *c = evtchn_of(d->evtchn, op->port);
    uint32_t state = c != NULL ? c->state : EVTCHN_FREE;
    if (op->vcpu >= d->vcpu_count) {
        return -XEN_ENOENT;
    }
    if (state != EVTCHN_UNBOUND && state != EVTCHN_INTERDOMAIN && state != EVTCHN_XEN &&
        (state != EVTCHN_VIRQ || virq_is_per_vcpu(c->virq))) {
        return -XEN_EINVAL;
    }
    __atomic_store_n(&c->vcpu, (uint16_t)op->vcpu, __ATOMIC_RELAXED);
    return 0;
}

/* A closed one may be unmasked: nothing is pending there. */
static int64_t unmask(struct vcpu *v, struct domain *d, const uint64_t *reg, void *arg)
{
    const struct evtchn_unmask *op = arg;
    struct shared_info *s = d->xen->shared;
    struct evtchn *c = evtchn_of(d->evtchn, op->port);
    if (c == NULL) {
        return -XEN_EINVAL;
    }
    if (d->evtchn->fifo_page != NULL) {
        uint32_t before = fifo_clear(d, op->port, 1u << EVTCHN_FIFO_MASKED);
        if ((before & 1u << EVTCHN_FIFO_PENDING) != 0) {
            (void)fifo_raise(d, c, op->port);
        }
    } else if (op->port < EVTCHN_2L_NR_CHANNELS && bit_test_and_clear(s->evtchn_mask, op->port) &&
               bit_test(s->evtchn_pending, op->port)) {
        two_level_tell(d, c, op->port);
    }
    return 0;
}

static int64_t reset(struct vcpu *v, struct domain *d, const uint64_t *reg, void *arg)
{
    return close_all(d);
}

static int64_t set_priority(struct vcpu *v, struct domain *d, const uint64_t *reg, void *arg)
{
    const struct evtchn_set_priority *op = arg;
    struct evtchn *c = evtchn_of(d->evtchn, op->port);
    if (c == NULL || c->state == EVTCHN_FREE) {
        return -XEN_EINVAL;
    }
    if (d->evtchn->fifo_page == NULL) {
        return -XEN_ENOSYS;
    }
    if (op->priority > EVTCHN_FIFO_PRIORITY_MIN) {
        return -XEN_EINVAL;
    }
    __atomic_store_n(&c->priority, (uint8_t)op->priority, __ATOMIC_RELAXED);
    return 0;
}

/*
 * To oneself no lock is needed: records stay as long as a vCPU runs, and a
 * guest that closes a channel while it sends on it may get the event at
 * whatever the port has become.
 */
static int64_t send(struct vcpu *v, uint32_t port)
{
    struct domain *d = v->domain;
    struct evtchn_domain *e = d->evtchn;
    struct evtchn *c = evtchn_of(e, port);
    if (unlikely(c == NULL)) {
        return -XEN_EINVAL;
    }
    uint32_t there = c->remote_port;
    if (c->remote == d) { /* INTERDOMAIN or IPI */
        if (there < e->port_count) {
            evtchn_raise(d, there);
        }
        return 0;
    }
    struct evtchn xen NOT_ZEROED;
    int64_t error = 0;
    xen.notify = NULL;
    lock(&e->lock);
    if (likely(c->state == EVTCHN_INTERDOMAIN) || c->state == EVTCHN_IPI) {
        evtchn_raise(c->remote, c->remote_port); /* E1: our lock keeps the peer where it is */
    } else if (c->state == EVTCHN_XEN) {
        xen = *c;
    } else if (c->state != EVTCHN_UNBOUND) { /* else nobody is there yet, or any more */
        error = -XEN_EINVAL;
    }
    unlock(&e->lock);
    if (xen.notify != NULL) {
        xen.notify(v, xen.remote_id, xen.remote_port);
    }
    return error;
}

#define CONTROL RIGHT_BIT(RIGHT_CONTROL)

int64_t event_channel_op(struct vcpu *v, uint64_t *arg)
{
    static const struct xen_op ops[] = {
        [EVTCHNOP_bind_interdomain] = {bind_interdomain, sizeof(struct evtchn_bind_interdomain),
                                       OP_OUT},
        [EVTCHNOP_bind_virq] = {bind_virq, sizeof(struct evtchn_bind_virq), OP_OUT | OP_LOCKED},
        [EVTCHNOP_close] = {close, sizeof(struct evtchn_close)},
        [EVTCHNOP_status] = {status, sizeof(struct evtchn_status), OP_OUT | OP_LOCKED, CONTROL},
        [EVTCHNOP_alloc_unbound] = {alloc_unbound, sizeof(struct evtchn_alloc_unbound),
                                    OP_OUT | OP_LOCKED, CONTROL},
        [EVTCHNOP_bind_ipi] = {bind_ipi, sizeof(struct evtchn_bind_ipi), OP_OUT | OP_LOCKED},
        [EVTCHNOP_bind_vcpu] = {bind_vcpu, sizeof(struct evtchn_bind_vcpu), OP_LOCKED},
        [EVTCHNOP_unmask] = {unmask, sizeof(struct evtchn_unmask), OP_LOCKED},
        [EVTCHNOP_reset] = {reset, sizeof(struct evtchn_reset), 0, CONTROL},
        [EVTCHNOP_init_control] = {fifo_init_control, sizeof(struct evtchn_init_control),
                                   OP_OUT | OP_LOCKED},
        [EVTCHNOP_expand_array] = {fifo_expand_array, sizeof(struct evtchn_expand_array),
                                   OP_LOCKED},
        [EVTCHNOP_set_priority] = {set_priority, sizeof(struct evtchn_set_priority), OP_LOCKED},
    };
    if (likely((uint32_t)arg[0] == EVTCHNOP_send)) { /* the one that must be quick */
        uint32_t port NOT_ZEROED;
        return guest_va_read32(v, &port, arg[1]) != 0 ? -XEN_EFAULT : send(v, port);
    }
    return xen_op(v, arg, ops, ARRAY_LEN(ops), arg[1]);
}

/* --- Life --- */

void evtchn_domain_init(struct domain *d)
{
    lock_init(&d->evtchn->lock, RANK_EVTCHN);
    lock_init(&d->evtchn->fifo_lock, RANK_EVTCHN_FIFO);
    d->evtchn->search_from = 1; /* port 0 is never used */
}

int evtchn_domain_stop(struct domain *d)
{
    struct evtchn_domain *e = d->evtchn;
    lock(&e->lock);
    e->port_limit = 0; /* who may, opens no channel from outside any more */
    unlock(&e->lock);
    int error = close_all(d);
    lock(&e->lock);
    for (unsigned pages = 0; error == 0 && e->port_count != 0; pages++) {
        e->port_count -= (uint32_t)EVTCHN_BUCKET;
        frame_free_hyp(d, e->bucket[e->port_count / EVTCHN_BUCKET], 0);
        error = pages == STOP_PAGES ? -XEN_ERESTART : 0;
    }
    if (error == 0 && e->bucket != NULL) {
        frame_free_hyp(d, e->bucket, 0);
        e->bucket = NULL;
        e->search_from = 1;
    }
    unlock(&e->lock);
    return error;
}
