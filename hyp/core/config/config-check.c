/* What can be judged only when all domains and the board's memory are known; config-internal.h. */
#include "config-internal.h"
#include "devices-internal.h"
#include "build-internal.h"

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

/* The most bytes of it that are in one range of the board's RAM. */
static uint64_t bytes_in_ram(const struct reader *r, uint64_t start, uint64_t size)
{
    uint64_t most = 0;

    for (unsigned i = 0; i < r->ram_count; i++) {
        uint64_t ram = r->ram[i].start.v, ram_end = ram + r->ram[i].size_bytes;
        uint64_t from = start > ram ? start : ram;
        uint64_t to = start + size < ram_end ? start + size : ram_end;
        most = to > from && to - from > most ? to - from : most;
    }
    return most;
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
        return config_mistake(
            d, "%s at %#lx, %#lx bytes, overlaps %s of domain %u at %#lx, %#lx bytes; move one",
            property, start, size, c->property, c->owner, c->start, c->size);
    }
    if (r->claim_count == CONFIG_CLAIMS) {
        return config_mistake(
            d, "%s is one range too many; %d modules, static memories and devices are the limit",
            property, CONFIG_CLAIMS);
    }
    r->claim[r->claim_count++] = (struct claim){start, size, property, d->id, kind};
    return true;
}

static bool claim_ram(struct reader *r, const struct domain_config *d, const char *property,
                      const struct config_range *range, enum claim_kind kind)
{
    uint64_t start = range->start.v, size = range->size_bytes;
    mpa_t from, to;

    if (bytes_in_ram(r, start, size) != size) {
        return config_mistake(d, "%s at %#lx, %#lx bytes, is not in the board's RAM", property,
                              start, size);
    }
    arch_image_range(&from, &to);
    if (start < to.v && from.v < start + size) {
        return config_mistake(d,
                              "%s at %#lx, %#lx bytes, overlaps the hypervisor at %#lx, %#lx "
                              "bytes; load it elsewhere",
                              property, start, size, from.v, to.v - from.v);
    }
    return claim(r, d, property, start, size, kind);
}

static bool check_places(struct reader *r, const struct domain_config *d)
{
    for (enum module_kind i = 0; i < MODULE_KINDS; i++) {
        if (d->module[i].size_bytes != 0 &&
            !claim_ram(r, d, config_module_name(i), &d->module[i], CLAIM_MODULE)) {
            return false;
        }
    }
    for (unsigned i = 0; i < d->static_range_count; i++) {
        if (!claim_ram(r, d, "xen,static-mem", &d->static_range[i], CLAIM_ALONE)) {
            return false;
        }
    }
    return true;
}

static bool check_kernel(struct domain_config *d)
{
    uint64_t bank = d->memory_bytes < GUEST_RAM0_SIZE ? d->memory_bytes : GUEST_RAM0_SIZE;
    uint64_t tree_bytes = TREE_ROOM + 4 * d->module[MODULE_TREE].size_bytes;
    const char *why = image_probe(d);
    struct image_layout layout;

    if (why != NULL) {
        return config_mistake(d, "multiboot,kernel at %#lx %s", d->module[MODULE_KERNEL].start.v,
                              why);
    }
    if (d->aarch32 && !arch_has_aarch32()) {
        return config_mistake(
            d, "multiboot,kernel is a 32-bit kernel, and this CPU runs 64-bit ones only");
    }
    return d->direct_map || /* where it gets its memory is not known yet */
           image_place(d, GUEST_RAM0_BASE, bank, tree_bytes, &layout) ||
           config_mistake(
               d, "memory of %lu KiB is too little: the kernel needs %lu KiB, the ramdisk %lu KiB",
               d->memory_bytes / 1024, d->image.total_bytes / 1024 + 1,
               d->module[MODULE_RAMDISK].size_bytes / 1024);
}

/* `free_bytes`: what the allocator has, less what the domains before this one take. */
static bool check_memory(const struct domain_config *d, uint64_t *free_bytes)
{
    uint64_t space = arch_s2_address_bits() >= 48 ? ~0ull : 1ull << arch_s2_address_bits();
    uint64_t need = d->static_range_count != 0 ? 0 : d->memory_bytes;

    if (need > *free_bytes) {
        return config_mistake(d, "memory is %lu MiB, but %lu MiB are left; give it less",
                              need / MIB, *free_bytes / MIB);
    }
    if (!d->direct_map && d->memory_bytes > GUEST_RAM0_SIZE &&
        GUEST_RAM1_BASE + d->memory_bytes - GUEST_RAM0_SIZE > space) {
        return config_mistake(d, "memory of %lu MiB does not fit this CPU's guest address space",
                              d->memory_bytes / MIB);
    }
    *free_bytes -= need;
    return true;
}

/* Interrupts: enough SPIs for the serial line and the devices. */
static bool check_spis(struct domain_config *d, uint32_t highest)
{
    uint32_t need = highest >= GIC_SPI_FIRST ? highest - GIC_SPI_FIRST + 1 : 0;

    if (d->vgic.nr_spis == 0) {
        d->vgic.nr_spis = need == 0 ? 32 : (need + 31) / 32 * 32;
    }
    return d->vgic.nr_spis >= need ||
           config_mistake(
               d,
               "nr_spis is %u, but interrupt %u of its devices needs %u; raise it or leave it out",
               d->vgic.nr_spis, highest, need);
}

struct device_check {
    struct reader *r;
    const struct domain_config *d;
    uint32_t highest_spi;
};

static bool check_part(void *arg, const struct device_part *p)
{
    struct device_check *check = arg;

    if (p->intid != 0) {
        check->highest_spi = p->intid > check->highest_spi ? p->intid : check->highest_spi;
        return true;
    }
    if (bytes_in_ram(check->r, p->host.v, p->size_bytes) != 0) {
        return config_mistake(
            check->d, "%s has a xen,reg at %#lx, which is RAM; only devices can be handed over",
            p->node, p->host.v);
    }
    return claim(check->r, check->d, p->node, p->host.v, p->size_bytes, CLAIM_DEVICE);
}

/* A dom0 has as many SPIs as there are. */
static bool check_devices(struct reader *r, struct domain_config *d)
{
    struct device_check check = {r, d, d->vuart ? d->places.uart_spi : 0};

    return devices_walk(d, check_part, &check) && (d->dom0 || check_spis(d, check.highest_spi));
}

/* A device or an interrupt that somebody may hand on is there, and nobody else's. */
static bool check_device_right(struct reader *r, const struct domain_config *d, enum right right,
                               const char *path)
{
    uint64_t size;
    mpa_t base;

    if (strcmp(path, "*") == 0) {
        return true; /* whatever there is, and others have not been given */
    }
    if (right == RIGHT_IRQ) {
        return (text_to_u64(path, &size) && size >= GIC_SPI_FIRST && size < gic_host.intid_count) ||
               config_mistake(d, "bulkhead,rights names irq \"%s\"; SPIs are 32 to %u", path,
                              gic_host.intid_count - 1);
    }
    tree_node node = tree_find(r->tree, path, SIZE_MAX);
    if (node.at == NULL) {
        return config_mistake(
            d, "bulkhead,rights names device \"%s\", and the board's tree has no such node", path);
    }
    for (unsigned i = 0; tree_reg(r->tree, node, i, &base, &size) == 0; i++) {
        if (!claim(r, d, "bulkhead,rights", base.v, size, CLAIM_DEVICE)) {
            return false;
        }
    }
    return true;
}

/* What the word of `length` characters names: a domain, which may come later in the tree, or all. */
static bool is_target(const struct reader *r, const char *word, size_t length)
{
    bool found = length == 1 && *word == '*';

    for (unsigned i = 0; i < r->domain_count && !found; i++) {
        const char *name = r->domain[i].name;
        found = strncmp(name, word, length) == 0 && name[length] == 0;
    }
    return found;
}

/* One string of bulkhead,rights: the right, then its targets. */
static bool check_right(struct reader *r, struct domain_config *d, const char *words)
{
    size_t n = text_word(words);
    enum right right = rights_named(words);

    if (right == RIGHT_COUNT) {
        return config_mistake(
            d,
            "bulkhead,rights entry \"%.32s\" is not a right; there are control, inspect, emulate, "
            "build, store, console, device, irq, schedule, shutdown-host",
            words);
    }
    if (right == RIGHT_STORE && !r->store_seen) {
        r->store_seen = true;
        d->id = 0; /* where every guest and tool looks for it */
    }
    if (right == RIGHT_DEVICE || right == RIGHT_IRQ) {
        return check_device_right(r, d, right, words + n + (words[n] != 0));
    }
    for (words += n; *words != 0; words += n) {
        n = text_word(++words);
        if (!is_target(r, words, n)) {
            return config_mistake(d, "bulkhead,rights names \"%.*s\", and there is no such domain",
                                  n > 32 ? 32 : (int)n, words);
        }
    }
    return true;
}

static bool check_rights(struct reader *r, struct domain_config *d)
{
    for (size_t at = 0; at < d->rights_len; at += strlen(d->rights + at) + 1) {
        if (!check_right(r, d, d->rights + at)) {
            return false;
        }
    }
    return true;
}

/* Static memory was kept from the allocator at boot; now it goes there, for this domain only. */
static bool fix_static(const struct domain_config *d)
{
    for (unsigned i = 0; i < d->static_range_count; i++) {
        mpa_t start = d->static_range[i].start, end = mpa(start.v + d->static_range[i].size_bytes);
        struct frame_info first;
        bool known = frame_info(mpa_mfn(start), &first);
        if (known && first.state == FRAME_NONE) {
            frame_add_range(start, end, false);
        }
        if (!known || (first.state != FRAME_FIXED && frame_fix_range(start, end) != 0)) {
            return config_mistake(d, "xen,static-mem at %#lx is in use; move it", start.v);
        }
    }
    return true;
}

void config_place(struct domain_config *c)
{
    bool direct = c->direct_map, v2 = c->vgic.version == 2;
    uint32_t intid;
    mpa_t base;

    c->vgic.dist = gpa(direct ? gic_host.dist.base.v
                       : v2   ? GUEST_GICD_BASE
                              : GUEST_GICV3_GICD_BASE);
    c->vgic.redist = gpa(direct ? gic_host.redist[0].base.v : GUEST_GICV3_GICR0_BASE);
    c->vgic.cpu = gpa(direct ? gic_host.cpu.base.v : GUEST_GICC_BASE);
    c->places = (struct guest_places){.uart = gpa(GUEST_PL011_BASE),
                                      .uart_spi = GUEST_VPL011_SPI,
                                      .grants = gpa(GUEST_GNTTAB_BASE),
                                      .grants_size = GUEST_GNTTAB_SIZE};
    if (direct && uart_place(&base, &intid) && intid != 0) {
        c->places.uart = gpa(base.v & ~FRAME_MASK);
        c->places.uart_spi = intid;
    }
    if (c->dom0) { /* among the board's devices nothing is free; our own memory is no guest's */
        struct frame_stats stats;
        frame_stats(&stats);
        c->places.grants = gpa(stats.table.v);
        c->places.grants_size = stats.table_bytes & ~FRAME_MASK;
    }
}

void config_check_all(struct reader *r)
{
    struct frame_stats stats;

    frame_stats(&stats);
    uint64_t free_bytes = stats.free * FRAME_SIZE;
    for (unsigned i = 0; i < r->domain_count; i++) {
        struct domain_config *d = &r->domain[i];
        unsigned claims_before = r->claim_count;
        config_place(d);
        if (!(check_rights(r, d) && check_places(r, d) && check_kernel(d) && check_devices(r, d) &&
              config_check_cpus(r, d) && check_memory(d, &free_bytes) && fix_static(d))) {
            d->name[0] = 0; /* no longer counts, and claims nothing */
            r->claim_count = claims_before;
        }
    }
}
