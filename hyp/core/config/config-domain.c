/* A domain's own properties, each by itself; config-internal.h. */
#include "config-internal.h"

#include <hyp/gic.h>
#include <hyp/log.h>
#include <hyp/timer.h>
#include <lib/string.h>
#include <lib/text.h>

#define KIB 1024ul
#define MEMORY_KIB_MAX 1073741824u /* 1 TiB: more than a guest's address space has */

/* What a property's value is, and what it becomes in struct domain_config. */
enum kind {
    FLAG,         /* nothing -> bool */
    NUMBER,       /* a cell -> uint32_t */
    MIB,          /* a cell -> uint64_t, bytes */
    MICROSECONDS, /* a cell -> uint64_t, ticks */
    KIBS,         /* two cells, or one -> uint64_t, bytes in whole frames */
    STRING,       /* -> const char *, in the tree */
    POLICY,       /* "destroy", ... -> enum domain_policy */
};

static const struct property {
    const char *name;
    enum kind kind;
    size_t at;
    uint32_t least, most; /* where it is a number */
    const char *must_be;
} properties[] = {
#define AT(field) offsetof(struct domain_config, field)
#define ANY 0, UINT32_MAX
#define MEMORY 1, MEMORY_KIB_MAX, "two cells: 1 to 1073741824 KiB"
#define POLICY_WORDS ANY, "\"destroy\", \"restart\" or \"preserve\""
    {"memory", KIBS, AT(memory_bytes), MEMORY},
    {"bulkhead,max-memory", KIBS, AT(max_memory_bytes), MEMORY},
    {"xen,domain-p2m-mem-mb", MIB, AT(hyp_memory_bytes), ANY, "one cell: a number of MiB"},
    {"cpus", NUMBER, AT(vcpu_count), ANY, "one cell: a number of virtual CPUs"},
    {"vpl011", FLAG, AT(vuart), ANY, NULL},
    {"direct-map", FLAG, AT(direct_map), ANY, NULL},
    {"nr_spis", NUMBER, AT(vgic.nr_spis), 0, 960, "one cell, at most 960"},
    {"bulkhead,gic-version", NUMBER, AT(vgic.version), 2, 3, "2 or 3"},
    {"bulkhead,weight", NUMBER, AT(sched.weight), 1, SCHED_WEIGHT_MAX, "one cell, 1 to 65535"},
    {"bulkhead,cap", NUMBER, AT(sched.cap_percent), 0, 100 * MAX_VCPUS,
     "one cell: percent of one CPU, 0 for no cap"},
    {"bulkhead,budget-us", MICROSECONDS, AT(sched.budget_ticks), 1, 1000000,
     "one cell, 1 to what bulkhead,period-us says"},
    {"bulkhead,period-us", MICROSECONDS, AT(sched.period_ticks), 100, 1000000,
     "one cell, 100 to 1000000"},
    {"bulkhead,on-poweroff", POLICY, AT(on_poweroff), POLICY_WORDS},
    {"bulkhead,on-reboot", POLICY, AT(on_reboot), POLICY_WORDS},
    {"bulkhead,on-crash", POLICY, AT(on_crash), POLICY_WORDS},
    {"bootargs", STRING, AT(bootargs), ANY, "one string"},
};

/* Read where they are judged; and, at the end, what tools write for themselves. */
static const char others[] = "bulkhead,name\0bulkhead,rights\0bulkhead,pin\0bulkhead,dedicated\0"
                             "xen,enhanced\0xen,static-mem\0#xen,static-mem-address-cells\0"
                             "#xen,static-mem-size-cells\0#address-cells\0#size-cells\0compatible\0"
                             "phandle\0linux,phandle\0ranges\0name";

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

static bool read_property(struct domain_config *d, const struct property *p, struct tree_value v)
{
    void *to = (char *)d + p->at;
    uint64_t number = 0;
    bool good = p->kind == FLAG || p->kind > KIBS ||
                ((v.size == 4 || p->kind == KIBS) && tree_u64(v, &number) && number >= p->least &&
                 number <= p->most);

    switch (p->kind) {
    case FLAG:
        *(bool *)to = true;
        break;
    case NUMBER:
        *(uint32_t *)to = (uint32_t)number;
        break;
    case MIB:
        *(uint64_t *)to = number * KIB * KIB;
        break;
    case MICROSECONDS:
        *(uint64_t *)to = ns_to_ticks(number * 1000ull);
        break;
    case KIBS:
        *(uint64_t *)to = (number * KIB + FRAME_MASK) & ~FRAME_MASK;
        break;
    case STRING:
        *(const char **)to = tree_string(v);
        good = tree_string(v) != NULL;
        break;
    case POLICY:
        good = read_policy(v, to);
        break;
    }
    return good || config_mistake(d, "%s must be %s", p->name, p->must_be);
}

static bool is_special(const char *name)
{
    return strncmp(name, "bulkhead,", 9) == 0 || strncmp(name, "xen,", 4) == 0;
}

/* All properties that the table knows; then of the others the one that matters most. */
static bool read_properties(struct reader *r, struct domain_config *d, tree_node n)
{
    struct tree_property p = {0};
    const char *unknown = NULL;

    while (tree_property(r->tree, n, &p)) {
        unsigned i = 0;
        while (i < ARRAY_LEN(properties) && strcmp(p.name, properties[i].name) != 0) {
            i++;
        }
        if (i < ARRAY_LEN(properties)) {
            if (!read_property(d, &properties[i], p.value)) {
                return false;
            }
        } else if ((unknown == NULL || is_special(p.name)) &&
                   !tree_lists((struct tree_value){(const uint8_t *)others, sizeof(others)},
                               p.name)) {
            unknown = p.name;
        }
    }
    if (unknown != NULL && is_special(unknown)) {
        return config_mistake(
            d, "%s is not a property that domains have; docs/configuration.md lists them", unknown);
    }
    if (unknown != NULL) {
        log_line("%s: %s is not a property that domains have; ignored.", d->node, unknown);
    }
    return true;
}

/* A name is what a person types: letters, digits and _.- */
static bool name_good(const char *s)
{
    static const char may[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
    size_t n = 0;

    while (s[n] != 0 && strchr(may, s[n]) != NULL) {
        n++;
    }
    return n > 0 && s[n] == 0;
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
        return config_mistake(d, "bulkhead,name must be 1 to %d letters, digits, or _ . -",
                              DOMAIN_NAME_LEN - 1);
    }
    for (unsigned i = 0; i < r->domain_count; i++) {
        if (strcmp(r->domain[i].name, d->name) == 0) {
            return config_mistake(d, "bulkhead,name %s is already the name of %s; choose another",
                                  d->name, r->domain[i].node);
        }
    }
    return true;
}

static bool check_memory(struct domain_config *d)
{
    if (d->memory_bytes == 0) {
        return config_mistake(d, "memory is missing; say how many KiB of RAM the guest gets");
    }
    if (d->max_memory_bytes == 0) {
        d->max_memory_bytes = d->memory_bytes;
    }
    return d->max_memory_bytes >= d->memory_bytes ||
           config_mistake(d, "bulkhead,max-memory is less than memory; raise it or leave it out");
}

static bool read_static_mem(struct reader *r, struct domain_config *d, tree_node n)
{
    struct tree_value v = tree_get(r->tree, n, "xen,static-mem");
    struct tree_cells cells = config_static_cells(r->tree, n, r->cells);
    uint64_t start, size, sum = 0;

    if (v.data == NULL || !config_check_cells(d, cells)) {
        return v.data == NULL;
    }
    for (unsigned i = 0; i < CONFIG_STATIC_RANGES && tree_pair(v, cells, i, &start, &size); i++) {
        if (size == 0 || ((start | size) & FRAME_MASK) != 0 || size > MEMORY_KIB_MAX * KIB) {
            return config_mistake(
                d, "xen,static-mem has %#lx bytes at %#lx; both must be multiples of 4 KiB", size,
                start);
        }
        d->static_range[d->static_range_count++] = (struct config_range){mpa(start), size};
        sum += size;
    }
    if (v.size == 0 || v.size != d->static_range_count * (cells.address + cells.size) * 4) {
        return config_mistake(
            d, "xen,static-mem must be 1 to %d pairs of address (%u cells) and size (%u cells)",
            CONFIG_STATIC_RANGES, cells.address, cells.size);
    }
    return sum == d->memory_bytes ||
           config_mistake(d,
                          "xen,static-mem adds up to %lu KiB but memory says %lu; make them equal",
                          sum / KIB, d->memory_bytes / KIB);
}

static bool read_enhanced(struct reader *r, struct domain_config *d, tree_node n)
{
    struct tree_value v = tree_get(r->tree, n, "xen,enhanced");
    const char *s = v.data == NULL ? "disabled" : v.size == 0 ? "enabled" : tree_string(v);

    d->enhanced_no_xenstore = s != NULL && strcmp(s, "no-xenstore") == 0;
    d->enhanced =
        d->enhanced_no_xenstore || (s != NULL && (strcmp(s, "enabled") == 0 || strcmp(s, "") == 0));
    return d->enhanced || (s != NULL && strcmp(s, "disabled") == 0) ||
           config_mistake(
               d, "xen,enhanced must be empty, \"enabled\", \"no-xenstore\" or \"disabled\"");
}

static bool check_gic(struct domain_config *d)
{
    uint32_t most = d->vgic.version == 2 ? 8 : MAX_VCPUS;

    if (d->vgic.version != gic_host.version) {
        return config_mistake(
            d, "bulkhead,gic-version is %u, but this board has a GICv%u; leave it out",
            d->vgic.version, gic_host.version);
    }
    d->vgic.nr_spis = (d->vgic.nr_spis + 31) / 32 * 32;
    return (d->vcpu_count != 0 && d->vcpu_count <= most) ||
           config_mistake(d, "cpus must be one cell: 1 to %u virtual CPUs", most);
}

/* Its words are judged after the walk. */
static bool read_rights(struct reader *r, struct domain_config *d, tree_node n)
{
    struct tree_value v = tree_get(r->tree, n, "bulkhead,rights");

    d->rights = (const char *)v.data;
    d->rights_len = v.size;
    return v.size == 0 || v.data[v.size - 1] == 0 ||
           config_mistake(d, "bulkhead,rights must be a list of strings");
}

bool config_read_domain(struct reader *r, struct domain_config *d, tree_node n)
{
    d->on_reboot = POLICY_RESTART;
    return read_properties(r, d, n) && read_name(r, d, n) && check_memory(d) &&
           read_static_mem(r, d, n) && read_enhanced(r, d, n) && check_gic(d) &&
           config_read_sched(r, d, n) && read_rights(r, d, n);
}
