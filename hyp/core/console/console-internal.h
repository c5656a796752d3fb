/*
 * Shared by hyp/core/console/console*.c and command*.c.
 *
 *   console.c         who has the keyboard: keys, switching, the worker, the life of a console
 *   console-screen.c  who may draw: the queue to the line, marked lines, prompts, replay
 *   console-edit.c    the line editor: keys in, a line out
 *   command*.c        the commands: one table, run step by step
 */
#ifndef CONSOLE_INTERNAL_H
#define CONSOLE_INTERNAL_H

#include <hyp/console.h>
#include <hyp/domain.h>
#include <hyp/lock.h>
#include <hyp/types.h>

#define CONSOLE_RING 3072u
#define SCREEN_QUEUE_ORDER 1u
#define SCREEN_QUEUE (FRAME_SIZE << SCREEN_QUEUE_ORDER)
#define SCREEN_RESERVE 2048u           /* of the queue: guests leave that to the hypervisor */
#define SCREEN_PARTIAL_NS 300000000ull /* a line without an end is shown after that silence */

/* A domain's console: one page. Everything under screen.lock. */
struct console {
    domid_t id;
    char name[DOMAIN_NAME_LEN];
    uint64_t head;       /* bytes ever written; byte p is at ring[p % CONSOLE_RING] */
    uint64_t line_start; /* where the line begins that is not ended yet */
    uint64_t shown;      /* up to here it is on the screen, or was passed over */
    uint64_t last_ticks; /* when its last unfinished line grew */
    uint64_t top_ticks;  /* command `top`: CPU time when it looked last */
    bool blocked;        /* it was told that there is no room */
    bool full_screen;    /* it has switched the terminal to its alternate screen */
    uint8_t escape;      /* state of the scanner for that */
    uint32_t parameter;  /* of the escape sequence */
    char ring[CONSOLE_RING];
};

/* console-edit.c: the line editor of the hypervisor's console. */
#define EDIT_LINE_MAX 120u
#define EDIT_HISTORY 8u

struct editor {
    char line[EDIT_LINE_MAX];
    unsigned length, at;
    unsigned escape; /* 0: none, 1: after ESC, 2: after ESC [ or ESC O */
    unsigned parameter;
    unsigned history_count, history_at;
    char saved[EDIT_LINE_MAX]; /* what was typed before walking the history */
    char history[EDIT_HISTORY][EDIT_LINE_MAX];
};

enum edit_result {
    EDIT_NOTHING,
    EDIT_ECHO,
    EDIT_REDRAW,
    EDIT_ENTER,
    EDIT_CANCEL,
    EDIT_TAB,
    EDIT_CLEAR
};

/* One key. ECHO: print just it; REDRAW: show the line anew; ENTER: `line` is complete (then edit_reset()). */
enum edit_result edit_key(struct editor *e, char key);
void edit_reset(struct editor *e);
void edit_remember(struct editor *e);
/* Replace the word before the cursor, which has `typed` characters, by `word`. */
void edit_complete(struct editor *e, unsigned typed, const char *word, bool whole);

/* console-screen.c */
extern struct screen {
    lock_t lock;
    char *queue;           /* [const] SCREEN_QUEUE bytes; NULL before console_start() */
    uint32_t head, tail;   /* [lock] count all bytes ever put and taken */
    struct console *focus; /* [lock] who has keyboard and screen; NULL: the hypervisor */
    bool ever_focused;     /* [lock] */
    bool prompting;        /* [lock] the hypervisor's prompt is shown */
    bool quiet;            /* [lock] others keep silent */
    bool any_blocked;      /* [lock] some console's `blocked` is set */
    uint32_t missed_lines; /* [lock] log lines that did not fit */
    uint64_t sweep_due;   /* [lock] when to look at unfinished lines; TICKS_NEVER: there are none */
    struct editor editor; /* [lock] */
} screen;

/* All of these with screen.lock. What does not fit into the queue is cut: look for room first. */
uint32_t screen_room(void);
void screen_put(const char *bytes, size_t count);
void screen_print(const char *text);
void screen_drain(void);  /* give the line what it takes now */
void screen_prompt(void); /* the hypervisor's prompt, with what is typed so far */
void screen_focus(struct console *c);
/* Characters of a domain; how many there was room for: the others are to come again. */
must_check size_t screen_take(struct console *c, const char *bytes, size_t count);
/* One that goes to the line at once. False: it is not that simple now; screen_take() it. */
must_check bool screen_pass(struct console *c, char byte);
/* Show the unfinished line of a console in the background if it is due, else leave sweep_due. */
void screen_sweep(struct console *c, uint64_t now_ticks);

/* Without the lock. Sink of the log. */
void screen_log_line(const char *line, size_t length);
/* On the hypervisor's console, if that has the screen. The format has its own line ends, \n. */
void say(const char *format, ...) printf_like(1, 2);

/* console.c: keyboard and screen to domain `id`'s console, DOMID_XEN: the hypervisor's. False: it has none. */
bool console_focus(domid_t id);

/* command.c */
/* Start a command line; its output comes by command_step(). */
void command_begin(const char *line);
bool command_running(void);
/* Some more output, bounded. When to go on: 0 at once, TICKS_NEVER: it is done. */
uint64_t command_step(void);
/* A key while a command runs. */
void command_key(char key);
void command_abort(void);
/*
 * The last word of line[0..at) has *typed characters: true, and `word` is what to put in its place;
 * `whole`: with a space behind. False: nothing fits, or the possibilities have been shown.
 */
bool command_complete(const char *line, unsigned at, char word[DOMAIN_NAME_LEN], unsigned *typed,
                      bool *whole);

/* What a command walks over: its step is called once for each. */
enum walk {
    ONCE,       /* one step */
    DOMAINS,    /* each domain */
    CONFIGURED, /* each domain, then (run.domain NULL) each that is configured and does not exist */
    VCPUS,      /* of the domain that is named */
    CPUS,
    STEPS, /* until it sets run.done */
};

struct run;
struct command {
    const char *name, *arguments, *help;
    enum walk walk;
    enum { NO_DOMAIN, MUST_NAME } naming; /* its first argument: a domain's name or number */
    const char *header;                   /* printed first */
    void (*step)(struct run *r);
    int (*order)(struct domain *d); /* instead of `step`: a function, and what to say it did */
    const char *done;
};

/* The command that runs. Its step prints some lines at most. */
struct run {
    const struct command *command;      /* NULL: none */
    struct domain *domain;              /* counted: the one that is named, or where the walk is */
    const char *argument;               /* "" if none */
    const char *rest;                   /* what follows the first argument */
    unsigned n;                         /* step number, 0 first; the vCPU or CPU it is at */
    const struct domain_config *config; /* CONFIGURED */
    uint64_t position;                  /* the command's own */
    bool done;
    bool stop;           /* a key was pressed */
    uint64_t wake_ticks; /* no step before */
};

/* command-domain.c and command-machine.c */
void cmd_list(struct run *r), cmd_vcpus(struct run *r), cmd_start(struct run *r);
void cmd_crash(struct run *r), cmd_rights(struct run *r), cmd_top(struct run *r);
void cmd_break(struct run *r), cmd_dump(struct run *r), cmd_weight(struct run *r);
void cmd_links(struct run *r), cmd_debug(struct run *r);
void cmd_memory(struct run *r), cmd_cpus(struct run *r), cmd_irqs(struct run *r);
void cmd_log(struct run *r), cmd_version(struct run *r), cmd_uptime(struct run *r);
void cmd_quiet(struct run *r), cmd_restart(struct run *r), cmd_poweroff(struct run *r);
/* command-domain.c: what a domain_*() function answered, in words. */
void report_order(const struct domain *d, int error, const char *done);

#endif
