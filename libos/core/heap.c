#include "libos/heap.h"

#include <string.h>

#include "libos/page.h"

/*
 * Each object has a header of 16 bytes in front: its class, or its page count.
 * A wrong or doubled free shows in the magic and stops the program.
 */
struct header {
    uint32_t magic;
    uint32_t class_or_pages;
    struct header *next_free;
};

#define MAGIC_LIVE 0x6c697665
#define MAGIC_FREE 0x66726565
#define MAGIC_PAGES 0x70616765

static const uint16_t class_size[] = {48, 80, 144, 272, 496, 1008, 2032};
static struct header *free_list[ARRAY_COUNT(class_size)];
static struct { /* what of each class's last page was never used */
    char *at;
    size_t left;
} fresh[ARRAY_COUNT(class_size)];

static struct header *carve(unsigned int class)
{
    size_t size = class_size[class];
    if (fresh[class].left < size) {
        char *page = page_alloc_dirty(1);
        if (page == NULL) {
            return NULL;
        }
        fresh[class].at = page;
        fresh[class].left = PAGE_SIZE;
    }
    struct header *header = (struct header *)fresh[class].at;
    fresh[class].at += size;
    fresh[class].left -= size;
    return header;
}

static void *alloc_pages(size_t size)
{
    size_t pages = (size + sizeof(struct header) + PAGE_SIZE - 1) >> PAGE_SHIFT;
    struct header *header = page_alloc_dirty(pages);
    if (header == NULL) {
        return NULL;
    }
    header->magic = MAGIC_PAGES;
    header->class_or_pages = (uint32_t)pages;
    return header + 1;
}

void *heap_alloc(size_t size)
{
    /* Two thirds of the objects are packets, which fit none of the small classes. */
    unsigned int class = size + sizeof(struct header) > class_size[3] ? 4 : 0;
    while (class < ARRAY_COUNT(class_size) && size + sizeof(struct header) > class_size[class]) {
        class ++;
    }
    if (class == ARRAY_COUNT(class_size)) {
        return alloc_pages(size);
    }
    struct header *header = free_list[class];
    if (header != NULL) {
        CHECK(header->magic == MAGIC_FREE);
        free_list[class] = header->next_free;
    } else if ((header = carve(class)) == NULL) {
        return NULL;
    }
    header->magic = MAGIC_LIVE;
    header->class_or_pages = class;
    return header + 1;
}

void *heap_zalloc(size_t size)
{
    void *memory = heap_alloc(size);
    if (memory != NULL) {
        memset(memory, 0, size);
    }
    return memory;
}

void heap_free(void *memory)
{
    if (memory == NULL) {
        return;
    }
    struct header *header = (struct header *)memory - 1;
    if (header->magic == MAGIC_PAGES) {
        page_free(header, header->class_or_pages);
        return;
    }
    CHECK(header->magic == MAGIC_LIVE && header->class_or_pages < ARRAY_COUNT(class_size));
    header->magic = MAGIC_FREE;
    header->next_free = free_list[header->class_or_pages];
    free_list[header->class_or_pages] = header;
}
