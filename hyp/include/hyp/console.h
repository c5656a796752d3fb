/*
 * One serial line, many consoles: the hypervisor's and one per domain.
 * docs/console.md tells what the user sees.
 *
 * C1  the hypervisor never waits for the line: what does not fit into the
 *     transmit queue makes the guest that sent it wait, or, for log lines,
 *     is left out on the screen and kept in the log.
 * C2  a domain's output takes one page, charged to it.
 * C3  commands run in bounded steps from the line's interrupt and one timer;
 *     no lock of the console is held while they look at domains.
 */
#ifndef HYP_CONSOLE_H
#define HYP_CONSOLE_H

#include <hyp/types.h>

#define BULKHEAD_VERSION "0.1"

struct domain;
struct tree;

/* Find the serial line and show the log on it, from the first line on. Before that, lines are kept. */
void console_early_init(const struct tree *t);

/*
 * Input, and output by interrupt: once the interrupt controller works and before the first domain is
 * made. -XEN_ENOMEM: no memory for its queue.
 */
must_check int console_start(void);

/* The domains are made. If there is none, the keyboard goes to the hypervisor's console. */
void console_ready(void);

/*
 * The machine stops: from now on log lines go to the serial line directly,
 * waiting for it and taking no lock.
 */
void console_panic(void);

/*
 * A domain's console comes, the first one gets the keyboard, and goes.
 * -XEN_ENOMEM: no page left in its allowance.
 */
must_check int console_domain_create(struct domain *d);
void console_domain_destroy(struct domain *d);

/*
 * Characters of a domain for its console; returns how many were taken. If not
 * all, vuart_output_ready() is called once there is room. Any context up to
 * RANK_VDEV.
 */
size_t console_domain_output(struct domain *d, const uint8_t *bytes, size_t count);

#endif
