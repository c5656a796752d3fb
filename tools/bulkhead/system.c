#include "system.h"

#include <libfdt.h>
#include <stdlib.h>
#include <string.h>

static const struct place nowhere = {NULL, 0};

int system_load(struct system *system, char *const *files, unsigned count)
{
    int result = 0;

    system->domains = must_allocate(count * sizeof(*system->domains));
    system->roles = must_allocate(count * sizeof(*system->roles));
    for (unsigned i = 0; i < count; i++) {
        if (domain_load(system->report, files[i], &system->domains[i]) != 0) {
            result = -1;
        }
        system->count++;
    }
    return result;
}

static const struct domain *find_domain(const struct system *system, const char *name)
{
    for (unsigned i = 0; i < system->count; i++) {
        if (system->domains[i].name && strcmp(system->domains[i].name, name) == 0) {
            return &system->domains[i];
        }
    }
    return NULL;
}

static void check_names(struct system *system)
{
    for (unsigned i = 1; i < system->count; i++) {
        const struct domain *d = &system->domains[i];

        for (unsigned j = 0; d->name && j < i; j++) {
            const struct domain *other = &system->domains[j];

            if (other->name && strcmp(d->name, other->name) == 0) {
                report_error(system->report, domain_place(d, d->name_line),
                             "name \"%s\" is taken "
                             "by %s:%u; choose another",
                             d->name, other->file, other->name_line);
                break;
            }
        }
    }
}

static void check_memory(struct system *system)
{
    uint64_t sum = 0, ram = board_ram(&system->board);

    for (unsigned i = 0; i < system->count; i++) {
        const struct domain *d = &system->domains[i];

        if (d->memory_kib * 1024 > ram) {
            report_error(system->report, domain_place(d, d->memory_line),
                         "memory = %llu is more "
                         "than the whole board has (%llu MiB: %s); lower it, or give the board "
                         "more (--memory)",
                         (unsigned long long)d->memory_kib / 1024, (unsigned long long)ram >> 20,
                         system->board.description);
            return;
        }
        sum += d->memory_kib * 1024;
    }
    if (sum + HYPERVISOR_BYTES > ram) {
        report_error(system->report, nowhere,
                     "the domains' memory adds up to %llu MiB; of the "
                     "board's %llu MiB (%s) at most %llu can be given away: lower memory in a "
                     "domain file, or give the board more (--memory)",
                     (unsigned long long)sum >> 20, (unsigned long long)ram >> 20,
                     system->board.description, (unsigned long long)(ram - HYPERVISOR_BYTES) >> 20);
    }
}

static uint64_t board_cpu_map(const struct board *board)
{
    return board->cpus >= MAX_HOST_CPUS ? UINT64_MAX : (UINT64_C(1) << board->cpus) - 1;
}

static void check_cpus(struct system *system, const struct domain *d)
{
    uint64_t exist = board_cpu_map(&system->board);
    unsigned version = d->gic_version ? d->gic_version : system->board.gic_version;

    /* GICv2 architecture: CPU interfaces are numbered with three bits. */
    if (version == 2 && d->vcpus > 8) {
        report_error(system->report, domain_place(d, d->vcpus_line),
                     "%u vCPUs need GICv3; this "
                     "domain has GICv2, which knows 8: lower vcpus%s",
                     d->vcpus, d->gic_version == 2 ? ", or gic_version = \"v3\"" : "");
    }
    if (d->gic_version == 3 && system->board.gic_version == 2) {
        report_error(system->report, domain_place(d, d->gic_line),
                     "gic_version = \"v3\" on a "
                     "board with GICv2; write \"default\", or start the board with "
                     "--machine gic-version=3");
    }
    for (unsigned i = 0; i < d->pin_count; i++) {
        uint64_t map = d->pins[i];

        if (map != UINT64_MAX && (map & ~exist)) {
            report_error(system->report, domain_place(d, d->cpus_line),
                         "cpus names CPU %d; the "
                         "board has %u, numbered from 0",
                         63 - __builtin_clzll(map & ~exist), system->board.cpus);
            return;
        }
    }
}

/* Rights and what they are about; docs/configuration.md, section 1. */
static const struct right {
    const char *name;
    enum about { NOTHING, DOMAINS, DEVICE, INTERRUPT } about;
} rights[] = {
    {"control", DOMAINS},  {"inspect", DOMAINS},       {"emulate", DOMAINS}, {"build", NOTHING},
    {"store", NOTHING},    {"console", NOTHING},       {"device", DEVICE},   {"irq", INTERRUPT},
    {"schedule", NOTHING}, {"shutdown-host", NOTHING},
};
static const char *const without_target[] = {
    [DOMAINS] = "does not say over which domains; name them, or *",
    [DEVICE] = "does not say which; name a path in the board's tree, or *",
    [INTERRUPT] = "does not say which; give its number, or *",
};

static const char *right_cure(const char *word)
{
    const char *words[sizeof(rights) / sizeof(rights[0]) + 1] = {NULL};
    const char *near;

    for (unsigned i = 0; i < sizeof(rights) / sizeof(rights[0]); i++) {
        words[i] = rights[i].name;
    }
    near = nearest_word(word, words);
    return near ? near
                : "control, inspect, emulate, build, store, console, device, irq, schedule or "
                  "shutdown-host";
}

/* One target of a right, said once per mistake. */
static void check_target(struct system *system, struct place place, enum about about,
                         const char *text, const char *name)
{
    char *end;

    if (strcmp(name, "*") == 0) {
        return;
    }
    if (about == DOMAINS && !find_domain(system, name)) {
        report_error(system->report, place,
                     "rights: \"%s\" speaks of domain %s, which is in none of the files given",
                     text, name);
    } else if (about == DEVICE && fdt_path_offset(system->board.tree, name) < 0) {
        report_error(system->report, place,
                     "rights: \"%s\" speaks of %s, and the board's tree has no such node; its "
                     "nodes are listed by: dtc -I dtb -O dts BOARD.dtb",
                     text, name);
    } else if (about == INTERRUPT &&
               (strtoul(name, &end, 0) < 32 || strtoul(name, NULL, 0) > 1019 || *end)) {
        report_error(system->report, place,
                     "rights: \"%s\" speaks of interrupt %s; SPIs are numbered from 32 to 1019",
                     text, name);
    }
}

static void check_right(struct system *system, struct place place, const char *text)
{
    char *copy = must_print("%s", text), *next = NULL;
    char *word = strtok_r(copy, " ", &next);
    const struct right *right = NULL;
    unsigned targets = 0;

    for (unsigned i = 0; word && i < sizeof(rights) / sizeof(rights[0]); i++) {
        if (strcmp(word, rights[i].name) == 0) {
            right = &rights[i];
        }
    }
    if (!right) {
        report_error(system->report, place, "rights: \"%s\" is no right; is %s meant?", text,
                     right_cure(word ? word : ""));
        free(copy);
        return;
    }
    for (char *name; (name = strtok_r(NULL, " ", &next)); targets++) {
        if (right->about != NOTHING) {
            check_target(system, place, right->about, text, name);
        }
    }
    if (right->about == NOTHING && targets) {
        report_error(system->report, place, "rights: \"%s\" takes no domains; write the word alone",
                     text);
    } else if (right->about != NOTHING && !targets) {
        report_error(system->report, place, "rights: \"%s\" %s", text,
                     without_target[right->about]);
    } else if (right->about >= DEVICE && targets > 1) {
        report_error(system->report, place,
                     "rights: \"%s\" names several; write one string for each", text);
    }
    free(copy);
}

/* Choose CPUs for dedicated vCPUs that have none: from the highest number down. */
static void choose_dedicated(struct system *system, struct domain *d, uint64_t *taken)
{
    if (d->pin_count) {
        return;
    }
    d->pins = must_allocate(d->vcpus * sizeof(*d->pins));
    for (unsigned cpu = system->board.cpus; cpu-- > 0 && d->pin_count < d->vcpus;) {
        if (cpu < MAX_HOST_CPUS && !(*taken >> cpu & 1)) {
            d->pins[d->pin_count++] = UINT64_C(1) << cpu;
        }
    }
    if (d->pin_count < d->vcpus) {
        report_error(system->report, domain_place(d, d->sched_line),
                     "sched = \"dedicated\" needs "
                     "%u CPUs of its own, %u are left of the board's %u; lower vcpus, or give the "
                     "board more (--cpus)",
                     d->vcpus, d->pin_count, system->board.cpus);
    }
}

static void check_dedicated(struct system *system, struct domain *d, uint64_t *taken)
{
    choose_dedicated(system, d, taken);
    for (unsigned i = 0; i < d->pin_count; i++) {
        uint64_t map = d->pins[i];

        if (d->pin_count != d->vcpus || (map & (map - 1)) || (map & *taken)) {
            report_error(system->report, domain_place(d, d->cpus_line),
                         "sched = \"dedicated\" "
                         "with cpus needs one CPU for each vCPU, no CPU twice: a list like "
                         "[\"2\", \"3\"], or leave cpus away");
            return;
        }
        *taken |= map;
    }
}

static void check_schedule(struct system *system)
{
    uint64_t taken = 0, pinned = 0, exist = board_cpu_map(&system->board);
    bool shared = false;

    /* Those with explicit CPUs first, so that a choice of ours never takes what a user names. */
    for (unsigned pass = 0; pass < 2; pass++) {
        for (unsigned i = 0; i < system->count; i++) {
            struct domain *d = &system->domains[i];
            bool explicit_cpus = d->cpus_line != 0;

            if (d->schedule == SCHEDULE_DEDICATED && explicit_cpus == (pass == 0)) {
                uint64_t avoid = taken | (pass ? pinned : 0);
                uint64_t before = avoid;

                check_dedicated(system, d, &avoid);
                taken |= avoid & ~before;
            } else if (d->schedule != SCHEDULE_DEDICATED && pass == 0) {
                shared = true;
                for (unsigned v = 0; v < d->pin_count; v++) {
                    pinned |= d->pins[v] == UINT64_MAX ? 0 : d->pins[v];
                }
            }
        }
    }
    if (taken & pinned) {
        report_error(system->report, nowhere,
                     "CPU %d is dedicated to one domain and named in "
                     "cpus of another; change one of them",
                     __builtin_ctzll(taken & pinned));
    }
    if (shared && taken && !(exist & ~taken)) {
        report_error(system->report, nowhere,
                     "all %u CPUs are dedicated, none is left for the "
                     "other domains; give the board more (--cpus)",
                     system->board.cpus);
    }
}

static void check_static(struct system *system, const struct domain *d)
{
    for (unsigned i = 0; i < d->static_count; i++) {
        if (!board_has(&system->board, d->static_memory[i].base, d->static_memory[i].size)) {
            report_error(system->report, domain_place(d, d->static_line),
                         "static_mem: 0x%llx, "
                         "0x%llx is not all RAM of the board, which begins at 0x%llx",
                         (unsigned long long)d->static_memory[i].base,
                         (unsigned long long)d->static_memory[i].size,
                         (unsigned long long)system->board.ram[0].base);
        }
    }
}

int system_check(struct system *system)
{
    unsigned before = system->report->errors;

    check_names(system);
    check_memory(system);
    for (unsigned i = 0; i < system->count; i++) {
        const struct domain *d = &system->domains[i];

        check_cpus(system, d);
        check_static(system, d);
        for (unsigned r = 0; r < d->rights.count; r++) {
            check_right(system, domain_place(d, d->rights.lines[r]), d->rights.items[r]);
        }
    }
    check_schedule(system);
    (void)devices_check(system);
    return system->report->errors == before ? 0 : -1;
}

void system_free(struct system *system)
{
    for (unsigned i = 0; i < system->count; i++) {
        domain_free(&system->domains[i]);
    }
    for (unsigned i = 0; i < system->module_count; i++) {
        free(system->modules[i].path);
        free(system->modules[i].file_name);
        free(system->modules[i].bytes);
    }
    free(system->domains);
    free(system->roles);
    free(system->modules);
    free(system->hypervisor.path);
    board_free(&system->board);
}
