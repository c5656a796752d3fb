/*
 * The commands of the hypervisor's console: the table, parsing, completion,
 * and running one of them step by step (C3). What they do is in
 * command-domain.c and command-machine.c.
 */
#include "console-internal.h"

#include <hyp/arch.h>
#include <hyp/config.h>
#include <hyp/cpu.h>
#include <hyp/log.h>
#include <lib/string.h>
#include <lib/text.h>

static void cmd_help(struct run *r);
static void cmd_console(struct run *r);

static const struct command commands[] = {
    {"list", "", "the domains: state, memory, CPU time", CONFIGURED, .step = cmd_list,
     .header = " ID  NAME             STATE       vCPUs  MEMORY MiB   CPU TIME s  RESTARTS\n"},
    {"vcpus", "NAME", "a domain's vCPUs: where and how long they ran", VCPUS, MUST_NAME,
     .header = "vCPU  STATE     CPU      RAN ms   WAITED ms  CLASS\n", .step = cmd_vcpus},
    {"console", "NAME", "keyboard and screen to that domain (as does Ctrl-T)", ONCE, MUST_NAME,
     .step = cmd_console},
    {"pause", "NAME", "stop its vCPUs", ONCE, MUST_NAME, .order = domain_pause,
     .done = "is paused; unpause lets it go on"},
    {"unpause", "NAME", "let them go on", ONCE, MUST_NAME, .order = domain_unpause,
     .done = "goes on"},
    {"reboot", "NAME", "start it again from its pristine images", ONCE, MUST_NAME,
     .order = domain_reboot, .done = "is being started again"},
    {"destroy", "NAME", "end it and free its memory; start brings it back", ONCE, MUST_NAME,
     .order = domain_destroy, .done = "is being destroyed"},
    {"start", "NAME", "start a domain that was powered off or destroyed", .step = cmd_start},
    {"break", "NAME", "a break on its serial line (Linux: SysRq)", ONCE, MUST_NAME,
     .step = cmd_break},
    {"debug", "NAME", "VIRQ_DEBUG to its vCPUs", ONCE, MUST_NAME, .step = cmd_debug},
    {"weight", "NAME N [CAP]", "its share of the CPUs (256 is usual), and a cap in percent", ONCE,
     MUST_NAME, .step = cmd_weight},
    {"crash", "[NAME]", "the last crash of each: why, when, the registers", STEPS,
     .step = cmd_crash},
    {"dump", "NAME", "the registers of its vCPUs that do not run", VCPUS, MUST_NAME,
     .step = cmd_dump},
    {"rights", "", "what each domain may do to others", DOMAINS, .step = cmd_rights},
    {"top", "", "who uses the CPUs, live; any key ends it", STEPS, .step = cmd_top},
    {"cpus", "", "the CPUs: who runs, how busy", CPUS, .step = cmd_cpus,
     .header =
         "CPU  MPIDR     RUNS               BUSY s  WAITING  AT HOME  SWITCHES  INTERRUPTS\n"},
    {"memory", "", "where the memory is", DOMAINS, .step = cmd_memory},
    {"links", "", "what ties domains together: channels, grants", DOMAINS, .step = cmd_links,
     .header = "CHANNELS  TO OTHERS  OWN GRANTS USED  OTHERS' GRANTS MAPPED  NAME\n"},
    {"irqs", "", "who has which interrupt", STEPS, .step = cmd_irqs, .header = "INTID  OWNER\n"},
    {"log", "", "the log from its beginning", STEPS, .step = cmd_log},
    {"quiet", "[on|off]", "hold back other consoles' lines", .step = cmd_quiet},
    {"uptime", "", "time since power-on", .step = cmd_uptime},
    {"version", "", "what runs here", .step = cmd_version},
    {"restart", "now", "restart the whole machine", .step = cmd_restart},
    {"poweroff", "now", "switch the whole machine off", .step = cmd_poweroff},
    {"help", "", "this list", STEPS, .step = cmd_help},
};

static struct run run;            /* the one command that runs */
static char words[EDIT_LINE_MAX]; /* its line, cut into words */

bool command_running(void)
{
    return run.command != NULL;
}

void command_abort(void)
{
    if (run.domain) {
        domain_put(run.domain);
    }
    run = (struct run){0};
}

/* The command of that name, or the only one that begins so. */
static const struct command *find(const char *name)
{
    const struct command *found = NULL;

    for (const struct command *c = commands; c < commands + ARRAY_LEN(commands); c++) {
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

    command_abort();
    (void)text_copy(words, sizeof(words), line);
    const char *name = next_word(&at);
    const struct command *c = *name ? find(name) : NULL;
    if (!c) {
        return;
    }
    run.argument = next_word(&at);
    run.rest = at;
    if (c->naming == MUST_NAME && !(run.domain = find_domain(run.argument))) {
        say(*run.argument ? "There is no domain \"%s\"; list shows them.\n" : "%sUsage: %s %s\n",
            run.argument, c->name, c->arguments);
        return;
    }
    if (c->header) {
        say("%s", c->header);
    }
    run.command = c;
}

/* A domain that is configured and does not exist. */
static bool next_absent(struct run *r)
{
    const struct domain_config *all;
    uint64_t count = (uint64_t)config_all(&all);

    while (r->position < count) {
        r->config = &all[r->position++];
        struct domain *d = domain_get_by_name(r->config->name);
        if (!d) {
            return true;
        }
        domain_put(d);
    }
    return false;
}

/* Is there anything (more) for the step to be called for? */
static bool next(struct run *r)
{
    switch (r->command->walk) {
    case ONCE:
        return r->n == 0;
    case CONFIGURED:
        if (r->config) {
            return next_absent(r);
        }
        r->domain = domain_next(r->domain);
        return r->domain || next_absent(r);
    case DOMAINS:
        r->domain = domain_next(r->domain);
        return r->domain || r->n == 0;
    case VCPUS:
        return r->n < r->domain->vcpu_count;
    case CPUS:
        return r->n < cpu_count;
    case STEPS:
        return !r->done;
    }
    return false;
}

uint64_t command_step(void)
{
    const struct command *c = run.command;

    if (c && arch_counter_ticks() < run.wake_ticks && !run.stop) {
        return run.wake_ticks;
    }
    if (c && next(&run)) {
        if (c->order) {
            report_order(run.domain, c->order(run.domain), c->done);
        } else {
            c->step(&run);
        }
        run.n++;
        return run.command ? run.wake_ticks : TICKS_NEVER;
    }
    command_abort();
    return TICKS_NEVER;
}

void command_key(char key)
{
    enum { CTRL_C = 3 };

    if (run.wake_ticks) {
        run.stop = true;
    } else if (key == CTRL_C) {
        command_abort();
        say("^C\n");
    }
}

/* Switching ends this very command, which would go on behind the other console's back. */
static void cmd_console(struct run *r)
{
    domid_t to = r->domain->id;

    if (!console_focus(to)) {
        say("That domain has no console.\n");
    }
}

static void cmd_help(struct run *r)
{
    const struct command *c = &commands[r->n];
    char usage[40];

    fmt(usage, sizeof(usage), "%s %s", c->name, c->arguments);
    say("  %-20s %s\n", usage, c->help);
    r->done = r->n + 1 == ARRAY_LEN(commands);
    if (r->done) {
        say("NAME is a domain's name or number; Tab completes, the beginning of a command will "
            "do.\n");
        say("Ctrl-T moves keyboard and screen to the next console. Under QEMU, Ctrl-A x ends it "
            "all.\n");
    }
}

/* Completion. */

struct candidates {
    const char *typed;
    unsigned length, count;
    bool show;
    char common[DOMAIN_NAME_LEN]; /* what all of them begin with */
};

static void consider(struct candidates *c, const char *word)
{
    unsigned i = 0;

    if (strncmp(word, c->typed, c->length) != 0) {
        return;
    }
    if (c->show) {
        say("%s  ", word);
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

/* Commands, or domains. */
static void consider_all(struct candidates *c, bool domains)
{
    struct domain *d = NULL;

    c->count = 0;
    for (unsigned i = 0; !domains && i < ARRAY_LEN(commands); i++) {
        consider(c, commands[i].name);
    }
    while (domains && (d = domain_next(d))) {
        consider(c, d->name);
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
    consider_all(&c, start != 0);
    if (c.count > 1 && strlen(c.common) == c.length) {
        say("\n");
        c.show = true;
        consider_all(&c, start != 0);
        say("\n");
        return false;
    }
    (void)text_copy(word, DOMAIN_NAME_LEN, c.common);
    *typed = c.length;
    *whole = c.count == 1;
    return c.count != 0;
}
