/*
 * One serial line, many consoles: the hypervisor's and one per domain.
 */
#ifndef HYP_CONSOLE_H
#define HYP_CONSOLE_H

#include <hyp/types.h>

struct domain;

/* Find the serial line and show the log on it, from the first line on. Before that, lines are kept. */
void console_early_init(const void *fdt);

/* Input, and output by interrupt: once the interrupt controller works. */
void console_start(void);

/*
 * The machine stops: from now on log lines go to the serial line directly,
 * waiting for it and taking no lock.
 */
void console_panic(void);

#endif
