/* Console commands about domains. Each function is one bounded step; see console-internal.h. */
#include "console-internal.h"

#include <hyp/arch.h>
#include <hyp/config.h>
#include <hyp/cpu.h>
#include <hyp/evtchn.h>
#include <hyp/frame.h>
#include <hyp/log.h>
#include <hyp/timer.h>
#include <hyp/xen.h>
#include <lib/string.h>
#include <lib/text.h>
#include <xen/errno.h>
#include <xen/xen.h>

#define TOP_PERIOD_NS 1000000000ull
#define TOP_FIRST_NS 300000000ull

/* Walk over all domains, one a step: the reference is kept in between. */
static struct domain *next_domain(struct run *r)
{
    r->at = domain_next(r->at);
    return r->at;
}

static uint64_t run_ticks(const struct domain *d)
{
    uint64_t sum = 0, now = arch_counter_ticks();

    for (unsigned i = 0; i < d->vcpu_count; i++) {
        sum += sched_runtime_ticks(d->vcpu[i], now);
    }
    return sum;
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

/* Configured domains that do not exist now. */
static bool list_absent(unsigned n)
{
    const struct domain_config *all;
    int count = config_all(&all);

    if ((int)n >= count) {
        return false;
    }
    struct domain *d = domain_get_by_name(all[n].name);
    if (d) {
        domain_put(d);
    } else {
        say("  -  %-16s %-11s start %s brings it back", all[n].name, "gone", all[n].name);
    }
    return true;
}

bool cmd_list(struct run *r)
{
    if (r->n == 0) {
        say(" ID  NAME             STATE       vCPUs  MEMORY MiB   CPU TIME s  RESTARTS");
        return true;
    }
    const struct domain *d = r->position ? NULL : next_domain(r);
    if (!d) {
        return list_absent((unsigned)r->position++);
    }
    uint64_t ms = ticks_to_ns(run_ticks(d)) / 1000000;
    say("%3u  %-16s %-11s %5u  %10llu  %7llu.%03llu  %8u", d->id, d->name, state_of(d),
        d->vcpu_count, (unsigned long long)(frame_owned_count(d->id) >> (20 - FRAME_SHIFT)),
        (unsigned long long)(ms / 1000), (unsigned long long)(ms % 1000), d->reboot_count);
    return true;
}

bool cmd_vcpus(struct run *r)
{
    static const char *const states[] = {"offline", "asleep", "waiting", "running"};
    struct sched_times t;

    if (r->n == 0) {
        say("vCPU  STATE     CPU      RAN ms   WAITED ms  CLASS");
        return true;
    }
    if (r->n > r->domain->vcpu_count) {
        return false;
    }
    struct vcpu *v = r->domain->vcpu[r->n - 1];
    const struct sched_params *p = &v->sched.params;
    sched_times(v, arch_counter_ticks(), &t);
    say_part("%4u  %-8s  %3u  %10llu  %10llu  ", v->id, states[t.state], v->sched.home->id,
             (unsigned long long)(ticks_to_ns(t.ticks[SCHED_RUNNING]) / 1000000),
             (unsigned long long)(ticks_to_ns(t.ticks[SCHED_RUNNABLE]) / 1000000));
    if (p->class == SCHED_REALTIME) {
        say("real time, %llu of %llu us", (unsigned long long)(ticks_to_ns(p->budget_ticks) / 1000),
            (unsigned long long)(ticks_to_ns(p->period_ticks) / 1000));
    } else if (p->class == SCHED_DEDICATED) {
        say("has the CPU for itself");
    } else {
        say("share, weight %u, cap %u%s", p->weight, p->cap_percent,
            p->cap_percent ? " %" : " (none)");
    }
    return true;
}

/* What a domain_*() function did not like. */
static bool report(struct run *r, int error, const char *done)
{
    const struct domain *d = r->domain;

    if (!error) {
        say("%s %s.", d->name, done);
    } else if (error == -XEN_EINVAL) {
        say("Not possible while %s is %s.", d->name, state_of(d));
    } else if (error == -XEN_EBUSY) {
        say("Not possible: %s is %s, or an earlier order is still being carried out.", d->name,
            state_of(d));
    } else {
        say("Not possible: error %d.", -error);
    }
    return false;
}

bool cmd_pause(struct run *r)
{
    return report(r, domain_pause(r->domain), "is paused; unpause lets it go on");
}

bool cmd_unpause(struct run *r)
{
    return report(r, domain_unpause(r->domain), "goes on");
}

bool cmd_reboot(struct run *r)
{
    return report(r, domain_reboot(r->domain), "is being started again");
}

bool cmd_destroy(struct run *r)
{
    return report(r, domain_destroy(r->domain), "is being destroyed");
}

bool cmd_start(struct run *r)
{
    const struct domain_config *all;
    int count = config_all(&all);

    for (int i = 0; i < count; i++) {
        if (strcmp(all[i].name, r->argument) == 0) {
            int error = domain_launch(&all[i]);
            if (error == -XEN_EEXIST) {
                say("%s exists already: reboot starts it again.", all[i].name);
            } else if (error) {
                say("%s cannot be started: %s (error %d).", all[i].name,
                    error == -XEN_ENOMEM ? "not enough memory" : "see log", -error);
            } else {
                say("%s starts.", all[i].name);
            }
            return false;
        }
    }
    say(*r->argument ? "No domain \"%s\" is configured; list shows them." : "%sUsage: start NAME",
        r->argument);
    return false;
}

bool cmd_console(struct run *r)
{
    return false; /* command_step() switches when this command is out of the way */
}

bool cmd_break(struct run *r)
{
    vuart_receive_break(r->domain);
    say("Sent. In Linux the next key is the SysRq command: console %s, then h shows them.",
        r->domain->name);
    return false;
}

bool cmd_debug(struct run *r)
{
    for (unsigned i = 0; i < r->domain->vcpu_count; i++) {
        evtchn_virq(r->domain->vcpu[i], VIRQ_DEBUG);
    }
    say("Sent to the vCPUs of %s that listen.", r->domain->name);
    return false;
}

bool cmd_links(struct run *r)
{
    if (r->n == 0) {
        say("CHANNELS  TO OTHERS  OWN GRANTS USED  OTHERS' GRANTS MAPPED  NAME");
        return true;
    }
    struct domain *d = next_domain(r);
    if (!d) {
        return false;
    }
    struct xen_links l = xen_links(d);
    say("%8u%11u%17u%23u  %s", l.channels, l.interdomain, l.grants_used, l.grants_mapped, d->name);
    return true;
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

bool cmd_weight(struct run *r)
{
    struct sched_params p = {.class = SCHED_SHARE};
    const char *at = r->rest;
    uint64_t weight, cap = 0;

    if (!next_number(&at, &weight) || weight == 0 || weight > SCHED_WEIGHT_MAX ||
        (*at && (!next_number(&at, &cap) || cap > 100u * MAX_VCPUS))) {
        say("Usage: weight NAME N [CAP]: N from 1 to %u, CAP in percent of one CPU, 0 for none.",
            SCHED_WEIGHT_MAX);
        return false;
    }
    p.weight = (uint32_t)weight;
    p.cap_percent = (uint32_t)cap;
    return report(r, sched_set(r->domain, &p), "has its new share");
}

static void show_registers(const struct crash_record *c)
{
    say("    vCPU %u  pc %016llx  pstate %08llx  syndrome %08llx  address %016llx", c->vcpu,
        (unsigned long long)c->pc, (unsigned long long)c->pstate, (unsigned long long)c->esr,
        (unsigned long long)c->far);
    for (unsigned i = 0; i < 31; i++) {
        say_part("    x%-2u %016llx", i, (unsigned long long)c->x[i]);
        if (i % 3 == 2 || i == 30) {
            say("%s", "");
        }
    }
}

bool cmd_crash(struct run *r)
{
    const struct domain *d = r->domain ? (r->n ? NULL : r->domain) : next_domain(r);

    if (!d) {
        if (!r->domain && !r->position) {
            say("No domain has crashed since it was made.");
        }
        return false;
    }
    if (d->crash) {
        uint64_t ms = ticks_to_ns(d->crash->at_ticks) / 1000000;
        say("%s, %llu.%03llu s after power-on: %s", d->name, (unsigned long long)(ms / 1000),
            (unsigned long long)(ms % 1000), d->crash->why);
        show_registers(d->crash);
        r->position = 1;
    } else if (r->domain) {
        say("%s has not crashed since it was made.", d->name);
    }
    return true;
}

bool cmd_dump(struct run *r)
{
    struct crash_record now = {0};

    if (r->n >= r->domain->vcpu_count) {
        return false;
    }
    struct vcpu *v = r->domain->vcpu[r->n];
    if (!sched_is_off(v)) {
        say("  vCPU %u is in CPU %u: pause %s to see its registers", v->id, v->sched.home->id,
            r->domain->name);
        return true;
    }
    now.vcpu = v->id;
    arch_vcpu_snapshot(v, &now);
    show_registers(&now);
    return true;
}

bool cmd_rights(struct run *r)
{
    const struct domain *d = next_domain(r);

    if (!d) {
        return false;
    }
    const char *list = d->config ? d->config->rights : NULL;
    if (!list) {
        say("  %-16s none: its own memory, CPUs and devices only", d->name);
        return true;
    }
    say_part("  %-16s", d->name);
    for (size_t at = 0; at < d->config->rights_len; at += strlen(list + at) + 1) {
        say_part(" %s;", list + at);
    }
    say("%s", "");
    return true;
}

/* top */

static uint64_t top_since, top_interval;
static uint64_t top_busy[MAX_CPUS];

static unsigned permille(uint64_t part, uint64_t whole)
{
    return whole ? (unsigned)(part * 1000 / whole) : 0;
}

static void top_header(uint64_t now)
{
    struct sched_cpu_info info;
    struct frame_stats frames;

    top_interval = top_since ? now - top_since : 0;
    top_since = now;
    frame_stats(&frames);
    say_part("\x1b[H\x1b[J");
    say("%llu s up, %llu of %llu MiB free. Any key ends this.",
        (unsigned long long)(ticks_to_ns(now) / 1000000000), (unsigned long long)(frames.free >> 8),
        (unsigned long long)(frames.total >> 8));
    say_part("CPUs, %% busy:");
    for (uint32_t i = 0; i < cpu_count; i++) {
        sched_cpu_info(cpus[i], now, &info);
        unsigned p = permille(info.busy_ticks - top_busy[i], top_interval);
        top_busy[i] = info.busy_ticks;
        say_part(" %u.%u", p / 10, p % 10);
    }
    say("%s", "");
    say("%s", "");
    say("  CPU %%   ID  NAME             STATE       vCPUs  MEMORY MiB");
}

/* The first picture is only the measure for the second. */
bool cmd_top(struct run *r)
{
    uint64_t now = arch_counter_ticks();

    if (r->stop) {
        return false;
    }
    if (r->n == 0) {
        top_since = 0;
    }
    if (!r->position) {
        top_header(now);
        r->position = 1;
        return true;
    }
    struct domain *d = next_domain(r);
    if (!d) {
        r->position = 0;
        r->waiting = true;
        r->wake_ticks = now + ns_to_ticks(top_interval ? TOP_PERIOD_NS : TOP_FIRST_NS);
        return true;
    }
    uint64_t ran = run_ticks(d);
    unsigned p = d->console ? permille(ran - d->console->top_ticks, top_interval) : 0;
    if (d->console) {
        d->console->top_ticks = ran;
    }
    say(" %4u.%u  %3u  %-16s %-11s %5u  %10llu", p / 10, p % 10, d->id, d->name, state_of(d),
        d->vcpu_count, (unsigned long long)(frame_owned_count(d->id) >> (20 - FRAME_SHIFT)));
    return true;
}
