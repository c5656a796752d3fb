/* Copies to and from a guest's virtual addresses. See hyp/guest-va.h. */
#include <hyp/guest-va.h>

#include <hyp/arch.h>
#include <hyp/domain.h>
#include <hyp/frame.h>
#include <lib/string.h>
#include <xen/errno.h>

/* Arguments are a few aligned words nearly always: a loop of words beats a call of memcpy(). */
static void copy_words(void *to, const void *from, size_t size)
{
    if (((uintptr_t)to | (uintptr_t)from | size) % sizeof(uint32_t) != 0 || size > 64) {
        memcpy(to, from, size);
        return;
    }
    const uint32_t *word = from;
    uint32_t *out = to;
    for (size_t i = 0; i < size / sizeof(*word); i++) {
        out[i] = word[i];
    }
}

/* The bytes at `va`, within one page, or NULL. They stay as long as the p2m lock is held. */
static void *find(struct vcpu *v, uint64_t va, bool write)
{
    mpa_t at;
    if (!arch_guest_va_to_mpa(v, va, write, &at)) {
        return NULL;
    }
    if (!frame_is_ram(mpa_mfn(at))) {
        return NULL; /* a device */
    }
    return (char *)mfn_to_va(mpa_mfn(at)) + (at.v & FRAME_MASK);
}

static int copy(struct vcpu *v, char *ours, uint64_t va, size_t size, bool write)
{
    lock_t *l = &v->domain->p2m.lock;
    while (size > 0) {
        size_t part = FRAME_SIZE - (va & FRAME_MASK);
        part = part < size ? part : size;
        lock(l);
        char *theirs = find(v, va, write);
        if (theirs != NULL) {
            copy_words(write ? theirs : ours, write ? ours : theirs, part);
        }
        unlock(l);
        if (theirs == NULL) {
            return -XEN_EFAULT;
        }
        ours += part;
        va += part;
        size -= part;
    }
    return 0;
}

int guest_va_read(struct vcpu *v, void *to, uint64_t va, size_t size_bytes)
{
    return copy(v, to, va, size_bytes, false);
}

int guest_va_write(struct vcpu *v, uint64_t va, const void *from, size_t size_bytes)
{
    return copy(v, (char *)(uintptr_t)from, va, size_bytes, true);
}

int guest_va_hold(struct vcpu *v, uint64_t va, mpa_t *out)
{
    lock_t *l = &v->domain->p2m.lock;
    mpa_t at;
    lock(l);
    bool held = arch_guest_va_to_mpa(v, va, true, &at) && frame_get(mpa_mfn(at), v->domain->id);
    unlock(l);
    if (held) {
        *out = at;
    }
    return held ? 0 : -XEN_EFAULT;
}
