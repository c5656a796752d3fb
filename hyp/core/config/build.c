/*
 * Building a domain from its configuration; hyp/config.h, domain_build().
 *
 * The same function builds it at boot and again at every reboot of the guest:
 * it reads only the configuration and the modules, which nobody writes.
 *
 *   MEMORY -> TREE -> TREE_COPY -> KERNEL -> RAMDISK -> DEVICES -> done
 *
 * B1  the domain is not running, so nobody else maps, unmaps or copies here.
 * B2  every frame that is mapped as RAM was allocated to this domain before;
 *     one that could not be mapped is given back at once.
 * B3  what the guest sees with its caches off is what we wrote: everything
 *     copied is cleaned to the point of coherency.
 * B4  a call does a bounded amount of work (STEP_*) and says -XEN_ERESTART
 *     until all is done: a neighbour's reboot does not hold up a CPU.
 */
#include <hyp/config.h>

#include "build-internal.h"
#include "devices-internal.h"

#include <hyp/arch.h>
#include <hyp/frame.h>
#include <hyp/gic.h>
#include <hyp/irq.h>
#include <hyp/log.h>
#include <hyp/p2m.h>
#include <hyp/virtio.h>
#include <hyp/vuart.h>
#include <hyp/xen.h>
#include <lib/string.h>
#include <xen/errno.h>
#include <xen/guest-layout.h>

#define STEP_BLOCKS 16            /* blocks of RAM mapped in one call */
#define STEP_BYTES (128ul * 1024) /* copied in one call */

enum phase { MEMORY, TREE, TREE_COPY, KERNEL, RAMDISK, DEVICES };

/* How far the building of one domain is; d->build. One page. */
struct build {
    enum phase phase;
    uint64_t done;              /* MEMORY: bytes given. KERNEL, RAMDISK: bytes copied */
    struct guest_memory memory; /* direct_map: as far as given */
    struct image_layout layout;
    void *tree; /* scratch: the guest's own memory need not be in one piece. NULL: none */
    int tree_size;
};

/* One line on why the domain cannot be built; returns `error`. */
static int fail(const struct domain *d, int error, const char *what)
{
    log_warn("%s: %s (%s). The domain is not started.", d->config->node, what,
             error == -XEN_ENOMEM                          ? "out of memory"
             : error == -XEN_E2BIG                         ? "over its limit"
             : error == -XEN_EBUSY || error == -XEN_EEXIST ? "in use"
                                                           : "not possible");
    return error;
}

/* Note RAM for the guest's tree: a bank of its own, or more of one that it continues. */
static int add_bank(struct guest_memory *m, gpa_t start, uint64_t size_bytes)
{
    unsigned i = m->count;

    while (i > 0 && m->bank[i - 1].start.v > start.v) {
        i--;
    }
    if (i > 0 && m->bank[i - 1].start.v + m->bank[i - 1].size_bytes == start.v) {
        m->bank[i - 1].size_bytes += size_bytes;
        return 0;
    }
    if (m->count == GUEST_BANKS) {
        return -XEN_E2BIG;
    }
    memmove(&m->bank[i + 1], &m->bank[i], (m->count++ - i) * sizeof(m->bank[0]));
    m->bank[i] = (struct guest_bank){start, size_bytes};
    return 0;
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

/* The guest address of the RAM behind the first `done` bytes, and how much of `*size` is in one piece. */
static uint64_t usual_place(uint64_t done, uint64_t *size)
{
    if (done >= GUEST_RAM0_SIZE) {
        return GUEST_RAM1_BASE + done - GUEST_RAM0_SIZE;
    }
    *size = *size < GUEST_RAM0_SIZE - done ? *size : GUEST_RAM0_SIZE - done;
    return GUEST_RAM0_BASE + done;
}

/* The machine address of the static memory behind the first `done` bytes; *size as above. */
static uint64_t static_place(const struct domain_config *c, uint64_t done, uint64_t *size)
{
    unsigned i = 0;

    while (done >= c->static_range[i].size_bytes) {
        done -= c->static_range[i++].size_bytes;
    }
    *size =
        *size < c->static_range[i].size_bytes - done ? *size : c->static_range[i].size_bytes - done;
    return c->static_range[i].start.v + done;
}

/* The largest block there is: at its fixed machine place, or from anywhere. */
static int add_block(struct domain *d, struct build *b, uint64_t *size)
{
    bool fixed = d->config->static_range_count != 0, direct = d->config->direct_map;
    uint64_t from = fixed ? static_place(d->config, b->done, size) : 0;
    uint64_t at = direct ? from : usual_place(b->done, size);
    unsigned order = largest_order((at | from) >> FRAME_SHIFT, *size >> FRAME_SHIFT);
    mfn_t m = mpa_mfn(mpa(from));
    int error =
        fixed ? frame_alloc_domain_at(d, m, 1ul << order) : frame_alloc_domain(d, order, &m);

    while (error == -XEN_ENOMEM && !fixed && order > 0) {
        error = frame_alloc_domain(d, --order, &m);
    }
    if (error != 0) {
        return error;
    }
    at = direct ? mfn_mpa(m).v : at;
    *size = FRAME_SIZE << order;
    error = p2m_map(d, gpa_gfn(gpa(at)), m, 1ul << order, P2M_RAM);
    if (error != 0) {
        frame_release(m, order, d->id);
    }
    return error != 0 ? error : add_bank(&b->memory, gpa(at), *size);
}

static int give_memory(struct domain *d, struct build *b)
{
    const struct domain_config *c = d->config;

    for (unsigned blocks = 0; b->done < c->memory_bytes; blocks++) {
        uint64_t size = c->memory_bytes - b->done;
        int error = blocks == STEP_BLOCKS ? -XEN_ERESTART : add_block(d, b, &size);
        if (error != 0) { /* -XEN_ERESTART: so many blocks, or scrubbed so much */
            return error == -XEN_ERESTART ? error
                                          : fail(d, error, "memory: its RAM cannot be given");
        }
        b->done += size;
    }
    return 0;
}

/* A copy in steps of whole blocks, and B3. The guest does not run, so nothing moves
 * meanwhile. */
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

/* The next part of a module. */
static int copy_module(struct domain *d, struct build *b, uint64_t to,
                       const struct config_range *module, uint64_t size_bytes, bool code)
{
    uint64_t left = size_bytes - b->done, n = left < STEP_BYTES ? left : STEP_BYTES;
    const void *from = n != 0 ? arch_map_ram(mpa(module->start.v + b->done), n) : "";
    int error = from == NULL ? -XEN_EFAULT : copy_in(d, gpa(to + b->done), from, n, code);

    b->done += n;
    if (error != 0) {
        return fail(d, error, "its images cannot be copied");
    }
    return b->done < size_bytes ? -XEN_ERESTART : 0;
}

/* Where the kernel goes: the first bank, or with direct_map the largest. */
static const struct guest_bank *kernel_bank(const struct domain *d, const struct guest_memory *m)
{
    unsigned best = 0;

    for (unsigned i = 1; d->config->direct_map && i < m->count; i++) {
        best = m->bank[i].size_bytes > m->bank[best].size_bytes ? i : best;
    }
    return &m->bank[best];
}

static int write_tree(struct domain *d, struct build *b)
{
    const struct domain_config *c = d->config;
    const struct guest_bank *bank = kernel_bank(d, &b->memory);
    size_t room = guest_tree_room(c);

    b->tree = frame_alloc_hyp(NULL, frame_order(room));
    if (b->tree == NULL) {
        return fail(d, -XEN_ENOMEM, "its tree cannot be written");
    }
    if (!image_place(c, bank->start.v, bank->size_bytes, room, &b->layout)) {
        return fail(d, -XEN_E2BIG, "memory: kernel, ramdisk and tree do not fit");
    }
    b->tree_size = guest_tree_write(b->tree, room, d, &b->memory, gpa(b->layout.ramdisk));
    return b->tree_size >= 0
               ? 0
               : fail(d, b->tree_size, "multiboot,device-tree: the guest's tree cannot be written");
}

/* Boot protocols: Linux Documentation/arm64/booting.rst, arm/booting.rst. */
static void set_entry(struct domain *d, const struct build *b)
{
    const struct domain_config *c = d->config;
    uint64_t args64[3] = {b->layout.tree, 0, 0}, args32[3] = {0, UINT32_MAX, b->layout.tree};

    arch_vcpu_set_entry(d->vcpu[0], gpa(b->layout.kernel), c->aarch32 ? args32 : args64,
                        c->aarch32);
}

/* Frames that another device of the domain brought along are there already, at the same place. */
static int map_device(struct domain *d, gfn_t at, mfn_t to, uint64_t count)
{
    for (uint64_t n = count; count > 0; n = count) {
        struct p2m_entry e;
        int error = p2m_map(d, at, to, n, P2M_MMIO);
        while (error == -XEN_EEXIST && n > 1) {
            n /= 2;
            error = p2m_map(d, at, to, n, P2M_MMIO);
        }
        bool there =
            error == -XEN_EEXIST && p2m_lookup(d, at, &e) && e.type == P2M_MMIO && e.mfn.v == to.v;
        if (error != 0 && !there) {
            return error;
        }
        at.v += n;
        to.v += n;
        count -= n;
    }
    return 0;
}

struct gift {
    struct domain *domain;
    unsigned regions, interrupts;
};

/* Of a region of `p`: how much of it this CPU's guests can reach. */
static uint64_t reachable(const struct domain *d, const struct device_part *p)
{
    uint64_t limit = d->p2m.gfn_limit << FRAME_SHIFT;

    if (!d->config->dom0 || p->host.v + p->size_bytes <= limit) {
        return p->size_bytes; /* others' are not to be cut */
    }
    log_warn("%s: %s at %#lx reaches beyond this CPU's guest addresses; the rest is not there.",
             d->name, p->node, p->host.v);
    return p->host.v < limit ? limit - p->host.v : 0;
}

/*
 * A device's region or interrupt becomes the guest's. What a dom0 cannot be given is said, and its
 * tree shows it nevertheless: as on Xen.
 */
static bool give_part(void *arg, const struct device_part *p)
{
    struct gift *gift = arg;
    struct domain *d = gift->domain, *owner = NULL;
    uint32_t virq;
    int error = 0;

    if (p->intid == 0) {
        error = map_device(d, gpa_gfn(p->guest), mpa_mfn(p->host), reachable(d, p) >> FRAME_SHIFT);
    } else if (!irq_owner(p->intid, &owner, &virq) || owner != d) { /* a line may be shared */
        error = irq_assign(p->intid, p->edge, d, p->intid);
    }
    gift->regions += p->intid == 0;
    gift->interrupts += p->intid != 0;
    if (error != 0 && d->config->dom0) {
        log_warn("%s: it does without that part of %s.", d->name, p->node);
    } else if (error != 0) {
        fail(d, error, p->intid != 0 ? "xen,path: its interrupt cannot be routed" : p->node);
        return false;
    } else if (p->intid == 0 && !d->config->dom0) {
        log_line("%s: has device %s, %#lx bytes at %#lx. No IOMMU confines it: %s.", d->name,
                 p->node, p->size_bytes, p->host.v,
                 d->config->direct_map
                     ? "if it does DMA, this guest can read and write all memory"
                     : "and without direct-map its DMA goes to other addresses than meant");
    }
    return true;
}

/* A GICv2 guest's CPU interface is the machine's virtual one. */
static int give_cpu_interface(struct domain *d)
{
    return d->vgic.version != 2 ? 0
                                : p2m_map(d, gpa_gfn(d->vgic.cpu_base), mpa_mfn(gic_host.vcpu.base),
                                          GUEST_GICC_SIZE >> FRAME_SHIFT, P2M_MMIO);
}

static int give_devices(struct domain *d)
{
    struct gift gift = {.domain = d};
    int error = give_cpu_interface(d);

    if (error != 0) {
        return fail(d, error, "cannot be given its interrupt controller");
    }
    if (!devices_walk(d->config, give_part, &gift)) {
        return -XEN_EBUSY;
    }
    if (d->config->dom0) {
        log_warn("%s is a dom0 in Xen's form: it holds every right over every domain, and all "
                 "devices of the board: %u regions, %u interrupts.",
                 d->name, gift.regions, gift.interrupts);
        log_warn("%s: no IOMMU confines its devices: it can read and write all memory, the "
                 "hypervisor's and every guest's. The machine ends with it.",
                 d->name);
    }
    return 0;
}

static bool make_quiet(void *arg, const struct device_part *p)
{
    (void)arg;
    if (p->virtio) {
        virtio_mmio_reset(p->host, p->size_bytes);
    }
    return true;
}

void domain_quiet_devices(struct domain *d)
{
    if (!d->config->dom0) {                               /* with which the machine ends */
        (void)!devices_walk(d->config, make_quiet, NULL); /* read before: it has no mistakes */
    }
}

/* One call's share of the phase. 0: the phase is complete. */
static int run_phase(struct domain *d, struct build *b)
{
    const struct domain_config *c = d->config;
    int error;

    switch (b->phase) {
    case MEMORY:
        return give_memory(d, b);
    case TREE:
        return write_tree(d, b);
    case TREE_COPY:
        return copy_in(d, gpa(b->layout.tree), b->tree, (uint64_t)b->tree_size, false);
    case KERNEL:
        return copy_module(d, b, b->layout.kernel, &c->module[MODULE_KERNEL], c->image.file_bytes,
                           true);
    case RAMDISK:
        return copy_module(d, b, b->layout.ramdisk, &c->module[MODULE_RAMDISK],
                           c->module[MODULE_RAMDISK].size_bytes, false);
    case DEVICES:
        set_entry(d, b);
        error = xen_domain_start(d);
        return error != 0 ? fail(d, error, "has no room for the Xen interface") : give_devices(d);
    }
    return 0;
}

static int begin(struct domain *d)
{
    const struct domain_config *c = d->config;

    static_assert(sizeof(struct build) <= FRAME_SIZE, "a page is allocated for it");
    d->build = frame_alloc_hyp(NULL, 0);
    if (d->build == NULL) {
        return fail(d, -XEN_ENOMEM, "cannot be built");
    }
    if (c->vuart && d->vuart.present) {
        vuart_reset(d);
    } else if (c->vuart) {
        vuart_init(d, c->places.uart, c->places.uart_spi);
    }
    return 0;
}

int domain_build(struct domain *d)
{
    int error = d->build == NULL ? begin(d) : 0;

    if (error == 0) {
        error = run_phase(d, d->build);
    }
    if (error == 0 && d->build->phase != DEVICES) {
        d->build->phase++;
        d->build->done = 0;
        error = -XEN_ERESTART;
    }
    if (error != -XEN_ERESTART && d->build != NULL) {
        if (d->build->tree != NULL) {
            frame_free_hyp(NULL, d->build->tree, frame_order(guest_tree_room(d->config)));
        }
        frame_free_hyp(NULL, d->build, 0);
        d->build = NULL;
    }
    return error;
}
