/*
 * The table of domains: who there is, under which number and name, and what is
 * remembered of those that crashed, which outlives them.
 *
 * The table holds one reference to each domain in it, which domain.c gives up
 * after domain_table_remove(); whoever finds a domain here gets one of his own.
 */
#include "domain-internal.h"

#include <hyp/arch.h>
#include <hyp/config.h>
#include <hyp/frame.h>
#include <lib/string.h>
#include <xen/errno.h>

static lock_t domains_lock = LOCK_INIT(RANK_DOMLIST);
struct kept {
    struct domain *by_id[MAX_DOMAINS];
    struct crash_record crash[8]; /* a free one has no name */
};
static struct kept *kept;    /* [domains_lock] */
static uint32_t domains_end; /* [domains_lock] no number from here on is taken */

int domains_init(void)
{
    kept = frame_alloc_hyp(NULL, frame_order(sizeof(*kept)));
    return kept ? 0 : -XEN_ENOMEM;
}

static struct domain *by_name(const char *name) REQUIRES(&domains_lock)
{
    for (uint32_t i = 0; i < domains_end; i++) {
        if (kept->by_id[i] && strcmp(kept->by_id[i]->name, name) == 0) {
            return kept->by_id[i];
        }
    }
    return NULL;
}

/* The last thing under the lock: what was found is the caller's as well. */
static struct domain *counted(struct domain *d) RELEASES(&domains_lock)
{
    if (d) {
        __atomic_fetch_add(&d->refs, 1, __ATOMIC_RELAXED);
    }
    unlock(&domains_lock);
    return d;
}

struct domain *domain_get(domid_t id)
{
    lock(&domains_lock);
    return counted(id < domains_end ? kept->by_id[id] : NULL);
}

struct domain *domain_get_by_name(const char *name)
{
    lock(&domains_lock);
    return counted(by_name(name));
}

struct domain *domain_from(uint32_t first)
{
    lock(&domains_lock);
    while (first < domains_end && !kept->by_id[first]) {
        first++;
    }
    return counted(first < domains_end ? kept->by_id[first] : NULL);
}

struct domain *domain_next(struct domain *previous)
{
    struct domain *d = domain_from(previous ? previous->id + 1u : 0);

    if (previous) {
        domain_put(previous);
    }
    return d;
}

int domain_table_insert(struct domain *d)
{
    lock(&domains_lock);
    bool taken = d->id >= MAX_DOMAINS || kept->by_id[d->id] || by_name(d->name);
    if (!taken) {
        kept->by_id[d->id] = d;
        domains_end = d->id >= domains_end ? d->id + 1u : domains_end;
    }
    unlock(&domains_lock);
    return taken ? -XEN_EEXIST : 0;
}

void domain_table_remove(struct domain *d)
{
    lock(&domains_lock);
    kept->by_id[d->id] = NULL;
    while (domains_end > 0 && !kept->by_id[domains_end - 1]) {
        domains_end--;
    }
    unlock(&domains_lock);
}

domid_t domain_choose_number(void)
{
    static uint32_t last; /* [domains_lock] */
    const struct domain_config *all;
    int count = config_all(&all);
    uint32_t first = 1, id;

    for (int i = 0; i < count; i++) {
        first = all[i].id >= first ? all[i].id + 1u : first;
    }
    lock(&domains_lock);
    id = last + 1 < first ? first : last + 1;
    for (uint32_t n = first; n < MAX_DOMAINS && (id >= MAX_DOMAINS || kept->by_id[id]); n++) {
        id = id + 1 < MAX_DOMAINS ? id + 1 : first;
    }
    last = id;
    unlock(&domains_lock);
    return (domid_t)id;
}

/* Its own old record gives way, or else the oldest. */
void domain_remember_crash(struct domain *d, const char *why)
{
    struct crash_record *to = &kept->crash[0];

    lock(&domains_lock);
    for (unsigned i = 0; i < ARRAY_LEN(kept->crash); i++) {
        if (strcmp(kept->crash[i].name, d->name) == 0) {
            to = &kept->crash[i];
            break;
        }
        to = kept->crash[i].at_ticks < to->at_ticks ? &kept->crash[i] : to;
    }
    memcpy(to->name, d->name, sizeof(to->name));
    to->why = why;
    to->at_ticks = arch_counter_ticks();
    to->vcpu = d->shutdown_vcpu;
    arch_vcpu_snapshot(d->vcpu[to->vcpu], to);
    unlock(&domains_lock);
}

bool domain_last_crash(unsigned n, struct crash_record *out)
{
    bool found = false;

    lock(&domains_lock);
    for (unsigned i = 0; i < ARRAY_LEN(kept->crash) && !found; i++) {
        if (*kept->crash[i].name && n-- == 0) {
            *out = kept->crash[i];
            found = true;
        }
    }
    unlock(&domains_lock);
    return found;
}
