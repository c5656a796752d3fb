/*
 * The commands of the hypervisor's console: each call of one is a bounded step.
 * They are listed at the end.
 */
#include "console-internal.h"

#include <hyp/arch.h>
#include <hyp/config.h>
#include <hyp/cpu.h>
#include <hyp/evtchn.h>
#include <hyp/frame.h>
#include <hyp/gic.h>
#include <hyp/irq.h>
#include <hyp/log.h>
#include <hyp/rights.h>
#include <hyp/timer.h>
#include <hyp/vuart.h>
#include <hyp/xen.h>
#include <lib/string.h>
#include <lib/text.h>
#include <xen/errno.h>
#include <xen/xen.h>

#define TOP_PERIOD_NS 1000000000ull
#define TOP_FIRST_NS 300000000ull
#define IRQS_PER_STEP 64u

/* Helpers. */

static uint64_t run_ticks(const struct domain *d)
{
    uint64_t sum = 0, now = arch_counter_ticks();

    for (unsigned i = 0; i < d->vcpu_count; i++) {
        sum += sched_runtime_ticks(d->vcpu[i], now);
    }
    return sum;
}

static uint64_t milliseconds(uint64_t ticks)
{
    return ticks_to_ns(ticks) / 1000000;
}

static uint64_t kib(uint64_t frames)
{
    return frames << (FRAME_SHIFT - 10);
}

static const char *state_of(const struct domain *d)
{
    static const char *const down[] = {"powered off", "rebooting",   "suspended",
                                       "crashed",     "watchdogged", "resetting"};

    switch (d->state) {
    case DOMAIN_CREATED:
        return "starting";
    case DOMAIN_RUNNING:
        return d->paused_by_console ? "paused" : "running";
    case DOMAIN_DOWN:
        return (unsigned)d->reason < ARRAY_LEN(down) ? down[d->reason] : "down";
    default:
        return "ending";
    }
}

/* What a function of domain.c or sched.c answered, in words. */
static void report_order(const struct domain *d, int error, const char *did)
{
    if (!error) {
        say("%s %s.\n", d->name, did);
    } else if (error == -XEN_EINVAL) {
        say("Not possible while %s is %s.\n", d->name, state_of(d));
    } else if (error == -XEN_EBUSY) {
        say("Not possible: %s is %s, or an earlier order is still being carried out.\n", d->name,
            state_of(d));
    } else {
        say("Not possible: error %d.\n", -error);
    }
}

/* Domains. */

/* The columns that list and top share. */
static void say_domain(const struct domain *d)
{
    say("%3u  %-16s %-11s %5u  %10lu", d->id, d->name, state_of(d), d->vcpu_count,
        kib(frame_owned_count(d->id)) >> 10);
}

/* A domain that is configured and does not exist; NULL: no more. */
static const struct domain_config *next_absent(struct run *r)
{
    const struct domain_config *all;
    uint64_t count = (uint64_t)config_all(&all);

    while (r->position < count) {
        const struct domain_config *c = &all[r->position++];
        struct domain *d = domain_get_by_name(c->name);
        if (!d) {
            return c;
        }
        domain_put(d);
    }
    return NULL;
}

/* Those that exist, then those that do not. */
static void cmd_list(struct run *r)
{
    if (r->n == 0 || r->domain) {
        r->domain = domain_next(r->domain);
    }
    if (r->domain) {
        uint64_t ms = milliseconds(run_ticks(r->domain));
        say_domain(r->domain);
        say("  %7lu.%03lu  %8u\n", ms / 1000, ms % 1000, r->domain->reboot_count);
        return;
    }
    const struct domain_config *c = next_absent(r);
    r->done = !c;
    if (c) {
        say("  -  %-16s %-11s start %s brings it back\n", c->name, "gone", c->name);
    }
}

static void cmd_vcpus(struct run *r)
{
    static const char *const states[] = {"offline", "asleep", "waiting", "running"};
    struct vcpu *v = r->domain->vcpu[r->n];
    const struct sched_params *p = &v->sched.params;
    struct sched_times t;

    sched_times(v, arch_counter_ticks(), &t);
    say("%4u  %-8s  %3u  %10lu  %10lu  ", v->id, states[t.state], v->sched.home->id,
        milliseconds(t.ticks[SCHED_RUNNING]), milliseconds(t.ticks[SCHED_RUNNABLE]));
    if (p->class == SCHED_REALTIME) {
        say("real time, %lu of %lu us\n", ticks_to_ns(p->budget_ticks) / 1000,
            ticks_to_ns(p->period_ticks) / 1000);
    } else if (p->class == SCHED_DEDICATED) {
        say("has the CPU for itself\n");
    } else {
        say("share, weight %u, cap %u%s\n", p->weight, p->cap_percent,
            p->cap_percent ? " %" : " (none)");
    }
}

static void cmd_order(struct run *r)
{
    report_order(r->domain, r->command->order(r->domain), r->command->did);
}

static void start(const struct domain_config *c)
{
    int error = domain_launch(c);

    if (error == -XEN_EEXIST) {
        say("%s exists already: reboot starts it again.\n", c->name);
    } else if (error) {
        say("%s cannot be started: %s (error %d).\n", c->name,
            error == -XEN_ENOMEM ? "not enough memory" : "see log", -error);
    } else {
        say("%s starts.\n", c->name);
    }
}

static void cmd_start(struct run *r)
{
    const struct domain_config *all;
    int count = config_all(&all);

    for (int i = 0; i < count; i++) {
        if (strcmp(all[i].name, r->word[1]) == 0) {
            start(&all[i]);
            return;
        }
    }
    say(*r->word[1] ? "No domain \"%s\" is configured; list shows them.\n"
                    : "%sUsage: start NAME\n",
        r->word[1]);
}

/* Switching ends this very command, which would go on behind the other console's back. */
static void cmd_console(struct run *r)
{
    if (!console_focus(r->domain)) {
        say("That domain has no console.\n");
    }
}

static void cmd_break(struct run *r)
{
    (void)!vuart_receive(r->domain, VUART_BREAK);
    say("Sent. In Linux the next key is the SysRq command: console %s, then h shows them.\n",
        r->domain->name);
}

static void cmd_debug(struct run *r)
{
    for (unsigned i = 0; i < r->domain->vcpu_count; i++) {
        evtchn_virq(r->domain->vcpu[i], VIRQ_DEBUG);
    }
    say("Sent to the vCPUs of %s that listen.\n", r->domain->name);
}

static void cmd_links(struct run *r)
{
    if (r->domain) {
        struct xen_links l = xen_links(r->domain);
        say("%8u%11u%17u%23u  %s\n", l.channels, l.interdomain, l.grants_used, l.grants_mapped,
            r->domain->name);
    }
}

static void cmd_weight(struct run *r)
{
    uint64_t weight, cap = 0;

    if (!text_to_u64(r->word[2], &weight) || weight == 0 || weight > SCHED_WEIGHT_MAX ||
        (*r->word[3] && !text_to_u64(r->word[3], &cap)) || cap > 100u * MAX_VCPUS) {
        say("Usage: weight NAME N [CAP]: N from 1 to %u, CAP in percent of one CPU, 0 for none.\n",
            SCHED_WEIGHT_MAX);
        return;
    }
    struct sched_params p = {
        .class = SCHED_SHARE, .weight = (uint32_t)weight, .cap_percent = (uint32_t)cap};
    report_order(r->domain, sched_set(r->domain, &p), "has its new share");
}

static void show_registers(const struct crash_record *c)
{
    say("    vCPU %u  pc %016lx  pstate %08lx  syndrome %08lx  address %016lx\n", c->vcpu, c->pc,
        c->pstate, c->esr, c->far);
    for (unsigned i = 0; i < 31; i++) {
        say("    x%-2u %016lx%s", i, c->x[i], i % 3 == 2 || i == 30 ? "\n" : "");
    }
}

/* One record a step, of domains that exist and of others; r->position: one was shown. */
static void cmd_crash(struct run *r)
{
    struct crash_record c;

    r->done = !domain_last_crash(r->n, &c);
    if (!r->done && (!*r->word[1] || strcmp(c.name, r->word[1]) == 0)) {
        uint64_t ms = milliseconds(c.at_ticks);
        say("%s %s, %lu.%03lu s after power-on\n", c.name, c.why, ms / 1000, ms % 1000);
        show_registers(&c);
        r->position = 1;
    } else if (r->done && !r->position) {
        say(*r->word[1] ? "%s has not crashed.\n" : "%sNo domain has crashed.\n", r->word[1]);
    }
}

static void cmd_dump(struct run *r)
{
    struct vcpu *v = r->domain->vcpu[r->n];
    struct crash_record now = {.vcpu = v->id};

    if (sched_is_off(v)) {
        arch_vcpu_snapshot(v, &now);
        show_registers(&now);
    } else if (__atomic_load_n(&v->sched.pause_count, __ATOMIC_RELAXED) != 0) {
        r->n--; /* its CPU, told just now, is about to let go of its registers: ask again */
        r->done = false;
        r->wake_ticks = arch_counter_ticks() + ns_to_ticks(100000);
    } else {
        say("  vCPU %u is in CPU %u: pause %s to see its registers\n", v->id, v->sched.home->id,
            r->domain->name);
    }
}

static void cmd_rights(struct run *r)
{
    char words[96];
    bool any = false;

    if (!r->domain) {
        return;
    }
    say("  %-16s", r->domain->name);
    for (unsigned right = 0; right < RIGHT_COUNT; right++) {
        if (rights_describe(r->domain, (enum right)right, words, sizeof(words))) {
            say(" %s;", words);
            any = true;
        }
    }
    say(any ? "\n" : " none: its own memory, CPUs and devices only\n");
}

/* top */

static uint64_t top_interval; /* between the last two pictures; 0: it is the first */

static unsigned permille(uint64_t part, uint64_t whole)
{
    return whole ? (unsigned)(part * 1000 / whole) : 0;
}

static void top_header(struct run *r, uint64_t now)
{
    static uint64_t busy[MAX_CPUS];
    struct sched_cpu_info info;
    struct frame_stats frames;

    top_interval = r->position ? now - r->position : 0;
    r->position = now;
    frame_stats(&frames);
    say("\x1b[H\x1b[J%lu s up, %lu of %lu MiB free. Any key ends this.\nCPUs, %% busy:",
        milliseconds(now) / 1000, frames.free >> 8, frames.total >> 8);
    for (uint32_t i = 0; i < cpu_count; i++) {
        sched_cpu_info(cpus[i], now, &info);
        unsigned p = permille(info.busy_ticks - busy[i], top_interval);
        busy[i] = info.busy_ticks;
        say(" %u.%u", p / 10, p % 10);
    }
    say("\n\n  CPU %%   ID  NAME             STATE       vCPUs  MEMORY MiB\n");
}

/* A picture, begun at r->position: a line each step, then a pause. The first one is only the measure for the second. */
static void cmd_top(struct run *r)
{
    uint64_t now = arch_counter_ticks();

    if (!r->domain) {
        top_header(r, now);
    }
    r->domain = domain_next(r->domain);
    const struct domain *d = r->domain;
    if (!d) {
        r->wake_ticks = now + ns_to_ticks(top_interval ? TOP_PERIOD_NS : TOP_FIRST_NS);
    } else if (d->console) {
        uint64_t ran = run_ticks(d);
        unsigned p = permille(ran - d->console->top_ticks, top_interval);
        d->console->top_ticks = ran;
        say(" %4u.%u  ", p / 10, p % 10);
        say_domain(d);
        say("\n");
    }
}

/* The machine. */

static void cmd_memory(struct run *r)
{
    const struct domain *d = r->domain;
    struct frame_stats s;

    if (r->n == 0) {
        frame_stats(&s);
        say("%lu KiB of memory; %lu free (of these %lu to be scrubbed first), %lu the domains',\n"
            "%lu the hypervisor's, and %lu its frame records.\n",
            kib(s.total), kib(s.free), kib(s.dirty), kib(s.owned), kib(s.hyp), s.table_bytes >> 10);
        say("       HAS KiB     LIMIT KiB   SPENT ON IT KiB   OF IT STAGE 2   ALLOWANCE KiB  "
            "NAME\n");
    }
    if (d) {
        say("%14lu%14lu%18lu%16lu%16lu  %s\n", kib(frame_owned_count(d->id)), kib(d->max_frames),
            kib(__atomic_load_n(&d->hyp_frames, __ATOMIC_RELAXED)), kib(d->p2m.table_frames),
            kib(d->hyp_frames_max), d->name);
    }
}

static void cmd_cpus(struct run *r)
{
    const struct cpu *c = cpus[r->n];
    struct sched_cpu_info info;
    char who[DOMAIN_NAME_LEN + 8] = "idle";

    sched_cpu_info(cpus[r->n], arch_counter_ticks(), &info);
    struct domain *d = info.domain == DOMID_INVALID ? NULL : domain_get(info.domain);
    if (d) {
        fmt(who, sizeof(who), "%s.%u", d->name, info.vcpu);
        domain_put(d);
    }
    say("%3u  %-8lx  %-16s %8lu %8u %8u %9lu %11lu%s\n", c->id, c->arch_id, who,
        ticks_to_ns(info.busy_ticks) / 1000000000, info.waiting, info.assigned, info.switch_count,
        c->irq_count, info.dedicated ? "  dedicated" : "");
}

static void cmd_irqs(struct run *r)
{
    uint32_t first = GIC_SPI_FIRST + r->n * IRQS_PER_STEP, virq = 0;
    struct domain *d = NULL;

    for (uint32_t i = first; i < first + IRQS_PER_STEP && i < gic_host.intid_count; i++) {
        if (!irq_owner(i, &d, &virq)) {
            continue;
        }
        if (d) {
            say("%5u  %s, as its %u\n", i, d->name, virq);
        } else {
            say("%5u  the hypervisor\n", i);
        }
    }
    r->done = first + IRQS_PER_STEP >= gic_host.intid_count;
    if (r->done) {
        say("All others are nobody's. Timers, IPIs and virtual interrupts are per CPU: cpus counts "
            "them.\n");
    }
}

static void cmd_log(struct run *r)
{
    char line[256];

    r->done = !log_read(&r->position, line, sizeof(line));
    if (!r->done) {
        say("%s\n", line);
    }
}

static void cmd_version(struct run *r)
{
    say("Bulkhead " BULKHEAD_VERSION
        " for arm64, %u CPUs, GICv%u; Xen 4.17's interface for its guests.\n",
        cpu_count, gic_host.version);
}

static void cmd_uptime(struct run *r)
{
    uint64_t s = ticks_to_ns(arch_counter_ticks()) / 1000000000;

    say("Up %lu days, %lu:%02lu:%02lu.\n", s / 86400, s / 3600 % 24, s / 60 % 60, s % 60);
}

static void cmd_quiet(struct run *r)
{
    bool on = strcmp(r->word[1], "on") == 0;

    if (*r->word[1] && !on && strcmp(r->word[1], "off") != 0) {
        say("Usage: quiet [on|off]\n");
        return;
    }
    lock(&screen.lock);
    screen.quiet = *r->word[1] ? on : screen.quiet;
    on = screen.quiet;
    unlock(&screen.lock);
    say("Lines of other consoles are %s.\n", on ? "held back" : "shown as they come");
}

static void cmd_power(struct run *r)
{
    bool reset = strcmp(r->command->name, "restart") == 0;

    if (strcmp(r->word[1], "now") != 0) {
        say("That ends all domains at once. If you mean it: %s now\n", r->command->name);
        return;
    }
    log_line("The machine %s, by order of the console.", reset ? "restarts" : "is switched off");
    arch_power(reset);
}

static void cmd_help(struct run *r)
{
    const struct command *c = &commands[r->n];
    char usage[40];

    fmt(usage, sizeof(usage), "%s %s", c->name, c->arguments);
    say("  %-20s %s\n", usage, c->help);
    r->done = !c[1].name;
    if (r->done) {
        say("NAME is a domain's name or number; Tab completes, the beginning of a command will "
            "do.\n");
        say("Ctrl-T moves keyboard and screen to the next console. Under QEMU, Ctrl-A x ends it "
            "all.\n");
    }
}

const struct command commands[] = {
    {"list", "", "the domains: state, memory, CPU time", STEPS,
     .header = " ID  NAME             STATE       vCPUs  MEMORY MiB   CPU TIME s  RESTARTS\n",
     .step = cmd_list},
    {"vcpus", "NAME", "a domain's vCPUs: where and how long they ran", VCPUS,
     .header = "vCPU  STATE     CPU      RAN ms   WAITED ms  CLASS\n", .step = cmd_vcpus},
    {"console", "NAME", "keyboard and screen to that domain (as does Ctrl-T)", DOMAIN,
     .step = cmd_console},
    {"pause", "NAME", "stop its vCPUs", DOMAIN, .step = cmd_order, .order = domain_pause,
     .did = "is paused; unpause lets it go on"},
    {"unpause", "NAME", "let them go on", DOMAIN, .step = cmd_order, .order = domain_unpause,
     .did = "goes on"},
    {"reboot", "NAME", "start it again from its pristine images", DOMAIN, .step = cmd_order,
     .order = domain_reboot, .did = "is being started again"},
    {"destroy", "NAME", "end it and free its memory; start brings it back", DOMAIN,
     .step = cmd_order, .order = domain_destroy, .did = "is being destroyed"},
    {"start", "NAME", "start a domain that was powered off or destroyed", .step = cmd_start},
    {"break", "NAME", "a break on its serial line (Linux: SysRq)", DOMAIN, .step = cmd_break},
    {"debug", "NAME", "VIRQ_DEBUG to its vCPUs", DOMAIN, .step = cmd_debug},
    {"weight", "NAME N [CAP]", "its share of the CPUs (256 is usual), and a cap in percent", DOMAIN,
     .step = cmd_weight},
    {"crash", "[NAME]", "the last crash of each: why, when, the registers", STEPS,
     .step = cmd_crash},
    {"dump", "NAME", "the registers of its vCPUs that do not run", VCPUS, .step = cmd_dump},
    {"rights", "", "what each domain may do to others", DOMAINS, .step = cmd_rights},
    {"top", "", "who uses the CPUs, live; any key ends it", STEPS, .step = cmd_top},
    {"cpus", "", "the CPUs: who runs, how busy", CPUS,
     .header = "CPU  MPIDR     RUNS               BUSY s  WAITING  AT HOME  SWITCHES  INTERRUPTS\n",
     .step = cmd_cpus},
    {"memory", "", "where the memory is", DOMAINS, .step = cmd_memory},
    {"links", "", "what ties domains together: channels, grants", DOMAINS,
     .header = "CHANNELS  TO OTHERS  OWN GRANTS USED  OTHERS' GRANTS MAPPED  NAME\n",
     .step = cmd_links},
    {"irqs", "", "who has which interrupt", STEPS, .header = "INTID  OWNER\n", .step = cmd_irqs},
    {"log", "", "the log from its beginning", STEPS, .step = cmd_log},
    {"quiet", "[on|off]", "hold back other consoles' lines", .step = cmd_quiet},
    {"uptime", "", "time since power-on", .step = cmd_uptime},
    {"version", "", "what runs here", .step = cmd_version},
    {"restart", "now", "restart the whole machine", .step = cmd_power},
    {"poweroff", "now", "switch the whole machine off", .step = cmd_power},
    {"help", "", "this list", STEPS, .step = cmd_help},
    {.name = NULL},
};
