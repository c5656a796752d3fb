#include "libos/page.h"

#include <string.h>

#include "libos/boot.h"

static uint64_t *bitmap; /* a set bit is a page in use */
static size_t page_count;
static size_t used_count;
static size_t peak_count;
static size_t hint; /* no free page below this index */

static void *page_at(size_t index)
{
    return (void *)(boot.direct_va + (index << PAGE_SHIFT));
}

static bool taken(size_t index)
{
    return bitmap[index / 64] >> index % 64 & 1;
}

static void mark(size_t first, size_t count, bool in_use)
{
    for (size_t i = first; i < first + count;) { /* up to the end of a word at a time */
        size_t part = MIN(first + count - i, 64 - i % 64);
        uint64_t bits = (part == 64 ? ~0UL : (1UL << part) - 1) << i % 64;
        bitmap[i / 64] = in_use ? bitmap[i / 64] | bits : bitmap[i / 64] & ~bits;
        i += part;
    }
    used_count = in_use ? used_count + count : used_count - count;
    peak_count = MAX(peak_count, used_count);
}

void page_init(void)
{
    page_count = (boot.direct_end - boot.direct_pa) >> PAGE_SHIFT;
    size_t first_free = (boot.free_pa - boot.direct_pa) >> PAGE_SHIFT;
    size_t bitmap_pages = ((page_count + 63) / 64 * 8 + PAGE_SIZE - 1) >> PAGE_SHIFT;
    if (first_free + bitmap_pages >= page_count) {
        libos_panic("no memory left after the image; give the domain more memory");
    }
    bitmap = page_at(first_free);
    memset(bitmap, 0, (page_count + 63) / 64 * 8);
    mark(0, first_free + bitmap_pages, true);
    hint = first_free + bitmap_pages;
}

static void zero(void *pages, size_t count)
{
    memset(pages, 0, count << PAGE_SHIFT);
}

void *page_alloc_dirty(size_t count)
{
    size_t first = hint;
    bool at_hint = true;
    while (count != 0 && count <= page_count && first + count <= page_count) {
        size_t length = 0;
        while (length < count && !taken(first + length)) {
            length++;
        }
        if (length == count) {
            mark(first, count, true);
            if (at_hint) {
                hint = first + count;
            }
            return page_at(first);
        }
        at_hint = at_hint && length == 0;
        first += length + 1;
    }
    return NULL;
}

void *page_alloc(size_t count)
{
    void *pages = page_alloc_dirty(count);
    if (pages != NULL) {
        zero(pages, count);
    }
    return pages;
}

void page_free(void *pages, size_t count)
{
    size_t first = ((uintptr_t)pages - boot.direct_va) >> PAGE_SHIFT;
    CHECK(page_owned((uintptr_t)pages, count << PAGE_SHIFT));
    mark(first, count, false);
    hint = MIN(hint, first);
}

bool page_owned(uintptr_t va, size_t size)
{
    if (va < boot.direct_va || (va | size) & PAGE_MASK) {
        return false;
    }
    size_t first = (va - boot.direct_va) >> PAGE_SHIFT;
    size_t count = size >> PAGE_SHIFT;
    if (first >= page_count || count > page_count - first) {
        return false;
    }
    for (size_t i = first; i < first + count; i++) {
        if (!taken(i)) {
            return false;
        }
    }
    return true;
}

bool page_extend(void *pages, size_t old_count, size_t new_count)
{
    size_t first = ((uintptr_t)pages - boot.direct_va) >> PAGE_SHIFT;
    if (new_count > page_count - first) {
        return false;
    }
    for (size_t i = first + old_count; i < first + new_count; i++) {
        if (taken(i)) {
            return false;
        }
    }
    mark(first + old_count, new_count - old_count, true);
    zero(page_at(first + old_count), new_count - old_count);
    return true;
}

struct page_usage page_usage(void)
{
    return (struct page_usage){page_count, used_count, peak_count};
}
