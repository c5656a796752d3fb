/*
 * Event channels: one bit from a domain, or from the hypervisor, to a vCPU.
 *
 *   FREE --alloc_unbound--> UNBOUND --bind_interdomain (by the peer)--> INTERDOMAIN
 *     |  --bind_interdomain----------------------------------------------^   |
 *     |  --bind_virq--> VIRQ     --bind_ipi--> IPI                            | the peer closes
 *     |  --evtchn_open, bind_interdomain to a SERVED one--> XEN      UNBOUND <--+
 *     |  --evtchn_open--> SERVED, closed by evtchn_close_served only
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

/*
 * Raise a virtual interrupt of `v`; nothing happens if the guest has not bound it. A domain-wide one is
 * vCPU 0's, and arrives at the vCPU that the guest chose. Locks up to RANK_DOMAIN.
 */
void evtchn_virq(struct vcpu *v, unsigned virq);

/* Who is told of a send: see evtchn_open(). */
typedef void (*evtchn_notify_fn)(struct vcpu *sender, domid_t remote, evtchn_port_t port);

#endif
