/* The hypervisor's seal: see docs/libos.md, "Seal". */
#ifndef LIBOS_SEAL_H
#define LIBOS_SEAL_H

#include "libos/base.h"

#define SEAL_VERSION 1

enum { BULKHEAD_OP_seal = 1 };

/* Argument of BULKHEAD_OP_seal, all in frames of the caller; the rest of its memory becomes
 * read-write, never executable. */
struct seal_request {
    uint32_t version;
    uint32_t flags;      /* 0 */
    uint64_t text_frame; /* executable, read-only from now on */
    uint64_t text_count;
    uint64_t rodata_frame; /* read-only */
    uint64_t rodata_count;
};

/** Ask for the seal if the manifest wants it; log what holds from now on. */
void seal_domain(void);

#endif
