#include "libos/seal.h"

#include <bulkhead/seal.h>
#include <errno.h>

#include "arch/arm64/tables.h"
#include "libos/boot.h"
#include "libos/config.h"
#include "libos/mmu.h"
#include "libos/xen.h"

void seal_domain(void)
{
    if (!config_seal) {
        return;
    }
    struct bulkhead_seal request = {
        .version = BULKHEAD_SEAL_VERSION,
        .text_frame = mmu_frame(image_start),
        .text_count = (uint64_t)(text_end - image_start) >> PAGE_SHIFT,
        .rodata_frame = mmu_frame(text_end),
        .rodata_count = (uint64_t)(rodata_end - text_end) >> PAGE_SHIFT,
    };
    long error = hypercall(BULKHEAD_HYPERCALL, BULKHEAD_OP_seal, (unsigned long)&request, 0);
    if (error == 0) {
        libos_log("sealed: code is read-only and nothing else executable, for good");
    } else if (error == -ENOSYS) {
        libos_log("not sealed: this hypervisor cannot; W^X holds only in our own tables");
    } else {
        libos_panic("the hypervisor refused to seal this domain (error %ld)", error);
    }
}
