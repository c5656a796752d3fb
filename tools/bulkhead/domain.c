#include "domain.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cfg.h"
#include "xlkeys.h"

/* A domain being filled from its file, and what only the final checks need. */
struct loader {
    struct report *report;
    struct domain *domain;
    char *cmdline, *root, *extra;
    uint64_t vcpus, max_vcpus;
    unsigned max_vcpus_line, cmdline_line, max_memory_line, budget_line, period_line, weight_line;
    bool has_cap, has_uart_key;
};

typedef void setter(struct loader *loader, const struct cfg_entry *entry);

static struct place at(const struct loader *loader, unsigned line)
{
    return (struct place){loader->domain->file, line};
}

/* --- values --------------------------------------------------------------- */

/* Text of a string, or NULL after reporting that the key wants one. */
static const char *want_string(struct loader *l, const struct cfg_entry *e)
{
    if (e->value.kind != CFG_STRING) {
        report_error(l->report, at(l, e->line), "%s wants text in quotes", e->key);
        return NULL;
    }
    return e->value.string;
}

/* A number within bounds; xl takes one in quotes as well. Returns false after reporting. */
static bool want_number(struct loader *l, const struct cfg_entry *e, uint64_t least, uint64_t most,
                        uint64_t *number)
{
    char *end = NULL;
    uint64_t value = 0;

    if (e->value.kind != CFG_LIST && isdigit((unsigned char)e->value.string[0])) {
        value = strtoull(e->value.string, &end, 0);
    }
    if (!end || *end) {
        report_error(l->report, at(l, e->line), "%s wants a number", e->key);
        return false;
    }
    if (value < least || value > most) {
        report_error(l->report, at(l, e->line),
                     "%s = %llu is out of range; it goes from %llu to "
                     "%llu",
                     e->key, (unsigned long long)value, (unsigned long long)least,
                     (unsigned long long)most);
        return false;
    }
    *number = value;
    return true;
}

static bool want_unsigned(struct loader *l, const struct cfg_entry *e, unsigned least,
                          unsigned most, unsigned *number)
{
    uint64_t value;

    if (!want_number(l, e, least, most, &value)) {
        return false;
    }
    *number = (unsigned)value;
    return true;
}

/* One word of a NULL-terminated choice; returns the choice's own string, or NULL. */
static const char *want_choice(struct loader *l, const struct cfg_entry *e,
                               const char *const *choices)
{
    const char *text = want_string(l, e);
    char *list = NULL;

    for (const char *const *choice = choices; text && *choice; choice++) {
        char *longer;

        if (strcmp(text, *choice) == 0) {
            free(list);
            return *choice;
        }
        longer = must_print("%s%s\"%s\"", list ? list : "", list ? ", " : "", *choice);
        free(list);
        list = longer;
    }
    if (text) {
        report_error(l->report, at(l, e->line), "%s = \"%s\" is not known; it is one of %s", e->key,
                     text, list);
    }
    free(list);
    return NULL;
}

static void want_strings(struct loader *l, const struct cfg_entry *e, struct strings *strings)
{
    const struct cfg_value *items = &e->value;
    size_t count = 1;

    if (e->value.kind == CFG_LIST) {
        items = e->value.items;
        count = e->value.count;
    }
    strings->items = must_allocate(count * sizeof(*strings->items));
    strings->lines = must_allocate(count * sizeof(*strings->lines));
    for (size_t i = 0; i < count; i++) {
        if (items[i].kind != CFG_STRING) {
            report_error(l->report, at(l, items[i].line), "%s wants a list of texts in quotes",
                         e->key);
            return;
        }
        strings->items[strings->count] = must_print("%s", items[i].string);
        strings->lines[strings->count++] = items[i].line;
    }
}

/* A file as the user names it, else beside the domain file. */
static char *find_file(const struct domain *domain, const char *path)
{
    const char *slash = strrchr(domain->file, '/');
    char *beside;

    if (path[0] == '/' || !slash || access(path, F_OK) == 0) {
        return must_print("%s", path);
    }
    beside = must_print("%.*s/%s", (int)(slash - domain->file), domain->file, path);
    if (access(beside, F_OK) == 0) {
        return beside;
    }
    free(beside);
    return must_print("%s", path);
}

static void want_file(struct loader *l, const struct cfg_entry *e, struct source *source)
{
    const char *text = want_string(l, e);

    if (text) {
        source->path = find_file(l->domain, text);
        source->line = e->line;
        (void)image_read(l->report, at(l, e->line), e->key, source->path, &source->image);
    }
}

/* --- one setter per key ---------------------------------------------------- */

static void set_name(struct loader *l, const struct cfg_entry *e)
{
    const char *text = want_string(l, e);
    const char *allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";

    if (!text) {
        return;
    }
    if (!*text || strlen(text) > NAME_LENGTH || text[strspn(text, allowed)]) {
        report_error(l->report, at(l, e->line),
                     "name \"%s\" is not usable; take 1 to %d of the "
                     "letters A-Z a-z 0-9 _ . -",
                     text, NAME_LENGTH);
    }
    l->domain->name = must_print("%s", text);
    l->domain->name_line = e->line;
}

#define MAX_MIB (UINT64_C(1) << 26) /* 64 TiB: beyond any machine, below overflow in bytes */

static void set_memory(struct loader *l, const struct cfg_entry *e)
{
    uint64_t mib;

    l->domain->memory_line = e->line;
    if (want_number(l, e, 1, MAX_MIB, &mib)) {
        l->domain->memory_kib = mib * 1024;
    }
}

static void set_maxmem(struct loader *l, const struct cfg_entry *e)
{
    uint64_t mib;

    l->max_memory_line = e->line;
    if (want_number(l, e, 1, MAX_MIB, &mib)) {
        l->domain->max_memory_kib = mib * 1024;
    }
}

static void set_vcpus(struct loader *l, const struct cfg_entry *e)
{
    l->domain->vcpus_line = e->line;
    (void)want_number(l, e, 1, MAX_VCPUS, &l->vcpus);
}

static void set_maxvcpus(struct loader *l, const struct cfg_entry *e)
{
    l->max_vcpus_line = e->line;
    (void)want_number(l, e, 1, MAX_VCPUS, &l->max_vcpus);
}

static void set_kernel(struct loader *l, const struct cfg_entry *e)
{
    struct source *kernel = &l->domain->kernel;
    const char *cure;

    want_file(l, e, kernel);
    if (!kernel->path || !kernel->image.file_size) {
        return;
    }
    cure = image_cure(kernel->image.kind);
    if (cure) {
        report_error(l->report, at(l, e->line), "kernel: %s %s", kernel->path, cure);
    }
}

static void set_ramdisk(struct loader *l, const struct cfg_entry *e)
{
    struct source *ramdisk = &l->domain->ramdisk;

    want_file(l, e, ramdisk);
    if (ramdisk->path && ramdisk->image.file_size &&
        (ramdisk->image.kind == IMAGE_ARM64 || ramdisk->image.kind == IMAGE_ZIMAGE)) {
        report_error(l->report, at(l, e->line),
                     "ramdisk: %s is a kernel; are kernel and ramdisk "
                     "exchanged?",
                     ramdisk->path);
    }
}

static void set_device_tree(struct loader *l, const struct cfg_entry *e)
{
    struct source *tree = &l->domain->device_tree;

    want_file(l, e, tree);
    if (tree->path && tree->image.file_size && tree->image.kind != IMAGE_DTB) {
        report_error(l->report, at(l, e->line),
                     "device_tree: %s is not a compiled device tree; "
                     "compile it (dtc -I dts -O dtb -o FILE.dtb FILE.dts)",
                     tree->path);
    }
}

static void take_text(struct loader *l, const struct cfg_entry *e, char **text)
{
    const char *given = want_string(l, e);

    if (given) {
        *text = must_print("%s", given);
    }
}

static void set_cmdline(struct loader *l, const struct cfg_entry *e)
{
    l->cmdline_line = e->line;
    take_text(l, e, &l->cmdline);
}

static void set_root(struct loader *l, const struct cfg_entry *e)
{
    take_text(l, e, &l->root);
}

static void set_extra(struct loader *l, const struct cfg_entry *e)
{
    take_text(l, e, &l->extra);
}

static void set_cpus(struct loader *l, const struct cfg_entry *e)
{
    const struct cfg_value *items = &e->value;
    size_t count = 1;

    l->domain->cpus_line = e->line;
    if (e->value.kind == CFG_LIST) {
        items = e->value.items;
        count = e->value.count;
    } else if (e->value.kind == CFG_STRING && strcmp(e->value.string, "all") == 0) {
        return;
    }
    if (count > MAX_VCPUS) {
        report_error(l->report, at(l, e->line), "cpus has %zu entries, more than vCPUs can be",
                     count);
        return;
    }
    l->domain->pins = must_allocate(count * sizeof(*l->domain->pins));
    for (size_t i = 0; i < count; i++) {
        if (items[i].kind == CFG_LIST) {
            report_error(l->report, at(l, e->line),
                         "cpus wants \"0-3,^1\", or a list with one "
                         "such text for each vCPU");
            return;
        }
        if (cpu_list_parse(l->report, at(l, items[i].line), items[i].string, &l->domain->pins[i]) ==
            0) {
            l->domain->pin_count++;
        }
    }
}

static void set_weight(struct loader *l, const struct cfg_entry *e)
{
    l->weight_line = e->line;
    (void)want_unsigned(l, e, 1, 65535, &l->domain->weight);
}

static void set_cap(struct loader *l, const struct cfg_entry *e)
{
    l->has_cap = want_unsigned(l, e, 0, 100 * MAX_HOST_CPUS, &l->domain->cap);
}

static const char *want_action(struct loader *l, const struct cfg_entry *e)
{
    static const char *const choices[] = {
        "destroy",          "restart",          "preserve", "rename-restart",
        "coredump-destroy", "coredump-restart", NULL};
    const char *action = want_choice(l, e, choices);

    if (action && strchr(action, '-')) {
        const char *plain = strchr(action, '-') + 1;

        report_warning(l->report, at(l, e->line),
                       "%s = \"%s\" is taken as \"%s\": there is no "
                       "control domain to keep a dump or a second name",
                       e->key, action, plain);
        return plain;
    }
    return action;
}

static void set_on_poweroff(struct loader *l, const struct cfg_entry *e)
{
    l->domain->on_poweroff = want_action(l, e);
}

static void set_on_reboot(struct loader *l, const struct cfg_entry *e)
{
    l->domain->on_reboot = want_action(l, e);
}

static void set_on_crash(struct loader *l, const struct cfg_entry *e)
{
    l->domain->on_crash = want_action(l, e);
}

static void set_vuart(struct loader *l, const struct cfg_entry *e)
{
    static const char *const choices[] = {"sbsa_uart", "unknown", NULL};
    const char *kind = want_choice(l, e, choices);

    l->has_uart_key = true;
    l->domain->has_uart = kind == choices[0];
}

static void set_gic_version(struct loader *l, const struct cfg_entry *e)
{
    static const char *const choices[] = {"default", "v2", "v3", NULL};
    const char *version = want_choice(l, e, choices);

    l->domain->gic_line = e->line;
    if (version) {
        l->domain->gic_version = version[0] == 'v' ? (unsigned)(version[1] - '0') : 0;
    }
}

static void set_spis(struct loader *l, const struct cfg_entry *e)
{
    uint64_t count;

    /* GIC architecture: SPIs are interrupts 32 to 1019. */
    if (want_number(l, e, 0, 988, &count)) {
        l->domain->spis = (int64_t)count;
    }
}

static void set_dtdev(struct loader *l, const struct cfg_entry *e)
{
    want_strings(l, e, &l->domain->passthrough_paths);
}

static void set_assign(struct loader *l, const struct cfg_entry *e)
{
    want_strings(l, e, &l->domain->assign);
}

static void set_rights(struct loader *l, const struct cfg_entry *e)
{
    l->domain->rights_line = e->line;
    want_strings(l, e, &l->domain->rights);
}

static void set_type(struct loader *l, const struct cfg_entry *e)
{
    const char *type = want_string(l, e);

    if (type && strcmp(type, "pvh") != 0) {
        report_error(l->report, at(l, e->line),
                     "type = \"%s\" does not exist on Arm; leave it "
                     "away or write \"pvh\"",
                     type);
    }
}

static void set_sched(struct loader *l, const struct cfg_entry *e)
{
    static const char *const choices[] = {"share", "dedicated", "rt", NULL};
    const char *choice = want_choice(l, e, choices);

    l->domain->sched_line = e->line;
    for (unsigned i = 0; choices[i]; i++) {
        if (choice == choices[i]) {
            l->domain->schedule = (enum domain_schedule)i;
        }
    }
}

static void set_budget(struct loader *l, const struct cfg_entry *e)
{
    l->budget_line = e->line;
    (void)want_number(l, e, 1, 1000000, &l->domain->budget_us);
}

static void set_period(struct loader *l, const struct cfg_entry *e)
{
    l->period_line = e->line;
    (void)want_number(l, e, 100, 1000000, &l->domain->period_us);
}

static void set_direct_map(struct loader *l, const struct cfg_entry *e)
{
    uint64_t value;

    l->domain->direct_line = e->line;
    if (want_number(l, e, 0, 1, &value)) {
        l->domain->direct_map = value != 0;
    }
}

static void set_static_mem(struct loader *l, const struct cfg_entry *e)
{
    struct strings texts = {0};

    l->domain->static_line = e->line;
    want_strings(l, e, &texts);
    l->domain->static_memory = must_allocate((texts.count + 1) * sizeof(struct range));
    for (unsigned i = 0; i < texts.count; i++) {
        struct range *range = &l->domain->static_memory[l->domain->static_count];
        char *end = NULL;

        range->base = strtoull(texts.items[i], &end, 0);
        range->size = *end == ',' ? strtoull(end + 1, &end, 0) : 0;
        if (*end || !range->size || range->base % 4096 || range->size % 4096 ||
            range->base + range->size < range->base) {
            report_error(l->report, at(l, texts.lines[i]),
                         "static_mem: `%s' is not usable; write "
                         "\"ADDRESS,SIZE\" in bytes, multiples of 4096",
                         texts.items[i]);
        } else {
            l->domain->static_count++;
        }
        free(texts.items[i]);
    }
    free(texts.items);
    free(texts.lines);
}

static void set_enhanced(struct loader *l, const struct cfg_entry *e)
{
    static const char *const choices[] = {"enabled", "disabled", "no-xenstore", NULL};

    l->domain->enhanced = want_choice(l, e, choices);
}

static void set_devices(struct loader *l, const struct cfg_entry *e)
{
    if (e->value.kind != CFG_LIST || e->value.count) {
        report_warning(l->report, at(l, e->line),
                       "%s is not served: no domain offers it at boot; "
                       "a board's own device is given with assign",
                       e->key);
    }
}

/* irqs and iomem say again what the partial tree says; the hypervisor reads it there. */
static void set_nothing(struct loader *l, const struct cfg_entry *e)
{
    (void)l;
    (void)e;
}

/* Every key of docs/configuration.md. Those of xl are defined in xl.cfg(5) of Xen 4.17. */
static const struct {
    const char *key;
    setter *set;
} keys[] = {
    {"name", set_name},
    {"type", set_type},
    {"memory", set_memory},
    {"maxmem", set_maxmem},
    {"vcpus", set_vcpus},
    {"maxvcpus", set_maxvcpus},
    {"kernel", set_kernel},
    {"ramdisk", set_ramdisk},
    {"cmdline", set_cmdline},
    {"root", set_root},
    {"extra", set_extra},
    {"cpus", set_cpus},
    {"cpu_weight", set_weight},
    {"cap", set_cap},
    {"budget", set_budget},
    {"period", set_period},
    {"on_poweroff", set_on_poweroff},
    {"on_reboot", set_on_reboot},
    {"on_crash", set_on_crash},
    {"vuart", set_vuart},
    {"gic_version", set_gic_version},
    {"nr_spis", set_spis},
    {"device_tree", set_device_tree},
    {"dtdev", set_dtdev},
    {"irqs", set_nothing},
    {"iomem", set_nothing},
    {"disk", set_devices},
    {"vif", set_devices},
    /* Ours; xl ignores them. */
    {"sched", set_sched},
    {"rights", set_rights},
    {"direct_map", set_direct_map},
    {"static_mem", set_static_mem},
    {"assign", set_assign},
    {"xen_enhanced", set_enhanced},
};

#define KEY_COUNT (sizeof(keys) / sizeof(keys[0]))

/* --- the whole file -------------------------------------------------------- */

static void unknown_key(struct loader *l, const struct cfg_entry *e)
{
    const char *ours[KEY_COUNT + 1] = {NULL};
    const char *near;

    for (const char *const *known = xl_keys; *known; known++) {
        if (strcmp(e->key, *known) == 0) {
            report_warning(l->report, at(l, e->line),
                           "%s is a key of xl that means nothing here; "
                           "ignored",
                           e->key);
            return;
        }
    }
    for (size_t i = 0; i < KEY_COUNT; i++) {
        ours[i] = keys[i].key;
    }
    near = nearest_word(e->key, ours);
    if (!near) {
        near = nearest_word(e->key, xl_keys);
    }
    if (near) {
        report_error(l->report, at(l, e->line), "%s is not a key; is %s meant?", e->key, near);
    } else {
        report_error(l->report, at(l, e->line),
                     "%s is not a key; see docs/configuration.md for "
                     "all of them",
                     e->key);
    }
}

static void set_entry(struct loader *l, const struct cfg_entry *e)
{
    for (size_t i = 0; i < KEY_COUNT; i++) {
        if (strcmp(e->key, keys[i].key) == 0) {
            keys[i].set(l, e);
            return;
        }
    }
    unknown_key(l, e);
}

static void finish_memory(struct loader *l)
{
    struct domain *d = l->domain;
    uint64_t need = d->kernel.image.memory_size + d->ramdisk.image.file_size;

    if (d->max_memory_kib && d->max_memory_kib < d->memory_kib) {
        report_error(l->report, at(l, l->max_memory_line),
                     "maxmem is less than memory; raise it "
                     "to %llu at least",
                     (unsigned long long)d->memory_kib / 1024);
    }
    if (d->memory_line && d->memory_kib && need > d->memory_kib * 1024) {
        report_error(l->report, at(l, d->memory_line),
                     "memory = %llu is too little: kernel and "
                     "ramdisk alone take %llu MiB; give more",
                     (unsigned long long)d->memory_kib / 1024,
                     (unsigned long long)(need >> 20) + 1);
    }
}

static void finish_cpus(struct loader *l)
{
    struct domain *d = l->domain;
    uint64_t count = l->vcpus > l->max_vcpus ? l->vcpus : l->max_vcpus;

    if (l->max_vcpus && l->max_vcpus < l->vcpus) {
        report_error(l->report, at(l, l->max_vcpus_line),
                     "maxvcpus is less than vcpus; raise it "
                     "to %llu, or leave it away",
                     (unsigned long long)l->vcpus);
    }
    d->vcpus = count ? (unsigned)count : 1;
    if (d->pin_count > 1 && d->pin_count != d->vcpus) {
        report_error(l->report, at(l, d->cpus_line),
                     "cpus lists %u entries for %u vCPUs; give one "
                     "for each, or one text for all",
                     d->pin_count, d->vcpus);
    }
    if (d->schedule == SCHEDULE_REAL_TIME) {
        if (!d->budget_us || !d->period_us || d->budget_us > d->period_us) {
            report_error(l->report, at(l, d->sched_line),
                         "sched = \"rt\" needs budget and period "
                         "in microseconds, budget not above period");
        }
    } else if (l->budget_line || l->period_line) {
        report_error(l->report, at(l, l->budget_line ? l->budget_line : l->period_line),
                     "budget and period mean something only with sched = \"rt\"; add it");
    }
    if (d->schedule != SCHEDULE_SHARE && (l->weight_line || l->has_cap)) {
        report_error(l->report, at(l, d->sched_line),
                     "cpu_weight and cap share CPUs, which this "
                     "sched does not; remove them");
    }
}

static void finish_bootargs(struct loader *l)
{
    struct domain *d = l->domain;

    if (l->cmdline && (l->root || l->extra)) {
        report_warning(l->report, at(l, l->cmdline_line),
                       "cmdline replaces root and extra, which "
                       "are ignored");
    }
    if (l->cmdline) {
        d->bootargs = must_print("%s", l->cmdline);
    } else {
        d->bootargs = must_print("%s%s%s%s", l->root ? "root=" : "", l->root ? l->root : "",
                                 l->root && l->extra ? " " : "", l->extra ? l->extra : "");
    }
    if (!l->has_uart_key && !d->enhanced) {
        report_warning(l->report, at(l, 0),
                       "the domain has no console; add "
                       "vuart = \"sbsa_uart\" and console=ttyAMA0 in extra");
    }
    if (d->static_count && d->memory_kib) {
        uint64_t sum = 0;

        for (unsigned i = 0; i < d->static_count; i++) {
            sum += d->static_memory[i].size;
        }
        if (sum != d->memory_kib * 1024) {
            report_error(l->report, at(l, d->static_line),
                         "static_mem adds up to %llu KiB, memory "
                         "is %llu KiB; make them equal",
                         (unsigned long long)sum / 1024, (unsigned long long)d->memory_kib);
        }
    }
}

static void require(struct loader *l, bool given, const char *key, const char *cure)
{
    if (!given) {
        report_error(l->report, at(l, 0), "%s is missing; %s", key, cure);
    }
}

int domain_load(struct report *report, const char *file, struct domain *domain)
{
    unsigned before = report->errors;
    struct loader loader = {.report = report, .domain = domain};
    struct cfg cfg;

    *domain = (struct domain){.file = must_print("%s", file), .weight = DEFAULT_WEIGHT, .spis = -1};
    if (cfg_read(report, file, &cfg) == 0) {
        for (size_t i = 0; i < cfg.count; i++) {
            set_entry(&loader, &cfg.entries[i]);
        }
        require(&loader, domain->name, "name", "add name = \"...\"");
        require(&loader, domain->memory_line, "memory", "add memory = MIB");
        require(&loader, domain->kernel.line, "kernel", "add kernel = \"FILE\"");
        finish_memory(&loader);
        finish_cpus(&loader);
        finish_bootargs(&loader);
    }
    cfg_free(&cfg);
    free(loader.cmdline);
    free(loader.root);
    free(loader.extra);
    return report->errors == before ? 0 : -1;
}

static void strings_free(struct strings *strings)
{
    for (unsigned i = 0; i < strings->count; i++) {
        free(strings->items[i]);
    }
    free(strings->items);
    free(strings->lines);
}

void domain_free(struct domain *domain)
{
    free(domain->file);
    free(domain->name);
    free(domain->kernel.path);
    free(domain->ramdisk.path);
    free(domain->device_tree.path);
    free(domain->bootargs);
    free(domain->pins);
    free(domain->static_memory);
    strings_free(&domain->rights);
    strings_free(&domain->passthrough_paths);
    strings_free(&domain->assign);
}
