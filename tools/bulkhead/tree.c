/*
 * The tree the hypervisor reads: the board's own, plus /chosen as
 * docs/configuration.md defines it.
 */
#include <libfdt.h>
#include <stdlib.h>
#include <string.h>

#include "system.h"

/* Room for our properties: each domain takes below 2 KiB beside its command line. */
#define ROOM_PER_DOMAIN 4096
#define ROOM 65536

/* libfdt's errors are added up; one report at the end, as only room can run out. */
struct writer {
    void *tree;
    int node;
    int error;
};

static void keep(struct writer *w, int error)
{
    if (error < 0 && !w->error) {
        w->error = error;
    }
}

static void put_u32(struct writer *w, const char *name, uint32_t value)
{
    keep(w, fdt_setprop_u32(w->tree, w->node, name, value));
}

static void put_u64(struct writer *w, const char *name, uint64_t value)
{
    keep(w, fdt_setprop_u64(w->tree, w->node, name, value));
}

static void put_flag(struct writer *w, const char *name)
{
    keep(w, fdt_setprop_empty(w->tree, w->node, name));
}

static void put_string(struct writer *w, const char *name, const char *value)
{
    if (value) {
        keep(w, fdt_setprop_string(w->tree, w->node, name, value));
    }
}

static void put_module(struct system *system, struct writer *w, unsigned index,
                       enum module_role role)
{
    static const char *const kinds[ROLE_COUNT] = {"multiboot,kernel", "multiboot,ramdisk",
                                                  "multiboot,device-tree"};
    int number = system->roles[index].module[role];
    const struct module *module;
    struct writer child = {w->tree, 0, 0};
    char *name;

    if (number < 0) {
        return;
    }
    module = &system->modules[number];
    name = must_print("module@%llx", (unsigned long long)module->where.base);
    child.node = fdt_add_subnode(w->tree, w->node, name);
    free(name);
    keep(w, child.node);
    if (child.node < 0) {
        return;
    }
    keep(&child, fdt_setprop_string(w->tree, child.node, "compatible", kinds[role]));
    keep(&child, fdt_appendprop_string(w->tree, child.node, "compatible", "multiboot,module"));
    put_u64(&child, "reg", module->where.base);
    keep(&child, fdt_appendprop_u64(w->tree, child.node, "reg", module->where.size));
    if (role == ROLE_KERNEL) {
        put_string(&child, "bootargs", system->domains[index].bootargs);
    }
    keep(w, child.error);
}

static void put_schedule(struct writer *w, const struct domain *d)
{
    for (unsigned i = 0; i < d->pin_count; i++) {
        keep(w, i ? fdt_appendprop_u64(w->tree, w->node, "bulkhead,pin", d->pins[i])
                  : fdt_setprop_u64(w->tree, w->node, "bulkhead,pin", d->pins[i]));
    }
    switch (d->schedule) {
    case SCHEDULE_SHARE:
        put_u32(w, "bulkhead,weight", d->weight);
        if (d->cap) {
            put_u32(w, "bulkhead,cap", d->cap);
        }
        break;
    case SCHEDULE_DEDICATED:
        put_flag(w, "bulkhead,dedicated");
        break;
    case SCHEDULE_REAL_TIME:
        put_u32(w, "bulkhead,budget-us", (uint32_t)d->budget_us);
        put_u32(w, "bulkhead,period-us", (uint32_t)d->period_us);
        break;
    }
}

static void put_memory(struct writer *w, const struct domain *d)
{
    put_u64(w, "memory", d->memory_kib);
    if (d->max_memory_kib) {
        put_u64(w, "bulkhead,max-memory", d->max_memory_kib);
    }
    if (d->direct_map) {
        put_flag(w, "direct-map");
    }
    for (unsigned i = 0; i < d->static_count; i++) {
        keep(w, fdt_appendprop_u64(w->tree, w->node, "xen,static-mem", d->static_memory[i].base));
        keep(w, fdt_appendprop_u64(w->tree, w->node, "xen,static-mem", d->static_memory[i].size));
    }
}

static void put_domain(struct system *system, struct writer *w, unsigned index)
{
    const struct domain *d = &system->domains[index];

    keep(w, fdt_setprop_string(w->tree, w->node, "compatible", "xen,domain"));
    put_u32(w, "#address-cells", 2);
    put_u32(w, "#size-cells", 2);
    put_string(w, "bulkhead,name", d->name);
    put_memory(w, d);
    put_u32(w, "cpus", d->vcpus);
    if (d->has_uart) {
        put_flag(w, "vpl011");
    }
    if (d->spis >= 0) {
        put_u32(w, "nr_spis", (uint32_t)d->spis);
    }
    put_string(w, "xen,enhanced", d->enhanced);
    if (d->gic_version) {
        put_u32(w, "bulkhead,gic-version", d->gic_version);
    }
    put_schedule(w, d);
    put_string(w, "bulkhead,on-poweroff", d->on_poweroff);
    put_string(w, "bulkhead,on-reboot", d->on_reboot);
    put_string(w, "bulkhead,on-crash", d->on_crash);
    for (unsigned i = 0; i < d->rights.count; i++) {
        keep(w, fdt_appendprop_string(w->tree, w->node, "bulkhead,rights", d->rights.items[i]));
    }
    /* libfdt puts a new node before its older siblings, hence the last first. */
    for (int role = ROLE_COUNT - 1; role >= 0; role--) {
        put_module(system, w, index, (enum module_role)role);
    }
}

static void put_passthrough(struct system *system, struct writer *w)
{
    for (unsigned i = 0; i < system->count; i++) {
        const struct strings *lists[] = {&system->domains[i].passthrough_paths,
                                         &system->domains[i].assign};

        for (unsigned list = 0; list < 2; list++) {
            for (unsigned k = 0; k < lists[list]->count; k++) {
                w->node = fdt_path_offset(w->tree, lists[list]->items[k]);
                keep(w, w->node);
                if (w->node >= 0) {
                    put_flag(w, "xen,passthrough");
                }
            }
        }
    }
}

/* /chosen, without domains that the board's tree may have brought. */
static int open_chosen(struct writer *w)
{
    int chosen = fdt_path_offset(w->tree, "/chosen");
    int child;

    if (chosen < 0) {
        chosen = fdt_add_subnode(w->tree, 0, "chosen");
    }
    keep(w, chosen);
    for (child = chosen < 0 ? -1 : fdt_first_subnode(w->tree, chosen); child >= 0;) {
        if (fdt_node_check_compatible(w->tree, child, "xen,domain") == 0) {
            keep(w, fdt_del_node(w->tree, child));
            child = fdt_first_subnode(w->tree, chosen);
        } else {
            child = fdt_next_subnode(w->tree, child);
        }
    }
    return chosen;
}

static void put_chosen(struct system *system, struct writer *w)
{
    int chosen = open_chosen(w);

    w->node = chosen;
    if (chosen < 0) {
        return;
    }
    put_u32(w, "#address-cells", 2);
    put_u32(w, "#size-cells", 2);
    put_string(w, "xen,xen-bootargs", system->bootargs);
    for (unsigned i = system->count; i-- > 0;) {
        w->node =
            fdt_add_subnode(w->tree, fdt_path_offset(w->tree, "/chosen"), system->domains[i].name);
        keep(w, w->node);
        if (w->node >= 0) {
            put_domain(system, w, i);
        }
    }
}

void *system_tree(struct system *system, size_t *size)
{
    size_t room = fdt_totalsize(system->board.tree) + ROOM;
    struct writer w = {NULL, 0, 0};

    for (unsigned i = 0; i < system->count; i++) {
        room += ROOM_PER_DOMAIN + strlen(system->domains[i].bootargs);
    }
    w.tree = must_allocate(room);
    keep(&w, fdt_open_into(system->board.tree, w.tree, (int)room));
    put_chosen(system, &w);
    put_passthrough(system, &w);
    keep(&w, fdt_pack(w.tree));
    if (w.error) {
        report_error(system->report, (struct place){NULL, 0}, "cannot write the device tree: %s",
                     fdt_strerror(w.error));
        free(w.tree);
        return NULL;
    }
    *size = fdt_totalsize(w.tree);
    return w.tree;
}
