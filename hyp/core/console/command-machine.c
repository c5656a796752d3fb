/* Console commands about the machine. Each call of one is a bounded step; see console-internal.h. */
#include "console-internal.h"

#include <hyp/arch.h>
#include <hyp/cpu.h>
#include <hyp/frame.h>
#include <hyp/gic.h>
#include <hyp/irq.h>
#include <hyp/log.h>
#include <hyp/timer.h>
#include <lib/string.h>

#define IRQS_PER_STEP 64u

static uint64_t kib(uint64_t frames)
{
    return frames << (FRAME_SHIFT - 10);
}

void cmd_memory(struct run *r)
{
    const struct domain *d = r->domain;
    struct frame_stats s;

    if (r->n == 0) {
        frame_stats(&s);
        say("%lu KiB of memory; %lu free, %lu the domains',\n"
            "%lu the hypervisor's, and %lu its frame records.\n",
            kib(s.total), kib(s.free), kib(s.owned), kib(s.hyp), s.table_bytes >> 10);
        say("       HAS KiB     LIMIT KiB   SPENT ON IT KiB   OF IT STAGE 2   ALLOWANCE KiB  "
            "NAME\n");
    }
    if (d) {
        say("%14lu%14lu%18lu%16lu%16lu  %s\n", kib(frame_owned_count(d->id)), kib(d->max_frames),
            kib(__atomic_load_n(&d->hyp_frames, __ATOMIC_RELAXED)), kib(d->p2m.table_frames),
            kib(d->hyp_frames_max), d->name);
    }
}

void cmd_cpus(struct run *r)
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

void cmd_irqs(struct run *r)
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

void cmd_log(struct run *r)
{
    char line[256];

    r->done = !log_read(&r->position, line, sizeof(line));
    if (!r->done) {
        say("%s\n", line);
    }
}

void cmd_version(struct run *r)
{
    say("Bulkhead " BULKHEAD_VERSION
        " for arm64, %u CPUs, GICv%u; Xen 4.17's interface for its guests.\n",
        cpu_count, gic_host.version);
}

void cmd_uptime(struct run *r)
{
    uint64_t s = ticks_to_ns(arch_counter_ticks()) / 1000000000;

    say("Up %lu days, %lu:%02lu:%02lu.\n", s / 86400, s / 3600 % 24, s / 60 % 60, s % 60);
}

void cmd_quiet(struct run *r)
{
    bool on = strcmp(r->argument, "on") == 0;

    if (*r->argument && !on && strcmp(r->argument, "off") != 0) {
        say("Usage: quiet [on|off]\n");
        return;
    }
    lock(&screen.lock);
    screen.quiet = *r->argument ? on : screen.quiet;
    on = screen.quiet;
    unlock(&screen.lock);
    say("Lines of other consoles are %s.\n", on ? "held back" : "shown as they come");
}

static void power(struct run *r, bool reset)
{
    if (strcmp(r->argument, "now") != 0) {
        say("That ends all domains at once. If you mean it: %s now\n", r->command->name);
        return;
    }
    log_line("The machine %s, by order of the console.", reset ? "restarts" : "is switched off");
    arch_power(reset);
}

void cmd_poweroff(struct run *r)
{
    power(r, false);
}

void cmd_restart(struct run *r)
{
    power(r, true);
}
