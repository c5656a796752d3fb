/*
 * Writing a guest's device tree; build-internal.h.
 *
 * The nodes grow from the front of the buffer, the names of properties behind
 * them from `names_at`; at the end they are moved together. Nothing is gone
 * through a second time: a token costs what its bytes and its name's cost.
 *
 * Sources: Devicetree Specification v0.4, 5 (the flattened format, version 17); Xen 4.17's trees for domU (names, compatible strings, phandle of the interrupt
 * controller); Linux Documentation/devicetree/bindings: arm/cpus.yaml, arm/psci.yaml, arm/xen.txt,
 * timer/arm,arch_timer.yaml, interrupt-controller/arm,gic{,-v3}.yaml, serial/pl011.yaml,
 * chosen.txt.
 */
#include "build-internal.h"

#include "devices-internal.h"

#include <arch/stage2.h>
#include <hyp/arch.h>
#include <hyp/log.h>
#include <hyp/random.h>
#include <hyp/vgic.h>
#include <hyp/vuart.h>
#include <lib/string.h>
#include <xen/errno.h>
#include <xen/guest-layout.h>

#define MIB (1024ul * 1024)
#define VUART_CLOCK_HZ 24000000u
#define EXTENDED_MIN (64 * MIB) /* smaller holes are not worth telling */
#define EXTENDED_MAX 2

/* GIC interrupt specifiers: type, number within the type, flags. */
enum { SPEC_SPI = 0, SPEC_PPI = 1, SPEC_LEVEL_HIGH = 4, SPEC_LEVEL_LOW = 8 };

/* The flattened format. */
enum { TOKEN_BEGIN_NODE = 1, TOKEN_END_NODE, TOKEN_PROPERTY, TOKEN_END = 9 };
enum {
    HEADER_SIZE = 40,
    RESERVE_SIZE = 16 /* none, but its end */,
    NODES_AT = HEADER_SIZE + RESERVE_SIZE
};

struct tree_writer {
    uint8_t *fdt;
    size_t at;                    /* where the nodes go on */
    size_t names_at, names, room; /* names lie in [names_at, names), the buffer ends at `room` */
    int error;                    /* the first */
    struct tree partial;          /* empty: none. A dom0's: the board's */
    struct board board;           /* of a dom0 */
    uint32_t gic_phandle;         /* that of /gic in the partial tree, or Xen's */
    struct tree_cells cells;      /* of the root */
    uint32_t clock_phandle;       /* not one of the partial tree's */
};

/* Remember the first error. */
static void note(struct tree_writer *w, int error)
{
    w->error = w->error != 0 ? w->error : error;
}

/* Numbers are big-endian. */
static uint32_t cell(uint32_t v)
{
    return __builtin_bswap32(v);
}

/* Room for the next part of a node: `size` bytes and what fills the last cell. NULL: there is none left. */
static uint32_t *grab(struct tree_writer *w, uint32_t token, size_t size)
{
    size_t padded = (size + 7) & ~3ul;
    uint32_t *to = (uint32_t *)(void *)(w->fdt + w->at);

    if (size > w->names_at || padded > w->names_at - w->at) {
        note(w, -XEN_E2BIG);
        return NULL;
    }
    to[padded / 4 - 1] = 0;
    to[0] = cell(token);
    w->at += padded;
    return to + 1;
}

static void begin(struct tree_writer *w, const char *name)
{
    size_t size = strlen(name) + 1;
    uint32_t *to = grab(w, TOKEN_BEGIN_NODE, size);

    if (to != NULL) {
        memcpy(to, name, size);
    }
}

/* Where a property's name is in the block of names. */
static uint32_t name_offset(struct tree_writer *w, const char *name)
{
    size_t size = strlen(name) + 1, at = w->names;

    if (size > w->room - at) {
        note(w, -XEN_E2BIG);
        return 0;
    }
    memcpy(w->fdt + at, name, size);
    w->names += size;
    return (uint32_t)(at - w->names_at);
}

/* A node with a unit address. */
static void begin_at(struct tree_writer *w, const char *name, uint64_t address)
{
    char full[48];

    fmt(full, sizeof(full), "%s@%lx", name, address);
    begin(w, full);
}

static void end(struct tree_writer *w)
{
    (void)grab(w, TOKEN_END_NODE, 0);
}

static void put(struct tree_writer *w, const char *name, const void *data, size_t size)
{
    uint32_t *to = grab(w, TOKEN_PROPERTY, size + 8);

    if (to != NULL) {
        to[0] = cell((uint32_t)size);
        to[1] = cell(name_offset(w, name));
        memcpy(to + 2, data, size);
    }
}

/* A list of strings, as one literal. */
#define put_list(w, name, strings) put(w, name, strings, sizeof(strings))

static void put_string(struct tree_writer *w, const char *name, const char *s)
{
    put(w, name, s, strlen(s) + 1);
}

static void put_u32(struct tree_writer *w, const char *name, uint32_t v)
{
    put(w, name, &(uint32_t){cell(v)}, 4);
}

static void put_u64(struct tree_writer *w, const char *name, uint64_t v)
{
    put(w, name, (uint32_t[]){cell((uint32_t)(v >> 32)), cell((uint32_t)v)}, 8);
}

static uint32_t *put_number(uint32_t *at, uint64_t v, uint32_t cells)
{
    if (cells == 2) {
        *at++ = cell((uint32_t)(v >> 32));
    }
    *at++ = cell((uint32_t)v);
    return at;
}

/* Pairs of address and size, in the root's cells. */
static void put_reg(struct tree_writer *w, const char *name, const struct guest_bank *bank,
                    unsigned count)
{
    uint32_t cells[4 * GUEST_BANKS], *at = cells;

    for (unsigned i = 0; i < count; i++) {
        at = put_number(at, bank[i].start.v, w->cells.address);
        at = put_number(at, bank[i].size_bytes, w->cells.size);
    }
    put(w, name, cells, (size_t)(at - cells) * sizeof(*at));
}

/* Interrupts of one type, by their INTID. */
static void put_interrupts(struct tree_writer *w, const struct domain *d, const uint32_t *intid,
                           unsigned count)
{
    bool v2 = d->vgic.version == 2;
    uint32_t ppi_targets = v2 ? ((1u << d->vcpu_count) - 1) << 8 : 0;
    uint32_t cells[3 * 4];

    for (unsigned i = 0; i < count; i++) {
        bool spi = intid[i] >= 32;
        cells[3 * i] = cell(spi ? SPEC_SPI : SPEC_PPI);
        cells[3 * i + 1] = cell(intid[i] - (spi ? 32 : 16));
        cells[3 * i + 2] = cell(spi ? SPEC_LEVEL_HIGH : ppi_targets | SPEC_LEVEL_LOW);
    }
    put(w, "interrupts", cells, 12ul * count);
}

/*
 * What comes from the partial tree: aliases, passthrough and reserved-memory
 * are copied, with what only the hypervisor reads left out and the interrupt
 * controller's phandle put right.
 */

static uint32_t phandle_of(const struct tree *t, tree_node n, uint32_t otherwise)
{
    return tree_number(t, n, "phandle", tree_number(t, n, "linux,phandle", otherwise));
}

/* Has a node of the partial tree, its /gic aside, this phandle? */
static bool is_taken(const struct tree *t, uint32_t phandle)
{
    tree_node gic = tree_find(t, "/gic", SIZE_MAX);

    for (tree_node n = tree_root(t); n.at; n = tree_next(t, n, NULL)) {
        if (n.at != gic.at && phandle_of(t, n, ~phandle) == phandle) {
            return true;
        }
    }
    return false;
}

static void open_partial(struct tree_writer *w, const struct domain_config *c)
{
    const struct tree *t = &w->partial;

    w->cells = (struct tree_cells){GUEST_ROOT_ADDRESS_CELLS, GUEST_ROOT_SIZE_CELLS};
    if (c->dom0) {
        w->board = board_open();
        w->partial = *config_host_tree();
        w->gic_phandle = w->board.gic_phandle;
        w->cells = (struct tree_cells){2, 1};
        tree_read_cells(t, tree_root(t), &w->cells);
        return;
    }
    if (c->module[MODULE_TREE].size_bytes != 0 && !devices_open(&w->partial, c)) {
        note(w, -XEN_EINVAL);
        w->partial = (struct tree){0};
    }
    w->gic_phandle = phandle_of(t, tree_find(t, "/gic", SIZE_MAX), GUEST_PHANDLE_GIC);
    /* Two nodes with one phandle would send interrupts anywhere. */
    note(w, is_taken(t, w->gic_phandle) ? -XEN_EINVAL : 0);
    w->clock_phandle = GUEST_PHANDLE_GIC + 1;
    while (w->clock_phandle == w->gic_phandle || is_taken(t, w->clock_phandle)) {
        w->clock_phandle++; /* as often as the partial tree has nodes */
    }
}

static void copy_properties(struct tree_writer *w, tree_node n, const char *except)
{
    static const char ours[] = "xen,reg\0xen,path\0xen,force-assign-without-iommu\0xen,passthrough";
    const struct tree_value left_out = {(const uint8_t *)ours, sizeof(ours)};
    struct tree_property p = {0};
    uint32_t parent;

    while (tree_property(&w->partial, n, &p)) {
        if (tree_lists(left_out, p.name) || strcmp(p.name, except) == 0) {
            continue;
        }
        if (strcmp(p.name, "interrupt-parent") == 0 && tree_u32(p.value, &parent) &&
            !is_taken(&w->partial, parent)) {
            put_u32(w, p.name, w->gic_phandle);
        } else {
            put(w, p.name, p.value.data, p.value.size);
        }
    }
}

/* A node with all below. */
static void copy_node(struct tree_writer *w, tree_node n, bool dom0)
{
    int depth = 0;

    do {
        int open = depth;
        enum board_node kind = dom0 ? board_node(&w->board, n) : BOARD_GIVEN;
        if (kind == BOARD_HIDDEN) {
            n = tree_after(&w->partial, n, &depth);
            open--;
        } else {
            begin(w, tree_name(n));
            copy_properties(w, n, kind == BOARD_SHOWN ? "status" : "");
            if (kind == BOARD_SHOWN) {
                put_string(w, "status", "disabled");
            }
            n = tree_next(&w->partial, n, &depth);
        }
        depth = n.at && depth > 0 ? depth : 0;
        for (; open >= depth; open--) {
            end(w);
        }
    } while (depth > 0);
}

static void write_aliases(struct tree_writer *w, const struct domain *d, const char *uart)
{
    begin(w, "aliases");
    if (d->vuart.present) {
        put_string(w, "serial0", uart);
    }
    copy_properties(w, tree_find(&w->partial, "/aliases", SIZE_MAX), "serial0");
    end(w);
}

static void write_chosen(struct tree_writer *w, const struct domain *d, const char *uart,
                         gpa_t ramdisk)
{
    const struct domain_config *c = d->config;
    uint8_t rng_seed[64], kaslr_seed[8];

    random_bytes(rng_seed, sizeof(rng_seed));
    random_bytes(kaslr_seed, sizeof(kaslr_seed));
    begin(w, "chosen");
    if (c->bootargs[0] != 0) {
        put_string(w, "bootargs", c->bootargs);
    }
    if (d->vuart.present) {
        put_string(w, "stdout-path", uart);
    }
    if (c->module[MODULE_RAMDISK].size_bytes != 0) {
        put_u64(w, "linux,initrd-start", ramdisk.v);
        put_u64(w, "linux,initrd-end", ramdisk.v + c->module[MODULE_RAMDISK].size_bytes);
    }
    put(w, "rng-seed", rng_seed, sizeof(rng_seed));
    put(w, "kaslr-seed", kaslr_seed, sizeof(kaslr_seed));
    end(w);
}

static void write_memory(struct tree_writer *w, const struct guest_memory *m)
{
    begin_at(w, "memory", m->bank[0].start.v);
    put_string(w, "device_type", "memory");
    put_reg(w, "reg", m->bank, m->count);
    end(w);
}

static void write_cpus(struct tree_writer *w, const struct domain *d)
{
    begin(w, "cpus");
    put_u32(w, "#address-cells", 1);
    put_u32(w, "#size-cells", 0);
    for (uint32_t i = 0; i < d->vcpu_count; i++) {
        uint32_t affinity = vgic_affinity(i);
        begin_at(w, "cpu", affinity);
        put_string(w, "device_type", "cpu");
        put_string(w, "compatible", d->config->aarch32 ? "arm,armv7" : "arm,armv8");
        put_u32(w, "reg", affinity);
        put_string(w, "enable-method", "psci");
        end(w);
    }
    end(w);
}

/* What belongs to CPUs. */
static void write_cpu_devices(struct tree_writer *w, const struct domain *d)
{
    static const uint32_t timer[] = {GUEST_TIMER_PHYS_S_PPI, GUEST_TIMER_PHYS_NS_PPI,
                                     GUEST_TIMER_VIRT_PPI, 26};
    static const uint32_t pmu[] = {VIRQ_PMU};
    bool aarch32 = d->config->aarch32;

    begin(w, "psci");
    put_list(w, "compatible", "arm,psci-1.0\0arm,psci-0.2");
    put_string(w, "method", "hvc");
    end(w);
    begin(w, "timer");
    put_string(w, "compatible", aarch32 ? "arm,armv7-timer" : "arm,armv8-timer");
    put_interrupts(w, d, timer, ARRAY_LEN(timer));
    put(w, "always-on", "", 0);
    end(w);
    if (!aarch32) {
        begin(w, "pmu");
        put_string(w, "compatible", "arm,armv8-pmuv3");
        put_interrupts(w, d, pmu, ARRAY_LEN(pmu));
        end(w);
    }
}

static void write_gic(struct tree_writer *w, const struct domain *d)
{
    const struct vgic *g = &d->vgic;
    struct guest_bank v2[] = {{g->dist_base, GUEST_GICD_SIZE}, {g->cpu_base, GUEST_GICC_SIZE}};
    struct guest_bank v3[] = {{g->dist_base, GUEST_GICV3_GICD_SIZE},
                              {g->redist_base, (uint64_t)d->vcpu_count * VGIC_REDIST_SIZE}};

    begin_at(w, "interrupt-controller", g->dist_base.v);
    put_string(w, "compatible", g->version == 2 ? "arm,gic-400" : "arm,gic-v3");
    put_u32(w, "#address-cells", w->board.gic_address_cells); /* interrupt-map counts with them */
    put_u32(w, "#interrupt-cells", 3);
    put(w, "interrupt-controller", "", 0);
    put_reg(w, "reg", g->version == 2 ? v2 : v3, 2);
    put_u32(w, "phandle", w->gic_phandle);
    put_u32(w, "linux,phandle", w->gic_phandle);
    end(w);
}

static void write_uart(struct tree_writer *w, const struct domain *d)
{
    const struct vuart *u = &d->vuart;
    struct guest_bank reg = {u->base, VUART_SIZE};
    uint32_t clocks[] = {cell(w->clock_phandle), cell(w->clock_phandle)};

    begin(w, "apb-pclk");
    put_string(w, "compatible", "fixed-clock");
    put_u32(w, "#clock-cells", 0);
    put_u32(w, "clock-frequency", VUART_CLOCK_HZ);
    put_u32(w, "phandle", w->clock_phandle);
    end(w);
    begin_at(w, "serial", u->base.v);
    put_list(w, "compatible", "arm,pl011\0arm,primecell");
    put_reg(w, "reg", &reg, 1);
    put_interrupts(w, d, &u->spi, 1);
    put(w, "clocks", clocks, sizeof(clocks));
    put_list(w, "clock-names", "uartclk\0apb_pclk");
    put_u32(w, "current-speed", 115200);
    end(w);
}

/* Unused guest addresses where the guest may map what others grant it, behind each bank of RAM. */
static unsigned find_extended(const struct domain_config *c, struct guest_bank *out)
{
    uint64_t space = arch_s2_address_bits() < 40 ? 1ull << arch_s2_address_bits() : 1ull << 40;
    uint64_t low = c->memory_bytes < GUEST_RAM0_SIZE ? c->memory_bytes : GUEST_RAM0_SIZE;
    const uint64_t from[] = {GUEST_RAM0_BASE + low, GUEST_RAM1_BASE + c->memory_bytes - low};
    const uint64_t to[] = {GUEST_RAM0_BASE + GUEST_RAM0_SIZE, space};
    unsigned count = 0;

    for (unsigned i = 0; i < EXTENDED_MAX && !c->direct_map; i++) {
        uint64_t start = (from[i] + 2 * MIB - 1) & ~(2 * MIB - 1);
        if (to[i] > start && to[i] - start >= EXTENDED_MIN) {
            out[count++] = (struct guest_bank){gpa(start), to[i] - start};
        }
    }
    return count;
}

static void write_hypervisor(struct tree_writer *w, const struct domain *d)
{
    const struct guest_places *p = &d->config->places;
    struct guest_bank reg[1 + EXTENDED_MAX] = {{p->grants, p->grants_size}};
    unsigned count = 1 + find_extended(d->config, reg + 1);
    const uint32_t ppi = GUEST_EVTCHN_PPI;

    begin(w, "hypervisor");
    put_list(w, "compatible", "xen,xen-4.17\0xen,xen");
    put_reg(w, "reg", reg, count);
    put_interrupts(w, d, &ppi, 1);
    end(w);
}

static void write_root(struct tree_writer *w, const struct domain *d, const struct guest_memory *m,
                       gpa_t ramdisk)
{
    char uart[32];

    fmt(uart, sizeof(uart), "/serial@%lx", d->vuart.base.v);
    begin(w, "");
    if (d->config->dom0) {
        copy_properties(w, tree_root(&w->partial), "");
    } else {
        put_u32(w, "#address-cells", GUEST_ROOT_ADDRESS_CELLS);
        put_u32(w, "#size-cells", GUEST_ROOT_SIZE_CELLS);
        put_u32(w, "interrupt-parent", w->gic_phandle);
        put_string(w, "model", "XENVM-4.17");
        put_list(w, "compatible", "xen,xenvm-4.17\0xen,xenvm");
    }
    write_aliases(w, d, uart);
    write_chosen(w, d, uart, ramdisk);
    write_memory(w, m);
    write_cpus(w, d);
    write_cpu_devices(w, d);
    write_gic(w, d);
    if (d->vuart.present) {
        write_uart(w, d);
    }
    if (d->config->enhanced) {
        write_hypervisor(w, d);
    }
    for (tree_node n = tree_child(&w->partial, tree_root(&w->partial)); n.at;
         n = tree_sibling(&w->partial, n)) {
        bool aliases = strcmp(tree_name(n), "aliases") == 0;
        if ((d->config->dom0 && !aliases) || strcmp(tree_name(n), "passthrough") == 0 ||
            strcmp(tree_name(n), "reserved-memory") == 0) {
            copy_node(w, n, d->config->dom0);
        }
    }
    end(w);
}

size_t guest_tree_room(const struct domain_config *c)
{
    uint64_t source =
        c->dom0 ? tree_size(config_host_tree()->fdt) : c->module[MODULE_TREE].size_bytes;

    return 4096 + 256ul * c->vcpu_count + 16ul * GUEST_BANKS + strlen(c->bootargs) + 4 * source;
}

/* The nodes are complete: names behind them, and the header. */
static size_t finish(struct tree_writer *w)
{
    (void)grab(w, TOKEN_END, 0);
    size_t nodes = w->at - NODES_AT, at = (w->at + 7) & ~7ul, names = w->names - w->names_at;
    const uint32_t header[HEADER_SIZE / 4] = {
        TREE_MAGIC,           (uint32_t)(at + names), NODES_AT,        (uint32_t)at,
        HEADER_SIZE,          /* version */ 17,
        /* readable by */ 16, /* boot CPU */ 0,       (uint32_t)names, (uint32_t)nodes};

    for (unsigned i = 0; i < ARRAY_LEN(header); i++) {
        ((uint32_t *)(void *)w->fdt)[i] = cell(header[i]);
    }
    memmove(w->fdt + at, w->fdt + w->names_at, names);
    return at + names;
}

int guest_tree_write(void *to, size_t room, const struct domain *d, const struct guest_memory *m,
                     gpa_t ramdisk)
{
    struct tree_writer w = {.fdt = to, .at = NODES_AT, .room = room};

    note(&w, room > INT32_MAX ? -XEN_E2BIG : 0);
    open_partial(&w, d->config);
    /* Names of our own: 41 bytes for a vCPU, less than 1 KiB for the rest. Of those that are copied
     * the specification allows 31 characters, with a property of 16 bytes. */
    uint64_t source = w.partial.fdt != NULL ? tree_size(w.partial.fdt) : 0;
    w.names_at = (room - 2 * source - 64ul * d->vcpu_count - 1024) & ~7ul;
    w.names = w.names_at;
    memset(w.fdt, 0, NODES_AT);
    write_root(&w, d, m, ramdisk);
    if (w.error == 0) {
        room = finish(&w);
    }
    return w.error != 0 ? w.error : (int)room;
}
