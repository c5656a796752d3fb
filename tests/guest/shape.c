/*
 * Says what it was given, in one line, for tests/system/dom0less.py to compare with what the tree asked:
 * memory, serial line, interrupts, Xen interface, store channel, CPUs, command line.
 */
#include "kit.h"
#include "xen.h"

#define HVM_PARAM_STORE_PFN 1
#define HVM_PARAM_STORE_EVTCHN 2

static u64 hvm_param(u32 index)
{
    struct {
        u16 domid, pad;
        u32 index;
        u64 value;
    } p = {DOMID_SELF, 0, index, 0};

    return hypercall(HYPERCALL_hvm_op, HVMOP_get_param, (u64)&p, 0, 0) == 0 ? p.value : 0;
}

void guest_main(void)
{
    u32 lines = 32 * ((mmio_read32(machine.gicd + GICD_TYPER) & 0x1f) + 1);
    bool told = fdt_find_compatible(machine.fdt, -1, "xen,xen") >= 0;

    say("ram %llx+%llx uart %llx spis %u xen %u store %u cpus %u args '%s'",
        (unsigned long long)machine.ram_base, (unsigned long long)machine.ram_size,
        (unsigned long long)machine.uart, lines - 32, told, hvm_param(HVM_PARAM_STORE_EVTCHN) != 0,
        machine.cpu_count, machine.bootargs);
}
