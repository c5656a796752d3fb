/*
 * Shared by hyp/core/console/console*.c and command*.c.
 *
 *   console.c         who has the keyboard: keys, switching, the worker, the life of a console
 *   console-screen.c  who may draw: the queue to the line, marked lines, prompts, replay
 *   console-edit.c    the hypervisor's prompt: keys in, a line out
 *   command.c         a line in, a command that runs step by step; completion
 *   command-list.c    the commands
 */
#ifndef CONSOLE_INTERNAL_H
#define CONSOLE_INTERNAL_H

#include <hyp/console.h>
#include <hyp/domain.h>
#include <hyp/lock.h>
#include <hyp/types.h>

#define CONSOLE_RING 2048u
#define SCREEN_QUEUE_ORDER 1u
#define SCREEN_QUEUE (FRAME_SIZE << SCREEN_QUEUE_ORDER)
#define SCREEN_RESERVE 2048u /* of the queue: guests leave that to the hypervisor */
#define SCREEN_PARTIAL_NS \
    200000000ull /* a line without an end is shown if it did not grow that long */
#define EDIT_LINE_MAX 120u

/* A console, the hypervisor's own like a domain's: one page. Everything under screen.lock. */
struct console {
    const struct domain *domain; /* [const] whose; NULL: the hypervisor's */
    uint64_t head;               /* bytes ever written; byte p is at ring[p % CONSOLE_RING] */
    uint64_t line_start;         /* where the line begins that is not ended yet */
    uint64_t shown;              /* up to here it is on the screen, or was passed over */
    uint64_t swept;              /* `head` when its unfinished line was looked at last */
    uint64_t top_ticks;          /* command `top`: CPU time when it looked last */
    bool blocked;                /* it was told that there is no room */
    bool full_screen;            /* it has switched the terminal to its alternate screen */
    char ring[CONSOLE_RING];
};

/* console-screen.c */
extern struct screen {
    lock_t lock;
    char *queue;           /* [const] SCREEN_QUEUE bytes */
    uint32_t head, tail;   /* [lock] count all bytes ever put and taken */
    struct console *own;   /* [const] the hypervisor's */
    struct console *focus; /* [lock] who has keyboard and screen; NULL: nobody yet */
    bool quiet;            /* [lock] others keep silent */
    uint32_t missed_lines; /* [lock] log lines that did not fit */
    uint64_t sweep_due;    /* [lock] when to look at all consoles; TICKS_NEVER: no need to */
} screen;

/* All of these with screen.lock. What does not fit into the queue is cut: look for room first. */
uint32_t screen_room(void);
void screen_drain(void); /* give the line what it takes now */
void screen_focus(struct console *c);
/* Characters of a domain; how many there was room for: the others are to come again. */
must_check size_t screen_take(struct console *c, const char *bytes, size_t count);
/* One that goes to the line at once. False: it is not that simple now; screen_take() it. */
must_check bool screen_pass(struct console *c, char byte);
/* Look at all consoles then, or earlier. */
void screen_sweep_in(uint64_t ns);
/* Show the unfinished line of a console in the background unless it has grown: later, then. */
void screen_sweep(struct console *c);

/* Without the lock. Sink of the log. */
void screen_log_line(const char *line, size_t length);
/*
 * On the hypervisor's console. The format has its own line ends, \n; one that begins with \r draws
 * the whole line anew.
 */
void say(const char *format, ...) printf_like(1, 2);

/* console.c: keyboard and screen to `d`'s console, NULL: the hypervisor's. False: it has none. */
bool console_focus(struct domain *d);

/* console-edit.c: a key for the prompt, which is shown while no command runs. */
void edit_key(char key);
void edit_prompt(void);

/* command.c. All but command_begin(), which may fail and say why, end with the prompt. */
void command_begin(const char *line); /* its output comes by command_step() */
bool command_running(void);
/* Some more output, bounded. When to go on: 0 at once, TICKS_NEVER: it is done. */
uint64_t command_step(void);
/* A key while a command runs. */
void command_key(char key);
void command_end(void);
/*
 * What can be typed on after `word`, the beginning of a command's or a domain's name; "" if that is
 * nothing. If several fit, they are shown.
 */
void command_complete(const char *word, bool domains, char rest[DOMAIN_NAME_LEN + 1]);

/* What a command's step is called for, once each. */
enum walk {
    ONCE,
    DOMAIN,  /* that is named by the first argument, once */
    VCPUS,   /* each, of the domain that is named */
    DOMAINS, /* each, then once more with run.domain NULL */
    CPUS,
    STEPS, /* until it sets run.done */
};

#define COMMAND_WORDS 4u

/* The command that runs. Its step prints some lines at most. */
struct run {
    const struct command *command;   /* NULL: none */
    const char *word[COMMAND_WORDS]; /* of its line; "" where it ends */
    struct domain *domain;           /* counted: the one that is named, or where the walk is */
    unsigned n;                      /* step number, 0 first; the vCPU or CPU it is at */
    uint64_t position;               /* the command's own */
    bool done;                       /* this step is the last */
    uint64_t wake_ticks;             /* no step before; until then any key ends it */
};

/* command-list.c */
extern const struct command {
    const char *name, *arguments, *help;
    enum walk walk;
    const char *header; /* printed first */
    void (*step)(struct run *r);
    int (*order)(struct domain *d); /* of cmd_order(): what to do, and what to say it did */
    const char *did;
} commands[]; /* the last one has no name */

#endif
