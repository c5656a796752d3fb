/* The console: PV ring if the domain has one, else a vPL011, else hypercalls. */
#ifndef LIBOS_XEN_CONSOLE_H
#define LIBOS_XEN_CONSOLE_H

/** Before the shared page exists: UART or hypercalls. */
void console_early_init(void);

/** After it: the PV ring, if there is one. */
void console_init(void);

/** Wait, a bounded time, until the other end has taken all output. */
void console_drain(void);

#endif
