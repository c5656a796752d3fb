/*
 * A guest's serial line whose other end is in another domain (vuart= of xl).
 *
 *   guest writes DR --> out[] --event--> the console daemon
 *   the daemon --> in[] --event--> the line's receive FIFO, as far as there is room
 *
 * U1  the ring is in the guest's page, as a PV console's: of its indices we
 *     read those of the other side only, ours are kept here and told there. A
 *     guest that writes to the ring garbles its own line.
 * U2  ring and port are there from the builder's call, before the domain
 *     first runs, until none of its vCPUs runs any more. Who is not a vCPU of
 *     it looks with the console lock.
 * U3  a character is put with the line's lock held (RANK_VDEV); the event is
 *     sent once that is dropped, by vuart_ring_moved().
 *
 * Source: public/domctl.h, "XEN_DOMCTL_vuart_op"; public/io/console.h.
 */
#include "control-internal.h"

#include <hyp/evtchn.h>
#include <hyp/vuart.h>
#include <xen/guest-layout.h>

bool vuart_ring_put(struct domain *d, uint8_t byte)
{
    struct xen_vuart *r = &d->xen->vuart;
    uint32_t cons = __atomic_load_n(&r->ring->out_cons, __ATOMIC_ACQUIRE);
    if (r->out_prod - cons >= sizeof(r->ring->out)) {
        return false; /* full, or out of step: the daemon's next event is awaited */
    }
    r->ring->out[r->out_prod % sizeof(r->ring->out)] = (char)byte;
    __atomic_store_n(&r->ring->out_prod, ++r->out_prod, __ATOMIC_RELEASE);
    __atomic_store_n(&r->untold, true, __ATOMIC_RELAXED);
    return true;
}

/* [console lock] At most a FIFO of characters. True if there were any. */
static bool take(struct domain *d)
{
    struct xen_vuart *r = &d->xen->vuart;
    uint32_t first = r->in_cons, prod = __atomic_load_n(&r->ring->in_prod, __ATOMIC_ACQUIRE);
    while (r->in_cons != prod &&
           vuart_receive(d, (uint8_t)r->ring->in[r->in_cons % sizeof(r->ring->in)])) {
        r->in_cons++;
    }
    __atomic_store_n(&r->ring->in_cons, r->in_cons, __ATOMIC_RELEASE);
    return r->in_cons != first;
}

void vuart_ring_moved(struct domain *d)
{
    struct xen_vuart *r = &d->xen->vuart;
    bool taken = false;
    lock(&d->xen->console_lock);
    if (r->ring != NULL) {
        vuart_output_ready(d); /* there may be room again */
        taken = take(d);
    }
    unlock(&d->xen->console_lock);
    if (__atomic_exchange_n(&r->untold, false, __ATOMIC_RELAXED) || taken) {
        evtchn_notify_served(d, r->port);
    }
}

/* The daemon has made room, or written. */
static void daemon_sent(struct vcpu *sender, domid_t guest, evtchn_port_t port)
{
    struct domain *d = domain_get(guest);
    if (d != NULL) {
        vuart_ring_moved(d);
        domain_put(d);
    }
}

void vuart_ring_stop(struct domain *d)
{
    struct xen_vuart *r = &d->xen->vuart;
    lock(&d->xen->console_lock);
    void *ring = r->ring;
    r->ring = NULL;
    unlock(&d->xen->console_lock);
    if (ring != NULL) {
        frame_put(va_to_mfn(ring));
    }
}

int64_t domctl_vuart(struct control_call *c)
{
    struct xen_domctl_vuart_op *op = &c->domctl.u.vuart_op;
    struct xen_vuart *r = &c->d->xen->vuart;
    if (op->cmd != XEN_DOMCTL_VUART_OP_INIT || r->ring != NULL ||
        GUEST_VPL011_SPI - VGIC_PRIVATE >= c->d->vgic.nr_spis) {
        return -XEN_EINVAL;
    }
    if (op->type != XEN_DOMCTL_VUART_TYPE_VPL011) {
        return -XEN_EOPNOTSUPP;
    }
    mfn_t frame;
    int error = xen_own_frame(c->d, gfn(op->gfn), &frame);
    if (error != 0) {
        return error;
    }
    error = evtchn_open(c->d, EVTCHN_SERVED, op->console_domid, daemon_sent, &r->port);
    if (error != 0) {
        frame_put(frame);
        return error;
    }
    r->gfn = op->gfn;
    r->ring = mfn_to_va(frame);
    op->evtchn = r->port;
    vuart_init(c->d, gpa(GUEST_PL011_BASE), GUEST_VPL011_SPI);
    c->d->vuart.far = true;
    return 0;
}
