/*
 * Building a domain from its configuration; hyp/config.h, domain_build().
 *
 * The same function builds it at boot and again at every reboot of the guest:
 * it reads only the configuration and the modules, which nobody writes.
 *
 * B1  the domain is not running, so nobody else maps, unmaps or copies here.
 * B2  every frame that is mapped as RAM was allocated to this domain before;
 *     a frame that could not be mapped is put back at once.
 * B3  what the guest sees with its caches off is what we wrote: everything
 *     copied is cleaned to the point of coherency.
 */
#include <hyp/config.h>

#include "guest-tree-internal.h"
#include "image-internal.h"
#include "passthrough-internal.h"

#include <hyp/arch.h>
#include <hyp/frame.h>
#include <hyp/irq.h>
#include <hyp/log.h>
#include <hyp/p2m.h>
#include <hyp/vuart.h>
#include <lib/string.h>
#include <xen/errno.h>
#include <xen/guest-layout.h>

#define MIB (1024ull * 1024)

/* One line on why the domain cannot be built; returns `error`. */
static int fail(const struct domain *d, int error, const char *what)
{
    log_warn("%s: %s (%s). The domain is not started.", d->config->node, what,
             error == -XEN_ENOMEM ? "out of memory"
             : error == -XEN_E2BIG ? "over its limit"
             : error == -XEN_EBUSY || error == -XEN_EEXIST ? "in use"
                                                             : "not possible");
    return error;
}

static bool add_bank(struct guest_memory *m, gpa_t start, uint64_t size_bytes)
{
    unsigned i = m->count;

    if (m->count == GUEST_BANKS) {
        return false;
    }
    for (; i > 0 && m->bank[i - 1].start.v > start.v; i--) {
        m->bank[i] = m->bank[i - 1];
    }
    m->bank[i] = (struct guest_bank){start, size_bytes};
    m->count++;
    return true;
}

/* The largest block that starts at `g` aligned and is not larger than `count`. */
static unsigned largest_order(uint64_t g, uint64_t count)
{
    unsigned order = FRAME_ORDER_MAX;

    while (order > 0 && ((g & ((1ull << order) - 1)) != 0 || 1ull << order > count)) {
        order--;
    }
    return order;
}

static void put_frames(mfn_t m, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        frame_put((mfn_t){m.v + i});
    }
}

static int map_ram(struct domain *d, gfn_t at, mfn_t m, uint64_t count)
{
    int error = p2m_map(d, at, m, count, P2M_RAM);

    if (error != 0) {
        put_frames(m, count);
    }
    return error;
}

/* Allocate the largest block there is, up to `order`. */
static int take_block(struct domain *d, unsigned *order, mfn_t *m)
{
    for (;;) {
        int error = frame_alloc_domain(d, *order, m);
        if (error != -XEN_ENOMEM || *order == 0) {
            return error;
        }
        --*order;
    }
}

/* RAM at guest frames [at, at + count), from anywhere. */
static int add_ram(struct domain *d, gfn_t at, uint64_t count)
{
    while (count > 0) {
        unsigned order = largest_order(at.v, count);
        mfn_t m;
        int error = take_block(d, &order, &m);
        if (error == 0) {
            error = map_ram(d, at, m, 1ull << order);
        }
        if (error != 0) {
            return error;
        }
        at.v += 1ull << order;
        count -= 1ull << order;
    }
    return 0;
}

/* RAM at guest addresses that equal the machine's, from anywhere. The smallest block is 2 MiB. */
static int add_direct_ram(struct domain *d, struct guest_memory *m, uint64_t count)
{
    while (count > 0) {
        unsigned order = largest_order(0, count);
        mfn_t block;
        int error = take_block(d, &order, &block);
        if (error == 0) {
            error = map_ram(d, gfn(block.v), block, 1ull << order);
        }
        if (error == 0 && !add_bank(m, gpa(block.v << FRAME_SHIFT), FRAME_SIZE << order)) {
            error = -XEN_E2BIG;
        }
        if (error != 0) {
            return error;
        }
        count -= 1ull << order;
    }
    return 0;
}

/* RAM at a fixed machine place, seen by the guest at `at`. */
static int add_static_ram(struct domain *d, gfn_t at, mfn_t m, uint64_t count)
{
    int error = frame_alloc_domain_at(d, m, count);

    return error != 0 ? error : map_ram(d, at, m, count);
}

/* Cut [offset, offset + size) of all the guest's memory at the end of the first bank. */
static uint64_t usual_place(uint64_t offset, uint64_t *size)
{
    if (offset >= GUEST_RAM0_SIZE) {
        return GUEST_RAM1_BASE + offset - GUEST_RAM0_SIZE;
    }
    *size = *size < GUEST_RAM0_SIZE - offset ? *size : GUEST_RAM0_SIZE - offset;
    return GUEST_RAM0_BASE + offset;
}

static int add_static(struct domain *d, struct guest_memory *m)
{
    const struct domain_config *c = d->config;
    uint64_t offset = 0;

    for (unsigned i = 0; i < c->static_range_count; i++) {
        uint64_t start = c->static_range[i].start.v, left = c->static_range[i].size_bytes;
        while (left > 0) {
            uint64_t size = left;
            uint64_t at = c->direct_map ? start : usual_place(offset, &size);
            int error = add_static_ram(d, gpa_gfn(gpa(at)), mpa_mfn(mpa(start)), size >> FRAME_SHIFT);
            if (error == 0 && c->direct_map && !add_bank(m, gpa(at), size)) {
                error = -XEN_E2BIG;
            }
            if (error != 0) {
                return error;
            }
            start += size;
            offset += size;
            left -= size;
        }
    }
    return 0;
}

static int give_memory(struct domain *d, struct guest_memory *m)
{
    const struct domain_config *c = d->config;
    uint64_t low = c->memory_bytes < GUEST_RAM0_SIZE ? c->memory_bytes : GUEST_RAM0_SIZE;
    uint64_t high = c->memory_bytes - low;
    int error = 0;

    if (!c->direct_map) {
        (void)add_bank(m, gpa(GUEST_RAM0_BASE), low);
        if (high != 0) {
            (void)add_bank(m, gpa(GUEST_RAM1_BASE), high);
        }
    }
    if (c->static_range_count != 0) {
        error = add_static(d, m);
    } else if (c->direct_map) {
        error = add_direct_ram(d, m, c->memory_bytes >> FRAME_SHIFT);
    } else {
        error = add_ram(d, gpa_gfn(gpa(GUEST_RAM0_BASE)), low >> FRAME_SHIFT);
        if (error == 0 && high != 0) {
            error = add_ram(d, gpa_gfn(gpa(GUEST_RAM1_BASE)), high >> FRAME_SHIFT);
        }
    }
    return error != 0 ? fail(d, error, "memory: its RAM cannot be given") : 0;
}

/* guest_write() in steps of whole blocks, and B3. The guest does not run, so nothing moves meanwhile. */
static int copy_in(struct domain *d, gpa_t at, const void *from, uint64_t size_bytes, bool code)
{
    const char *source = from;

    while (size_bytes > 0) {
        struct p2m_entry e;
        if (!p2m_lookup(d, gpa_gfn(at), &e) || e.type != P2M_RAM) {
            return -XEN_EFAULT;
        }
        uint64_t block = FRAME_SIZE << e.order, offset = at.v & (block - 1);
        uint64_t n = block - offset < size_bytes ? block - offset : size_bytes;
        char *to = (char *)mfn_to_va(e.mfn) + (at.v & FRAME_MASK);
        memcpy(to, source, n);
        arch_clean_to_poc(to, n);
        if (code) {
            arch_sync_icache(to, n);
        }
        source += n;
        at.v += n;
        size_bytes -= n;
    }
    return 0;
}

static int copy_module(struct domain *d, gpa_t at, const struct module *module, uint64_t size_bytes, bool code)
{
    const void *from = size_bytes != 0 ? arch_map_ram(module->start, size_bytes) : "";

    return from == NULL ? -XEN_EFAULT : copy_in(d, at, from, size_bytes, code);
}

static unsigned order_of(size_t size_bytes)
{
    unsigned order = 0;

    while (FRAME_SIZE << order < size_bytes) {
        order++;
    }
    return order;
}

/* The tree is written in a scratch buffer, for the guest's own memory need not be in one piece. */
static int give_tree(struct domain *d, const struct guest_memory *m, void *buffer, size_t room,
                     struct image_layout *layout)
{
    const struct domain_config *c = d->config;
    const struct guest_bank *bank = &m->bank[0];

    if (!image_place(&c->image, bank->start.v, bank->size_bytes, room, c->ramdisk.size_bytes, layout)) {
        return fail(d, -XEN_E2BIG, "memory: kernel, ramdisk and tree do not fit its first bank");
    }
    int size = guest_tree_write(buffer, room, d, m, gpa(layout->ramdisk));
    if (size < 0) {
        return fail(d, size, "multiboot,device-tree: the guest's tree cannot be written");
    }
    return copy_in(d, gpa(layout->tree), buffer, (uint64_t)size, false);
}

static int give_images(struct domain *d, const struct guest_memory *m)
{
    const struct domain_config *c = d->config;
    size_t room = guest_tree_room(c);
    unsigned order = order_of(room);
    void *buffer = frame_alloc_hyp(NULL, order);
    struct image_layout layout;

    if (buffer == NULL) {
        return fail(d, -XEN_ENOMEM, "its tree cannot be written");
    }
    int error = give_tree(d, m, buffer, room, &layout);
    frame_free_hyp(NULL, buffer, order);
    if (error != 0) {
        return error;
    }
    error = copy_module(d, gpa(layout.kernel), &c->kernel, c->image.file_bytes, true);
    if (error == 0) {
        error = copy_module(d, gpa(layout.ramdisk), &c->ramdisk, c->ramdisk.size_bytes, false);
    }
    if (error != 0) {
        return fail(d, error, "its images cannot be copied");
    }
    uint64_t args64[3] = {layout.tree, 0, 0}, args32[3] = {0, ~0u, layout.tree};
    arch_vcpu_set_entry(d->vcpu[0], gpa(layout.kernel), c->aarch32 ? args32 : args64, c->aarch32);
    return 0;
}

static bool map_region(void *arg, const struct passthrough_region *m)
{
    struct domain *d = arg;
    int error = p2m_map(d, gpa_gfn(m->guest), mpa_mfn(m->host), m->size_bytes >> FRAME_SHIFT, P2M_MMIO);

    if (error != 0) {
        (void)fail(d, error, m->node);
        return false;
    }
    log_line("%s: has device %s, %#llx bytes at %#llx. No IOMMU confines it: %s.", d->name, m->node,
             (unsigned long long)m->size_bytes, (unsigned long long)m->host.v,
             d->config->direct_map ? "this guest can read and write all memory through it"
                                   : "and without direct-map its DMA goes to other addresses than meant");
    return true;
}

static bool route_irq(void *arg, const struct passthrough_irq *irq)
{
    struct domain *d = arg;
    int error = irq_assign(irq->intid, irq->edge, d, irq->intid);

    return error == 0 || fail(d, error, "xen,path: its interrupt cannot be routed") == 0;
}

static int give_devices(struct domain *d)
{
    struct passthrough_visitor visitor = {.arg = d, .region = map_region, .irq = route_irq};
    char why[PASSTHROUGH_WORDS];

    if (d->config->tree.size_bytes == 0 ||
        passthrough_walk(config_host_tree(), d->config, &visitor, why)) {
        return 0;
    }
    return why[0] != 0 ? fail(d, -XEN_EINVAL, why) : -XEN_EBUSY;
}

int domain_build(struct domain *d)
{
    const struct domain_config *c = d->config;
    struct guest_memory memory = {.count = 0};

    if (c->vuart && d->vuart.present) {
        vuart_reset(d);
    } else if (c->vuart) {
        vuart_init(d, c->places.uart, c->places.uart_spi);
    }
    int error = give_memory(d, &memory);
    if (error == 0) {
        error = give_images(d, &memory);
    }
    if (error == 0) {
        error = give_devices(d);
    }
    return error;
}
