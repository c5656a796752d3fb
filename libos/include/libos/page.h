/*
 * Page allocator: one bit per page of the direct map.
 *
 * Pages are given out as contiguous runs, because a run in the direct map is a
 * mapping already: mmap() is then a search and a memset. First fit, from a hint.
 * Peak use is kept for the report at exit.
 */
#ifndef LIBOS_PAGE_H
#define LIBOS_PAGE_H

#include "libos/base.h"

/** Put all RAM behind the boot code's last page under management. Called once. */
void page_init(void);

/** `count` adjacent zeroed pages, or NULL. Scrubbed on the way out, not on the way in. */
void *page_alloc(size_t count);

/** The same, not cleared: for what is overwritten whole before anybody reads it. */
void *page_alloc_dirty(size_t count);

/** Give back pages; they must be mapped for writing again (mmu_protect). */
void page_free(void *pages, size_t count);

/** True if all of [va, va + size) is allocated direct-map memory. */
bool page_owned(uintptr_t va, size_t size);

/** Try to lengthen a run in place; false if the neighbours are taken. New pages are zeroed. */
bool page_extend(void *pages, size_t old_count, size_t new_count);

struct page_usage {
    size_t total;
    size_t used;
    size_t peak;
};
struct page_usage page_usage(void);

#endif
