/* Shared by hyp/core/console*.c and command*.c. */
#ifndef CONSOLE_INTERNAL_H
#define CONSOLE_INTERNAL_H

#include <hyp/console.h>
#include <hyp/domain.h>
#include <hyp/types.h>

#define CONSOLE_KEY_NEXT 0x14 /* Ctrl-T */
#define CONSOLE_RING 3072u

/* A domain's console: one page. Everything under the console's lock. */
struct console {
    domid_t id;
    char name[DOMAIN_NAME_LEN];
    uint64_t head;       /* bytes ever written; byte p is at ring[p % CONSOLE_RING] */
    uint64_t line_start; /* where the line begins that is not ended yet */
    uint64_t shown;      /* up to here it is on the screen, or was passed over */
    uint32_t held_lines; /* passed over while the screen was another's */
    uint64_t last_ticks; /* when its last unfinished line grew */
    bool blocked;        /* it was told that there is no room */
    bool full_screen;    /* it has switched the terminal to its alternate screen */
    uint8_t escape;      /* state of the scanner for that */
    uint32_t parameter;  /* of the escape sequence */
    uint64_t top_ticks;  /* command `top`: CPU time when it looked last */
    char ring[CONSOLE_RING];
};

/* console.c, for commands: */
/* One line on the hypervisor's console, if that has the screen. */
void say(const char *format, ...) printf_like(1, 2);
/* The same without the line's end. */
void say_part(const char *format, ...) printf_like(1, 2);
bool console_quiet(void);
void console_set_quiet(bool quiet);
/* Keyboard and screen to domain `id`'s console, DOMID_XEN: the hypervisor's. False: it has none. */
bool console_focus(domid_t id);
/* Run the command worker again after this time. */
void console_work_in(uint64_t ns);

/* console-edit.c: the line editor of the hypervisor's console. */
#define EDIT_LINE_MAX 120u
#define EDIT_HISTORY 16u

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

/* command.c */
struct run;
/* Start a command line; its output comes by command_step(). */
void command_begin(const char *line);
bool command_running(void);
/* Some more output, bounded. False: nothing (more) runs, or it waits for a time it asked for. */
bool command_step(void);
/* A key while a command runs. */
void command_key(char key);
void command_abort(void);
/*
 * The last word of line[0..at) has *typed characters: true, and `word` is what to put in its place;
 * `whole`: with a space behind. False: nothing fits, or the possibilities have been shown.
 */
bool command_complete(const char *line, unsigned at, char word[DOMAIN_NAME_LEN], unsigned *typed,
                      bool *whole);

struct command {
    const char *name, *arguments, *help;
    bool takes_domain, optional; /* its argument is a domain's name or number */
    /* One step, at most some lines. False: done. */
    bool (*step)(struct run *r);
};

struct run {
    const struct command *command;
    struct domain *domain; /* counted, if an argument names one */
    const char *argument;  /* "" if none */
    const char *rest;      /* what follows the first argument */
    unsigned n;            /* step number, 0 first */
    uint64_t position;     /* the command's own */
    struct domain *at;     /* counted: where a walk over all domains is */
    bool waiting;          /* until `wake_ticks`, or a key */
    bool stop;             /* a key was pressed */
    uint64_t wake_ticks;
};

extern const struct command commands[];
extern const unsigned command_count;
/* command-domain.c and command-machine.c */
bool cmd_list(struct run *r), cmd_vcpus(struct run *r), cmd_pause(struct run *r);
bool cmd_unpause(struct run *r), cmd_reboot(struct run *r), cmd_destroy(struct run *r);
bool cmd_start(struct run *r), cmd_crash(struct run *r), cmd_rights(struct run *r);
bool cmd_top(struct run *r), cmd_console(struct run *r), cmd_break(struct run *r);
bool cmd_links(struct run *r), cmd_debug(struct run *r);
bool cmd_memory(struct run *r), cmd_cpus(struct run *r), cmd_irqs(struct run *r);
bool cmd_log(struct run *r), cmd_version(struct run *r), cmd_uptime(struct run *r);
bool cmd_quiet(struct run *r), cmd_dump(struct run *r), cmd_help(struct run *r);
bool cmd_poweroff(struct run *r), cmd_restart(struct run *r), cmd_weight(struct run *r);

#endif
