/*
 * The consoles, seen as a user does: keys go in on the serial line, a screen
 * comes out. The line, the vUARTs and what commands ask about are played here;
 * so is the one timer, which fires as time passes.
 */
#ifndef CONSOLE_WORLD_H
#define CONSOLE_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fake.h>
#include <hyp/config.h>
#include <hyp/console.h>
#include <hyp/log.h>
#include <string.h>
#include <xen/errno.h>

#define MS 1000000ull
#define TERMINAL_SIZE (1 << 18)

/* The serial line. */
extern char terminal[TERMINAL_SIZE]; /* all that came out since wipe() */
extern size_t terminal_length;
extern size_t line_room;         /* bytes that the line still takes */
extern void (*line_event)(void); /* keys have come, or there is room */
extern bool line_listens;        /* it raises its interrupt while keys wait */
extern void (*meanwhile)(void);  /* what another CPU does while the next key is handed over; once */
void wipe(void);
void type(const char *text);

/* The guests' ends of theirs. */
extern struct guest_end {
    char got[4200];
    size_t count, room;
    unsigned ready, breaks;
    bool pv; /* it uses its PV console */
} guest[4];

/* What commands ask about, and what they have ordered. */
extern struct domain_config configs[3];
extern int order_error; /* what orders are answered with */
extern struct sched_params last_params;
extern unsigned launched, paused, rebooted, destroyed;
extern unsigned debugged; /* vCPUs that got VIRQ_DEBUG */
extern bool powered, power_reset;
extern jmp_buf power_jump; /* where arch_power() goes */
extern struct crash_record crash;

extern struct domain *home, *work;

void pass(uint64_t ns);
void put(struct domain *d, const char *text);
/* Ctrl-T until that console has the screen. */
void to(const char *name);
void to_hypervisor(void);

/* Of the group, and of each test: home has the screen, or nobody has touched it. */
int boot(void **state);
int setup(void **state);
int setup_untouched(void **state);
int teardown(void **state);

unsigned times_shown(const char *text);
#define SHOWN(text)                                                                   \
    do {                                                                              \
        if (strstr(terminal, text) == NULL) {                                         \
            fail_msg("\"%s\" is not on the screen, which says:\n%s", text, terminal); \
        }                                                                             \
    } while (0)
#define NOT_SHOWN(text)                                                           \
    do {                                                                          \
        if (strstr(terminal, text) != NULL) {                                     \
            fail_msg("\"%s\" is on the screen, which says:\n%s", text, terminal); \
        }                                                                         \
    } while (0)

#endif
