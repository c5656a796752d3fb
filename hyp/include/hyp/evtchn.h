/*
 * Event channels: one bit from a domain, or from the hypervisor, to a vCPU.
 *
 *   FREE --alloc_unbound--> UNBOUND --bind_interdomain (by the peer)--> INTERDOMAIN
 *     |  --bind_interdomain----------------------------------------------^   |
 *     |  --bind_virq--> VIRQ     --bind_ipi--> IPI                            | the peer closes
 *     |  --evtchn_open_xen, bind_interdomain to a SERVED one--> XEN  UNBOUND <--+
 *     |  --evtchn_open_served--> SERVED, closed by evtchn_close_served only
 *     +-<-- close, from every state
 *
 * E1  INTERDOMAIN is mutual: the peer's channel is INTERDOMAIN and names this one. Both change under
 *     both domains' locks, so the lock of either side is enough to rely on it.
 * E2  a channel that is not FREE names a vCPU of its domain.
 * E3  the hypervisor never reads back what it wrote to a guest's page in order to decide where to
 *     write next, but for FIFO links, which are ports and are checked.
 * E4  upcall_pending of a vCPU goes from 0 to 1 with exactly one injection of the event interrupt.
 *
 * A send takes the sender's table lock and, in FIFO mode, the target's queue lock. No lock is global.
 */
#ifndef HYP_EVTCHN_H
#define HYP_EVTCHN_H

#include <hyp/types.h>
#include <xen/event_channel.h>

struct domain;
struct vcpu;

/* Raise a per-vCPU virtual interrupt; nothing happens if the guest has not bound it. Locks up to RANK_DOMAIN. */
void evtchn_virq(struct vcpu *v, unsigned virq);
/* Raise a domain-wide one, at the vCPU that the guest chose. */
void evtchn_virq_domain(struct domain *d, unsigned virq);

/*
 * Open a channel whose other end is the hypervisor: a guest's send calls
 * notify() with no lock held. Returns 0 or -XEN_ENOSPC, -XEN_ENOMEM.
 */
typedef void (*evtchn_notify_fn)(struct vcpu *sender, domid_t remote, evtchn_port_t port);
must_check int evtchn_open_xen(struct domain *d, evtchn_notify_fn notify, evtchn_port_t *port);
/*
 * The same the other way about: a port of `d` that is the hypervisor's, for `remote` to bind to.
 * `d` can neither send on it nor close it. When the remote end sends, notify() is told `d` and the
 * port; evtchn_notify_served() raises it there. It stays until it is closed so, by evtchn_reset() too.
 */
must_check int evtchn_open_served(struct domain *d, domid_t remote, evtchn_notify_fn notify,
                                  evtchn_port_t *port);
void evtchn_close_served(struct domain *d, evtchn_port_t port);
void evtchn_notify_served(struct domain *d, evtchn_port_t port);
/* Open an unbound channel of `d` for `remote` to bind to, from outside. */
must_check int evtchn_open_unbound(struct domain *d, domid_t remote, evtchn_port_t *port);
/* The hypervisor's end sends. Ignored unless the port is such a channel. Locks up to RANK_DOMAIN. */
void evtchn_notify(struct domain *d, evtchn_port_t port);

/* True if `port` has an event pending; for SCHEDOP_poll. */
bool evtchn_is_pending(struct domain *d, evtchn_port_t port);

/* Close every channel, FIFO state gone. -XEN_ERESTART: bounded number done, call again. No vCPU of `d` runs,
 * or it is the caller. */
must_check int evtchn_reset(struct domain *d);

#endif
