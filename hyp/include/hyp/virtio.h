/* Virtio devices of the board that domains are given. */
#ifndef HYP_VIRTIO_H
#define HYP_VIRTIO_H

#include <hyp/types.h>

/* Reset every virtio device with registers in [base, base + size_bytes): it leaves memory alone from then on. */
void virtio_mmio_reset(mpa_t base, uint64_t size_bytes);

#endif
