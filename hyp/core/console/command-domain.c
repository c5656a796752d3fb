/* Console commands about domains. Each call of one is a bounded step; see console-internal.h. */
#include "console-internal.h"

#include <hyp/arch.h>
#include <hyp/config.h>
#include <hyp/cpu.h>
#include <hyp/evtchn.h>
#include <hyp/frame.h>
#include <hyp/log.h>
#include <hyp/rights.h>
#include <hyp/timer.h>
#include <hyp/xen.h>
#include <lib/string.h>
#include <lib/text.h>
#include <xen/errno.h>
#include <xen/xen.h>

#define TOP_PERIOD_NS 1000000000ull
#define TOP_FIRST_NS 300000000ull

static uint64_t run_ticks(const struct domain *d)
{
    uint64_t sum = 0, now = arch_counter_ticks();

    for (unsigned i = 0; i < d->vcpu_count; i++) {
        sum += sched_runtime_ticks(d->vcpu[i], now);
    }
    return sum;
}

static uint64_t memory_mib(const struct domain *d)
{
    return frame_owned_count(d->id) >> (20 - FRAME_SHIFT);
}

static uint64_t milliseconds(uint64_t ticks)
{
    return ticks_to_ns(ticks) / 1000000;
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

void cmd_list(struct run *r)
{
    const struct domain *d = r->domain;

    if (!d) {
        say("  -  %-16s %-11s start %s brings it back\n", r->config->name, "gone", r->config->name);
        return;
    }
    uint64_t ms = milliseconds(run_ticks(d));
    say("%3u  %-16s %-11s %5u  %10lu  %7lu.%03lu  %8u\n", d->id, d->name, state_of(d),
        d->vcpu_count, memory_mib(d), ms / 1000, ms % 1000, d->reboot_count);
}

void cmd_vcpus(struct run *r)
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

void report_order(const struct domain *d, int error, const char *done)
{
    if (!error) {
        say("%s %s.\n", d->name, done);
    } else if (error == -XEN_EINVAL) {
        say("Not possible while %s is %s.\n", d->name, state_of(d));
    } else if (error == -XEN_EBUSY) {
        say("Not possible: %s is %s, or an earlier order is still being carried out.\n", d->name,
            state_of(d));
    } else {
        say("Not possible: error %d.\n", -error);
    }
}

static const struct domain_config *find_config(const char *name)
{
    const struct domain_config *all;
    int count = config_all(&all);

    for (int i = 0; i < count; i++) {
        if (strcmp(all[i].name, name) == 0) {
            return &all[i];
        }
    }
    return NULL;
}

void cmd_start(struct run *r)
{
    const struct domain_config *c = find_config(r->argument);

    if (!c) {
        say(*r->argument ? "No domain \"%s\" is configured; list shows them.\n"
                         : "%sUsage: start NAME\n",
            r->argument);
        return;
    }
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

void cmd_break(struct run *r)
{
    vuart_receive_break(r->domain);
    say("Sent. In Linux the next key is the SysRq command: console %s, then h shows them.\n",
        r->domain->name);
}

void cmd_debug(struct run *r)
{
    for (unsigned i = 0; i < r->domain->vcpu_count; i++) {
        evtchn_virq(r->domain->vcpu[i], VIRQ_DEBUG);
    }
    say("Sent to the vCPUs of %s that listen.\n", r->domain->name);
}

void cmd_links(struct run *r)
{
    if (r->domain) {
        struct xen_links l = xen_links(r->domain);
        say("%8u%11u%17u%23u  %s\n", l.channels, l.interdomain, l.grants_used, l.grants_mapped,
            r->domain->name);
    }
}

static bool next_number(const char **at, uint64_t *out)
{
    char word[16];
    unsigned n = 0;

    while (**at == ' ') {
        (*at)++;
    }
    while (**at && **at != ' ' && n + 1 < sizeof(word)) {
        word[n++] = *(*at)++;
    }
    word[n] = 0;
    return text_to_u64(word, out);
}

void cmd_weight(struct run *r)
{
    const char *at = r->rest;
    uint64_t weight, cap = 0;

    if (!next_number(&at, &weight) || weight == 0 || weight > SCHED_WEIGHT_MAX ||
        (*at && (!next_number(&at, &cap) || cap > 100u * MAX_VCPUS))) {
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
void cmd_crash(struct run *r)
{
    struct crash_record c;

    r->done = !domain_last_crash(r->n, &c);
    if (!r->done && (!*r->argument || strcmp(c.name, r->argument) == 0)) {
        uint64_t ms = milliseconds(c.at_ticks);
        say("%s %s, %lu.%03lu s after power-on\n", c.name, c.why, ms / 1000, ms % 1000);
        show_registers(&c);
        r->position = 1;
    } else if (r->done && !r->position) {
        say(*r->argument ? "%s has not crashed.\n" : "%sNo domain has crashed.\n", r->argument);
    }
}

void cmd_dump(struct run *r)
{
    struct vcpu *v = r->domain->vcpu[r->n];
    struct crash_record now = {.vcpu = v->id};

    r->wake_ticks = 0;
    if (sched_is_off(v)) {
        arch_vcpu_snapshot(v, &now);
        show_registers(&now);
    } else if (__atomic_load_n(&v->sched.pause_count, __ATOMIC_RELAXED) != 0) {
        r->n--; /* its CPU, told just now, is about to let go of its registers: ask again */
        r->wake_ticks = arch_counter_ticks() + ns_to_ticks(100000);
    } else {
        say("  vCPU %u is in CPU %u: pause %s to see its registers\n", v->id, v->sched.home->id,
            r->domain->name);
    }
}

void cmd_rights(struct run *r)
{
    char words[96];
    bool any = false;

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

static uint64_t top_since, top_interval;

static unsigned permille(uint64_t part, uint64_t whole)
{
    return whole ? (unsigned)(part * 1000 / whole) : 0;
}

static void top_header(uint64_t now)
{
    static uint64_t busy[MAX_CPUS];
    struct sched_cpu_info info;
    struct frame_stats frames;

    top_interval = top_since ? now - top_since : 0;
    top_since = now;
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

/* A picture: a line each step, then a pause. The first one is only the measure for the second. */
void cmd_top(struct run *r)
{
    uint64_t now = arch_counter_ticks();

    if (r->stop) {
        r->done = true;
        r->wake_ticks = 0;
        return;
    }
    if (!r->domain) {
        top_since = r->n ? top_since : 0;
        top_header(now);
    }
    r->domain = domain_next(r->domain);
    const struct domain *d = r->domain;
    r->wake_ticks = d ? 0 : now + ns_to_ticks(top_interval ? TOP_PERIOD_NS : TOP_FIRST_NS);
    if (d && d->console) {
        uint64_t ran = run_ticks(d);
        unsigned p = permille(ran - d->console->top_ticks, top_interval);
        d->console->top_ticks = ran;
        say(" %4u.%u  %3u  %-16s %-11s %5u  %10lu\n", p / 10, p % 10, d->id, d->name, state_of(d),
            d->vcpu_count, memory_mib(d));
    }
}
