/*
 * A guest's access to an emulated device: what it asked, in, and what it reads, out.
 *
 * Widths are 1, 2, 4 or 8 bytes and the address is aligned to the width; the
 * trap code injects the fault that hardware would for anything else. A device
 * ignores writes to, and reads zero from, what it does not have in its range.
 */
#ifndef HYP_MMIO_H
#define HYP_MMIO_H

#include <hyp/types.h>

struct mmio_access {
    gpa_t at;       /* guest physical address */
    uint64_t value; /* write: in, zero-extended; read: out, zero-extended */
    uint8_t size;   /* bytes */
    bool write;
};

#endif
