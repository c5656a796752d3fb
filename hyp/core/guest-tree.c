/*
 * Writing a guest's device tree; guest-tree-internal.h.
 *
 * Sources: Xen 4.17's trees for domU (names, compatible strings, phandle of the interrupt
 * controller); Linux Documentation/devicetree/bindings: arm/cpus.yaml, arm/psci.yaml, arm/xen.txt,
 * timer/arm,arch_timer.yaml, interrupt-controller/arm,gic{,-v3}.yaml, serial/pl011.yaml,
 * chosen.txt.
 */
#include "guest-tree-internal.h"

#include "guest-tree-copy.h"

#include <arch/stage2.h>
#include <hyp/arch.h>
#include <hyp/log.h>
#include <hyp/random.h>
#include <hyp/vgic.h>
#include <hyp/vuart.h>
#include <lib/string.h>
#include <libfdt.h>
#include <xen/errno.h>
#include <xen/guest-layout.h>

#define MIB (1024ul * 1024)
#define VUART_CLOCK_HZ 24000000u
#define EXTENDED_MIN (64 * MIB) /* smaller holes are not worth telling */
#define EXTENDED_MAX 2

/* GIC interrupt specifiers: type, number within the type, flags. */
enum { SPEC_SPI = 0, SPEC_PPI = 1, SPEC_LEVEL_HIGH = 4, SPEC_LEVEL_LOW = 8 };

static void begin(struct tree_writer *w, const char *name)
{
    tree_note(w, fdt_begin_node(w->fdt, name));
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
    tree_note(w, fdt_end_node(w->fdt));
}

static void put(struct tree_writer *w, const char *name, const void *data, size_t size)
{
    tree_note(w, size > INT32_MAX ? -FDT_ERR_NOSPACE : fdt_property(w->fdt, name, data, (int)size));
}

static void put_string(struct tree_writer *w, const char *name, const char *s)
{
    put(w, name, s, strlen(s) + 1);
}

static void put_u32(struct tree_writer *w, const char *name, uint32_t v)
{
    tree_note(w, fdt_property_u32(w->fdt, name, v));
}

/* Pairs of address and size, both in two cells. */
static void put_reg(struct tree_writer *w, const char *name, const struct guest_bank *bank,
                    unsigned count)
{
    fdt64_t *cells = NULL;

    tree_note(w, fdt_property_placeholder(w->fdt, name, (int)(16 * count), (void **)&cells));
    for (unsigned i = 0; cells != NULL && w->error == 0 && i < count; i++) {
        fdt64_t pair[2] = {cpu_to_fdt64(bank[i].start.v), cpu_to_fdt64(bank[i].size_bytes)};
        memcpy(cells + 2ul * i, pair, sizeof(pair));
    }
}

static uint32_t ppi_flags(const struct domain *d)
{
    uint32_t targets = d->vgic.version == 2 ? ((1u << d->vcpu_count) - 1) << 8 : 0;

    return targets | SPEC_LEVEL_LOW;
}

static void write_aliases(struct tree_writer *w, const struct domain *d, const char *uart)
{
    begin(w, "aliases");
    if (d->vuart.present) {
        put_string(w, "serial0", uart);
    }
    tree_copy_aliases(w);
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
    if (c->ramdisk.size_bytes != 0) {
        tree_note(w, fdt_property_u64(w->fdt, "linux,initrd-start", ramdisk.v));
        tree_note(w,
                  fdt_property_u64(w->fdt, "linux,initrd-end", ramdisk.v + c->ramdisk.size_bytes));
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

static void write_psci(struct tree_writer *w)
{
    static const char compatible[] = "arm,psci-1.0\0arm,psci-0.2";

    begin(w, "psci");
    put(w, "compatible", compatible, sizeof(compatible));
    put_string(w, "method", "hvc");
    end(w);
}

static void write_timer(struct tree_writer *w, const struct domain *d)
{
    static const char v8[] = "arm,armv8-timer", v7[] = "arm,armv7-timer";
    static const uint32_t ppi[] = {GUEST_TIMER_PHYS_S_PPI, GUEST_TIMER_PHYS_NS_PPI,
                                   GUEST_TIMER_VIRT_PPI, 26};
    fdt32_t cells[3 * ARRAY_LEN(ppi)];

    for (unsigned i = 0; i < ARRAY_LEN(ppi); i++) {
        cells[3 * i] = cpu_to_fdt32(SPEC_PPI);
        cells[3 * i + 1] = cpu_to_fdt32(ppi[i] - 16);
        cells[3 * i + 2] = cpu_to_fdt32(ppi_flags(d));
    }
    begin(w, "timer");
    put_string(w, "compatible", d->config->aarch32 ? v7 : v8);
    put(w, "interrupts", cells, sizeof(cells));
    put(w, "always-on", NULL, 0);
    end(w);
}

/* Without an interrupt: a guest counts, and samples by its own timers. */
static void write_pmu(struct tree_writer *w, const struct domain *d)
{
    if (!d->config->aarch32) {
        begin(w, "pmu");
        put_string(w, "compatible", "arm,armv8-pmuv3");
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
    put_u32(w, "#address-cells", 0);
    put_u32(w, "#interrupt-cells", 3);
    put(w, "interrupt-controller", NULL, 0);
    put_reg(w, "reg", g->version == 2 ? v2 : v3, 2);
    put_u32(w, "phandle", w->gic_phandle);
    put_u32(w, "linux,phandle", w->gic_phandle);
    end(w);
}

static void write_uart(struct tree_writer *w, const struct domain *d)
{
    static const char compatible[] = "arm,pl011\0arm,primecell",
                      clock_names[] = "uartclk\0apb_pclk";
    const struct vuart *u = &d->vuart;
    struct guest_bank reg = {u->base, VUART_SIZE};
    fdt32_t interrupt[] = {cpu_to_fdt32(SPEC_SPI), cpu_to_fdt32(u->spi - 32),
                           cpu_to_fdt32(SPEC_LEVEL_HIGH)};
    fdt32_t clocks[] = {cpu_to_fdt32(w->clock_phandle), cpu_to_fdt32(w->clock_phandle)};

    begin(w, "apb-pclk");
    put_string(w, "compatible", "fixed-clock");
    put_u32(w, "#clock-cells", 0);
    put_u32(w, "clock-frequency", VUART_CLOCK_HZ);
    put_u32(w, "phandle", w->clock_phandle);
    end(w);
    begin_at(w, "serial", u->base.v);
    put(w, "compatible", compatible, sizeof(compatible));
    put_reg(w, "reg", &reg, 1);
    put(w, "interrupts", interrupt, sizeof(interrupt));
    put(w, "clocks", clocks, sizeof(clocks));
    put(w, "clock-names", clock_names, sizeof(clock_names));
    put_u32(w, "current-speed", 115200);
    end(w);
}

/* Unused guest addresses where the guest may map what others grant it, behind each bank of RAM. */
static unsigned find_extended(const struct domain *d, const struct guest_memory *m,
                              struct guest_bank *out)
{
    uint64_t space = arch_s2_address_bits() < 40 ? 1ull << arch_s2_address_bits() : 1ull << 40;
    struct guest_bank area[] = {
        {gpa(GUEST_RAM0_BASE), GUEST_RAM0_SIZE},
        {gpa(GUEST_RAM1_BASE), space > GUEST_RAM1_BASE ? space - GUEST_RAM1_BASE : 0}};
    unsigned count = 0;

    for (unsigned a = 0; a < ARRAY_LEN(area) && !d->config->direct_map; a++) {
        uint64_t from = area[a].start.v, to = from + area[a].size_bytes;
        for (unsigned i = 0; i < m->count; i++) {
            uint64_t bank_end = m->bank[i].start.v + m->bank[i].size_bytes;
            from = m->bank[i].start.v >= area[a].start.v && bank_end <= to && bank_end > from
                       ? bank_end
                       : from;
        }
        from = (from + 2 * MIB - 1) & ~(2 * MIB - 1);
        if (to > from && to - from >= EXTENDED_MIN) {
            out[count++] = (struct guest_bank){gpa(from), to - from};
        }
    }
    return count;
}

static void write_hypervisor(struct tree_writer *w, const struct domain *d,
                             const struct guest_memory *m)
{
    static const char compatible[] = "xen,xen-4.17\0xen,xen";
    struct guest_bank reg[1 + EXTENDED_MAX] = {{gpa(GUEST_GNTTAB_BASE), GUEST_GNTTAB_SIZE}};
    unsigned count = 1 + find_extended(d, m, reg + 1);
    fdt32_t interrupt[] = {cpu_to_fdt32(SPEC_PPI), cpu_to_fdt32(GUEST_EVTCHN_PPI - 16),
                           cpu_to_fdt32(ppi_flags(d))};

    begin(w, "hypervisor");
    put(w, "compatible", compatible, sizeof(compatible));
    put_reg(w, "reg", reg, count);
    put(w, "interrupts", interrupt, sizeof(interrupt));
    end(w);
}

static void write_root(struct tree_writer *w, const struct domain *d, const struct guest_memory *m,
                       gpa_t ramdisk)
{
    static const char compatible[] = "xen,xenvm-4.17\0xen,xenvm";
    char uart[32];

    fmt(uart, sizeof(uart), "/serial@%lx", d->vuart.base.v);
    begin(w, "");
    put_u32(w, "#address-cells", GUEST_ROOT_ADDRESS_CELLS);
    put_u32(w, "#size-cells", GUEST_ROOT_SIZE_CELLS);
    put_u32(w, "interrupt-parent", w->gic_phandle);
    put_string(w, "model", "XENVM-4.17");
    put(w, "compatible", compatible, sizeof(compatible));
    write_aliases(w, d, uart);
    write_chosen(w, d, uart, ramdisk);
    write_memory(w, m);
    write_cpus(w, d);
    write_psci(w);
    write_timer(w, d);
    write_pmu(w, d);
    write_gic(w, d);
    if (d->vuart.present) {
        write_uart(w, d);
    }
    if (d->config->enhanced) {
        write_hypervisor(w, d, m);
    }
    tree_copy_devices(w);
    end(w);
}

size_t guest_tree_room(const struct domain_config *c)
{
    return 4096 + 256ul * c->vcpu_count + 16ul * GUEST_BANKS + strlen(c->bootargs) +
           2 * c->tree.size_bytes;
}

int guest_tree_write(void *to, size_t room, const struct domain *d, const struct guest_memory *m,
                     gpa_t ramdisk)
{
    struct tree_writer w = {.fdt = to};

    tree_note(&w, room > INT32_MAX ? -FDT_ERR_NOSPACE : fdt_create(to, (int)room));
    tree_note(&w, fdt_finish_reservemap(to));
    tree_copy_open(&w, d->config);
    write_root(&w, d, m, ramdisk);
    tree_note(&w, fdt_finish(to));
    if (w.error != 0) {
        return w.error == -FDT_ERR_NOSPACE ? -XEN_E2BIG : -XEN_EINVAL;
    }
    return (int)fdt_totalsize(to);
}
