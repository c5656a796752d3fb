/*
 * PL031 real-time clock: read once at boot, for the wall clock of all domains.
 *
 * Source: ARM DDI 0224C, section 3.3.1: RTCDR holds seconds; by convention of
 * firmware and systems alike they count from 1970.
 */
#include <hyp/rtc.h>

#include <hyp/arch.h>
#include <hyp/devtree.h>
#include <libfdt.h>
#include <xen/errno.h>

#define RTCDR 0x00

int rtc_read(const void *fdt, uint64_t *seconds)
{
    int node = fdt_node_offset_by_compatible(fdt, -1, "arm,pl031");
    mpa_t base;
    uint64_t size;

    if (node < 0 || !devtree_enabled(fdt, node) || devtree_reg(fdt, node, 0, &base, &size) != 0) {
        return -XEN_ENODEV;
    }
    volatile char *regs = arch_map_mmio(base, size);
    if (!regs) {
        return -XEN_ENOMEM;
    }
    *seconds = arch_mmio_read32(regs + RTCDR);
    return 0;
}
