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
#include <hyp/sched.h>
#include <lib/string.h>

/* --- Raising --- */

/* Set one bit; true if it was set before. Ordered against all accesses around it. */
static bool bit_test_and_set(uint64_t *words, uint32_t bit)
{
    uint64_t mask = 1ull << bit % 64;
    return (__atomic_fetch_or(&words[bit / 64], mask, __ATOMIC_SEQ_CST) & mask) != 0;
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

/* Apart, so that an event that was pending anyway saves no registers. `two_level`: its bit is new. */
static __attribute__((noinline)) void tell(struct domain *d, uint32_t port, bool two_level)
{
    struct evtchn_domain *e = d->evtchn;
    struct evtchn *c = evtchn_at(e, port);
    if (two_level && !bit_test(d->xen->shared->evtchn_mask, port)) {
        struct vcpu *v = d->vcpu[__atomic_load_n(&c->vcpu, __ATOMIC_RELAXED)];
        if (!bit_test_and_set(&v->evtchn->info->evtchn_pending_sel, port / 64)) {
            evtchn_upcall(v);
        }
    }
    bool fresh = two_level;
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
        return fifo_pending(d, port);
    }
    return port < EVTCHN_2L_NR_CHANNELS && bit_test(d->xen->shared->evtchn_pending, port);
}

/* The port's life ends, and nothing of it is pending in the next one. */
static void clear_pending(struct domain *d, struct evtchn *c, uint32_t port)
{
    if (d->evtchn->fifo_page != NULL) {
        fifo_clear(d, c, port);
    } else if (port < EVTCHN_2L_NR_CHANNELS) {
        __atomic_fetch_and(&d->xen->shared->evtchn_pending[port / 64], ~(1ull << port % 64),
                           __ATOMIC_SEQ_CST);
    }
}

/* --- The table; callers hold its lock --- */

static int grow(struct domain *d)
{
    struct evtchn_domain *e = d->evtchn;
    if (e->port_count >= e->port_limit || e->port_count / EVTCHN_BUCKET >= EVTCHN_BUCKETS) {
        return -XEN_ENOSPC;
    }
    struct evtchn *bucket = frame_alloc_hyp(d, 0);
    if (bucket == NULL) {
        return -XEN_ENOMEM;
    }
    e->bucket[e->port_count / EVTCHN_BUCKET] = bucket;
    __atomic_store_n(&e->port_count, e->port_count + EVTCHN_BUCKET, __ATOMIC_RELEASE);
    return 0;
}

/* The lowest free port gets `state`, for vCPU 0. Bounded: search_from skips what is known to be taken. */
static int take_port(struct domain *d, enum evtchn_state state, uint32_t *out)
{
    struct evtchn_domain *e = d->evtchn;
    bool fifo = e->fifo_page != NULL;
    uint32_t limit = fifo ? EVTCHN_FIFO_NR_CHANNELS : EVTCHN_2L_NR_CHANNELS, first_busy = 0;
    limit = limit < e->port_limit ? limit : e->port_limit;
    for (uint32_t port = e->search_from; port < limit; port++) {
        if (port >= e->port_count) {
            int error = grow(d);
            if (error != 0) {
                return error;
            }
        }
        struct evtchn *c = evtchn_of(e, port);
        if (c->state != EVTCHN_FREE) {
            continue;
        }
        if (fifo && fifo_busy(d, port)) {
            first_busy = first_busy != 0 ? first_busy : port; /* still linked by the guest: later */
            continue;
        }
        *c = (struct evtchn){.state = (uint8_t)state,
                             .priority = EVTCHN_FIFO_PRIORITY_DEFAULT,
                             .fifo_priority = c->fifo_priority,
                             .fifo_vcpu = c->fifo_vcpu};
        e->search_from = first_busy != 0 ? first_busy : port + 1;
        *out = port;
        return 0;
    }
    return -XEN_ENOSPC;
}

static void set_free(struct domain *d, struct evtchn *c, uint32_t port)
{
    clear_pending(d, c, port);
    c->state = EVTCHN_FREE;
    c->remote = NULL;
    if (port < d->evtchn->search_from) {
        d->evtchn->search_from = port;
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
 * Lock the table of `port` and, if it is INTERDOMAIN, the peer's as well. The
 * peer may change between look and lock: then again, which ends because each
 * turn needs another guest action on this very port; after 16 the guest tries again.
 * Returns the channel with locks held and *peer set (counted) or NULL; NULL: no such port.
 */
static struct evtchn *lock_with_peer(struct domain *d, uint32_t port, struct domain **peer)
    NO_LOCK_ANALYSIS("the second lock depends on peer")
{
    struct evtchn_domain *e = d->evtchn;
    for (unsigned turn = 0; turn < 16; turn++) {
        *peer = NULL;
        lock(&e->lock);
        struct evtchn *c = evtchn_of(e, port);
        if (c == NULL || c->state != EVTCHN_INTERDOMAIN || c->remote == d) {
            return c;
        }
        struct domain *remote = domain_hold(c->remote);
        unlock(&e->lock); /* one rank, two locks: only lock_both() knows the order */
        lock_both(&e->lock, &remote->evtchn->lock);
        if (c->state == EVTCHN_INTERDOMAIN && c->remote == remote) {
            *peer = remote;
            return c;
        }
        unlock_both(&e->lock, &remote->evtchn->lock);
        domain_put(remote);
    }
    lock(&e->lock);
    return NULL;
}

static void unlock_with_peer(struct domain *d, struct domain *peer)
    NO_LOCK_ANALYSIS("the second lock depends on peer")
{
    if (peer == NULL) {
        unlock(&d->evtchn->lock);
    } else {
        unlock_both(&d->evtchn->lock, &peer->evtchn->lock);
        domain_put(peer);
    }
}

/* --- Operations. Each has its structure copied in, and out again if it succeeds. --- */

static int64_t alloc_unbound(struct vcpu *v, struct evtchn_alloc_unbound *op)
{
    struct domain *d;
    int64_t error = xen_target(v, op->dom, &d);
    if (error != 0) {
        return error;
    }
    domid_t remote = op->remote_dom == DOMID_SELF ? v->domain->id : op->remote_dom;
    error = evtchn_open_unbound(d, remote, &op->port);
    domain_put(d);
    return error;
}

int evtchn_open_unbound(struct domain *d, domid_t remote, evtchn_port_t *port)
{
    lock(&d->evtchn->lock);
    int error = take_port(d, EVTCHN_UNBOUND, port);
    if (error == 0) {
        evtchn_of(d->evtchn, *port)->remote_id = remote;
    }
    unlock(&d->evtchn->lock);
    return error;
}

int evtchn_open_xen(struct domain *d, evtchn_notify_fn notify, evtchn_port_t *port)
{
    lock(&d->evtchn->lock);
    int error = take_port(d, EVTCHN_XEN, port);
    if (error == 0) {
        evtchn_of(d->evtchn, *port)->notify = notify;
    }
    unlock(&d->evtchn->lock);
    return error;
}

int evtchn_open_served(struct domain *d, domid_t remote, evtchn_notify_fn notify,
                       evtchn_port_t *port)
{
    lock(&d->evtchn->lock);
    int error = take_port(d, EVTCHN_SERVED, port);
    if (error == 0) {
        struct evtchn *c = evtchn_of(d->evtchn, *port);
        c->remote_id = remote;
        c->notify = notify;
    }
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

void evtchn_notify_served(struct domain *d, evtchn_port_t port)
{
    lock(&d->evtchn->lock);
    struct evtchn *c = evtchn_of(d->evtchn, port);
    bool bound = c != NULL && c->state == EVTCHN_SERVED && c->remote_port != 0;
    uint32_t there = bound ? c->remote_port : 0;
    domid_t id = bound ? c->remote_id : DOMID_INVALID;
    unlock(&d->evtchn->lock);
    struct domain *remote = bound ? domain_get(id) : NULL;
    if (remote != NULL) {
        evtchn_notify(remote, there);
        domain_put(remote);
    }
}

/* The remote end of a channel whose other end is the hypervisor's, on behalf of `remote`. */
static void bind_served(struct evtchn *ours, struct domain *remote, struct evtchn *theirs,
                        const struct evtchn_bind_interdomain *op)
{
    ours->state = EVTCHN_XEN;
    ours->notify = theirs->notify;
    ours->remote_id = remote->id;
    ours->remote_port = op->remote_port;
    theirs->remote_port = op->local_port; /* bound anew: the last one hears it */
}

static int64_t bind_interdomain(struct vcpu *v, struct evtchn_bind_interdomain *op)
{
    struct domain *d = v->domain;
    bool self = op->remote_dom == DOMID_SELF || op->remote_dom == d->id;
    struct domain *remote = self ? domain_hold(d) : domain_get(op->remote_dom);
    if (remote == NULL) {
        return -XEN_ESRCH;
    }
    if (remote->evtchn == NULL) {
        domain_put(remote);
        return -XEN_ESRCH;
    }
    lock_both(&d->evtchn->lock, &remote->evtchn->lock);
    struct evtchn *theirs = evtchn_of(remote->evtchn, op->remote_port);
    int64_t error = -XEN_EINVAL;
    if (op->remote_port != 0 && theirs != NULL && theirs->remote_id == d->id &&
        (theirs->state == EVTCHN_UNBOUND || (theirs->state == EVTCHN_SERVED && !self))) {
        error = take_port(d, EVTCHN_INTERDOMAIN, &op->local_port);
    }
    if (error == 0 && theirs->state == EVTCHN_SERVED) {
        bind_served(evtchn_of(d->evtchn, op->local_port), remote, theirs, op);
    } else if (error == 0) {
        struct evtchn *ours = evtchn_of(d->evtchn, op->local_port);
        ours->remote = remote;
        ours->remote_id = remote->id;
        ours->remote_port = op->remote_port;
        theirs->state = EVTCHN_INTERDOMAIN;
        theirs->remote = d;
        theirs->remote_port = op->local_port;
        /* What the peer sent before there was anybody to hear it is heard now. */
        evtchn_raise(d, op->local_port);
    }
    unlock_both(&d->evtchn->lock, &remote->evtchn->lock);
    domain_put(remote);
    return error;
}

static int64_t bind_virq(struct vcpu *v, struct evtchn_bind_virq *op)
{
    struct domain *d = v->domain;
    if (op->virq >= NR_VIRQS || (!virq_is_per_vcpu(op->virq) && op->vcpu != 0)) {
        return -XEN_EINVAL;
    }
    if (op->vcpu >= d->vcpu_count) {
        return -XEN_ENOENT;
    }
    uint32_t virq = array_index_clamp(op->virq, NR_VIRQS);
    struct evtchn_vcpu *target = d->vcpu[array_index_clamp(op->vcpu, d->vcpu_count)]->evtchn;
    lock(&d->evtchn->lock);
    int64_t error =
        target->virq_port[virq] != 0 ? -XEN_EEXIST : take_port(d, EVTCHN_VIRQ, &op->port);
    if (error == 0) {
        struct evtchn *c = evtchn_of(d->evtchn, op->port);
        c->virq = (uint16_t)virq;
        c->vcpu = (uint16_t)op->vcpu;
        target->virq_port[virq] = op->port;
    }
    unlock(&d->evtchn->lock);
    return error;
}

static int64_t bind_ipi(struct vcpu *v, struct evtchn_bind_ipi *op)
{
    struct domain *d = v->domain;
    if (op->vcpu >= d->vcpu_count) {
        return -XEN_ENOENT;
    }
    lock(&d->evtchn->lock);
    int64_t error = take_port(d, EVTCHN_IPI, &op->port);
    if (error == 0) {
        evtchn_of(d->evtchn, op->port)->vcpu = (uint16_t)op->vcpu;
    }
    unlock(&d->evtchn->lock);
    return error;
}

static int64_t close_port(struct vcpu *v, const struct evtchn_close *op)
{
    struct domain *d = v->domain, *peer;
    struct evtchn *c = lock_with_peer(d, op->port, &peer);
    bool open = c != NULL && c->state != EVTCHN_FREE && c->state != EVTCHN_SERVED;
    int64_t error = open ? 0 : -XEN_EINVAL;
    if (error == 0) {
        close_locked(d, c, op->port);
    }
    unlock_with_peer(d, peer);
    return error;
}

/* What a send means for a channel whose ends stay as they are meanwhile. */
static int64_t send_locked(struct domain *d, struct evtchn *c, uint32_t port, struct evtchn *xen)
{
    if (likely(c->state == EVTCHN_INTERDOMAIN)) {
        evtchn_raise(c->remote, c->remote_port); /* E1: our lock keeps the peer where it is */
        return 0;
    }
    switch (c->state) {
    case EVTCHN_IPI:
        evtchn_raise(d, port);
        return 0;
    case EVTCHN_XEN:
        *xen = *c;
        return 0;
    case EVTCHN_UNBOUND: /* nobody there yet, or any more */
        return 0;
    default:
        return -XEN_EINVAL;
    }
}

/*
 * To oneself no lock is needed: records stay as long as the domain, and a
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
    if (c->state == EVTCHN_INTERDOMAIN) {
        uint32_t there = c->remote_port;
        if (c->remote == d) {
            if (there < e->port_count) {
                evtchn_raise(d, there);
            }
            return 0;
        }
    } else if (c->state == EVTCHN_IPI) {
        evtchn_raise(d, port);
        return 0;
    }
    struct evtchn xen NOT_ZEROED;
    xen.notify = NULL;
    lock(&e->lock);
    int64_t error = send_locked(d, c, port, &xen);
    unlock(&e->lock);
    if (xen.notify != NULL) {
        xen.notify(v, xen.remote_id, xen.remote_port);
    }
    return error;
}

static int64_t status(struct vcpu *v, struct evtchn_status *op)
{
    struct domain *d;
    int64_t error = xen_target(v, op->dom, &d);
    if (error != 0) {
        return error;
    }
    lock(&d->evtchn->lock);
    struct evtchn *c = evtchn_of(d->evtchn, op->port);
    if (c == NULL) {
        error = -XEN_EINVAL;
    } else {
        static const uint8_t as_told[] = {[EVTCHN_FREE] = EVTCHNSTAT_closed,
                                          [EVTCHN_UNBOUND] = EVTCHNSTAT_unbound,
                                          [EVTCHN_INTERDOMAIN] = EVTCHNSTAT_interdomain,
                                          [EVTCHN_VIRQ] = EVTCHNSTAT_virq,
                                          [EVTCHN_IPI] = EVTCHNSTAT_ipi,
                                          [EVTCHN_XEN] = EVTCHNSTAT_interdomain,
                                          [EVTCHN_SERVED] = EVTCHNSTAT_closed};
        op->status = as_told[c->state];
        op->vcpu = c->vcpu;
        if (c->state == EVTCHN_UNBOUND) {
            op->u.unbound.dom = c->remote_id;
        } else if (c->state == EVTCHN_INTERDOMAIN || c->state == EVTCHN_XEN) {
            op->u.interdomain.dom = c->state == EVTCHN_XEN ? DOMID_XEN : c->remote_id;
            op->u.interdomain.port = c->remote_port;
        } else if (c->state == EVTCHN_VIRQ) {
            op->u.virq = c->virq;
        }
    }
    unlock(&d->evtchn->lock);
    domain_put(d);
    return error;
}

static int64_t bind_vcpu(struct vcpu *v, const struct evtchn_bind_vcpu *op)
{
    struct domain *d = v->domain;
    if (op->vcpu >= d->vcpu_count) {
        return -XEN_ENOENT;
    }
    int64_t error = 0;
    lock(&d->evtchn->lock);
    struct evtchn *c = evtchn_of(d->evtchn, op->port);
    switch (c != NULL ? c->state : EVTCHN_FREE) {
    case EVTCHN_VIRQ:
        if (virq_is_per_vcpu(c->virq)) {
            error = -XEN_EINVAL;
            break;
        } /* fall through */
    case EVTCHN_UNBOUND:
    case EVTCHN_INTERDOMAIN:
    case EVTCHN_XEN:
        __atomic_store_n(&c->vcpu, (uint16_t)op->vcpu, __ATOMIC_RELAXED);
        break;
    default:
        error = -XEN_EINVAL;
        break;
    }
    unlock(&d->evtchn->lock);
    return error;
}

static int64_t unmask(struct vcpu *v, const struct evtchn_unmask *op)
{
    struct domain *d = v->domain;
    lock(&d->evtchn->lock);
    struct evtchn *c = evtchn_of(d->evtchn, op->port);
    int64_t error =
        c == NULL ? -XEN_EINVAL : 0; /* a closed one may be unmasked: nothing is pending there */
    if (error == 0 && d->evtchn->fifo_page != NULL) {
        fifo_unmask(d, c, op->port);
    } else if (error == 0 && op->port < EVTCHN_2L_NR_CHANNELS) {
        struct shared_info *s = d->xen->shared;
        uint64_t bit = 1ull << op->port % 64;
        uint64_t before =
            __atomic_fetch_and(&s->evtchn_mask[op->port / 64], ~bit, __ATOMIC_SEQ_CST);
        struct vcpu *target = d->vcpu[c->vcpu];
        if ((before & bit) != 0 && bit_test(s->evtchn_pending, op->port) &&
            !bit_test_and_set(&target->evtchn->info->evtchn_pending_sel, op->port / 64)) {
            evtchn_upcall(target);
        }
    }
    unlock(&d->evtchn->lock);
    return error;
}

static int64_t reset(struct vcpu *v, const struct evtchn_reset *op)
{
    struct domain *d;
    int64_t error = xen_target(v, op->dom, &d);
    if (error != 0) {
        return error;
    }
    error = evtchn_reset(d);
    domain_put(d);
    return error;
}

static int64_t set_priority(struct vcpu *v, const struct evtchn_set_priority *op)
{
    struct domain *d = v->domain;
    int64_t error = 0;
    lock(&d->evtchn->lock);
    struct evtchn *c = evtchn_of(d->evtchn, op->port);
    if (c == NULL || c->state == EVTCHN_FREE) {
        error = -XEN_EINVAL;
    } else if (d->evtchn->fifo_page == NULL) {
        error = -XEN_ENOSYS;
    } else if (op->priority > EVTCHN_FIFO_PRIORITY_MIN) {
        error = -XEN_EINVAL;
    } else {
        __atomic_store_n(&c->priority, (uint8_t)op->priority, __ATOMIC_RELAXED);
    }
    unlock(&d->evtchn->lock);
    return error;
}

union evtchn_argument {
    struct evtchn_alloc_unbound alloc_unbound;
    struct evtchn_bind_interdomain bind_interdomain;
    struct evtchn_bind_virq bind_virq;
    struct evtchn_bind_ipi bind_ipi;
    struct evtchn_close close;
    struct evtchn_send send;
    struct evtchn_status status;
    struct evtchn_bind_vcpu bind_vcpu;
    struct evtchn_unmask unmask;
    struct evtchn_reset reset;
    struct evtchn_init_control init_control;
    struct evtchn_expand_array expand_array;
    struct evtchn_set_priority set_priority;
};

static const struct {
    uint8_t size; /* of the structure; 0: no such operation */
    bool out;     /* written back on success */
} shapes[] = {
    [EVTCHNOP_alloc_unbound] = {sizeof(struct evtchn_alloc_unbound), true},
    [EVTCHNOP_bind_interdomain] = {sizeof(struct evtchn_bind_interdomain), true},
    [EVTCHNOP_bind_virq] = {sizeof(struct evtchn_bind_virq), true},
    [EVTCHNOP_bind_ipi] = {sizeof(struct evtchn_bind_ipi), true},
    [EVTCHNOP_close] = {sizeof(struct evtchn_close), false},
    [EVTCHNOP_send] = {sizeof(struct evtchn_send), false},
    [EVTCHNOP_status] = {sizeof(struct evtchn_status), true},
    [EVTCHNOP_bind_vcpu] = {sizeof(struct evtchn_bind_vcpu), false},
    [EVTCHNOP_unmask] = {sizeof(struct evtchn_unmask), false},
    [EVTCHNOP_reset] = {sizeof(struct evtchn_reset), false},
    [EVTCHNOP_init_control] = {sizeof(struct evtchn_init_control), true},
    [EVTCHNOP_expand_array] = {sizeof(struct evtchn_expand_array), false},
    [EVTCHNOP_set_priority] = {sizeof(struct evtchn_set_priority), false},
};

static int64_t dispatch(struct vcpu *v, uint32_t cmd, union evtchn_argument *a)
{
    switch (cmd) {
    case EVTCHNOP_alloc_unbound:
        return alloc_unbound(v, &a->alloc_unbound);
    case EVTCHNOP_bind_interdomain:
        return bind_interdomain(v, &a->bind_interdomain);
    case EVTCHNOP_bind_virq:
        return bind_virq(v, &a->bind_virq);
    case EVTCHNOP_bind_ipi:
        return bind_ipi(v, &a->bind_ipi);
    case EVTCHNOP_close:
        return close_port(v, &a->close);
    case EVTCHNOP_status:
        return status(v, &a->status);
    case EVTCHNOP_bind_vcpu:
        return bind_vcpu(v, &a->bind_vcpu);
    case EVTCHNOP_unmask:
        return unmask(v, &a->unmask);
    case EVTCHNOP_reset:
        return reset(v, &a->reset);
    case EVTCHNOP_init_control:
        return fifo_init_control(v, &a->init_control);
    case EVTCHNOP_expand_array:
        return fifo_expand_array(v, &a->expand_array);
    case EVTCHNOP_set_priority:
        return set_priority(v, &a->set_priority);
    default:
        return -XEN_ENOSYS;
    }
}

/* Not inlined: a send must not save the registers that this needs. */
static __attribute__((noinline)) int64_t slow_op(struct vcpu *v, uint32_t cmd, uint64_t at)
{
    union evtchn_argument a NOT_ZEROED; /* what is copied in is all that is looked at */
    if (cmd >= ARRAY_LEN(shapes) || shapes[cmd].size == 0) {
        return -XEN_ENOSYS;
    }
    cmd = array_index_clamp(cmd, ARRAY_LEN(shapes));
    if (guest_va_read(v, &a, at, shapes[cmd].size) != 0) {
        return -XEN_EFAULT;
    }
    int64_t error = dispatch(v, cmd, &a);
    if (error == 0 && shapes[cmd].out && guest_va_write(v, at, &a, shapes[cmd].size) != 0) {
        return -XEN_EFAULT;
    }
    return error;
}

int64_t event_channel_op(struct vcpu *v, uint64_t *arg)
{
    uint32_t cmd = (uint32_t)arg[0];
    if (likely(cmd == EVTCHNOP_send)) { /* the one that must be quick */
        uint32_t port NOT_ZEROED;
        return guest_va_read32(v, &port, arg[1]) != 0 ? -XEN_EFAULT : send(v, port);
    }
    return slow_op(v, cmd, arg[1]);
}

/* --- From the hypervisor's side --- */

static void raise_virq(struct domain *d, struct vcpu *v, unsigned virq)
{
    if (v->evtchn == NULL) {
        return;
    }
    lock(&d->evtchn->lock);
    uint32_t port = v->evtchn->virq_port[virq];
    if (port != 0) {
        evtchn_raise(d, port);
    }
    unlock(&d->evtchn->lock);
}

void evtchn_virq(struct vcpu *v, unsigned virq)
{
    raise_virq(v->domain, v, virq);
}

void evtchn_virq_domain(struct domain *d, unsigned virq)
{
    if (d->vcpu_count > 0) {
        raise_virq(d, d->vcpu[0], virq);
    }
}

void evtchn_notify(struct domain *d, evtchn_port_t port)
{
    if (d->evtchn == NULL) {
        return;
    }
    lock(&d->evtchn->lock);
    struct evtchn *c = evtchn_of(d->evtchn, port);
    if (c != NULL && c->state == EVTCHN_XEN) {
        evtchn_raise(d, port);
    }
    unlock(&d->evtchn->lock);
}

int evtchn_reset(struct domain *d)
{
    struct evtchn_domain *e = d->evtchn;
    int steps = 4096;
    for (uint32_t port = e->reset_at; port < e->port_count; port++, steps--) {
        struct domain *peer;
        if (steps <= 0) {
            e->reset_at = port;
            return -XEN_ERESTART;
        }
        if (evtchn_of(e, port)->state == EVTCHN_FREE ||
            evtchn_of(e, port)->state == EVTCHN_SERVED) {
            continue; /* a glance without the lock: at worst one more look by the next call */
        }
        steps -= 128; /* what closing one costs in glances */
        struct evtchn *c = lock_with_peer(d, port, &peer);
        if (c != NULL && c->state != EVTCHN_FREE) {
            close_locked(d, c, port);
        }
        unlock_with_peer(d, peer);
    }
    e->reset_at = 0;
    fifo_destroy(d);
    return 0;
}

int evtchn_domain_create(struct domain *d)
{
    struct evtchn_domain *e = d->evtchn;
    lock_init(&e->lock, RANK_EVTCHN);
    lock_init(&e->fifo_lock, RANK_EVTCHN_FIFO);
    e->port_limit = EVTCHN_PORTS_DEFAULT;
    e->search_from = 1; /* port 0 is never used */
    e->bucket = frame_alloc_hyp(d, 0);
    return e->bucket != NULL ? 0 : -XEN_ENOMEM;
}

void evtchn_domain_destroy(struct domain *d)
{
    struct evtchn_domain *e = d->evtchn;
    for (uint32_t i = 0; i < e->port_count / EVTCHN_BUCKET; i++) {
        frame_free_hyp(d, e->bucket[i], 0);
    }
    if (e->bucket != NULL) {
        frame_free_hyp(d, e->bucket, 0);
    }
    e->port_count = 0;
    e->bucket = NULL;
}
