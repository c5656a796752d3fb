/* What `check` and `run` show: who gets what, and who may do what to whom. */
#include <string.h>

#include "system.h"

static void print_cpus(const struct domain *d, FILE *out)
{
    char text[64] = "any";

    if (d->pin_count == 1 && d->pins[0] != UINT64_MAX) {
        snprintf(text, sizeof(text), "map %llx", (unsigned long long)d->pins[0]);
    } else if (d->pin_count > 1) {
        size_t length = 0;

        for (unsigned i = 0; i < d->pin_count && length < sizeof(text) - 8; i++) {
            length += (size_t)snprintf(text + length, sizeof(text) - length, "%s%llx",
                                       i ? "," : "maps ", (unsigned long long)d->pins[i]);
        }
    }
    fprintf(out, "%-14s", text);
}

static void print_schedule(const struct domain *d, FILE *out)
{
    switch (d->schedule) {
    case SCHEDULE_SHARE:
        fprintf(out, "weight %u", d->weight);
        if (d->cap) {
            fprintf(out, ", at most %u %%", d->cap);
        }
        break;
    case SCHEDULE_DEDICATED:
        fputs("dedicated", out);
        break;
    case SCHEDULE_REAL_TIME:
        fprintf(out, "%llu of %llu us", (unsigned long long)d->budget_us,
                (unsigned long long)d->period_us);
        break;
    }
}

static void print_rights(const struct system *system, FILE *out)
{
    fputs("\nrights\n", out);
    for (unsigned i = 0; i < system->count; i++) {
        const struct domain *d = &system->domains[i];

        fprintf(out, "  %-16s", d->name);
        for (unsigned r = 0; r < d->rights.count; r++) {
            fprintf(out, "%s%s", r ? "; " : "", d->rights.items[r]);
        }
        for (unsigned k = 0; k < d->assign.count; k++) {
            fprintf(out, "%sdevice %s", k || d->rights.count ? "; " : "", d->assign.items[k]);
        }
        fputs(d->rights.count || d->assign.count ? "\n" : "none beyond itself\n", out);
    }
}

void system_print(const struct system *system, FILE *out)
{
    uint64_t sum = 0;

    fprintf(out, "board: %s\n\ndomain            vCPUs  memory   on CPUs       scheduling\n",
            system->board.description);
    for (unsigned i = 0; i < system->count; i++) {
        const struct domain *d = &system->domains[i];

        fprintf(out, "  %-16s %4u %5llu MiB  ", d->name, d->vcpus,
                (unsigned long long)d->memory_kib / 1024);
        print_cpus(d, out);
        print_schedule(d, out);
        fputs(d->direct_map ? ", direct map\n" : "\n", out);
        sum += d->memory_kib;
    }
    fprintf(out, "  %-16s      %5llu MiB of %llu\n", "sum", (unsigned long long)sum / 1024,
            (unsigned long long)board_ram(&system->board) >> 20);
    print_rights(system, out);
}

void system_print_layout(const struct system *system, FILE *out)
{
    if (system->hypervisor.path) {
        fprintf(out, "  0x%010llx  %9llu KiB  %s\n", (unsigned long long)system->image_base,
                (unsigned long long)system->hypervisor.image.file_size / 1024,
                system->hypervisor.path);
    }
    fprintf(out, "  0x%010llx                 device tree\n",
            (unsigned long long)system->tree_base);
    for (unsigned i = 0; i < system->module_count; i++) {
        const struct module *m = &system->modules[i];

        fprintf(out, "  0x%010llx  %9llu KiB  %s\n", (unsigned long long)m->where.base,
                (unsigned long long)m->where.size / 1024, m->path);
    }
}
