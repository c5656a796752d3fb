/*
 * A tree in Xen's classic form: a kernel, and perhaps a ramdisk, as modules
 * directly below /chosen. It becomes one domain that holds every right and all
 * of the board's devices (board-internal.h), at the machine's own addresses; so
 * an installation of Xen goes on as it is, and can be split up afterwards.
 *
 * Sources: Xen 4.17 docs/misc/arm/device-tree/booting.txt (nodes, which command
 * line is whose), docs/misc/xen-command-line.pandoc (dom0_mem and its kin).
 */
#include "config-internal.h"

#include <hyp/cpu.h>
#include <hyp/gic.h>
#include <hyp/log.h>
#include <lib/string.h>
#include <lib/text.h>

#define MIB (1024ul * 1024)
#define MEMORY_DEFAULT (512 * MIB) /* as Xen's */
#define HYP_MEMORY (16 * MIB)      /* tables for the board's devices, ports for every guest */
#define SPIS_MAX 960u

static const char every_right[] =
    "control *\0inspect *\0emulate *\0build\0store\0console\0device *\0irq *\0"
    "schedule\0shutdown-host";

/* What follows `name` in a line of words, up to the next space or comma; false: it is not there. */
static bool option(const char *line, const char *name, char *value, size_t size)
{
    size_t n = strlen(name), i = 0;

    for (; *line != 0; line += *line == ' ') {
        size_t word = 0;
        while (line[word] != 0 && line[word] != ' ') {
            word++;
        }
        if (word >= n && strncmp(line, name, n) == 0 &&
            (word == n || line[n] == '=' || name[n - 1] == ':')) {
            line += n + (word > n && line[n] == '=');
            for (; i + 1 < size && *line != 0 && *line != ' ' && *line != ','; i++) {
                value[i] = *line++;
            }
            value[i] = 0;
            return true;
        }
        line += word;
    }
    return false;
}

/* Bytes: a number with one of the letters that Xen knows, KiB without. 0: it is none. */
static uint64_t size_of(char *text)
{
    static const char units[] = "bBkKmMgGtT";
    size_t n = strlen(text);
    const char *unit = n != 0 ? strchr(units, text[n - 1]) : NULL;
    unsigned shift = unit != NULL && *unit != 0 ? (unsigned)(unit - units) / 2 * 10 : 10;
    uint64_t number = 0;

    text[n - (unit != NULL && *unit != 0)] = 0;
    return text_to_u64(text, &number) && number < 1ull << (50 - shift) ? number << shift : 0;
}

static void read_memory(struct reader *r, struct domain_config *d, const char *line)
{
    char words[32];

    d->memory_bytes = MEMORY_DEFAULT;
    if (!option(line, "dom0_mem", words, sizeof(words))) {
        log_line("%s: dom0_mem is not given; it gets 512 MiB, as with Xen.", d->node);
    } else {
        d->memory_bytes = size_of(words) & ~FRAME_MASK;
    }
    d->max_memory_bytes = d->memory_bytes;
    d->hyp_memory_bytes = HYP_MEMORY + (d->memory_bytes >> 6);
    if (d->memory_bytes == 0) {
        config_mistake(r, d, "dom0_mem", "must begin with a size, such as 1G or 512M");
    }
}

/* As many vCPUs as CPUs, and no more than the guest's interrupt controller has room for. */
static void read_cpus(struct reader *r, struct domain_config *d, const char *line)
{
    uint64_t most = d->gic_version == 2 ? 8 : gic_host.redist[0].size / VGIC_REDIST_SIZE;
    uint64_t count = cpu_count < most ? cpu_count : most;
    char words[32];

    most = most < MAX_VCPUS ? most : MAX_VCPUS;
    if (option(line, "dom0_max_vcpus", words, sizeof(words)) &&
        (!text_to_u64(words, &count) || count == 0 || count > most)) {
        config_mistake(r, d, "dom0_max_vcpus", "must be 1 to %lu", most);
    }
    d->vcpu_count = (uint32_t)count;
    if (option(line, "dom0_vcpus_pin", words, sizeof(words))) {
        for (uint32_t i = 0; i < d->vcpu_count && i < MAX_VCPUS; i++) {
            d->affinity[i] = 1ull << i % cpu_count;
        }
    }
}

/* The first string there is of those; "" if none. */
static const char *text_of(struct reader *r, tree_node n, const char *name, const char *otherwise)
{
    const char *s = tree_string(tree_get(r->tree, n, name));

    return s != NULL ? s : otherwise;
}

static void read_modules(struct reader *r, struct domain_config *d, tree_node chosen)
{
    for (tree_node m = tree_child(r->tree, chosen); m.at; m = tree_sibling(r->tree, m)) {
        struct tree_value compatible = tree_get(r->tree, m, "compatible");
        if (!config_is_dom0(compatible)) {
            continue;
        }
        /* One that does not say what it is: the kernel first, then its ramdisk. */
        bool kernel = config_is_kernel(compatible) ||
                      (!config_is_ramdisk(compatible) && d->kernel.size_bytes == 0);
        if (kernel) {
            d->bootargs = text_of(r, m, "bootargs", d->bootargs);
        }
        config_read_place(r, d, m, r->cells, kernel ? &d->kernel : &d->ramdisk);
    }
}

bool config_read_dom0(struct reader *r, tree_node chosen)
{
    struct domain_config *d = &r->domain[r->domain_count];
    const char *ours = text_of(r, chosen, "xen,xen-bootargs", NULL);
    const char *line = text_of(r, chosen, "xen,dom0-bootargs", NULL);
    const char *plain = text_of(r, chosen, "bootargs", "");
    unsigned spis = (gic_host.intid_count - 32) & ~31u;

    memset(d, 0, sizeof(*d));
    *d = (struct domain_config){.name = "Domain-0",
                                .node = "/chosen",
                                .bootargs = line != NULL   ? line
                                            : ours != NULL ? plain
                                                           : "",
                                .gic_version = gic_host.version,
                                .nr_spis = spis < SPIS_MAX ? spis : SPIS_MAX,
                                .enhanced = true,
                                .direct_map = true,
                                .dom0 = true,
                                .rights = every_right,
                                .rights_len = sizeof(every_right),
                                .sched = {.class = SCHED_SHARE, .weight = SCHED_WEIGHT_DEFAULT}};
    r->bad = false;
    r->store_seen = true;
    ours = ours != NULL ? ours : plain;
    read_memory(r, d, ours);
    read_cpus(r, d, ours);
    read_modules(r, d, chosen);
    if (d->kernel.size_bytes == 0) {
        config_mistake(r, d, "compatible", "finds no child node with \"multiboot,kernel\"");
    }
    r->domain_count += !r->bad;
    return !r->bad;
}
