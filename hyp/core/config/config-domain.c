/* A domain's own properties and modules, each by itself; config-internal.h. */
#include "config-internal.h"

#include <hyp/gic.h>
#include <hyp/log.h>
#include <hyp/rights.h>
#include <lib/string.h>
#include <lib/text.h>

#define KIB 1024ul
#define MEMORY_KIB_MAX (1ul << 30) /* 1 TiB: more than a guest's address space has */

/* What a property's value is, and what it becomes in struct domain_config. */
enum kind {
    LATER,  /* read where it is judged */
    FLAG,   /* nothing -> bool */
    NUMBER, /* a cell -> uint32_t */
    MIB,    /* a cell -> uint64_t, bytes */
    KIBS,   /* two cells, or one -> uint64_t, bytes in whole frames */
    STRING, /* -> const char *, in the tree */
    POLICY, /* "destroy", ... -> enum domain_policy */
};

static const struct property {
    const char *name;
    enum kind kind;
    size_t at;
    uint32_t least, most; /* NUMBER */
    const char *must_be;
} properties[] = {
#define AT(field) offsetof(struct domain_config, field)
#define DOMAIN_POLICY(field) POLICY, AT(field), 0, 0, "\"destroy\", \"restart\" or \"preserve\""
    {"memory", KIBS, AT(memory_bytes), 0, 0, "two cells: a number of KiB"},
    {"bulkhead,max-memory", KIBS, AT(max_memory_bytes), 0, 0, "two cells: a number of KiB"},
    {"xen,domain-p2m-mem-mb", MIB, AT(hyp_memory_bytes), 0, 0, "one cell: a number of MiB"},
    {"cpus", NUMBER, AT(vcpu_count), 0, UINT32_MAX, "one cell: a number of virtual CPUs"},
    {"vpl011", FLAG, AT(vuart), 0, 0, NULL},
    {"direct-map", FLAG, AT(direct_map), 0, 0, NULL},
    {"nr_spis", NUMBER, AT(nr_spis), 0, 960, "one cell, at most 960"},
    {"bulkhead,gic-version", NUMBER, AT(gic_version), 2, 3, "2 or 3"},
    {"bulkhead,weight", NUMBER, AT(sched.weight), 1, SCHED_WEIGHT_MAX, "one cell, 1 to 65535"},
    {"bulkhead,cap", NUMBER, AT(sched.cap_percent), 0, 100 * MAX_VCPUS,
     "one cell: percent of one CPU, 0 for no cap"},
    {"bulkhead,on-poweroff", DOMAIN_POLICY(on_poweroff)},
    {"bulkhead,on-reboot", DOMAIN_POLICY(on_reboot)},
    {"bulkhead,on-crash", DOMAIN_POLICY(on_crash)},
    {"bootargs", STRING, AT(bootargs), 0, 0, "one string"},
    {"bulkhead,name", LATER, 0, 0, 0, NULL},
    {"bulkhead,rights", LATER, 0, 0, 0, NULL},
    {"bulkhead,pin", LATER, 0, 0, 0, NULL},
    {"bulkhead,dedicated", LATER, 0, 0, 0, NULL},
    {"bulkhead,budget-us", LATER, 0, 0, 0, NULL},
    {"bulkhead,period-us", LATER, 0, 0, 0, NULL},
    {"xen,enhanced", LATER, 0, 0, 0, NULL},
    {"xen,static-mem", LATER, 0, 0, 0, NULL},
    {"#xen,static-mem-address-cells", LATER, 0, 0, 0, NULL},
    {"#xen,static-mem-size-cells", LATER, 0, 0, 0, NULL},
    {"#address-cells", LATER, 0, 0, 0, NULL},
    {"#size-cells", LATER, 0, 0, 0, NULL},
    {"compatible", LATER, 0, 0, 0, NULL},
    /* Written by tools for themselves; nothing to say about them. */
    {"phandle", LATER, 0, 0, 0, NULL},
    {"linux,phandle", LATER, 0, 0, 0, NULL},
    {"ranges", LATER, 0, 0, 0, NULL},
    {"name", LATER, 0, 0, 0, NULL},
};

static bool read_policy(struct tree_value v, enum domain_policy *to)
{
    static const char *const words[] = {
        [POLICY_DESTROY] = "destroy", [POLICY_RESTART] = "restart", [POLICY_PRESERVE] = "preserve"};
    const char *s = tree_string(v);

    for (unsigned i = 0; s != NULL && i < ARRAY_LEN(words); i++) {
        if (strcmp(s, words[i]) == 0) {
            *to = (enum domain_policy)i;
            return true;
        }
    }
    return false;
}

static bool read_property(struct reader *r, struct domain_config *d, const struct property *p,
                          struct tree_value v)
{
    void *to = (char *)d + p->at;
    uint32_t number = 0;
    uint64_t kib;
    bool good = true;

    switch (p->kind) {
    case LATER:
        break;
    case FLAG:
        *(bool *)to = true;
        break;
    case NUMBER:
        good = tree_u32(v, &number) && number >= p->least && number <= p->most;
        *(uint32_t *)to = number;
        break;
    case MIB:
        good = tree_u32(v, &number);
        *(uint64_t *)to = number * KIB * KIB;
        break;
    case KIBS:
        good = tree_u64(v, &kib);
        if (good && (kib == 0 || kib > MEMORY_KIB_MAX)) {
            return config_mistake(r, d, p->name, "is %lu KiB; it must be 1 to %lu", kib,
                                  MEMORY_KIB_MAX);
        }
        *(uint64_t *)to = good ? (kib * KIB + FRAME_MASK) & ~FRAME_MASK : 0;
        break;
    case STRING:
        good = tree_string(v) != NULL;
        *(const char **)to = tree_string(v);
        break;
    case POLICY:
        good = read_policy(v, to);
        break;
    }
    return good || config_mistake(r, d, p->name, "must be %s", p->must_be);
}

static bool is_special(const char *name)
{
    return strncmp(name, "bulkhead,", 9) == 0 || strncmp(name, "xen,", 4) == 0;
}

/* All properties that the table knows; then of the others the one that matters most. */
static void read_properties(struct reader *r, struct domain_config *d, tree_node n)
{
    struct tree_property p = {0};
    const char *unknown = NULL;

    while (tree_property(r->tree, n, &p)) {
        unsigned i = 0;
        while (i < ARRAY_LEN(properties) && strcmp(p.name, properties[i].name) != 0) {
            i++;
        }
        if (i < ARRAY_LEN(properties)) {
            (void)read_property(r, d, &properties[i], p.value);
        } else if (unknown == NULL || is_special(p.name)) {
            unknown = p.name;
        }
    }
    if (unknown != NULL && is_special(unknown)) {
        config_mistake(r, d, unknown,
                       "is not a property that domains have; docs/configuration.md lists them");
    } else if (unknown != NULL) {
        log_line("%s: %s is not a property that domains have; ignored.", d->node, unknown);
    }
}

/* A name is what a person types: letters, digits and _.- */
static bool name_good(const char *s)
{
    size_t n = 0;

    for (; s[n] != 0; n++) {
        char c = s[n], lower = (char)(c | 0x20);
        if (!(lower >= 'a' && lower <= 'z') && !(c >= '0' && c <= '9') && c != '_' && c != '.' &&
            c != '-') {
            return false;
        }
    }
    return n > 0;
}

/* bulkhead,name, or the node's own name up to its unit address. */
static bool read_name(struct reader *r, struct domain_config *d, tree_node n)
{
    struct tree_value v = tree_get(r->tree, n, "bulkhead,name");
    const char *name = v.data != NULL ? tree_string(v) : tree_name(n);
    bool fits = name != NULL && text_copy(d->name, sizeof(d->name), name);
    char *at = v.data == NULL ? strchr(d->name, '@') : NULL;

    if (at != NULL) {
        *at = 0;
    }
    if ((!fits && v.data != NULL) || !name_good(d->name)) {
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

static bool check_memory(struct reader *r, struct domain_config *d)
{
    if (d->memory_bytes == 0) {
        return config_mistake(r, d, "memory", "is missing; say how many KiB of RAM the guest gets");
    }
    if (d->max_memory_bytes == 0) {
        d->max_memory_bytes = d->memory_bytes;
    }
    return d->max_memory_bytes >= d->memory_bytes ||
           config_mistake(r, d, "bulkhead,max-memory",
                          "is less than memory; raise it or leave it out");
}

static bool check_cells(struct reader *r, struct domain_config *d, struct tree_cells c)
{
    bool address = c.address - 1 > 1;

    return (!address && c.size - 1 <= 1) ||
           config_mistake(r, d, address ? "#address-cells" : "#size-cells",
                          "must be 1 or 2; here or above it is %u", address ? c.address : c.size);
}

static bool read_static_mem(struct reader *r, struct domain_config *d, tree_node n)
{
    struct tree_value v = tree_get(r->tree, n, "xen,static-mem");
    struct tree_cells cells = config_static_cells(r->tree, n, r->cells);
    uint64_t start, size, sum = 0;

    if (v.data == NULL || !check_cells(r, d, cells)) {
        return v.data == NULL;
    }
    for (unsigned i = 0; i < CONFIG_STATIC_RANGES && tree_pair(v, cells, i, &start, &size); i++) {
        if (size == 0 || ((start | size) & FRAME_MASK) != 0 || size > MEMORY_KIB_MAX * KIB) {
            return config_mistake(r, d, "xen,static-mem",
                                  "has %#lx bytes at %#lx; both must be multiples of 4 KiB", size,
                                  start);
        }
        d->static_range[d->static_range_count++] = (struct config_range){mpa(start), size};
        sum += size;
    }
    if (v.size == 0 || v.size != d->static_range_count * (cells.address + cells.size) * 4) {
        return config_mistake(r, d, "xen,static-mem",
                              "must be 1 to %d pairs of address (%u cells) and size (%u cells)",
                              CONFIG_STATIC_RANGES, cells.address, cells.size);
    }
    return sum == d->memory_bytes ||
           config_mistake(r, d, "xen,static-mem",
                          "adds up to %lu KiB but memory says %lu; make them equal", sum / KIB,
                          d->memory_bytes / KIB);
}

static bool read_enhanced(struct reader *r, struct domain_config *d, tree_node n)
{
    struct tree_value v = tree_get(r->tree, n, "xen,enhanced");
    const char *s = v.data == NULL ? "disabled" : v.size == 0 ? "enabled" : tree_string(v);

    d->enhanced_no_xenstore = s != NULL && strcmp(s, "no-xenstore") == 0;
    d->enhanced =
        d->enhanced_no_xenstore || (s != NULL && (strcmp(s, "enabled") == 0 || strcmp(s, "") == 0));
    return d->enhanced || (s != NULL && strcmp(s, "disabled") == 0) ||
           config_mistake(r, d, "xen,enhanced",
                          "must be empty, \"enabled\", \"no-xenstore\" or \"disabled\"");
}

static bool check_gic(struct reader *r, struct domain_config *d)
{
    uint32_t most = d->gic_version == 2 ? 8 : MAX_VCPUS;

    if (d->gic_version != gic_host.version) {
        return config_mistake(r, d, "bulkhead,gic-version",
                              "is %u, but this board has a GICv%u; leave it out", d->gic_version,
                              gic_host.version);
    }
    d->nr_spis = (d->nr_spis + 31) / 32 * 32;
    return (d->vcpu_count != 0 && d->vcpu_count <= most) ||
           config_mistake(r, d, "cpus", "must be one cell: 1 to %u virtual CPUs", most);
}

/* The words of bulkhead,rights; that its targets exist is judged after the walk. */
static bool read_rights(struct reader *r, struct domain_config *d, tree_node node)
{
    struct tree_value v = tree_get(r->tree, node, "bulkhead,rights");
    uint32_t at = 0;

    while (v.data != NULL && at < v.size) {
        const char *s = (const char *)v.data + at;
        size_t n = strnlen(s, v.size - at);
        if (n == v.size - at || rights_named(s) == RIGHT_COUNT) {
            return config_mistake(
                r, d, "bulkhead,rights",
                "entry \"%.*s\" is not a right; there are control, inspect, emulate, build, "
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

void config_read_domain(struct reader *r, struct domain_config *d, tree_node n)
{
    d->bootargs = "";
    d->gic_version = gic_host.version;
    d->sched = (struct sched_params){.class = SCHED_SHARE, .weight = SCHED_WEIGHT_DEFAULT};
    d->on_poweroff = d->on_crash = POLICY_DESTROY;
    d->on_reboot = POLICY_RESTART;
    read_properties(r, d, n);
    r->bad = r->bad || !(read_name(r, d, n) && check_memory(r, d) && read_static_mem(r, d, n) &&
                         read_enhanced(r, d, n) && check_gic(r, d) && config_read_sched(r, d, n) &&
                         read_rights(r, d, n));
}

bool config_read_place(struct reader *r, struct domain_config *d, tree_node n,
                       struct tree_cells cells, struct module *out)
{
    struct tree_value reg = tree_get(r->tree, n, "reg");
    uint64_t start, size;

    if (!check_cells(r, d, cells)) {
        return false;
    }
    if (reg.size != (cells.address + cells.size) * 4 || !tree_pair(reg, cells, 0, &start, &size)) {
        return config_mistake(
            r, d, tree_name(n),
            "needs a reg of %u address and %u size cells; files that xen,uefi-binary "
            "names are not loaded",
            cells.address, cells.size);
    }
    if (size == 0 || start + size < start) {
        return config_mistake(r, d, tree_name(n),
                              "has a reg of %#lx bytes at %#lx; give the module's size", size,
                              start);
    }
    if (out->size_bytes != 0) {
        return config_mistake(r, d, tree_name(n),
                              "is the second module of its kind; a domain has one");
    }
    *out = (struct module){mpa(start), size};
    return true;
}

void config_read_module(struct reader *r, struct domain_config *d, tree_node n,
                        struct tree_cells cells)
{
    static const struct property bootargs = {"bootargs", STRING, AT(bootargs), 0, 0, "one string"};
    struct tree_value compatible = tree_get(r->tree, n, "compatible");
    struct tree_value arguments = tree_get(r->tree, n, "bootargs");
    struct module *m = config_is_kernel(compatible)                      ? &d->kernel
                       : config_is_ramdisk(compatible)                   ? &d->ramdisk
                       : tree_lists(compatible, "multiboot,device-tree") ? &d->tree
                                                                         : NULL;

    if (m == NULL && config_is_module(compatible)) {
        config_mistake(r, d, tree_name(n),
                       "does not say what it is; add \"multiboot,kernel\", "
                       "\"multiboot,ramdisk\" or \"multiboot,device-tree\" to its compatible");
    } else if (m == NULL && (tree_lists(compatible, "xen,evtchn-v1") ||
                             tree_lists(compatible, "xen,domain-shared-memory-v1"))) {
        config_mistake(r, d, tree_name(n),
                       "is a static event channel or static shared memory, which "
                       "Bulkhead has not; remove the node");
    } else if (m != NULL && config_read_place(r, d, n, cells, m) && m == &d->kernel &&
               arguments.data != NULL) {
        (void)read_property(r, d, &bootargs, arguments);
    }
}
