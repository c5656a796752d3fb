/*
 * Where things are in a guest's physical address space, and the interrupt
 * numbers fixed by the interface.
 *
 * Source: Xen 4.17 public/arch-arm.h, GUEST_*.
 */
#ifndef ABI_XEN_GUEST_LAYOUT_H
#define ABI_XEN_GUEST_LAYOUT_H

#define GUEST_GICD_BASE 0x03001000ull /* GICv2 */
#define GUEST_GICD_SIZE 0x00001000ull
#define GUEST_GICC_BASE 0x03002000ull
#define GUEST_GICC_SIZE 0x00002000ull

#define GUEST_GICV3_GICD_BASE 0x03001000ull
#define GUEST_GICV3_GICD_SIZE 0x00010000ull
#define GUEST_GICV3_GICR0_BASE 0x03020000ull

#define GUEST_PL011_BASE 0x22000000ull

#define GUEST_GNTTAB_BASE 0x38000000ull
#define GUEST_GNTTAB_SIZE 0x01000000ull

#define GUEST_MAGIC_BASE 0x39000000ull

#define GUEST_RAM0_BASE 0x40000000ull
#define GUEST_RAM0_SIZE 0xc0000000ull
#define GUEST_RAM1_BASE 0x0200000000ull

#define GUEST_TIMER_VIRT_PPI 27
#define GUEST_TIMER_PHYS_S_PPI 29
#define GUEST_TIMER_PHYS_NS_PPI 30
#define GUEST_EVTCHN_PPI 31
#define GUEST_VPL011_SPI 32

/* Source: Xen 4.17 public/device_tree_defs.h. */
#define GUEST_PHANDLE_GIC 65000
#define GUEST_ROOT_ADDRESS_CELLS 2
#define GUEST_ROOT_SIZE_CELLS 2

#endif
