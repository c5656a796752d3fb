/* Rows that are one trap each: hypercalls, PSCI, SMCCC, registers, the console. */
#include "bench.h"

/* `count` hvc with the given registers; returns the last x0. */
static s64 calls(u32 count, u64 number, u64 a0, u64 a1)
{
    register u64 x16 __asm__("x16") = number;
    s64 result = 0;
    while (count--) {
        register u64 x0 __asm__("x0") = a0;
        register u64 x1 __asm__("x1") = a1;
        __asm__ volatile("hvc #0xea1" : "+r"(x0), "+r"(x1) : "r"(x16) : "memory", "x2", "x3", "x4");
        result = (s64)x0;
    }
    return result;
}

static s64 smccc(u32 count, u64 function)
{
    s64 result = 0;
    while (count--) {
        register u64 x0 __asm__("x0") = function;
        __asm__ volatile("hvc #0" : "+r"(x0)::"memory", "x1", "x2", "x3");
        result = (s64)x0;
    }
    return result;
}

static s64 op_version(u32 count)
{
    return calls(count, HYPERCALL_xen_version, XENVER_version, 0) >> 16 == 4 ? 0 : -XEN_ENOSYS;
}

static s64 op_unknown_hypercall(u32 count)
{
    s64 result = calls(count, 63, 0, 0);
    return result == -XEN_ENOSYS ? 0 : result ? result : -1;
}

static s64 op_psci_version(u32 count)
{
    return smccc(count, PSCI_VERSION) >> 16 ? 0 : -1;
}

static s64 op_unknown_smccc(u32 count)
{
    return (s32)smccc(count, 0x84000050) == -1 ? 0 : -1;
}

static s64 op_workaround_1(u32 count)
{
    if ((s32)smccc_hvc(SMCCC_ARCH_FEATURES, SMCCC_WORKAROUND_1, 0, 0).x[0] < 0) {
        return -1;
    }
    smccc(count, SMCCC_WORKAROUND_1);
    return 0;
}

static s64 op_id_register(u32 count)
{
    while (count--) {
        (void)read_sysreg(id_aa64pfr0_el1);
    }
    return 0;
}

static s64 op_gicd_typer(u32 count)
{
    while (count--) {
        (void)mmio_read32(machine.gicd + GICD_TYPER);
    }
    return 0;
}

static s64 op_gicr_typer(u32 count)
{
    while (count--) {
        (void)mmio_read32(machine.gicr + 8);
    }
    return 0;
}

static s64 op_mask_unmask(u32 count)
{
    u64 set = gic_reg(20, GICD_ISENABLER, 1), clear = gic_reg(20, GICD_ICENABLER, 1);
    while (count--) {
        mmio_write32(clear, 1u << 20);
        mmio_write32(set, 1u << 20);
    }
    return 0;
}

static s64 op_uart_flags(u32 count)
{
    if (!machine.uart) {
        return -1;
    }
    while (count--) {
        (void)mmio_read32(machine.uart + 0x18);
    }
    return 0;
}

/* Lines of 63 characters, written as a driver does: wait for room, then write. */
static s64 op_console(u32 count)
{
    const char *const text = "bench: # a line for the console of the length that lines have\r\n";
    const char *p = text;
    if (!machine.uart) {
        return -1;
    }
    while (count--) {
        while (mmio_read32(machine.uart + 0x18) & 0x20) {
            relax();
        }
        mmio_write32(machine.uart, (u8)*p++);
        if (!*p) {
            p = text;
        }
    }
    return 0;
}

void rows_trap(void)
{
    measure("null-hypercall", 20000, op_version);
    measure("unknown-hypercall", 20000, op_unknown_hypercall);
    measure("psci-version", 20000, op_psci_version);
    measure("unknown-smccc", 5000, op_unknown_smccc);
    measure("workaround-1", 20000, op_workaround_1);
    measure("id-register", 20000, op_id_register);
    measure("gicd-typer", 20000, op_gicd_typer);
    measure("gicr-typer", 20000, op_gicr_typer);
    measure("mask-unmask-ppi", 10000, op_mask_unmask);
    measure("uart-flag", 20000, op_uart_flags);
    measure("console-char", 63 * 10, op_console);
}
