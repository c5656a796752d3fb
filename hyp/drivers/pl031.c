/*
 * PL031 real-time clock: read once at boot, for the wall clock of all domains.
 *
 * Source: ARM DDI 0224C, section 3.3.1: RTCDR holds seconds; by convention of
 * firmware and systems alike they count from 1970.
 */
#include <hyp/rtc.h>

#include <hyp/arch.h>
#include <hyp/tree.h>
#include <xen/errno.h>

#define RTCDR 0x00

int rtc_read(const struct tree *t, uint64_t *seconds)
{
    tree_node n = tree_compatible(t, tree_root(t), "arm,pl031");
    mpa_t base;
    uint64_t size;

    if (!n.at || !tree_enabled(t, n) || tree_reg(t, n, 0, &base, &size) != 0) {
        return -XEN_ENODEV;
    }
    volatile char *regs = arch_map_mmio(base, size);
    if (!regs) {
        return -XEN_ENOMEM;
    }
    *seconds = arch_mmio_read32(regs + RTCDR);
    return 0;
}
