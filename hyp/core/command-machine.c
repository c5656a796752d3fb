/* Console commands about the machine. Each function is one bounded step; see console-internal.h. */
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

static unsigned long long kib(uint64_t frames)
{
    return frames << (FRAME_SHIFT - 10);
}

bool cmd_memory(struct run *r)
{
    struct frame_stats s;

    if (r->n == 0) {
        frame_stats(&s);
        say("%llu KiB of memory; %llu free (of these %llu to be scrubbed first), %llu the "
            "domains',",
            kib(s.total), kib(s.free), kib(s.dirty), kib(s.owned));
        say("%llu the hypervisor's, and %llu its frame records.", kib(s.hyp),
            (unsigned long long)(s.table_bytes >> 10));
        say("       HAS KiB     LIMIT KiB   SPENT ON IT KiB   ALLOWANCE KiB  NAME");
        return true;
    }
    r->at = domain_next(r->at);
    const struct domain *d = r->at;
    if (!d) {
        return false;
    }
    say("%14llu%14llu%18llu%16llu  %s", kib(frame_owned_count(d->id)), kib(d->max_frames),
        kib(__atomic_load_n(&d->hyp_frames, __ATOMIC_RELAXED)), kib(d->hyp_frames_max), d->name);
    return true;
}

bool cmd_cpus(struct run *r)
{
    struct sched_cpu_info info;
    char who[DOMAIN_NAME_LEN + 8] = "idle";

    if (r->n == 0) {
        say("CPU  MPIDR     RUNS               BUSY s  WAITING  AT HOME  SWITCHES  INTERRUPTS");
        return true;
    }
    if (r->n > cpu_count) {
        return false;
    }
    struct cpu *c = cpus[r->n - 1];
    sched_cpu_info(c, arch_counter_ticks(), &info);
    struct domain *d = info.domain == DOMID_INVALID ? NULL : domain_get(info.domain);
    if (d) {
        fmt(who, sizeof(who), "%s.%u", d->name, info.vcpu);
        domain_put(d);
    }
    say("%3u  %-8llx  %-16s %8llu %8u %8u %9llu %11llu%s", c->id, (unsigned long long)c->arch_id,
        who, (unsigned long long)(ticks_to_ns(info.busy_ticks) / 1000000000), info.waiting,
        info.assigned, (unsigned long long)info.switch_count, (unsigned long long)c->irq_count,
        info.dedicated ? "  dedicated" : "");
    return true;
}

bool cmd_irqs(struct run *r)
{
    struct domain *d = NULL;
    uint32_t virq = 0;

    if (r->n == 0) {
        r->position = GIC_SPI_FIRST;
        say("INTID  OWNER");
        return true;
    }
    for (unsigned i = 0; i < IRQS_PER_STEP && r->position < gic_host.intid_count; i++) {
        uint32_t intid = (uint32_t)r->position++;
        if (!irq_owner(intid, &d, &virq)) {
            continue;
        }
        if (d) {
            say("%5u  %s, as its %u", intid, d->name, virq);
        } else {
            say("%5u  the hypervisor", intid);
        }
    }
    if (r->position < gic_host.intid_count) {
        return true;
    }
    say("All others are nobody's. Timers, IPIs and virtual interrupts are per CPU: cpus counts "
        "them.");
    return false;
}

bool cmd_log(struct run *r)
{
    char line[256];

    if (!log_read(&r->position, line, sizeof(line))) {
        return false;
    }
    say("%s", line);
    return true;
}

bool cmd_version(struct run *r)
{
    say("Bulkhead 0.1 for arm64, %u CPUs, GICv%u; Xen 4.17's interface for its guests.", cpu_count,
        gic_host.version);
    return false;
}

bool cmd_uptime(struct run *r)
{
    uint64_t s = ticks_to_ns(arch_counter_ticks()) / 1000000000;

    say("Up %llu days, %llu:%02llu:%02llu.", (unsigned long long)(s / 86400),
        (unsigned long long)(s / 3600 % 24), (unsigned long long)(s / 60 % 60),
        (unsigned long long)(s % 60));
    return false;
}

bool cmd_quiet(struct run *r)
{
    if (strcmp(r->argument, "on") == 0) {
        console_set_quiet(true);
    } else if (strcmp(r->argument, "off") == 0) {
        console_set_quiet(false);
    } else if (*r->argument) {
        say("Usage: quiet [on|off]");
        return false;
    }
    say("Lines of other consoles are %s.", console_quiet() ? "held back" : "shown as they come");
    return false;
}

static bool power(struct run *r, bool reset)
{
    if (strcmp(r->argument, "now") != 0) {
        say("That ends all domains at once. If you mean it: %s now", r->command->name);
        return false;
    }
    log_line("The machine %s, by order of the console.", reset ? "restarts" : "is switched off");
    arch_power(reset);
}

bool cmd_poweroff(struct run *r)
{
    return power(r, false);
}

bool cmd_restart(struct run *r)
{
    return power(r, true);
}
