/* How a domain shares the CPUs; config-internal.h. */
#include "config-internal.h"

#include <hyp/cpu.h>
#include <hyp/timer.h>

#define PERIOD_US_MIN 100u
#define PERIOD_US_MAX 1000000u

static uint64_t all_cpus(void)
{
    return cpu_count >= 64 ? ~0ull : (1ull << cpu_count) - 1;
}

static bool single(uint64_t mask)
{
    return mask != 0 && (mask & (mask - 1)) == 0;
}

static bool read_pin(struct reader *r, struct domain_config *d, struct tree_value v)
{
    if (v.data == NULL) {
        return true;
    }
    if (v.size != 8 && v.size != 8ull * d->vcpu_count) {
        return config_mistake(r, d, "bulkhead,pin",
                              "must have one entry of two cells, or one for each of %u "
                              "vCPUs",
                              d->vcpu_count);
    }
    for (uint32_t i = 0; i < d->vcpu_count; i++) {
        uint64_t mask = tree_cells(v.data + (v.size == 8 ? 0 : 8ul * i), 2);
        if ((mask & all_cpus()) == 0) {
            return config_mistake(r, d, "bulkhead,pin",
                                  "entry %u, %#lx, has none of this board's %u CPUs", i, mask,
                                  cpu_count);
        }
        d->affinity[i] = mask & all_cpus();
    }
    return true;
}

static bool read_realtime(struct reader *r, struct domain_config *d, struct tree_value budget_us,
                          struct tree_value period_us)
{
    uint32_t budget = 0, period = 0;

    if (!tree_u32(budget_us, &budget) || !tree_u32(period_us, &period)) {
        return config_mistake(r, d, "bulkhead,budget-us",
                              "and bulkhead,period-us must come together, one "
                              "cell each");
    }
    if (budget == 0 || budget > period || period < PERIOD_US_MIN || period > PERIOD_US_MAX) {
        return config_mistake(r, d, "bulkhead,budget-us",
                              "%u in bulkhead,period-us %u does not hold: "
                              "0 < budget <= period, %u <= period <= %u",
                              budget, period, PERIOD_US_MIN, PERIOD_US_MAX);
    }
    d->sched.class = SCHED_REALTIME;
    d->sched.budget_ticks = ns_to_ticks(budget * 1000ull);
    d->sched.period_ticks = ns_to_ticks(period * 1000ull);
    return true;
}

static bool read_dedicated(struct reader *r, struct domain_config *d)
{
    uint64_t mine = 0;

    for (uint32_t i = 0; i < d->vcpu_count; i++) {
        if (!single(d->affinity[i]) || (mine & d->affinity[i]) != 0) {
            return config_mistake(r, d, "bulkhead,dedicated",
                                  "needs bulkhead,pin with %u entries of one bit "
                                  "each, all different",
                                  d->vcpu_count);
        }
        mine |= d->affinity[i];
    }
    if ((mine & r->dedicated) != 0) {
        return config_mistake(r, d, "bulkhead,pin",
                              "names CPUs that an earlier domain has for itself: %#lx",
                              mine & r->dedicated);
    }
    d->sched.class = SCHED_DEDICATED;
    r->dedicated |= mine;
    return true;
}

bool config_read_sched(struct reader *r, struct domain_config *d, tree_node n)
{
    struct tree_value budget = tree_get(r->tree, n, "bulkhead,budget-us");
    struct tree_value period = tree_get(r->tree, n, "bulkhead,period-us");
    bool realtime = budget.data != NULL || period.data != NULL;
    bool dedicated = tree_get(r->tree, n, "bulkhead,dedicated").data != NULL;

    if (realtime && (dedicated || tree_get(r->tree, n, "bulkhead,weight").data != NULL ||
                     tree_get(r->tree, n, "bulkhead,cap").data != NULL)) {
        return config_mistake(r, d, "bulkhead,budget-us",
                              "excludes bulkhead,weight, bulkhead,cap and "
                              "bulkhead,dedicated; choose one");
    }
    return read_pin(r, d, tree_get(r->tree, n, "bulkhead,pin")) &&
           (!realtime || read_realtime(r, d, budget, period)) &&
           (!dedicated || read_dedicated(r, d));
}

/* Budget over period of all vCPUs that `upto` and the domains before it pin to CPU `n` alone. In
 * 1/1024. */
static uint64_t reserved(const struct reader *r, const struct domain_config *upto, unsigned n)
{
    uint64_t sum = 0;

    for (const struct domain_config *d = r->domain; d <= upto; d++) {
        for (uint32_t i = 0;
             d->name[0] != 0 && d->sched.class == SCHED_REALTIME && i < d->vcpu_count; i++) {
            if (d->affinity[i] == 1ull << n) {
                sum += d->sched.budget_ticks * 1024 / d->sched.period_ticks;
            }
        }
    }
    return sum;
}

/* Dedicated CPUs are nobody else's: taken from those without a pin, a mistake for those with one.
 */
bool config_check_cpus(struct reader *r, struct domain_config *d)
{
    for (uint32_t i = 0; d->sched.class != SCHED_DEDICATED && i < d->vcpu_count; i++) {
        if (d->affinity[i] == 0 && r->dedicated != 0) {
            d->affinity[i] = all_cpus() & ~r->dedicated;
            if (d->affinity[i] == 0) {
                return config_mistake(r, d, "cpus",
                                      "finds no CPU: all are dedicated to other domains; leave "
                                      "one undedicated");
            }
        }
        if ((d->affinity[i] & r->dedicated) != 0) {
            return config_mistake(r, d, "bulkhead,pin",
                                  "entry %u names CPUs dedicated to another domain: "
                                  "%#lx",
                                  i, d->affinity[i] & r->dedicated);
        }
    }
    for (unsigned n = 0; d->sched.class == SCHED_REALTIME && n < cpu_count; n++) {
        if (reserved(r, d, n) > 1024 * SCHED_REALTIME_PERCENT / 100) {
            return config_mistake(r, d, "bulkhead,budget-us",
                                  "asks CPU %u for more than it has (%u %%), together "
                                  "with other domains; lower it or pin elsewhere",
                                  n, SCHED_REALTIME_PERCENT);
        }
    }
    return true;
}
