/* How a domain shares the CPUs; config-internal.h. */
#include "config-internal.h"

#include <hyp/cpu.h>

static uint64_t all_cpus(void)
{
    return cpu_count >= 64 ? ~0ull : (1ull << cpu_count) - 1;
}

static bool read_pin(struct domain_config *d, struct tree_value v)
{
    if (v.data != NULL && v.size != 8 && v.size != 8ull * d->vcpu_count) {
        return config_mistake(
            d, "bulkhead,pin must have one entry of two cells, or one for each of %u vCPUs",
            d->vcpu_count);
    }
    for (uint32_t i = 0; v.data != NULL && i < d->vcpu_count; i++) {
        uint64_t mask = tree_cells(v.data + (v.size == 8 ? 0 : 8ul * i), 2);
        d->affinity[i] = mask & all_cpus();
        if (d->affinity[i] == 0) {
            return config_mistake(d,
                                  "bulkhead,pin entry %u, %#lx, has none of this board's %u CPUs",
                                  i, mask, cpu_count);
        }
    }
    return true;
}

static bool read_dedicated(struct reader *r, struct domain_config *d)
{
    uint64_t mine = 0;

    for (uint32_t i = 0; i < d->vcpu_count; i++) {
        uint64_t mask = d->affinity[i];
        if (mask == 0 || (mask & (mask - 1)) != 0 || (mine & mask) != 0) {
            return config_mistake(d,
                                  "bulkhead,dedicated needs bulkhead,pin with %u entries of one "
                                  "bit each, all different",
                                  d->vcpu_count);
        }
        mine |= mask;
    }
    if ((mine & r->dedicated) != 0) {
        return config_mistake(d,
                              "bulkhead,pin names CPUs that an earlier domain has for itself: %#lx",
                              mine & r->dedicated);
    }
    d->sched.class = SCHED_DEDICATED;
    r->dedicated |= mine;
    return true;
}

bool config_read_sched(struct reader *r, struct domain_config *d, tree_node n)
{
    struct sched_params *s = &d->sched;
    bool dedicated = tree_get(r->tree, n, "bulkhead,dedicated").data != NULL;

    if (s->budget_ticks > s->period_ticks || (s->budget_ticks == 0 && s->period_ticks != 0)) {
        return config_mistake(d, "bulkhead,budget-us and bulkhead,period-us must come together, "
                                 "and the budget not exceed the period");
    }
    if (s->period_ticks != 0) {
        s->class = SCHED_REALTIME;
        if (dedicated || s->weight != SCHED_WEIGHT_DEFAULT || s->cap_percent != 0) {
            return config_mistake(d, "bulkhead,budget-us excludes bulkhead,weight, bulkhead,cap "
                                     "and bulkhead,dedicated; choose one");
        }
    }
    return read_pin(d, tree_get(r->tree, n, "bulkhead,pin")) &&
           (!dedicated || read_dedicated(r, d));
}

/* Dedicated CPUs are nobody else's: taken from those without a pin, a mistake for those with one. */
bool config_check_cpus(const struct reader *r, struct domain_config *d)
{
    for (uint32_t i = 0; d->sched.class != SCHED_DEDICATED && i < d->vcpu_count; i++) {
        if (d->affinity[i] == 0 && r->dedicated != 0) {
            d->affinity[i] = all_cpus() & ~r->dedicated;
            if (d->affinity[i] == 0) {
                return config_mistake(
                    d,
                    "cpus finds no CPU: all are dedicated to other domains; leave one undedicated");
            }
        }
        if ((d->affinity[i] & r->dedicated) != 0) {
            return config_mistake(
                d, "bulkhead,pin entry %u names CPUs dedicated to another domain: %#lx", i,
                d->affinity[i] & r->dedicated);
        }
    }
    return true;
}
