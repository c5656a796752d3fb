/* A domain's own properties and modules, each by itself; config-internal.h. */
#include "config-internal.h"

#include <hyp/gic.h>
#include <hyp/rights.h>
#include <lib/string.h>

#define KIB 1024ul
#define MEMORY_KIB_MAX (1ul << 30) /* 1 TiB: more than a guest's address space has */

static bool read_cells(struct reader *r, const struct domain_config *d, enum property p,
                       uint32_t *out)
{
    if (r->value[p].data != NULL && (!tree_u32(r->value[p], out) || *out > 2)) {
        return config_mistake(r, d, property_names[p], "must be one cell of value 1 or 2");
    }
    if (*out == 0 || *out > 2) {
        return config_mistake(r, d, property_names[p], "is %u here or above; it must be 1 or 2",
                              *out);
    }
    return true;
}

/* A name is what a person types: letters, digits and _.- */
static bool name_good(const char *s)
{
    size_t n = 0;

    for (; s[n] != 0; n++) {
        char c = s[n];
        if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') &&
            c != '_' && c != '.' && c != '-') {
            return false;
        }
    }
    return n > 0 && n < DOMAIN_NAME_LEN;
}

/* bulkhead,name, or the node's own name up to its unit address. */
static bool read_name(struct reader *r, struct domain_config *d)
{
    struct tree_value v = r->value[P_NAME];

    if (v.data == NULL) {
        const char *node = d->node + strlen("/chosen/");
        const char *at = strchr(node, '@');
        size_t n = at != NULL ? (size_t)(at - node) : strlen(node);
        n = n < DOMAIN_NAME_LEN ? n : DOMAIN_NAME_LEN - 1;
        memcpy(d->name, node, n);
        d->name[n] = 0;
    } else if (tree_string(v) != NULL && v.size <= DOMAIN_NAME_LEN) {
        memcpy(d->name, v.data, v.size);
    }
    if (!name_good(d->name)) {
        return config_mistake(r, d, "bulkhead,name", "must be 1 to %d letters, digits, or _ . -",
                              DOMAIN_NAME_LEN - 1);
    }
    for (unsigned i = 0; i < r->domain_count; i++) {
        if (strcmp(r->domain[i].name, d->name) == 0) {
            return config_mistake(r, d, "bulkhead,name",
                                  "%s is already the name of %s; choose another", d->name,
                                  r->domain[i].node);
        }
    }
    return true;
}

static bool read_kib(struct reader *r, const struct domain_config *d, enum property p,
                     uint64_t *bytes)
{
    uint64_t kib = 0;

    if (!tree_u64(r->value[p], &kib)) {
        return config_mistake(r, d, property_names[p],
                              r->value[p].data == NULL
                                  ? "is missing; say how many KiB of RAM the guest gets"
                                  : "must be two cells: a number of KiB");
    }
    if (kib == 0 || kib > MEMORY_KIB_MAX) {
        return config_mistake(r, d, property_names[p], "is %lu KiB; it must be 1 to %lu", kib,
                              MEMORY_KIB_MAX);
    }
    *bytes = (kib * KIB + FRAME_MASK) & ~FRAME_MASK;
    return true;
}

static bool read_memory(struct reader *r, struct domain_config *d)
{
    if (!read_kib(r, d, P_MEMORY, &d->memory_bytes)) {
        return false;
    }
    d->max_memory_bytes = d->memory_bytes;
    if (r->value[P_MAX_MEMORY].data != NULL &&
        !read_kib(r, d, P_MAX_MEMORY, &d->max_memory_bytes)) {
        return false;
    }
    if (d->max_memory_bytes < d->memory_bytes) {
        return config_mistake(r, d, "bulkhead,max-memory",
                              "is less than memory; raise it or leave it out");
    }
    uint32_t mib = 0;
    if (r->value[P_P2M_MEM].data != NULL && !tree_u32(r->value[P_P2M_MEM], &mib)) {
        return config_mistake(r, d, "xen,domain-p2m-mem-mb", "must be one cell: a number of MiB");
    }
    d->hyp_memory_bytes = (uint64_t)mib * KIB * KIB;
    return true;
}

/* Cells: /chosen's (Xen 4.17), or the domain's own #xen,static-mem-*-cells (Xen 4.16). */
static bool read_static_mem(struct reader *r, struct domain_config *d)
{
    struct cells n = r->cells[1];
    struct tree_value v = r->value[P_STATIC_MEM];
    uint64_t sum = 0;

    if (v.data == NULL) {
        return true;
    }
    if (!read_cells(r, d, P_STATIC_ADDRESS_CELLS, &n.address) ||
        !read_cells(r, d, P_STATIC_SIZE_CELLS, &n.size)) {
        return false;
    }
    uint32_t entry = (n.address + n.size) * 4;
    if (v.size == 0 || v.size % entry != 0 || v.size / entry > CONFIG_STATIC_RANGES) {
        return config_mistake(r, d, "xen,static-mem",
                              "must be 1 to %d pairs of address (%u cells) and size (%u cells)",
                              CONFIG_STATIC_RANGES, n.address, n.size);
    }
    for (uint32_t at = 0; at < v.size; at += entry) {
        struct config_range *range = &d->static_range[d->static_range_count++];
        range->start = mpa(tree_cells(v.data + at, n.address));
        range->size_bytes = tree_cells(v.data + at + n.address * 4, n.size);
        if (range->size_bytes == 0 || ((range->start.v | range->size_bytes) & FRAME_MASK) != 0 ||
            range->size_bytes > MEMORY_KIB_MAX * KIB) {
            return config_mistake(r, d, "xen,static-mem",
                                  "has %#lx bytes at %#lx; both must be multiples "
                                  "of 4 KiB",
                                  range->size_bytes, range->start.v);
        }
        sum += range->size_bytes;
    }
    if (sum != d->memory_bytes) {
        return config_mistake(r, d, "xen,static-mem",
                              "adds up to %lu KiB but memory says %lu; make them "
                              "equal",
                              sum / KIB, d->memory_bytes / KIB);
    }
    return true;
}

static bool read_enhanced(struct reader *r, struct domain_config *d)
{
    struct tree_value v = r->value[P_ENHANCED];
    const char *s = v.size == 0 ? "enabled" : tree_string(v);

    if (v.data == NULL) {
        return true;
    }
    if (s != NULL && (strcmp(s, "enabled") == 0 || strcmp(s, "") == 0)) {
        d->enhanced = true;
    } else if (s != NULL && strcmp(s, "no-xenstore") == 0) {
        d->enhanced = d->enhanced_no_xenstore = true;
    } else if (s == NULL || strcmp(s, "disabled") != 0) {
        return config_mistake(r, d, "xen,enhanced",
                              "must be empty, \"enabled\", \"no-xenstore\" or \"disabled\"");
    }
    return true;
}

static bool read_gic(struct reader *r, struct domain_config *d)
{
    uint32_t version = gic_host.version, spis = 0;

    if (r->value[P_GIC_VERSION].data != NULL &&
        (!tree_u32(r->value[P_GIC_VERSION], &version) || (version != 2 && version != 3))) {
        return config_mistake(r, d, "bulkhead,gic-version", "must be 2 or 3");
    }
    if (version != gic_host.version) {
        return config_mistake(r, d, "bulkhead,gic-version",
                              "is %u, but this board has a GICv%u; leave it out", version,
                              gic_host.version);
    }
    if (r->value[P_NR_SPIS].data != NULL && (!tree_u32(r->value[P_NR_SPIS], &spis) || spis > 960)) {
        return config_mistake(r, d, "nr_spis", "must be one cell, at most 960");
    }
    d->gic_version = version;
    d->nr_spis = (spis + 31) / 32 * 32;
    return true;
}

static bool read_vcpus(struct reader *r, struct domain_config *d)
{
    uint32_t max = d->gic_version == 2 ? 8 : MAX_VCPUS;

    if (!tree_u32(r->value[P_CPUS], &d->vcpu_count) || d->vcpu_count == 0 || d->vcpu_count > max) {
        return config_mistake(r, d, "cpus", "must be one cell: 1 to %u virtual CPUs", max);
    }
    return true;
}

static bool read_policy(struct reader *r, const struct domain_config *d, enum property p,
                        enum domain_policy usual, enum domain_policy *out)
{
    static const char *const words[] = {
        [POLICY_DESTROY] = "destroy", [POLICY_RESTART] = "restart", [POLICY_PRESERVE] = "preserve"};
    const char *s = tree_string(r->value[p]);

    *out = usual;
    if (r->value[p].data == NULL) {
        return true;
    }
    for (unsigned i = 0; s != NULL && i < ARRAY_LEN(words); i++) {
        if (strcmp(s, words[i]) == 0) {
            *out = (enum domain_policy)i;
            return true;
        }
    }
    return config_mistake(r, d, property_names[p],
                          "must be \"destroy\", \"restart\" or \"preserve\"");
}

/* The words of bulkhead,rights; that its targets exist is judged after the walk. */
static bool read_rights(struct reader *r, struct domain_config *d)
{
    struct tree_value v = r->value[P_RIGHTS];
    uint32_t at = 0;

    while (v.data != NULL && at < v.size) {
        const char *s = (const char *)v.data + at;
        size_t n = strnlen(s, v.size - at), word = 0;
        while (word < n && s[word] != ' ') {
            word++;
        }
        if (n == v.size - at || rights_named(s, word) == RIGHT_COUNT) {
            return config_mistake(
                r, d, "bulkhead,rights",
                "entry \"%.*s\" is not a right; there are control, inspect, build, "
                "store, console, device, irq, schedule, shutdown-host",
                n > 32 ? 32 : (int)n, s);
        }
        at += (uint32_t)n + 1;
    }
    d->rights = (const char *)v.data;
    d->rights_len = v.size;
    /* The store is where every guest and tool looks for it: at number 0. */
    for (at = 0; at < v.size; at += (uint32_t)strlen(d->rights + at) + 1) {
        if (strcmp(d->rights + at, "store") == 0 && !r->store_seen) {
            r->store_seen = true;
            d->id = 0;
        }
    }
    return true;
}

static bool read_bootargs(struct reader *r, struct domain_config *d, struct tree_value v)
{
    if (v.data == NULL) {
        return true;
    }
    if (tree_string(v) == NULL) {
        return config_mistake(r, d, "bootargs", "must be one string");
    }
    d->bootargs = tree_string(v);
    return true;
}

void config_read_domain(struct reader *r, struct domain_config *d)
{
    d->bootargs = "";
    d->vuart = r->value[P_VPL011].data != NULL;
    d->direct_map = r->value[P_DIRECT_MAP].data != NULL;
    r->bad =
        !(read_name(r, d) && read_memory(r, d) && read_static_mem(r, d) && read_enhanced(r, d) &&
          read_gic(r, d) && read_vcpus(r, d) && config_read_sched(r, d) &&
          read_policy(r, d, P_ON_POWEROFF, POLICY_DESTROY, &d->on_poweroff) &&
          read_policy(r, d, P_ON_REBOOT, POLICY_RESTART, &d->on_reboot) &&
          read_policy(r, d, P_ON_CRASH, POLICY_DESTROY, &d->on_crash) && read_rights(r, d) &&
          read_bootargs(r, d, r->value[P_BOOTARGS]));
}

static bool read_reg(struct reader *r, struct domain_config *d, const struct child *child,
                     struct module *out)
{
    struct cells n = r->cells[1];

    if (!read_cells(r, d, P_ADDRESS_CELLS, &n.address) ||
        !read_cells(r, d, P_SIZE_CELLS, &n.size)) {
        return false;
    }
    if (child->reg.data == NULL || child->reg.size != (n.address + n.size) * 4) {
        return config_mistake(r, d, child->node,
                              "needs a reg of %u address and %u size cells; files that "
                              "xen,uefi-binary names are not loaded",
                              n.address, n.size);
    }
    struct module m = {mpa(tree_cells(child->reg.data, n.address)),
                       tree_cells(child->reg.data + n.address * 4, n.size)};
    if (m.size_bytes == 0 || m.start.v + m.size_bytes < m.start.v) {
        return config_mistake(r, d, child->node,
                              "has a reg of %#lx bytes at %#lx; give the module's size",
                              m.size_bytes, m.start.v);
    }
    if (out->size_bytes != 0) {
        return config_mistake(r, d, child->node,
                              "is the second module of its kind; a domain has one");
    }
    *out = m;
    return true;
}

/* What a child's compatible makes of it. Names before the semicolon: Xen 4.4's for the same. */
static struct module *module_of(struct domain_config *d, struct tree_value compatible)
{
    if (tree_lists(compatible, "multiboot,kernel") || tree_lists(compatible, "xen,linux-zimage")) {
        return &d->kernel;
    }
    if (tree_lists(compatible, "multiboot,ramdisk") || tree_lists(compatible, "xen,linux-initrd")) {
        return &d->ramdisk;
    }
    if (tree_lists(compatible, "multiboot,device-tree")) {
        return &d->tree;
    }
    return NULL;
}

void config_read_child(struct reader *r, struct domain_config *d, const struct child *child)
{
    struct module *m = module_of(d, child->compatible);

    if (m == NULL && (tree_lists(child->compatible, "multiboot,module") ||
                      tree_lists(child->compatible, "xen,multiboot-module"))) {
        config_mistake(r, d, child->node,
                       "does not say what it is; add \"multiboot,kernel\", "
                       "\"multiboot,ramdisk\" or \"multiboot,device-tree\" to its compatible");
    } else if (m == NULL && (tree_lists(child->compatible, "xen,evtchn-v1") ||
                             tree_lists(child->compatible, "xen,domain-shared-memory-v1"))) {
        config_mistake(r, d, child->node,
                       "is a static event channel or static shared memory, which "
                       "Bulkhead has not; remove the node");
    } else if (m != NULL && read_reg(r, d, child, m) && m == &d->kernel) {
        (void)read_bootargs(r, d, child->bootargs);
    }
}
