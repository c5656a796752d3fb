/* Copies to and from a guest's virtual addresses. See hyp/guest-va.h. */
#include <hyp/guest-va.h>

#include "../xen/xen-internal.h"

#include <hyp/arch.h>
#include <hyp/domain.h>
#include <hyp/frame.h>
#include <lib/string.h>
#include <xen/errno.h>

/* Arguments are a few aligned words nearly always: a loop of words beats a call of memcpy(). */
static inline void copy_words(void *to, const void *from, size_t size)
{
    uintptr_t mix = (uintptr_t)to | (uintptr_t)from | size;
    if (likely(mix % 8 == 0)) {
        uint64_t *t = to;
        const uint64_t *f = from;
        for (; size >= 32; size -= 32, t += 4, f += 4) {
            uint64_t a = f[0], b = f[1], c = f[2], d = f[3];
            t[0] = a, t[1] = b, t[2] = c, t[3] = d;
            WALK(t, f);
        }
        for (; size != 0; size -= 8) {
            *t++ = *f++;
            WALK(t, f);
        }
    } else if (mix % 4 == 0) {
        uint32_t *t = to;
        const uint32_t *f = from;
        for (; size != 0; size -= 4) {
            *t++ = *f++;
            WALK(t, f);
        }
    } else if (size == 2 && mix % 2 == 0) {
        *(uint16_t *)to = *(const uint16_t *)from;
    } else {
        memcpy(to, from, size);
    }
}

/* What is RAM stays RAM, so frames that were are remembered: arguments lie on a stack and in a structure or two. */
static inline bool is_ram(struct evtchn_vcpu *x, mfn_t m)
{
    uint64_t *seen = &x->ram_frame[m.v % ARRAY_LEN(x->ram_frame)];
    if (likely(*seen == m.v)) {
        return true;
    }
    if (!frame_is_ram(m)) {
        return false; /* a device */
    }
    *seen = m.v;
    return true;
}

/* Within one page. The bytes stay where they are as long as the p2m lock is held. */
static inline __attribute__((always_inline)) int copy_part(struct vcpu *v, void *ours, uint64_t va,
                                                           size_t size, bool write)
{
    lock_t *l = &v->domain->p2m.lock;
    mpa_t at;
    lock(l);
    bool good = arch_guest_va_to_mpa(v, va, write, &at) && is_ram(v->evtchn, mpa_mfn(at));
    if (likely(good)) {
        void *theirs = arch_ram_va(at.v);
        copy_words(write ? theirs : ours, write ? ours : theirs, size);
    }
    unlock(l);
    return good ? 0 : -XEN_EFAULT;
}

static cold int copy_pages(struct vcpu *v, char *ours, uint64_t va, size_t size, bool write)
{
    int error = 0;
    while (size > 0 && error == 0) {
        size_t part = FRAME_SIZE - (va & FRAME_MASK);
        part = part < size ? part : size;
        error = copy_part(v, ours, va, part, write);
        ours += part;
        va += part;
        size -= part;
    }
    return error;
}

int guest_va_read32(struct vcpu *v, uint32_t *to, uint64_t va)
{
    if (unlikely(va % sizeof(*to) != 0)) {
        return copy_pages(v, (char *)to, va, sizeof(*to), false);
    }
    lock_t *l = &v->domain->p2m.lock;
    mpa_t at;
    lock(l);
    bool good = arch_guest_va_to_mpa(v, va, false, &at) && is_ram(v->evtchn, mpa_mfn(at));
    if (likely(good)) {
        *to = *(const uint32_t *)arch_ram_va(at.v);
    }
    unlock(l);
    return good ? 0 : -XEN_EFAULT;
}

int guest_va_read(struct vcpu *v, void *to, uint64_t va, size_t size_bytes)
{
    return likely((va & FRAME_MASK) + size_bytes <= FRAME_SIZE)
               ? copy_part(v, to, va, size_bytes, false)
               : copy_pages(v, to, va, size_bytes, false);
}

int guest_va_write(struct vcpu *v, uint64_t va, const void *from, size_t size_bytes)
{
    void *ours = (void *)(uintptr_t)from; /* only read */
    return likely((va & FRAME_MASK) + size_bytes <= FRAME_SIZE)
               ? copy_part(v, ours, va, size_bytes, true)
               : copy_pages(v, ours, va, size_bytes, true);
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
