/*
 * Physical interrupts: who gets each.
 */
#ifndef HYP_IRQ_H
#define HYP_IRQ_H

#include <hyp/types.h>

struct cpu;
struct domain;

/* Take and handle one interrupt, if the controller has any for this CPU; called with interrupts masked. */
void irq_interrupt(struct cpu *c);

/* Once, before the others: -XEN_ENOMEM. */
must_check int irq_init(void);
/* A handler of the hypervisor's own, e.g. the serial line. */
must_check int irq_request(uint32_t intid, bool edge, void (*handler)(void));
/* Hand an SPI to a guest as its virtual interrupt `virq`. -XEN_EBUSY if it belongs to somebody. */
must_check int irq_assign(uint32_t intid, bool edge, struct domain *d, uint32_t virq);
/* Take one back: masked, and free to be given. -XEN_ENOENT: it is not the domain's. Not twice at once. */
must_check int irq_release(uint32_t intid, struct domain *d);
/* Take back all of a domain's interrupts: masked, deactivated, unrouted. */
void irq_release_all(struct domain *d);
/* For the console. False: nobody has it. *domain NULL: the hypervisor itself. */
bool irq_owner(uint32_t intid, struct domain **domain, uint32_t *virq);

#endif
