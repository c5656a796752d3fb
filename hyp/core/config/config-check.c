/* What can be judged only when all domains and the board's memory are known; config-internal.h. */
#include "board-internal.h"
#include "config-internal.h"
#include "image-internal.h"
#include "passthrough-internal.h"

#include <arch/stage2.h>
#include <hyp/arch.h>
#include <hyp/frame.h>
#include <hyp/gic.h>
#include <hyp/rights.h>
#include <hyp/uart.h>
#include <lib/string.h>
#include <lib/text.h>
#include <xen/guest-layout.h>

#define TREE_ROOM 0x10000ul /* guest_tree_room() asks for no more, its partial tree aside */

#define MIB (1024ul * 1024)

static bool in_ram(const struct reader *r, uint64_t start, uint64_t size)
{
    for (unsigned i = 0; i < r->ram_count; i++) {
        uint64_t offset = start - r->ram[i].start.v;
        if (offset < r->ram[i].size_bytes && size <= r->ram[i].size_bytes - offset) {
            return true;
        }
    }
    return false;
}

static bool touches_ram(const struct reader *r, uint64_t start, uint64_t size)
{
    for (unsigned i = 0; i < r->ram_count; i++) {
        if (start < r->ram[i].start.v + r->ram[i].size_bytes && r->ram[i].start.v < start + size) {
            return true;
        }
    }
    return false;
}

/* Claim memory for `d`, which nobody else may have claimed. */
static bool claim(struct reader *r, const struct domain_config *d, const char *property,
                  uint64_t start, uint64_t size, enum claim_kind kind)
{
    for (unsigned i = 0; i < r->claim_count; i++) {
        const struct claim *c = &r->claim[i];
        if (start >= c->start + c->size || c->start >= start + size ||
            (kind == CLAIM_DEVICE && c->kind == CLAIM_DEVICE && c->owner == d->id) ||
            (kind == CLAIM_MODULE && c->kind == CLAIM_MODULE && c->start == start &&
             c->size == size)) {
            continue;
        }
        return config_mistake(r, d, property,
                              "at %#lx, %#lx bytes, overlaps %s of domain %u at %#lx, "
                              "%#lx bytes; move one",
                              start, size, c->property, c->owner, c->start, c->size);
    }
    if (r->claim_count == CONFIG_CLAIMS) {
        return config_mistake(r, d, property,
                              "is one range too many; %d modules, static memories and "
                              "devices are the limit",
                              CONFIG_CLAIMS);
    }
    r->claim[r->claim_count++] = (struct claim){start, size, property, d->id, kind};
    return true;
}

static bool claim_ram(struct reader *r, const struct domain_config *d, const char *property,
                      mpa_t start, uint64_t size, enum claim_kind kind)
{
    mpa_t from, to;

    if (size == 0) {
        return true;
    }
    if (!in_ram(r, start.v, size)) {
        return config_mistake(r, d, property, "at %#lx, %#lx bytes, is not in the board's RAM",
                              start.v, size);
    }
    arch_image_range(&from, &to);
    if (start.v < to.v && from.v < start.v + size) {
        return config_mistake(r, d, property,
                              "at %#lx, %#lx bytes, overlaps the hypervisor at %#lx, "
                              "%#lx bytes; load it elsewhere",
                              start.v, size, from.v, to.v - from.v);
    }
    return claim(r, d, property, start.v, size, kind);
}

static bool check_places(struct reader *r, struct domain_config *d)
{
    if (!claim_ram(r, d, "multiboot,kernel", d->kernel.start, d->kernel.size_bytes, CLAIM_MODULE) ||
        !claim_ram(r, d, "multiboot,ramdisk", d->ramdisk.start, d->ramdisk.size_bytes,
                   CLAIM_MODULE) ||
        !claim_ram(r, d, "multiboot,device-tree", d->tree.start, d->tree.size_bytes,
                   CLAIM_MODULE)) {
        return false;
    }
    for (unsigned i = 0; i < d->static_range_count; i++) {
        if (!claim_ram(r, d, "xen,static-mem", d->static_range[i].start,
                       d->static_range[i].size_bytes, CLAIM_ALONE)) {
            return false;
        }
    }
    return true;
}

static bool check_kernel(struct reader *r, struct domain_config *d)
{
    uint64_t size =
        d->kernel.size_bytes < IMAGE_HEADER_SIZE ? d->kernel.size_bytes : IMAGE_HEADER_SIZE;
    const void *header = arch_map_ram(d->kernel.start, size);
    struct image_layout layout;
    const char *why = "cannot be mapped";

    if (header == NULL ||
        !image_probe(header, d->kernel.size_bytes, &d->image, &d->aarch32, &why)) {
        return config_mistake(r, d, "multiboot,kernel", "at %#lx %s", d->kernel.start.v, why);
    }
    if (d->aarch32 && !arch_has_aarch32()) {
        return config_mistake(r, d, "multiboot,kernel",
                              "is a 32-bit kernel, and this CPU runs 64-bit ones "
                              "only");
    }
    uint64_t bank = d->static_range_count != 0 && d->direct_map ? d->static_range[0].size_bytes
                                                                : d->memory_bytes;
    bank = bank < GUEST_RAM0_SIZE ? bank : GUEST_RAM0_SIZE;
    if (!d->direct_map &&
        !image_place(&d->image, GUEST_RAM0_BASE, bank, TREE_ROOM + 3 * d->tree.size_bytes,
                     d->ramdisk.size_bytes, &layout)) {
        return config_mistake(r, d, "memory",
                              "of %lu KiB is too little: the kernel needs %lu KiB, the "
                              "ramdisk %lu KiB",
                              d->memory_bytes / 1024, d->image.total_bytes / 1024 + 1,
                              d->ramdisk.size_bytes / 1024);
    }
    return true;
}

/* `free_bytes`: what the allocator has, less what the domains before this one take. */
static bool check_memory(struct reader *r, const struct domain_config *d, uint64_t *free_bytes)
{
    uint64_t space = arch_s2_address_bits() >= 48 ? ~0ull : 1ull << arch_s2_address_bits();
    uint64_t need = d->static_range_count != 0 ? 0 : d->memory_bytes;

    if (need > *free_bytes) {
        return config_mistake(r, d, "memory", "is %lu MiB, but %lu MiB are left; give it less",
                              need / MIB, *free_bytes / MIB);
    }
    if (!d->direct_map && d->memory_bytes > GUEST_RAM0_SIZE &&
        GUEST_RAM1_BASE + d->memory_bytes - GUEST_RAM0_SIZE > space) {
        return config_mistake(r, d, "memory",
                              "of %lu MiB does not fit this CPU's guest address space",
                              d->memory_bytes / MIB);
    }
    *free_bytes -= need;
    return true;
}

/* Interrupts: enough SPIs for the serial line and the devices. */
static bool check_spis(struct reader *r, struct domain_config *d, uint32_t highest_spi)
{
    if (d->vuart && d->places.uart_spi > highest_spi) {
        highest_spi = d->places.uart_spi;
    }
    uint32_t need = highest_spi >= 32 ? highest_spi - 31 : 0;
    bool asked = d->nr_spis != 0;

    if (asked && d->nr_spis < need) {
        return config_mistake(r, d, "nr_spis",
                              "is %u, but interrupt %u of its devices needs %u; raise it or "
                              "leave it out",
                              d->nr_spis, highest_spi, need);
    }
    if (!asked) {
        d->nr_spis = need == 0 ? 32 : (need + 31) / 32 * 32;
    }
    return true;
}

struct device_check {
    struct reader *r;
    struct domain_config *d;
    uint32_t highest_spi;
};

static bool check_part(void *arg, const struct passthrough_part *p)
{
    struct device_check *check = arg;

    if (p->intid != 0) {
        check->highest_spi = p->intid > check->highest_spi ? p->intid : check->highest_spi;
        return true;
    }
    if (touches_ram(check->r, p->host.v, p->size_bytes)) {
        return config_mistake(
            check->r, check->d, p->node,
            "has a xen,reg at %#lx, which is RAM; only devices can be handed over", p->host.v);
    }
    return claim(check->r, check->d, p->node, p->host.v, p->size_bytes, CLAIM_DEVICE);
}

static bool check_devices(struct reader *r, struct domain_config *d, uint32_t *highest_spi)
{
    struct device_check check = {r, d, 0};
    char why[PASSTHROUGH_WORDS];

    if (d->dom0) {
        struct board b = board_open(r->tree);
        return board_walk(&b, check_part, &check);
    }
    if (d->tree.size_bytes != 0 && !passthrough_walk(r->tree, d, check_part, &check, why)) {
        return r->bad ? false : config_mistake(r, d, "multiboot,device-tree", "%s", why);
    }
    *highest_spi = check.highest_spi;
    return true;
}

/* A device or an interrupt that somebody may hand on is there, and nobody else's. */
static bool check_device_right(struct reader *r, const struct domain_config *d, enum right right,
                               const char *path)
{
    mpa_t base;
    uint64_t size;

    if (strcmp(path, "*") == 0) {
        return true; /* whatever there is, and others have not been given */
    }
    if (right == RIGHT_IRQ) {
        bool good =
            text_to_u64(path, &size) && size >= GIC_SPI_FIRST && size < gic_host.intid_count;
        return good ||
               config_mistake(r, d, "bulkhead,rights", "names irq \"%s\"; SPIs are 32 to %u", path,
                              gic_host.intid_count - 1);
    }
    tree_node node = tree_find(r->tree, path, SIZE_MAX);
    if (*path == 0 || node.at == NULL) {
        return config_mistake(r, d, "bulkhead,rights",
                              "names device \"%s\", and the board's tree has no such node", path);
    }
    for (unsigned i = 0; tree_reg(r->tree, node, i, &base, &size) == 0; i++) {
        if (!claim(r, d, "bulkhead,rights", base.v, size, CLAIM_DEVICE)) {
            return false;
        }
    }
    return true;
}

/* A right's targets are names of domains that exist. Their order in the tree does not matter. */
static bool check_rights(struct reader *r, const struct domain_config *d)
{
    for (size_t at = 0; at < d->rights_len; at += strlen(d->rights + at) + 1) {
        const char *right_word = d->rights + at, *word = strchr(right_word, ' ');
        enum right right = rights_named(right_word);
        if (right == RIGHT_DEVICE || right == RIGHT_IRQ) {
            if (!check_device_right(r, d, right, word != NULL ? word + 1 : "")) {
                return false;
            }
            continue;
        }
        while (word != NULL) {
            const char *end = strchr(++word, ' ');
            size_t n = end != NULL ? (size_t)(end - word) : strlen(word);
            unsigned i = 0;
            while (i < r->domain_count &&
                   (strncmp(r->domain[i].name, word, n) != 0 || r->domain[i].name[n] != 0)) {
                i++;
            }
            if (i == r->domain_count && !(n == 1 && *word == '*')) {
                return config_mistake(r, d, "bulkhead,rights",
                                      "names \"%.*s\", and there is no such domain",
                                      n > 32 ? 32 : (int)n, word);
            }
            word = end;
        }
    }
    return true;
}

/* Static memory was kept from the allocator at boot; now it goes there, for this domain only. */
static bool fix_static(struct reader *r, const struct domain_config *d)
{
    for (unsigned i = 0; i < d->static_range_count; i++) {
        mpa_t start = d->static_range[i].start, end = mpa(start.v + d->static_range[i].size_bytes);
        struct frame_info first;
        bool known = frame_info(mpa_mfn(start), &first);
        if (known && first.state == FRAME_NONE) {
            frame_add_range(start, end, false);
        }
        if (!known || (first.state != FRAME_FIXED && frame_fix_range(start, end) != 0)) {
            return config_mistake(r, d, "xen,static-mem", "at %#lx is in use; move it", start.v);
        }
    }
    return true;
}

/* Xen's places; with direct-map the board's, so that they never meet the guest's RAM. */
static void choose_places(struct domain_config *d)
{
    struct guest_places *p = &d->places;

    *p = (struct guest_places){
        .dist = gpa(d->gic_version == 2 ? GUEST_GICD_BASE : GUEST_GICV3_GICD_BASE),
        .redist = gpa(GUEST_GICV3_GICR0_BASE),
        .cpu = gpa(GUEST_GICC_BASE),
        .uart = gpa(GUEST_PL011_BASE),
        .uart_spi = GUEST_VPL011_SPI,
        .grants = gpa(GUEST_GNTTAB_BASE),
        .grants_size = GUEST_GNTTAB_SIZE};
    if (!d->direct_map) {
        return;
    }
    p->dist = gpa(gic_host.dist.base.v);
    p->redist = gpa(gic_host.redist[0].base.v);
    p->cpu = gpa(gic_host.cpu.base.v);
    mpa_t base;
    uint32_t intid;
    if (uart_place(&base, &intid) && intid != 0) {
        p->uart = gpa(base.v & ~FRAME_MASK);
        p->uart_spi = intid;
    }
    if (d->dom0) { /* among the board's devices nothing is free; our own memory is no guest's */
        struct frame_stats stats;
        frame_stats(&stats);
        p->grants = gpa(stats.table.v);
        p->grants_size = stats.table_bytes & ~FRAME_MASK;
    }
}

void config_check_all(struct reader *r)
{
    struct frame_stats stats;
    unsigned good = 0;

    frame_stats(&stats);
    uint64_t free_bytes = stats.free * FRAME_SIZE;
    for (unsigned i = 0; i < r->domain_count; i++) {
        struct domain_config *d = &r->domain[i];
        uint32_t highest_spi = 0;
        unsigned claims_before = r->claim_count;
        r->bad = false;
        choose_places(d);
        if (!(check_places(r, d) && check_kernel(r, d) && check_devices(r, d, &highest_spi) &&
              check_spis(r, d, highest_spi) && config_check_cpus(r, d) && check_rights(r, d) &&
              check_memory(r, d, &free_bytes) && fix_static(r, d))) {
            d->name[0] = 0; /* no longer counts, and claims nothing */
            r->claim_count = claims_before;
        }
    }
    for (unsigned i = 0; i < r->domain_count; i++) {
        if (r->domain[i].name[0] != 0) {
            r->domain[good++] = r->domain[i];
        }
    }
    r->domain_count = good;
}
