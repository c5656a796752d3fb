/*
 * How tests look into guest memory, and write to it: through the p2m, piece by
 * piece, each piece as long as its block goes on.
 */
#include "../../hyp/core/mem/p2m-internal.h"

#include <fake.h>
#include <lib/string.h>
#include <xen/errno.h>

/* Where `at` is in our direct map, and how many bytes from there on are contiguous. */
static void *locate(struct domain *d, gpa_t at, unsigned rights, uint64_t *room)
{
    struct p2m_entry e;
    if (!p2m_lookup_locked(d, gpa_gfn(at), &e) || p2m_is_mmio(e.type) ||
        (p2m_rights(e.type) & rights) == 0) {
        return NULL;
    }
    uint64_t block = FRAME_SIZE << e.order;
    *room = block - (at.v & (block - 1));
    return (uint8_t *)mfn_to_va(e.mfn) + (at.v & FRAME_MASK);
}

/* A copy of an aligned word is one access: what a guest writes meanwhile is seen whole or not
 * at all. */
static void copy(void *to, const void *from, size_t size)
{
    uintptr_t align = (uintptr_t)to | (uintptr_t)from;
    if (size == 8 && (align & 7) == 0) {
        *(volatile uint64_t *)to = *(const volatile uint64_t *)from;
    } else if (size == 4 && (align & 3) == 0) {
        *(volatile uint32_t *)to = *(const volatile uint32_t *)from;
    } else {
        memcpy(to, from, size);
    }
}

enum action { READ, WRITE, ZERO };

static int access(struct domain *d, gpa_t at, void *buffer, size_t size, enum action action)
{
    unsigned rights = action == READ ? P2M_R : P2M_W;
    if (at.v + size < at.v) {
        return -XEN_EFAULT;
    }
    lock(&d->p2m.lock);
    while (size > 0) {
        uint64_t n;
        void *va = locate(d, at, rights, &n);
        if (va == NULL) {
            break;
        }
        n = n < size ? n : size;
        if (action == READ) {
            copy(buffer, va, n);
        } else if (action == WRITE) {
            copy(va, buffer, n);
        } else {
            memset(va, 0, n);
        }
        at.v += n;
        size -= n;
        buffer = action == ZERO ? NULL : (uint8_t *)buffer + n;
    }
    unlock(&d->p2m.lock);
    return size == 0 ? 0 : -XEN_EFAULT;
}

int guest_read(struct domain *d, void *to, gpa_t from, size_t size_bytes)
{
    return access(d, from, to, size_bytes, READ);
}

int guest_write(struct domain *d, gpa_t to, const void *from, size_t size_bytes)
{
    return access(d, to, (void *)(uintptr_t)from, size_bytes, WRITE);
}

int guest_zero(struct domain *d, gpa_t at, size_t size_bytes)
{
    return access(d, at, NULL, size_bytes, ZERO);
}
