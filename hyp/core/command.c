/*
 * The commands of the hypervisor's console: the table, parsing, completion,
 * and running one of them step by step (C3). What they do is in
 * command-domain.c and command-machine.c.
 */
#include "console-internal.h"

#include <hyp/arch.h>
#include <hyp/log.h>
#include <hyp/timer.h>
#include <lib/string.h>
#include <lib/text.h>

const struct command commands[] = {
    {"list", "", "the domains: state, memory, CPU time", .step = cmd_list},
    {"vcpus", "NAME", "a domain's vCPUs: where and how long they ran", true, .step = cmd_vcpus},
    {"console", "NAME", "keyboard and screen to that domain (as does Ctrl-T)", true,
     .step = cmd_console},
    {"pause", "NAME", "stop its vCPUs", true, .step = cmd_pause},
    {"unpause", "NAME", "let them go on", true, .step = cmd_unpause},
    {"reboot", "NAME", "start it again from its pristine images", true, .step = cmd_reboot},
    {"destroy", "NAME", "end it and free its memory; start brings it back", true,
     .step = cmd_destroy},
    {"start", "NAME", "start a domain that was powered off or destroyed", .step = cmd_start},
    {"break", "NAME", "a break on its serial line (Linux: SysRq)", true, .step = cmd_break},
    {"debug", "NAME", "VIRQ_DEBUG to its vCPUs", true, .step = cmd_debug},
    {"weight", "NAME N [CAP]", "its share of the CPUs (256 is usual), and a cap in percent", true,
     .step = cmd_weight},
    {"crash", "[NAME]", "the last crash: why, and the registers", true, true, cmd_crash},
    {"dump", "NAME", "the registers of its vCPUs that do not run", true, .step = cmd_dump},
    {"rights", "", "what each domain may do to others", .step = cmd_rights},
    {"top", "", "who uses the CPUs, live; any key ends it", .step = cmd_top},
    {"cpus", "", "the CPUs: who runs, how busy", .step = cmd_cpus},
    {"memory", "", "where the memory is", .step = cmd_memory},
    {"links", "", "what ties domains together: channels, grants", .step = cmd_links},
    {"irqs", "", "who has which interrupt", .step = cmd_irqs},
    {"log", "", "the log from its beginning", .step = cmd_log},
    {"quiet", "[on|off]", "hold back other consoles' lines", .step = cmd_quiet},
    {"uptime", "", "time since power-on", .step = cmd_uptime},
    {"version", "", "what runs here", .step = cmd_version},
    {"restart", "now", "restart the whole machine", .step = cmd_restart},
    {"poweroff", "now", "switch the whole machine off", .step = cmd_poweroff},
    {"help", "", "this list", .step = cmd_help},
};
const unsigned command_count = ARRAY_LEN(commands);

static struct run run;            /* the one command that runs; its `command` is NULL if none */
static char words[EDIT_LINE_MAX]; /* its line, cut into words */

bool command_running(void)
{
    return run.command != NULL;
}

static void finish(void)
{
    if (run.domain) {
        domain_put(run.domain);
    }
    if (run.at) {
        domain_put(run.at);
    }
    run = (struct run){0};
}

void command_abort(void)
{
    finish();
}

/* The command of that name, or the only one that begins so. */
static const struct command *find(const char *name)
{
    const struct command *found = NULL;
    size_t n = strlen(name);

    for (unsigned i = 0; i < command_count; i++) {
        if (strcmp(commands[i].name, name) == 0) {
            return &commands[i];
        }
        if (strncmp(commands[i].name, name, n) == 0) {
            if (found) {
                say("\"%s\" may be %s or %s: type more of it.", name, found->name,
                    commands[i].name);
                return NULL;
            }
            found = &commands[i];
        }
    }
    if (!found) {
        say("There is no command \"%s\"; help lists them.", name);
    }
    return found;
}

/* Cut the next word off; "" at the end. */
static char *next_word(char **at)
{
    char *word = *at;

    while (*word == ' ') {
        word++;
    }
    char *end = word;
    while (*end && *end != ' ') {
        end++;
    }
    *at = *end ? end + 1 : end;
    *end = 0;
    return word;
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

void command_begin(const char *line)
{
    char *at = words;

    finish();
    memcpy(words, line, sizeof(words));
    words[sizeof(words) - 1] = 0;
    const char *name = next_word(&at);
    if (!*name) {
        return;
    }
    const struct command *c = find(name);
    if (!c) {
        return;
    }
    run.argument = next_word(&at);
    run.rest = at;
    if (c->takes_domain && (*run.argument || !c->optional)) {
        run.domain = find_domain(run.argument);
        if (!run.domain) {
            say(*run.argument ? "There is no domain \"%s\"; list shows them." : "%sUsage: %s %s",
                run.argument, c->name, c->arguments);
            return;
        }
    }
    run.command = c;
}

bool command_step(void)
{
    if (!run.command) {
        return false;
    }
    if (run.waiting && !run.stop && arch_counter_ticks() < run.wake_ticks) {
        console_work_in(ticks_to_ns(run.wake_ticks - arch_counter_ticks()));
        return false;
    }
    run.waiting = false;
    bool (*step)(struct run *) = run.command->step;
    bool more = step(&run);
    run.n++;
    if (!more) {
        domid_t to = run.domain && step == cmd_console ? run.domain->id : DOMID_INVALID;
        finish();
        if (to != DOMID_INVALID && !console_focus(to)) {
            say("That domain has no console.");
        }
    }
    return more;
}

void command_key(char key)
{
    enum { CTRL_C = 3 };

    if (run.waiting) {
        run.stop = true;
    } else if (key == CTRL_C) {
        finish();
        say("^C");
    }
}

/* Completion. */

struct candidates {
    const char *typed;
    unsigned length, count;
    char common[DOMAIN_NAME_LEN]; /* what all of them begin with */
};

static void consider(struct candidates *c, const char *word)
{
    unsigned i = 0;

    if (strncmp(word, c->typed, c->length) != 0) {
        return;
    }
    if (c->count++ == 0) {
        (void)text_copy(c->common, sizeof(c->common), word);
        return;
    }
    while (c->common[i] && c->common[i] == word[i]) {
        i++;
    }
    c->common[i] = 0;
}

static void consider_all(struct candidates *c, bool names, bool show)
{
    struct domain *d = NULL;

    for (unsigned i = 0; !names && i < command_count; i++) {
        consider(c, commands[i].name);
        if (show && strncmp(commands[i].name, c->typed, c->length) == 0) {
            say_part("%s  ", commands[i].name);
        }
    }
    while (names && (d = domain_next(d))) {
        consider(c, d->name);
        if (show && strncmp(d->name, c->typed, c->length) == 0) {
            say_part("%s  ", d->name);
        }
    }
}

bool command_complete(const char *line, unsigned at, char word[DOMAIN_NAME_LEN], unsigned *typed,
                      bool *whole)
{
    char prefix[EDIT_LINE_MAX];
    unsigned start = at;

    while (start && line[start - 1] != ' ') {
        start--;
    }
    memcpy(prefix, line + start, at - start);
    prefix[at - start] = 0;
    struct candidates c = {.typed = prefix, .length = at - start};
    consider_all(&c, start != 0, false);
    if (c.count == 0 || (c.count > 1 && strlen(c.common) == c.length)) {
        if (c.count) {
            say("%s", "");
            consider_all(&c, start != 0, true);
            say("%s", "");
        }
        return false;
    }
    (void)text_copy(word, DOMAIN_NAME_LEN, c.common);
    *typed = c.length;
    *whole = c.count == 1;
    return true;
}

bool cmd_help(struct run *r)
{
    char usage[40];

    if (r->n < command_count) {
        fmt(usage, sizeof(usage), "%s %s", commands[r->n].name, commands[r->n].arguments);
        say("  %-20s %s", usage, commands[r->n].help);
        return true;
    }
    say("NAME is a domain's name or number; Tab completes, the beginning of a command will do.");
    say("Ctrl-T moves keyboard and screen to the next console. Under QEMU, Ctrl-A x ends it all.");
    return false;
}
