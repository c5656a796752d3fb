/*
 * A line of the hypervisor's console becomes a command, which runs step by
 * step (C3). Only the worker is here (console.c): no lock.
 */
#include "console-internal.h"

#include <hyp/arch.h>
#include <hyp/cpu.h>
#include <hyp/log.h>
#include <lib/string.h>
#include <lib/text.h>

static struct run run;            /* the one command that runs */
static char words[EDIT_LINE_MAX]; /* its line, cut into words */

bool command_running(void)
{
    return run.command != NULL;
}

void command_end(void)
{
    if (run.domain) {
        domain_put(run.domain);
    }
    run = (struct run){0};
    edit_prompt();
}

/* The command of that name, or the only one that begins so. */
static const struct command *find(const char *name)
{
    const struct command *found = NULL;

    for (const struct command *c = commands; c->name; c++) {
        if (strcmp(c->name, name) == 0) {
            return c;
        }
        if (strncmp(c->name, name, strlen(name)) == 0) {
            if (found) {
                say("\"%s\" may be %s or %s: type more of it.\n", name, found->name, c->name);
                return NULL;
            }
            found = c;
        }
    }
    if (!found) {
        say("There is no command \"%s\"; help lists them.\n", name);
    }
    return found;
}

static void split(void)
{
    char *at = words;

    for (unsigned i = 0; i < COMMAND_WORDS; i++) {
        while (*at == ' ') {
            *at++ = 0;
        }
        run.word[i] = at;
        while (*at && *at != ' ') {
            at++;
        }
    }
    *at = 0;
}

static struct domain *find_domain(const char *name)
{
    uint64_t id;
    struct domain *d = domain_get_by_name(name);

    if (!d && text_to_u64(name, &id) && id < MAX_DOMAINS) {
        d = domain_get((domid_t)id);
    }
    return d;
}

/* Find the command and the domain that the line names. False, and it is said why: it cannot run. */
static bool understand(void)
{
    const char *name = run.word[1];
    const struct command *c = *run.word[0] ? find(run.word[0]) : NULL;

    if (c && (c->walk == DOMAIN || c->walk == VCPUS) && !(run.domain = find_domain(name))) {
        say(*name ? "There is no domain \"%s\"; list shows them.\n" : "%sUsage: %s %s\n", name,
            c->name, c->arguments);
        return false;
    }
    run.command = c;
    return c != NULL;
}

void command_begin(const char *line)
{
    (void)text_copy(words, sizeof(words), line);
    split();
    if (!understand()) {
        command_end();
    } else if (run.command->header) {
        say("%s", run.command->header);
    }
}

uint64_t command_step(void)
{
    const struct command *c = run.command;

    if (arch_counter_ticks() < run.wake_ticks) {
        return run.wake_ticks;
    }
    run.wake_ticks = 0;
    if (c->walk == DOMAINS) {
        run.domain = domain_next(run.domain);
    }
    run.done = c->walk == VCPUS     ? run.n + 1 == run.domain->vcpu_count
               : c->walk == CPUS    ? run.n + 1 == cpu_count
               : c->walk == DOMAINS ? !run.domain
                                    : c->walk != STEPS;
    c->step(&run);
    run.n++;
    if (run.command && run.done) {
        command_end();
    }
    return run.command ? run.wake_ticks : TICKS_NEVER;
}

void command_key(char key)
{
    enum { CTRL_C = 3 };

    if (key == CTRL_C) {
        say("^C\n");
    }
    if (key == CTRL_C || run.wake_ticks) {
        command_end();
    }
}

/* Completion. */

struct candidates {
    const char *word;
    unsigned count;
    char common[DOMAIN_NAME_LEN]; /* what all of them begin with */
};

static void consider(struct candidates *c, const char *name)
{
    unsigned i = 0;

    if (strncmp(name, c->word, strlen(c->word)) != 0) {
        return;
    }
    if (c->count++ == 0) {
        (void)text_copy(c->common, sizeof(c->common), name);
        return;
    }
    if (c->count == 2) {
        say("\n%s  ", c->common);
    }
    say("%s  ", name);
    while (c->common[i] && c->common[i] == name[i]) {
        i++;
    }
    c->common[i] = 0;
}

void command_complete(const char *word, bool domains, char rest[DOMAIN_NAME_LEN + 1])
{
    struct candidates c = {.word = word};

    for (const struct command *at = commands; !domains && at->name; at++) {
        consider(&c, at->name);
    }
    for (struct domain *d = NULL; domains && (d = domain_next(d));) {
        consider(&c, d->name);
    }
    if (c.count > 1) {
        say("\n");
    }
    fmt(rest, DOMAIN_NAME_LEN + 1, "%s%s", c.count ? c.common + strlen(word) : "",
        c.count == 1 ? " " : "");
}
