/*
 * Virtio devices behind registers: only to make one quiet when its domain ends.
 *
 * Source: OASIS virtio 1.1, 4.2.2 "MMIO Device Register Layout"; 2.1 "Device Status Field": writing 0
 * resets the device, which from then on reads and writes no memory.
 */
#include <hyp/virtio.h>

#include <hyp/arch.h>

#define MAGIC_VALUE 0x000
#define STATUS 0x070
#define MAGIC 0x74726976u /* "virt" */
#define SIZE 0x200        /* registers up to 0x0fc, and configuration space */

void virtio_mmio_reset(mpa_t base, uint64_t size_bytes)
{
    volatile char *regs = arch_map_mmio(base, size_bytes);

    /* A board packs several into a page, and a page is what a domain is given. */
    for (uint64_t at = 0; regs != NULL && at + SIZE <= size_bytes; at += SIZE) {
        if (arch_mmio_read32(regs + at + MAGIC_VALUE) == MAGIC) {
            arch_mmio_write32(regs + at + STATUS, 0);
        }
    }
}
