/* System calls on memory. The direct map makes every mapping a run of pages. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "libos/file.h"
#include "libos/mmu.h"
#include "libos/page.h"
#include "libos/syscall.h"
#include "libos/thread.h"

static enum mmu_access access_of(int protection)
{
    if (protection & PROT_WRITE) {
        return MMU_WRITE;
    }
    return protection & PROT_READ ? MMU_READ : MMU_NONE;
}

static long fill_from_file(char *pages, size_t size, int fd, off_t at)
{
    struct file *file = file_get(fd);
    if (file == NULL) {
        return -EBADF;
    }
    if (file->ops->pread == NULL) {
        return -ENODEV;
    }
    for (size_t done = 0; done < size;) {
        ssize_t got = file->ops->pread(file, pages + done, size - done, at + (off_t)done);
        if (got < 0) {
            return got;
        }
        if (got == 0) {
            break;
        }
        done += (size_t)got;
    }
    return 0;
}

/* Over pages that are mapped already: forget content, set access. */
static long map_fixed(uintptr_t at, size_t size, int protection)
{
    if (!page_owned(at, size)) {
        return -ENOMEM;
    }
    int error = mmu_protect(at, size, MMU_WRITE);
    if (error == 0) {
        memset((void *)at, 0, size);
        error = mmu_protect(at, size, access_of(protection));
    }
    return error == 0 ? (long)at : error;
}

/* Once: a program may live with it, but nobody should have to guess why it ended. */
static void say_no_memory(size_t size)
{
    static bool said;
    struct page_usage usage = page_usage();
    if (!said) {
        said = true;
        libos_log("out of memory: %lu KiB asked for, %lu of %lu in use; the domain needs more",
                  size >> 10, usage.used << (PAGE_SHIFT - 10), usage.total << (PAGE_SHIFT - 10));
    }
}

SYSCALL(mmap)
{
    size_t size = ALIGN_UP(ARG_SIZE(1), PAGE_SIZE);
    int protection = ARG_INT(2);
    int flags = ARG_INT(3);
    if (size == 0) {
        return -EINVAL;
    }
    if (protection & PROT_EXEC) {
        return -EACCES;
    }
    bool from_file = !(flags & MAP_ANONYMOUS);
    if (from_file && flags & MAP_SHARED && protection & PROT_WRITE) {
        return -ENODEV;
    }
    if (flags & MAP_FIXED) {
        return from_file ? -EINVAL : map_fixed(f->x[0], size, protection);
    }
    char *pages = page_alloc(size >> PAGE_SHIFT);
    if (pages == NULL) {
        say_no_memory(size);
        return -ENOMEM;
    }
    long error = from_file ? fill_from_file(pages, ARG_SIZE(1), ARG_INT(4), ARG_LONG(5)) : 0;
    if (error == 0 && access_of(protection) != MMU_WRITE) {
        error = mmu_protect((uintptr_t)pages, size, access_of(protection));
    }
    if (error != 0) {
        page_free(pages, size >> PAGE_SHIFT);
        return error;
    }
    return (long)pages;
}

static long unmap(uintptr_t at, size_t size)
{
    if (!page_owned(at, size)) {
        return -EINVAL;
    }
    /* A thread that ends unmaps the stack it stands on: that is done after it is gone. */
    if (thread_frees_own_stack(at, size)) {
        return 0;
    }
    int error = mmu_protect(at, size, MMU_WRITE);
    if (error == 0) {
        page_free((void *)at, size >> PAGE_SHIFT);
    }
    return error;
}

SYSCALL(munmap)
{
    return unmap(f->x[0], ALIGN_UP(ARG_SIZE(1), PAGE_SIZE));
}

SYSCALL(mprotect)
{
    uintptr_t at = f->x[0];
    size_t size = ALIGN_UP(ARG_SIZE(1), PAGE_SIZE);
    if (ARG_INT(2) & PROT_EXEC) {
        return -EACCES;
    }
    if (!page_owned(at, size)) {
        return -ENOMEM;
    }
    return mmu_protect(at, size, access_of(ARG_INT(2)));
}

SYSCALL(mremap)
{
    char *old = ARG_POINTER(0, char);
    size_t old_size = ALIGN_UP(ARG_SIZE(1), PAGE_SIZE);
    size_t new_size = ALIGN_UP(ARG_SIZE(2), PAGE_SIZE);
    if (!page_owned((uintptr_t)old, old_size) || new_size == 0 || ARG_INT(3) & MREMAP_FIXED) {
        return -EINVAL;
    }
    if (new_size <= old_size) {
        if (new_size < old_size) {
            page_free(old + new_size, (old_size - new_size) >> PAGE_SHIFT);
        }
        return (long)old;
    }
    if (page_extend(old, old_size >> PAGE_SHIFT, new_size >> PAGE_SHIFT)) {
        return (long)old;
    }
    char *moved = ARG_INT(3) & MREMAP_MAYMOVE ? page_alloc(new_size >> PAGE_SHIFT) : NULL;
    if (moved == NULL) {
        return -ENOMEM;
    }
    memcpy(moved, old, old_size);
    page_free(old, old_size >> PAGE_SHIFT);
    return (long)moved;
}

SYSCALL(madvise)
{
    uintptr_t at = f->x[0];
    size_t size = ALIGN_UP(ARG_SIZE(1), PAGE_SIZE);
    if (!page_owned(at, size)) {
        return -ENOMEM;
    }
    if (ARG_INT(2) == MADV_DONTNEED) {
        memset((void *)at, 0, size);
    }
    return 0;
}

/* No heap below a break: the C library then takes all memory from mmap(). */
SYSCALL(brk)
{
    return 0;
}

SYSCALL(membarrier)
{
    return 0; /* one CPU, cooperative: every thread is at a barrier already */
}
