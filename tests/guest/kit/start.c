/* Learn the machine from the device tree, then run the guest. */
#include "kit-internal.h"
#include "xen.h"

struct machine machine;
const unsigned guest_flags __attribute__((weak)) = 0;

static u64 reg_address(int node, unsigned index, u64 *size)
{
    /* Xen, QEMU and Linux all use two address and two size cells at the root. */
    u32 length;
    const void *prop = fdt_prop(machine.fdt, node, "reg", &length);
    if (!prop || length < 16 * (index + 1)) {
        return 0;
    }
    if (size) {
        *size = fdt_cells(prop, index * 4 + 2, 2);
    }
    return fdt_cells(prop, index * 4, 2);
}

/* Three-cell GIC specifier number `index` as an interrupt id. */
static u32 interrupt_of(int node, unsigned index)
{
    u32 type = fdt_prop_u32(machine.fdt, node, "interrupts", index * 3, ~0u);
    u32 number = fdt_prop_u32(machine.fdt, node, "interrupts", index * 3 + 1, 0);
    return type > 1 ? 0 : number + (type ? 16 : 32);
}

static void find_uart(void)
{
    int node = fdt_find_compatible(machine.fdt, -1, "arm,pl011");
    if (node < 0) {
        node = fdt_find_compatible(machine.fdt, -1, "arm,sbsa-uart");
        machine.uart_sbsa = true;
    }
    if (node >= 0) {
        machine.uart = reg_address(node, 0, NULL);
        machine.uart_irq = interrupt_of(node, 0);
    }
}

static void find_gic(void)
{
    int node = fdt_find_compatible(machine.fdt, -1, "arm,gic-v3");
    if (node >= 0) {
        machine.gic = 3;
        machine.gicd = reg_address(node, 0, NULL);
        machine.gicr = reg_address(node, 1, &machine.gicr_size);
        return;
    }
    node = fdt_find_compatible(machine.fdt, -1, "arm,cortex-a15-gic");
    if (node < 0) {
        node = fdt_find_compatible(machine.fdt, -1, "arm,gic-400");
    }
    if (node >= 0) {
        machine.gic = 2;
        machine.gicd = reg_address(node, 0, NULL);
        machine.gicc = reg_address(node, 1, NULL);
    }
}

static void find_cpus(void)
{
    int node = fdt_find_path(machine.fdt, "/cpus");
    u32 cells = fdt_prop_u32(machine.fdt, node, "#address-cells", 0, 1);
    if (node < 0) {
        return;
    }
    for (node = fdt_first_child(machine.fdt, node); node >= 0;
         node = fdt_next_sibling(machine.fdt, node)) {
        const void *reg = fdt_prop(machine.fdt, node, "reg", NULL);
        if (reg && str_starts(fdt_node_name(machine.fdt, node), "cpu@") &&
            machine.cpu_count < KIT_CPUS) {
            machine.mpidr[machine.cpu_count++] = fdt_cells(reg, 0, cells);
        }
    }
}

static void find_memory(void)
{
    unsigned bank = 0;
    for (int node = fdt_first_child(machine.fdt, 0); node >= 0;
         node = fdt_next_sibling(machine.fdt, node)) {
        if (!str_starts(fdt_node_name(machine.fdt, node), "memory")) {
            continue;
        }
        for (unsigned i = 0; reg_address(node, i, NULL); i++, bank++) {
            u64 size, base = reg_address(node, i, &size);
            if (bank == 0) {
                machine.ram_base = base;
                machine.ram_size = size;
            } else if (bank == 1) {
                machine.ram2_base = base;
                machine.ram2_size = size;
            }
        }
    }
}

static void find_rest(void)
{
    const void *fdt = machine.fdt;
    int node = fdt_find_path(fdt, "/timer");
    for (unsigned i = 0; i < 4 && node >= 0; i++) {
        machine.timer_irq[i] = interrupt_of(node, i);
    }
    const char *method = fdt_prop(fdt, fdt_find_path(fdt, "/psci"), "method", NULL);
    machine.psci_hvc = !method || str_equal(method, "hvc");
    node = fdt_find_path(fdt, "/hypervisor");
    if (node >= 0 && fdt_is_compatible(fdt, node, "xen,xen")) {
        machine.xen = true;
        machine.event_irq = interrupt_of(node, 0);
        machine.grant_base = reg_address(node, 0, &machine.grant_size);
    }
    u32 length = 0;
    const char *args = fdt_prop(fdt, fdt_find_path(fdt, "/chosen"), "bootargs", &length);
    if (args && length < sizeof(machine.bootargs)) {
        memcpy(machine.bootargs, args, length);
    }
}

u64 bootarg_u64(const char *name, u64 otherwise)
{
    for (const char *p = machine.bootargs; *p; p++) {
        if ((p != machine.bootargs && p[-1] != ' ') || !str_starts(p, name)) {
            continue;
        }
        const char *q = p;
        for (; *name && *q == *name; q++, name++) {
        }
        if (*q++ != '=') {
            return otherwise;
        }
        unsigned base = q[0] == '0' && q[1] == 'x' ? 16 : 10;
        q += base == 16 ? 2 : 0;
        u64 value = 0;
        for (;; q++) {
            unsigned digit = *q >= '0' && *q <= '9'   ? (unsigned)(*q - '0')
                             : *q >= 'a' && *q <= 'f' ? (unsigned)(*q - 'a' + 10)
                                                      : 99;
            if (digit >= base) {
                return value;
            }
            value = value * base + digit;
        }
    }
    return otherwise;
}

static void cold_hypercall(void *result)
{
    *(s64 *)result = hypercall(HYPERCALL_xen_version, XENVER_version, 0, 0, 0);
}

void kit_start(const void *fdt)
{
    machine.fdt = fdt;
    find_uart();
    find_gic();
    find_cpus();
    find_memory();
    find_rest();
    if (!machine.xen) { /* a Xen domain without the enhanced interface has no node for it */
        s64 version = -1;
        struct fault fault = expect_fault(cold_hypercall, &version);
        machine.xen = !fault.taken && version >> 16 == 4;
    }
    if (!(guest_flags & GUEST_MMU_OFF)) {
        mmu_on();
    }
    if (!(guest_flags & GUEST_NO_GIC) && machine.gic) {
        gic_init_dist();
        gic_init_cpu();
    }
    guest_main();
    guest_end();
}
