/*
 * The device tree that a guest gets: layout of Xen's public arch-arm.h, and
 * what Linux needs beyond that (docs: stdout-path, seeds, all timer interrupts).
 *
 * Right: all ok on Bulkhead. Stock Xen fails stdout-path and the seeds.
 */
#include "kit.h"

static const void *prop(const char *path, const char *name, u32 *length)
{
    return fdt_prop(machine.fdt, fdt_find_path(machine.fdt, path), name, length);
}

static bool has(const char *path, const char *name)
{
    return prop(path, name, NULL) != NULL;
}

static bool nonzero(const char *path, const char *name, u32 size)
{
    u32 length = 0;
    const u8 *bytes = prop(path, name, &length);
    u32 sum = 0;
    for (u32 i = 0; bytes && i < length; i++) {
        sum += bytes[i];
    }
    return length >= size && sum;
}

static void chosen(void)
{
    u32 length = 0;
    const char *path = prop("/chosen", "stdout-path", &length);
    ok(path && length > 1, "/chosen has stdout-path");
    char name[64] = "";
    for (u32 i = 0; path && i < length && i < sizeof(name) - 1 && path[i] != ':'; i++) {
        name[i] = path[i];
    }
    int node = name[0] == '/' ? fdt_find_path(machine.fdt, name) : -1;
    ok(node >= 0 && (fdt_is_compatible(machine.fdt, node, "arm,pl011") ||
                     fdt_is_compatible(machine.fdt, node, "arm,sbsa-uart")),
       "which names the PL011");
    ok(nonzero("/chosen", "rng-seed", 32), "rng-seed, 32 bytes or more");
    ok(nonzero("/chosen", "kaslr-seed", 8), "kaslr-seed");
    ok(!has("/chosen", "linux,initrd-start") && !has("/chosen", "linux,initrd-end"),
       "no initrd properties without a ramdisk");
}

static void layout(void)
{
    is(machine.ram_base, 0x40000000, "memory begins at 1 GiB");
    is(machine.ram_size, bootarg_u64("mib", 64) << 20, "and is as large as configured");
    if (machine.gic == 3) {
        is(machine.gicd, 0x03001000, "distributor");
        is(machine.gicr, 0x03020000, "redistributors");
    } else {
        is(machine.gicd, 0x03001000, "distributor");
        is(machine.gicc, 0x03002000, "CPU interface");
    }
    is(machine.uart, 0x22000000, "PL011");
    is(machine.uart_irq, 32, "PL011's interrupt");
    is(machine.timer_irq[0], 29, "secure physical timer");
    is(machine.timer_irq[1], 30, "physical timer");
    is(machine.timer_irq[2], 27, "virtual timer");
    ok((u64)machine.fdt >= machine.ram_base &&
           (u64)machine.fdt < machine.ram_base + machine.ram_size && !((u64)machine.fdt & 7),
       "the tree lies in memory, aligned");
}

static void hypervisor(void)
{
    if (!bootarg_u64("enhanced", 1)) {
        ok(!has("/hypervisor", "compatible"), "not enhanced: no /hypervisor node");
        return;
    }
    u32 length = 0;
    const char *first = prop("/hypervisor", "compatible", &length);
    ok(first && str_equal(first, "xen,xen-4.17"), "/hypervisor is xen,xen-4.17");
    is(machine.event_irq, 31, "event channel interrupt");
    is(machine.grant_base, 0x38000000, "grant table region");
    ok(machine.grant_size >= 0x40000 && machine.grant_size <= 0x1000000, "of a sensible size");
}

static void cpus(void)
{
    is(machine.cpu_count, bootarg_u64("cpus", 1), "as many CPUs as configured");
    int node = fdt_first_child(machine.fdt, fdt_find_path(machine.fdt, "/cpus"));
    const char *method = fdt_prop(machine.fdt, node, "enable-method", NULL);
    ok(method && str_equal(method, "psci"), "started by PSCI");
    for (unsigned i = 0; i < machine.cpu_count; i++) {
        u64 affinity = machine.mpidr[i];
        ok(affinity == ((u64)(i / 16) << 8 | i % 16), "CPU %u has the affinity of Xen's guests", i);
    }
    is(machine.mpidr[0], read_sysreg(mpidr_el1) & 0xff00fffffful, "MPIDR agrees");
}

void guest_main(void)
{
    ok(fdt_check(machine.fdt), "well formed from end to end");
    is(fdt_prop_u32(machine.fdt, 0, "#address-cells", 0, 0), 2, "two address cells");
    is(fdt_prop_u32(machine.fdt, 0, "#size-cells", 0, 0), 2, "two size cells");
    u32 length = 0;
    const char *args = prop("/chosen", "bootargs", &length);
    ok(args && length && bootarg_u64("probe", 0) == 0x77, "bootargs arrive");
    chosen();
    layout();
    hypervisor();
    cpus();
    ok(has("/psci", "method") && machine.psci_hvc, "PSCI by HVC");
    int psci = fdt_find_path(machine.fdt, "/psci");
    ok(fdt_is_compatible(machine.fdt, psci, "arm,psci-1.0") &&
           fdt_is_compatible(machine.fdt, psci, "arm,psci-0.2"),
       "PSCI 1.0 and 0.2");
}
