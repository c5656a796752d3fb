/*
 * A tree in Xen's classic form: a kernel, and perhaps a ramdisk, as modules
 * directly below /chosen. It becomes one domain that holds every right and all
 * of the board's devices (devices-internal.h), at the machine's own addresses; so
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
static bool option(const char *line, const char *name, char value[32])
{
    size_t n = strlen(name), word;

    for (; *line != 0; line += word + (line[word] == ' ')) {
        word = text_word(line);
        if (strncmp(line, name, n) == 0 && (word == n || line[n] == '=')) {
            (void)text_copy(value, 32, line + n + (line[n] == '='));
            value[text_word(value)] = 0;
            char *comma = strchr(value, ',');
            if (comma != NULL) {
                *comma = 0;
            }
            return true;
        }
    }
    return false;
}

/* Bytes: a number with one of the letters that Xen knows, KiB without. 0: it is none. */
static uint64_t size_of(char *text)
{
    static const char units[] = "bBkKmMgGtT";
    size_t n = strlen(text);
    const char *unit = n != 0 ? strchr(units, text[n - 1]) : NULL;
    unsigned shift = unit != NULL ? (unsigned)(unit - units) / 2 * 10 : 10;
    uint64_t number = 0;

    text[n - (unit != NULL)] = 0;
    return text_to_u64(text, &number) && number < 1ull << (50 - shift) ? number << shift : 0;
}

static bool read_memory(struct domain_config *d, const char *line)
{
    char words[32];

    d->memory_bytes = MEMORY_DEFAULT;
    if (!option(line, "dom0_mem", words)) {
        log_line("%s: dom0_mem is not given; it gets 512 MiB, as with Xen.", d->node);
    } else {
        d->memory_bytes = size_of(words) & ~FRAME_MASK;
    }
    d->max_memory_bytes = d->memory_bytes;
    d->hyp_memory_bytes = HYP_MEMORY + (d->memory_bytes >> 6);
    return d->memory_bytes != 0 ||
           config_mistake(d, "dom0_mem must begin with a size, such as 1G or 512M");
}

/* As many vCPUs as CPUs, and no more than the guest's interrupt controller has room for. */
static bool read_cpus(struct domain_config *d, const char *line)
{
    uint64_t most = d->vgic.version == 2 ? 8 : gic_host.redist[0].size / VGIC_REDIST_SIZE;
    uint64_t count = cpu_count < most ? cpu_count : most;
    char words[32];

    most = most < MAX_VCPUS ? most : MAX_VCPUS;
    if (option(line, "dom0_max_vcpus", words) &&
        (!text_to_u64(words, &count) || count == 0 || count > most)) {
        return config_mistake(d, "dom0_max_vcpus must be 1 to %lu", most);
    }
    d->vcpu_count = (uint32_t)count;
    bool pin = option(line, "dom0_vcpus_pin", words);
    for (uint32_t i = 0; pin && i < count; i++) {
        d->affinity[i] = 1ull << i % cpu_count;
    }
    return true;
}

bool config_read_dom0(struct reader *r, struct domain_config *d, tree_node chosen)
{
    const char *ours = tree_string(tree_get(r->tree, chosen, "xen,xen-bootargs"));
    const char *its = tree_string(tree_get(r->tree, chosen, "xen,dom0-bootargs"));
    const char *plain = tree_string(tree_get(r->tree, chosen, "bootargs"));
    unsigned spis = (gic_host.intid_count - 32) & ~31u;

    plain = plain != NULL ? plain : "";
    d->bootargs = its != NULL ? its : ours != NULL ? plain : "";
    ours = ours != NULL ? ours : plain;
    (void)text_copy(d->name, sizeof(d->name), "Domain-0");
    d->vgic.nr_spis = spis < SPIS_MAX ? spis : SPIS_MAX;
    d->enhanced = true;
    d->direct_map = true;
    d->rights = every_right;
    d->rights_len = sizeof(every_right);
    r->store_seen = true;
    return read_memory(d, ours) && read_cpus(d, ours);
}
