/*
 * Where everything is loaded.
 *
 *   RAM + 2 MiB     hypervisor image: QEMU puts an arm64 Image there (32 MiB for
 *                   U-Boot, whose script is usually at 2 MiB)
 *   RAM + 128 MiB   device tree (or half of a small RAM): QEMU's own choice
 *                   (hw/arm/boot.c), kept for boards so that there is one map
 *   + 4 MiB         modules, each on 2 MiB, so that a block mapping never
 *                   holds two of them
 *   top of RAM      static memory that we choose, downwards
 */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "system.h"

#define MIB (UINT64_C(1) << 20)
#define BLOCK (2 * MIB)
#define TREE_AT (128 * MIB)
#define TREE_GAP (4 * MIB)

static const struct place nowhere = {NULL, 0};

static uint64_t round_up(uint64_t value, uint64_t unit)
{
    return (value + unit - 1) / unit * unit;
}

static bool overlap(struct range a, struct range b)
{
    return a.base < b.base + b.size && b.base < a.base + a.size;
}

/* Static memory of the user that a module must go around; its end, or 0. */
static uint64_t blocked_until(const struct system *system, struct range range)
{
    for (unsigned i = 0; i < system->count; i++) {
        const struct domain *d = &system->domains[i];

        for (unsigned s = 0; s < d->static_count; s++) {
            if (overlap(range, d->static_memory[s])) {
                return d->static_memory[s].base + d->static_memory[s].size;
            }
        }
    }
    return 0;
}

/* The next place for `size` bytes at or above `*next` in the first bank of RAM. */
static int place(struct system *system, uint64_t size, uint64_t *next, struct range *where)
{
    uint64_t end;

    *where = (struct range){*next, size};
    while ((end = blocked_until(system, *where))) {
        where->base = round_up(end, BLOCK);
    }
    if (!board_has(&system->board, where->base, where->size)) {
        return -1;
    }
    *next = round_up(where->base + where->size, BLOCK);
    return 0;
}

static bool same_file(const char *a, const char *b)
{
    struct stat first, second;

    return strcmp(a, b) == 0 || (stat(a, &first) == 0 && stat(b, &second) == 0 &&
                                 first.st_dev == second.st_dev && first.st_ino == second.st_ino);
}

/* A name that no other module has, for the folder that `build` writes. */
static char *unique_name(const struct system *system, const char *path)
{
    const char *slash = strrchr(path, '/');
    char *name = must_print("%s", slash ? slash + 1 : path);

    for (unsigned i = 0; i < system->module_count; i++) {
        if (strcmp(system->modules[i].file_name, name) == 0) {
            char *longer = must_print("%u-%s", system->module_count, name);

            free(name);
            return longer;
        }
    }
    return name;
}

static struct module *new_module(struct system *system, const char *path)
{
    struct module *module;

    system->modules =
        must_resize(system->modules, (system->module_count + 1) * sizeof(*system->modules));
    module = &system->modules[system->module_count];
    *module =
        (struct module){.path = must_print("%s", path), .file_name = unique_name(system, path)};
    system->module_count++;
    return module;
}

/* The module of a file: an earlier one if some domain loads the same file. */
static int module_of(struct system *system, const struct source *source, uint64_t *next)
{
    struct module *module;

    if (!source->path) {
        return -1;
    }
    for (unsigned i = 0; i < system->module_count; i++) {
        if (!system->modules[i].bytes && same_file(system->modules[i].path, source->path)) {
            return (int)i;
        }
    }
    module = new_module(system, source->path);
    if (place(system, source->image.file_size, next, &module->where) != 0) {
        report_error(system->report, nowhere,
                     "no room for %s (%llu MiB) in the board's first "
                     "bank of memory; give the board more (--memory)",
                     source->path, (unsigned long long)source->image.file_size / MIB + 1);
        return -1;
    }
    return (int)system->module_count - 1;
}

static int module_of_devices(struct system *system, const struct domain *domain, uint64_t *next)
{
    size_t length;
    void *bytes = devices_tree(system, domain, &length);
    struct module *module;
    char *path;

    if (!bytes) {
        return -1;
    }
    path = must_print("devices-%s.dtb", domain->name);
    module = new_module(system, path);
    free(path);
    module->bytes = bytes;
    module->length = length;
    if (place(system, length, next, &module->where) != 0) {
        report_error(system->report, nowhere, "no room for the device tree of domain %s",
                     domain->name);
        return -1;
    }
    return (int)system->module_count - 1;
}

/* Static memory for direct_map domains that name none: from the top of the first bank down. */
static void choose_static(struct system *system, struct domain *d, uint64_t *top, uint64_t floor)
{
    uint64_t size = d->memory_kib * 1024;

    if (!d->direct_map || d->static_count) {
        return;
    }
    *top = *top / BLOCK * BLOCK;
    if (size > *top || *top - size < floor) {
        report_error(system->report, domain_place(d, d->direct_line),
                     "direct_map: no %llu MiB in "
                     "one piece are left in the board's first bank; lower memory, or give the "
                     "board more (--memory)",
                     (unsigned long long)size / MIB);
        return;
    }
    free(d->static_memory);
    d->static_memory = must_allocate(sizeof(*d->static_memory));
    *top -= round_up(size, BLOCK);
    d->static_memory[0] = (struct range){*top, size};
    d->static_count = 1;
}

static void check_static_overlap(struct system *system, struct range used, const char *what)
{
    for (unsigned i = 0; i < system->count; i++) {
        const struct domain *d = &system->domains[i];

        for (unsigned s = 0; s < d->static_count; s++) {
            if (overlap(used, d->static_memory[s])) {
                report_error(system->report, domain_place(d, d->static_line),
                             "static_mem 0x%llx "
                             "overlaps %s at 0x%llx to 0x%llx; move it",
                             (unsigned long long)d->static_memory[s].base, what,
                             (unsigned long long)used.base,
                             (unsigned long long)(used.base + used.size));
            }
        }
    }
}

static void check_static_pairs(struct system *system)
{
    for (unsigned i = 0; i < system->count; i++) {
        const struct domain *d = &system->domains[i];

        for (unsigned s = 0; s < d->static_count; s++) {
            for (unsigned j = 0; j < i; j++) {
                const struct domain *other = &system->domains[j];

                for (unsigned t = 0; t < other->static_count; t++) {
                    if (overlap(d->static_memory[s], other->static_memory[t])) {
                        report_error(system->report, domain_place(d, d->static_line),
                                     "static_mem overlaps that of %s (%s:%u); move one",
                                     other->name, other->file, other->static_line);
                    }
                }
            }
        }
    }
}

static void check_total(struct system *system)
{
    uint64_t guests = 0, modules = 0, ram = board_ram(&system->board);

    for (unsigned i = 0; i < system->count; i++) {
        guests += system->domains[i].memory_kib * 1024;
    }
    for (unsigned i = 0; i < system->module_count; i++) {
        modules += round_up(system->modules[i].where.size, BLOCK);
    }
    if (guests + modules + HYPERVISOR_BYTES > ram) {
        report_error(system->report, nowhere,
                     "domains (%llu MiB), their files (%llu MiB, kept for "
                     "restarts) and the hypervisor do not fit the board's %llu MiB; lower memory, "
                     "or give the board more (--memory)",
                     (unsigned long long)(guests / MIB), (unsigned long long)(modules / MIB),
                     (unsigned long long)(ram / MIB));
    }
}

int system_layout(struct system *system)
{
    unsigned before = system->report->errors;
    const struct range *ram = &system->board.ram[0];
    uint64_t half = ram->size / 2 < TREE_AT ? ram->size / 2 : TREE_AT;
    uint64_t image = system->hypervisor.path ? system->hypervisor.image.memory_size : BLOCK;
    uint64_t top = ram->base + ram->size, next;

    system->image_base = ram->base + system->image_offset;
    system->tree_base = ram->base + half;
    next = system->tree_base + TREE_GAP;
    check_static_overlap(system, (struct range){system->image_base, image}, "the hypervisor");
    check_static_overlap(system, (struct range){system->tree_base, TREE_GAP}, "the device tree");
    for (unsigned i = 0; i < system->count; i++) {
        struct domain *d = &system->domains[i];
        int *module = system->roles[i].module;

        module[ROLE_KERNEL] = module_of(system, &d->kernel, &next);
        module[ROLE_RAMDISK] = module_of(system, &d->ramdisk, &next);
        module[ROLE_DEVICE_TREE] = d->assign.count ? module_of_devices(system, d, &next)
                                                   : module_of(system, &d->device_tree, &next);
    }
    for (unsigned i = 0; i < system->count; i++) {
        choose_static(system, &system->domains[i], &top, next);
    }
    check_static_pairs(system);
    check_total(system);
    return system->report->errors == before ? 0 : -1;
}
