/* The hypervisor's seal: see docs/libos.md, "Seal", and abi/bulkhead/seal.h. */
#ifndef LIBOS_SEAL_H
#define LIBOS_SEAL_H

/** Ask for the seal if the manifest wants it; log what holds from now on. */
void seal_domain(void);

#endif
