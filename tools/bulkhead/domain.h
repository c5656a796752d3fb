/*
 * One domain as its file describes it. docs/configuration.md, section 2, is the
 * definition; domain.c has one row per key.
 */
#ifndef TOOLS_BULKHEAD_DOMAIN_H
#define TOOLS_BULKHEAD_DOMAIN_H

#include <stdbool.h>
#include <stdint.h>

#include "image.h"
#include "report.h"

#define MAX_HOST_CPUS 64   /* bits of one entry of bulkhead,pin */
#define MAX_VCPUS 128      /* Xen's GUEST_MAX_VCPUS for a GICv3 guest */
#define DEFAULT_WEIGHT 256 /* xl.cfg(5): cpu_weight */
#define NAME_LENGTH 31

enum domain_schedule {
    SCHEDULE_SHARE,
    SCHEDULE_DEDICATED,
    SCHEDULE_REAL_TIME,
};

struct range {
    uint64_t base; /* bytes */
    uint64_t size; /* bytes */
};

/* A list of strings and the line each stands on. */
struct strings {
    char **items;
    unsigned *lines;
    unsigned count;
};

/* A file to be loaded, and the line that names it. */
struct source {
    char *path; /* NULL: none */
    unsigned line;
    struct image image;
};

struct domain {
    char *file;
    char *name;
    uint64_t memory_kib;
    uint64_t max_memory_kib; /* 0: as memory */
    unsigned vcpus;
    struct source kernel;
    struct source ramdisk;
    struct source device_tree;
    char *bootargs; /* never NULL */
    uint64_t *pins; /* host CPU maps: none, one for all vCPUs, or one per vCPU */
    unsigned pin_count;
    enum domain_schedule schedule;
    unsigned weight;
    unsigned cap;       /* percent of one CPU; 0: none */
    uint64_t budget_us; /* SCHEDULE_REAL_TIME */
    uint64_t period_us;
    const char *on_poweroff; /* NULL: default */
    const char *on_reboot;
    const char *on_crash;
    const char *enhanced; /* value of xen,enhanced; NULL: none */
    bool has_uart;
    bool direct_map;
    unsigned gic_version; /* 0: the board's */
    int64_t spis;         /* -1: not said */
    struct range *static_memory;
    unsigned static_count;
    struct strings rights;
    struct strings passthrough_paths; /* dtdev */
    struct strings assign;

    /* Lines of keys that checks across domains speak of; 0: not given. */
    unsigned name_line, memory_line, vcpus_line, cpus_line, gic_line, sched_line, static_line,
        direct_line, rights_line;
};

/*
 * Read and check a domain file by itself. Returns 0 or -1; every mistake has
 * been reported. `domain` is to be freed in both cases.
 */
int domain_load(struct report *report, const char *file, struct domain *domain);

void domain_free(struct domain *domain);

/*
 * A CPU list as xl writes them: "all", "2", "0-3,^1". Returns 0 and the map of
 * host CPUs, or -1 after reporting. "all" is every bit set.
 */
int cpu_list_parse(struct report *report, struct place place, const char *text, uint64_t *map);

static inline struct place domain_place(const struct domain *domain, unsigned line)
{
    return (struct place){domain->file, line};
}

#endif
