/*
 * Rights over devices: frames of registers and interrupts that a domain may
 * hand on (given by configuration), or that it was handed to be given.
 *
 * Two domains never hold the same device by configuration (config-check.c
 * claims what `device` names); at run time the interrupt is exclusive
 * (irq_assign()), and so is, for who hands on, the range he holds.
 */
#include "../config/devices-internal.h"
#include "rights-internal.h"

#include <hyp/config.h>
#include <hyp/domain.h>
#include <hyp/frame.h>
#include <hyp/gic.h>
#include <hyp/tree.h>
#include <lib/string.h>
#include <lib/text.h>
#include <xen/errno.h>

static bool set_irq(struct rights *x, uint64_t intid, bool allow)
{
    if (intid < 32 || intid >= RIGHTS_IRQS) {
        return false;
    }
    uint64_t bit = 1ull << intid % 64;
    x->irq[intid / 64] = allow ? x->irq[intid / 64] | bit : x->irq[intid / 64] & ~bit;
    return true;
}

static bool covers(const struct rights_range *r, uint64_t first, uint64_t count)
{
    return first >= r->first && first - r->first < r->count &&
           count <= r->count - (first - r->first);
}

static int add_range(struct rights *x, uint64_t first, uint64_t count)
{
    struct rights_range *free = NULL;
    for (unsigned i = 0; i < RIGHTS_RANGES; i++) {
        if (covers(&x->range[i], first, count)) {
            return 0;
        }
        free = free == NULL && x->range[i].count == 0 ? &x->range[i] : free;
    }
    if (free == NULL) {
        return -XEN_ENOSPC;
    }
    *free = (struct rights_range){first, count};
    return 0;
}

/* What overlaps goes as a whole: nobody is left with more than he was told. */
static void remove_range(struct rights *x, uint64_t first, uint64_t count)
{
    for (unsigned i = 0; i < RIGHTS_RANGES; i++) {
        struct rights_range *r = &x->range[i];
        if (r->count != 0 && first < r->first + r->count && r->first < first + count) {
            r->count = 0;
        }
    }
}

void rights_grant_device(struct rights *x, enum right right, const char *what)
{
    if (strcmp(what, "*") == 0) {
        x->everybody |= RIGHT_BIT(right);
        return;
    }
    uint64_t number, size;
    const struct tree *t = config_host_tree();
    mpa_t base;
    uint32_t intid;
    bool edge;
    if (right == RIGHT_IRQ) {
        (void)(text_to_u64(what, &number) && set_irq(x, number, true));
        return;
    }
    tree_node node = tree_find(t, what, SIZE_MAX);
    for (unsigned i = 0; tree_reg(t, node, i, &base, &size) == 0; i++) {
        uint64_t last = (base.v + size - 1) >> FRAME_SHIFT;
        (void)add_range(x, base.v >> FRAME_SHIFT, last - (base.v >> FRAME_SHIFT) + 1);
    }
    for (unsigned i = 0; tree_irq(t, node, i, &intid, &edge) == 0; i++) {
        (void)set_irq(x, intid, true);
    }
}

bool rights_iomem(struct domain *d, mfn_t first, uint64_t count)
{
    uint64_t end = first.v + count;
    lock(&d->lock);
    bool may = d->rights != NULL && count != 0 && end > first.v && !frame_is_ram(first) &&
               (d->rights->everybody & RIGHT_BIT(RIGHT_DEVICE)) != 0 &&
               !frame_is_ram(mfn(end - 1)) &&
               !device_is_ours(first.v << FRAME_SHIFT, count << FRAME_SHIFT);
    for (unsigned i = 0; d->rights != NULL && count != 0 && i < RIGHTS_RANGES && !may; i++) {
        may = covers(&d->rights->range[i], first.v, count);
    }
    unlock(&d->lock);
    return may;
}

bool rights_irq(struct domain *d, uint32_t intid)
{
    lock(&d->lock);
    bool may = d->rights != NULL && intid < RIGHTS_IRQS &&
               ((d->rights->irq[intid / 64] >> intid % 64 & 1) != 0 ||
                (intid >= GIC_SPI_FIRST && (d->rights->everybody & RIGHT_BIT(RIGHT_IRQ)) != 0));
    unlock(&d->lock);
    return may;
}

int rights_set_iomem(struct domain *d, mfn_t first, uint64_t count, bool allow)
{
    lock(&d->lock);
    struct rights *x = allow ? rights_page(d) : d->rights;
    int error = x != NULL ? 0 : allow ? -XEN_ENOMEM : 0;
    if (x != NULL && allow) {
        error = add_range(x, first.v, count);
    } else if (x != NULL) {
        remove_range(x, first.v, count);
    }
    unlock(&d->lock);
    return error;
}

int rights_set_irq(struct domain *d, uint32_t intid, bool allow)
{
    lock(&d->lock);
    struct rights *x = allow ? rights_page(d) : d->rights;
    int error = x == NULL ? (allow ? -XEN_ENOMEM : 0) : set_irq(x, intid, allow) ? 0 : -XEN_EINVAL;
    unlock(&d->lock);
    return error;
}
