/*
 * Where things are in the hypervisor's own address space (EL2 stage 1, 48 bits).
 *
 *   0x7f00_0000_0000  stacks, one 64 KiB slot per CPU, its lower part a guard
 *   0x7f80_0000_0000  the image: text r-x, rodata r--, data rw-
 *   0x8000_0000_0000  the direct map: machine address + this; RAM rw-, devices
 *                     where a driver mapped them. The image's frames are not in it.
 *
 * All of it is in TTBR0_EL2. The boot code's identity map uses the lower half
 * and is gone once all CPUs are up.
 */
#ifndef ARCH_LAYOUT_H
#define ARCH_LAYOUT_H

#define STACKS_VA 0x7f0000000000
#define STACK_SLOT 0x10000
#define STACK_SIZE 0x4000 /* at the top of its slot */
#define IMAGE_VA 0x7f8000000000
#define DIRECTMAP_VA 0x800000000000

#endif
