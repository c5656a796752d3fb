/*
 * domctl: what the tools do with domains - make, fill, let go and end them;
 * vCPUs, memory, devices. The table is at the end; how an operation is made is
 * in control-internal.h.
 *
 * A domain comes into being CREATED and paused, owned by who made it
 * (d->builder); it runs with the first unpause, and from then on the builder
 * has no way to its memory any more (hyp/rights.h, RIGHT_BUILD).
 *
 * Source: public/domctl.h.
 */
#include "control-internal.h"

#include <hyp/arch.h>
#include <hyp/config.h>
#include <hyp/cpu.h>
#include <hyp/gic.h>
#include <hyp/irq.h>
#include <hyp/log.h>
#include <hyp/xen.h>
#include <lib/string.h>
#include <xen/guest-layout.h>

/* --- What there is --- */

void control_describe(struct domain *d, struct xen_domctl_getdomaininfo *info)
{
    uint64_t ran_ticks = 0, now = arch_counter_ticks();
    uint32_t online = 0, flags = XEN_DOMINF_hvm_guest | XEN_DOMINF_hap;
    bool asleep = true;
    for (uint32_t i = 0; i < d->vcpu_count; i++) {
        const struct vcpu *v = d->vcpu[i];
        enum sched_state state = __atomic_load_n(&v->sched.state, __ATOMIC_RELAXED);
        bool awake = __atomic_load_n(&v->sched.awake, __ATOMIC_RELAXED) != 0;
        ran_ticks += sched_runtime_ticks(v, now);
        online += state != SCHED_OFFLINE;
        flags |= state == SCHED_RUNNING ? XEN_DOMINF_running : 0;
        /* One that is off does not count; one that is only paused has not gone to sleep. */
        asleep = asleep && (state == SCHED_OFFLINE || (state == SCHED_BLOCKED && !awake));
    }
    lock(&d->lock);
    bool created = d->state == DOMAIN_CREATED; /* is about to run */
    flags |= asleep && !created ? XEN_DOMINF_blocked : 0;
    flags |= created || d->paused_by_console || d->pauses != 0 ? XEN_DOMINF_paused : 0;
    flags |= d->state == DOMAIN_DYING ? XEN_DOMINF_dying : 0;
    flags |= d->state == DOMAIN_DOWN
                 ? XEN_DOMINF_shutdown | (uint32_t)d->reason << XEN_DOMINF_shutdownshift
                 : 0;
    unlock(&d->lock);
    *info = (struct xen_domctl_getdomaininfo){
        .domain = d->id,
        .flags = flags,
        .tot_pages = frame_owned_count(d->id),
        .max_pages = d->max_frames,
        .shared_info_frame = ~0ull,
        .cpu_time = ticks_to_ns(ran_ticks),
        .nr_online_vcpus = online,
        .max_vcpu_id = d->vcpu_count - 1u,
        .cpupool = d->sched.cpupool,
        .gpaddr_bits = 40,
        .arch_config = {.gic_version = (uint8_t)(d->vgic.version - 1)}};
    memcpy(info->handle, d->handle, sizeof(info->handle));
}

bool control_sees(struct vcpu *v, const struct domain *d)
{
    return d == v->domain || rights_any(v->domain, RIGHTS_LOOK, d);
}

/* The domain with that number or the next higher one of those that the caller may know. */
static int64_t getdomaininfo(struct control_call *c)
{
    for (struct domain *d = domain_from(c->domctl.domain); d != NULL; d = domain_next(d)) {
        if (control_sees(c->v, d) ||
            rights_any(c->v->domain, RIGHT_BIT(RIGHT_STORE) | RIGHT_BIT(RIGHT_CONSOLE), d)) {
            control_describe(d, &c->domctl.u.getdomaininfo);
            c->domctl.domain = d->id;
            domain_put(d);
            return 0;
        }
    }
    return -XEN_ESRCH;
}

/* --- Life --- */

/* What the hypervisor spends on a domain besides its tables, in frames; more with the tools' pool. */
#define BASE_FRAMES (64u + 16u)
#define SPIS_MAX 960u

/* Is there nothing in the order that we cannot keep? */
static bool can_make(const struct xen_domctl_createdomain *order)
{
    uint32_t gic = order->arch.gic_version;
    return (order->flags & ~XEN_DOMCTL_CDF_oos_off) == (XEN_DOMCTL_CDF_hvm | XEN_DOMCTL_CDF_hap) &&
           order->iommu_opts == 0 && order->vmtrace_size == 0 &&
           order->arch.tee_type == XEN_DOMCTL_CONFIG_TEE_NONE &&
           (gic == XEN_DOMCTL_CONFIG_GIC_NATIVE || gic + 1 == gic_host.version) &&
           order->arch.nr_spis <= SPIS_MAX && order->max_vcpus != 0 &&
           order->max_vcpus <= (gic_host.version == 2 ? 8 : MAX_VCPUS) &&
           order->max_grant_frames <= (int32_t)GRANT_FRAMES_MAX;
}

static void configure(struct domain_config *like, const struct xen_domctl_createdomain *order)
{
    *like = (struct domain_config){
        .vcpu_count = order->max_vcpus,
        .hyp_memory_bytes = (BASE_FRAMES + 16ul * order->max_vcpus) << FRAME_SHIFT,
        .vgic = {.version = gic_host.version, .nr_spis = (order->arch.nr_spis + 31) / 32 * 32},
        .bootargs = "",
        .on_crash = POLICY_PRESERVE,
        .on_reboot = POLICY_PRESERVE,
        .on_poweroff = POLICY_PRESERVE,
    };
    config_place(like);
}

static int64_t create(struct control_call *c)
{
    struct xen_domctl_createdomain *order = &c->domctl.u.createdomain;
    struct domain_config like;
    struct domain *d;
    if (!can_make(order)) {
        return -XEN_EINVAL;
    }
    configure(&like, order);
    domid_t wanted = c->domctl.domain < DOMID_FIRST_RESERVED ? c->domctl.domain : 0;
    int error = domain_make(&like, wanted, c->v->domain, &d);
    if (error != 0) {
        return error;
    }
    memcpy(d->handle, order->handle, sizeof(d->handle));
    if (order->max_evtchn_port < d->evtchn->port_limit) {
        d->evtchn->port_limit = order->max_evtchn_port + 1;
    }
    error = control_join_pool(d, order->cpupool_id);
    if (error == 0 && d->vgic.version == 2) { /* its CPU interface is the machine's virtual one */
        error = p2m_map(d, gpa_gfn(d->vgic.cpu_base), mpa_mfn(gic_host.vcpu.base),
                        GUEST_GICC_SIZE >> FRAME_SHIFT, P2M_MMIO);
    }
    if (error != 0 && domain_destroy(d) != 0) {
        log_warn("%s could not be removed.", d->name);
    }
    c->domctl.domain = d->id;
    order->arch.gic_version = (uint8_t)(gic_host.version - 1);
    order->arch.clock_frequency = 0; /* CNTFRQ_EL0 tells the truth */
    domain_put(d);
    return error;
}

/* It goes step by step, here; the worker would need longer, and ends it in any case. */
static int64_t destroy(struct control_call *c)
{
    if (c->progress == 0) {
        c->progress = domain_destroy(c->d) == 0; /* busy with an earlier end: then again */
    }
    domain_hurry(c->d);
    return -XEN_ERESTART;
}

static int64_t pause(struct control_call *c)
{
    return c->cmd == XEN_DOMCTL_pausedomain ? domain_pause_counted(c->d)
                                            : domain_unpause_counted(c->d);
}

static int64_t set_handle(struct control_call *c)
{
    lock(&c->d->lock);
    memcpy(c->d->handle, c->domctl.u.setdomainhandle.handle, sizeof(c->d->handle));
    unlock(&c->d->lock);
    return 0;
}

static int64_t set_time_offset(struct control_call *c)
{
    xen_set_time_offset(c->d, c->domctl.u.settimeoffset.time_offset_seconds);
    return 0;
}

static int64_t width(struct control_call *c)
{
    struct domain_config *config = (struct domain_config *)(uintptr_t)c->d->config;
    uint32_t *size = &c->domctl.u.address_size.size;
    if (c->cmd == XEN_DOMCTL_get_address_size) {
        *size = config->aarch32 ? 32 : 64;
        return 0;
    }
    if (*size != 64 && (*size != 32 || !arch_has_aarch32())) {
        return -XEN_EINVAL;
    }
    if (!config->made) {
        return -XEN_EPERM; /* its kernel's format says it */
    }
    config->aarch32 = *size == 32;
    return 0;
}

/* --- Memory --- */

static int64_t max_mem(struct control_call *c)
{
    __atomic_store_n(&c->d->max_frames, c->domctl.u.max_mem.max_memkb >> (FRAME_SHIFT - 10),
                     __ATOMIC_RELAXED);
    return 0;
}

/* The tools' pool is what the hypervisor may spend on tables; what it spends otherwise comes on top. */
static int64_t pool_size(struct control_call *c)
{
    uint64_t *bytes = &c->domctl.u.paging_mempool.size;
    uint64_t base = c->d->config->hyp_memory_bytes >> FRAME_SHIFT;
    uint64_t most = base + (*bytes >> FRAME_SHIFT);
    if (c->cmd == XEN_DOMCTL_get_paging_mempool_size) {
        most = __atomic_load_n(&c->d->hyp_frames_max, __ATOMIC_RELAXED);
        *bytes = (most > base ? most - base : 0) << FRAME_SHIFT;
        return 0;
    }
    if ((*bytes & FRAME_MASK) != 0 || !c->d->config->made) { /* a configured one's is configured */
        return -XEN_EINVAL;
    }
    if (most < __atomic_load_n(&c->d->hyp_frames, __ATOMIC_RELAXED)) {
        return -XEN_ENOMEM; /* it has spent more */
    }
    __atomic_store_n(&c->d->hyp_frames_max, most, __ATOMIC_RELAXED);
    return 0;
}

#define FLUSH_AT_ONCE 64u
#define FLUSH_MAX (1u << 18)

/* What the builder wrote through its caches becomes what a guest sees with its own off. */
static int64_t cacheflush(struct control_call *c)
{
    struct xen_domctl_cacheflush *op = &c->domctl.u.cacheflush;
    if (op->nr_pfns > FLUSH_MAX || op->start_pfn + op->nr_pfns < op->start_pfn) {
        return -XEN_EINVAL;
    }
    for (unsigned budget = FLUSH_AT_ONCE; op->nr_pfns > 0; op->start_pfn++, op->nr_pfns--) {
        mfn_t m;
        if (budget-- == 0) {
            return -XEN_ERESTART;
        }
        if (p2m_get_frame(c->d, gfn(op->start_pfn), false, &m) == 0) { /* holes have nothing */
            arch_clean_to_poc(mfn_to_va(m), FRAME_SIZE);
            arch_sync_icache(mfn_to_va(m), FRAME_SIZE);
            frame_put(m);
        }
    }
    return 0;
}

/* --- vCPUs: how many, where they run, how much they get --- */

static struct vcpu *vcpu_of(struct domain *d, uint32_t id)
{
    return id < d->vcpu_count ? d->vcpu[array_index_clamp(id, d->vcpu_count)] : NULL;
}

#define VCPUS_AT_ONCE 8u

/* As many as it was made for. All but the first come here, a few a step. */
static int64_t max_vcpus(struct control_call *c)
{
    struct domain *d = c->d;
    int64_t error = c->domctl.u.max_vcpus.max == d->vcpu_max ? 0 : -XEN_EINVAL;
    lock(&d->lock);
    for (unsigned i = 0; error == 0 && d->vcpu_count < d->vcpu_max; i++) {
        error = d->state != DOMAIN_CREATED ? -XEN_EINVAL
                : i == VCPUS_AT_ONCE       ? -XEN_ERESTART
                                           : domain_add_vcpu(d);
    }
    unlock(&d->lock);
    return error;
}

static int64_t vcpu_info(struct control_call *c)
{
    struct xen_domctl_getvcpuinfo *op = &c->domctl.u.getvcpuinfo;
    struct vcpu *v = vcpu_of(c->d, op->vcpu);
    if (v == NULL) {
        return -XEN_ESRCH;
    }
    enum sched_state state = __atomic_load_n(&v->sched.state, __ATOMIC_RELAXED);
    op->online = state != SCHED_OFFLINE;
    op->blocked = state == SCHED_BLOCKED;
    op->running = state == SCHED_RUNNING;
    op->cpu_time = ticks_to_ns(sched_runtime_ticks(v, arch_counter_ticks()));
    op->cpu = v->sched.home->id;
    return 0;
}

/* One of the two affinities told; when set, as far as it has effect. */
static int64_t affinity_map(struct control_call *c, struct vcpu *v, bool soft,
                            const struct xenctl_bitmap *map)
{
    uint64_t mask = soft ? v->soft_affinity : v->sched.asked;
    if (c->cmd == XEN_DOMCTL_setvcpuaffinity) {
        int error = control_get_bitmap(c->v, map, &mask);
        if (error == 0 && !soft) {
            error = sched_set_affinity(v, mask);
        }
        if (error != 0) {
            return error;
        }
        v->soft_affinity = soft ? mask : v->soft_affinity;
        mask = v->sched.affinity & control_online_mask() & (soft ? mask : ~0ull);
    }
    return control_put_bitmap(c->v, map, mask);
}

/* The soft one is remembered and told, and has no effect: docs/scheduling.md. */
static int64_t affinity(struct control_call *c)
{
    const struct xen_domctl_vcpuaffinity *op = &c->domctl.u.vcpuaffinity;
    struct vcpu *v = vcpu_of(c->d, op->vcpu);
    if (v == NULL || (op->flags & (XEN_VCPUAFFINITY_HARD | XEN_VCPUAFFINITY_SOFT)) == 0) {
        return -XEN_EINVAL;
    }
    int64_t error = 0;
    if ((op->flags & XEN_VCPUAFFINITY_HARD) != 0) {
        error = affinity_map(c, v, false, &op->cpumap_hard);
    }
    if (error == 0 && (op->flags & XEN_VCPUAFFINITY_SOFT) != 0) {
        error = affinity_map(c, v, true, &op->cpumap_soft);
    }
    return error;
}

/* There is one node. */
static int64_t nodes(struct control_call *c)
{
    const struct xenctl_bitmap *map = &c->domctl.u.nodeaffinity.nodemap;
    uint64_t mask;
    if (c->cmd == XEN_DOMCTL_getnodeaffinity) {
        return control_put_bitmap(c->v, map, 1);
    }
    int64_t error = control_get_bitmap(c->v, map, &mask);
    return error != 0 ? error : (mask & 1) == 0 ? -XEN_EINVAL : 0;
}

/* Weight and cap, under the name that the tools have for it. */
static int64_t scheduler(struct control_call *c)
{
    struct xen_domctl_scheduler_op *op = &c->domctl.u.scheduler_op;
    struct sched_params p = c->d->vcpu[0]->sched.params;
    if (op->sched_id != XEN_SCHEDULER_CREDIT2) {
        return -XEN_EINVAL;
    }
    if (op->cmd == XEN_DOMCTL_SCHEDOP_getinfo) {
        op->u.credit2.weight = (uint16_t)p.weight;
        op->u.credit2.cap = (uint16_t)p.cap_percent;
        return 0;
    }
    p.weight = op->u.credit2.weight != 0 ? op->u.credit2.weight : p.weight;
    p.cap_percent = op->u.credit2.cap != UINT16_MAX ? op->u.credit2.cap : p.cap_percent;
    bool may = op->cmd == XEN_DOMCTL_SCHEDOP_putinfo && p.class == SCHED_SHARE;
    return may ? sched_set(c->d, &p) : -XEN_EINVAL;
}

/* --- Registers --- */

static int64_t get_context(struct control_call *c)
{
    struct xen_domctl_vcpucontext *op = &c->domctl.u.vcpucontext;
    struct vcpu *v = vcpu_of(c->d, op->vcpu);
    struct vcpu_guest_context context;
    int error = v != NULL ? sched_pause_sync(v) : -XEN_ESRCH;
    if (error != 0) {
        return error;
    }
    arch_vcpu_get_context(v, &context);
    context.flags = v->sched.online ? VGCF_online : 0;
    sched_unpause(v);
    return guest_va_write(c->v, op->ctxt, &context, sizeof(context));
}

/* Of a domain that has never run: its lock is held, and no CPU has anything of it. */
static int64_t set_context(struct control_call *c)
{
    struct xen_domctl_vcpucontext *op = &c->domctl.u.vcpucontext;
    struct vcpu *v = vcpu_of(c->d, op->vcpu);
    struct vcpu_guest_context context = {.flags = 0};
    int error = 0;
    if (v == NULL) {
        return -XEN_ESRCH;
    }
    if (op->ctxt != 0) { /* else back to how it was before the first one */
        error = guest_va_read(c->v, &context, op->ctxt, sizeof(context));
        if (error == 0) {
            error = arch_vcpu_set_context(v, &context, c->d->config->aarch32);
        }
    }
    if (error == 0) {
        sched_set_online(v, (context.flags & VGCF_online) != 0);
    }
    return error;
}

/*
 * --- Devices of the board (irqs=, iomem=) ---
 *
 * Who hands a device on holds it himself (hyp/rights.h, device and irq) and controls whom he gives
 * it to. There is no IOMMU: what the device does by DMA nobody confines, and the log says so, as for
 * configured domains.
 */

#define MAP_AT_ONCE 64u /* the tools ask again for less */

/* Permission is asked for first, and goes no further than the mapping: nobody gets a right by it (T2). */
static int64_t irq_permission(struct control_call *c)
{
    return rights_irq(c->v->domain, c->domctl.u.irq_permission.pirq) ? 0 : -XEN_EPERM;
}

static int64_t iomem_permission(struct control_call *c)
{
    const struct xen_domctl_iomem_permission *op = &c->domctl.u.iomem_permission;
    if (op->nr_mfns == 0 || op->first_mfn + op->nr_mfns < op->first_mfn) {
        return -XEN_EINVAL;
    }
    return rights_iomem(c->v->domain, mfn(op->first_mfn), op->nr_mfns) ? 0 : -XEN_EPERM;
}

static int unmap_device(struct domain *d, gfn_t at, mfn_t first, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        struct p2m_entry e;
        if (!p2m_lookup(d, gfn(at.v + i), &e) || e.type != P2M_MMIO || e.mfn.v != first.v + i) {
            return -XEN_EINVAL;
        }
    }
    return p2m_unmap(d, at, count);
}

/* Half built: the tree that the tools wrote says what is there. */
static int64_t memory_mapping(struct control_call *c)
{
    const struct xen_domctl_memory_mapping *op = &c->domctl.u.memory_mapping;
    mfn_t first = mfn(op->first_mfn);
    if (op->nr_mfns == 0 || op->nr_mfns > MAP_AT_ONCE) {
        return op->nr_mfns == 0 ? -XEN_EINVAL : -XEN_E2BIG;
    }
    if (!rights_iomem(c->v->domain, first, op->nr_mfns) || frame_is_ram(first)) {
        return -XEN_EPERM;
    }
    if (op->add_mapping == DPCI_REMOVE_MAPPING) {
        return unmap_device(c->d, gfn(op->first_gfn), first, op->nr_mfns);
    }
    int error = p2m_map(c->d, gfn(op->first_gfn), first, op->nr_mfns, P2M_MMIO);
    if (error == 0) {
        log_line("%s: has device registers at %#lx, %lu pages. No IOMMU confines it.", c->d->name,
                 first.v << FRAME_SHIFT, op->nr_mfns);
    }
    return error;
}

/* Bound to one that is half built. Unbound from one that runs, too: masked from then on, and anybody's. */
static int64_t device_irq(struct control_call *c)
{
    const struct xen_domctl_bind_pt_irq *op = &c->domctl.u.bind_pt_irq;
    if (op->irq_type != PT_IRQ_TYPE_SPI || op->machine_irq != op->u.spi.spi) {
        return -XEN_EINVAL;
    }
    if (!rights_irq(c->v->domain, op->machine_irq)) {
        return -XEN_EPERM;
    }
    if (c->cmd == XEN_DOMCTL_bind_pt_irq) {
        return irq_assign(op->machine_irq, false, c->d, op->u.spi.spi);
    }
    lock(&c->d->lock); /* against another such call, and its end */
    bool alive = c->d->state == DOMAIN_CREATED || c->d->state == DOMAIN_RUNNING;
    int error = alive ? irq_release(op->machine_irq, c->d) : -XEN_ENOENT;
    unlock(&c->d->lock);
    return error;
}

/* Assignment is to an IOMMU. */
static int64_t assign_device(struct control_call *c)
{
    return -XEN_EOPNOTSUPP;
}

/* --- The table --- */

#define LOOK RIGHTS_LOOK
#define RULE RIGHT_BIT(RIGHT_CONTROL)
#define MAKE RIGHT_BIT(RIGHT_BUILD)
#define KNOW (LOOK | MAKE | RIGHT_BIT(RIGHT_STORE) | RIGHT_BIT(RIGHT_CONSOLE))
#define ROW(op, handler_, rights_, flags_) \
    [XEN_DOMCTL_##op] = {.handler = handler_, .rights = rights_, .flags = flags_, .name = #op}

static const struct control_row rows[] = {
    ROW(createdomain, create, MAKE, CONTROL_OUT | CONTROL_ALONE),
    ROW(destroydomain, destroy, RULE, CONTROL_OTHER | CONTROL_ENDS),
    ROW(pausedomain, pause, RULE, CONTROL_OTHER),
    ROW(unpausedomain, pause, RULE, CONTROL_OTHER),
    ROW(getdomaininfo, getdomaininfo, KNOW, CONTROL_OUT | CONTROL_ALONE),
    ROW(setvcpuaffinity, affinity, RULE, 0),
    ROW(max_mem, max_mem, RULE, 0),
    ROW(setvcpucontext, set_context, MAKE, CONTROL_BUILD),
    ROW(getvcpucontext, get_context, LOOK, CONTROL_OTHER),
    ROW(getvcpuinfo, vcpu_info, LOOK, CONTROL_OUT),
    ROW(max_vcpus, max_vcpus, RULE, 0),
    ROW(scheduler_op, scheduler, RULE, CONTROL_OUT),
    ROW(setdomainhandle, set_handle, RULE, 0),
    ROW(irq_permission, irq_permission, RULE, 0),
    ROW(iomem_permission, iomem_permission, RULE, 0),
    ROW(settimeoffset, set_time_offset, RULE, 0),
    ROW(getvcpuaffinity, affinity, LOOK, 0),
    ROW(set_address_size, width, MAKE, CONTROL_BUILD),
    ROW(get_address_size, width, LOOK, CONTROL_OUT),
    ROW(assign_device, assign_device, RULE, 0),
    ROW(bind_pt_irq, device_irq, MAKE, CONTROL_BUILD),
    ROW(memory_mapping, memory_mapping, MAKE, CONTROL_BUILD),
    ROW(test_assign_device, assign_device, RULE, 0),
    ROW(deassign_device, assign_device, RULE, 0),
    ROW(unbind_pt_irq, device_irq, RULE, 0),
    ROW(setnodeaffinity, nodes, RULE, 0),
    ROW(getnodeaffinity, nodes, LOOK, 0),
    ROW(cacheflush, cacheflush, MAKE, 0),
    ROW(vuart_op, domctl_vuart, MAKE, CONTROL_BUILD | CONTROL_OUT),
    ROW(get_paging_mempool_size, pool_size, LOOK, CONTROL_OUT),
    ROW(set_paging_mempool_size, pool_size, RULE, 0),
};

int64_t domctl(struct vcpu *v, uint64_t *arg)
{
    return control_call(v, arg[0], sizeof(struct xen_domctl), rows, ARRAY_LEN(rows));
}

/* --- The dispatcher, of sysctl too --- */

/* With the right over the target, and with its lock if that is to stay half built meanwhile. */
static int64_t run(struct control_call *c, const struct control_row *row)
    NO_LOCK_ANALYSIS("only some rows lock")
{
    int64_t result = rights_require(c->v->domain, row->rights, c->d, row->name);
    if (result != 0) {
        return result;
    }
    if ((row->flags & CONTROL_OTHER) != 0 && c->d == c->v->domain) {
        return -XEN_EINVAL;
    }
    if ((row->flags & CONTROL_BUILD) == 0) {
        return row->handler(c);
    }
    lock(&c->d->lock);
    result = c->d->state != DOMAIN_CREATED ? -XEN_EPERM : row->handler(c);
    unlock(&c->d->lock);
    return result;
}

static int64_t no_such(struct control_call *c)
{
    return -XEN_ENOSYS;
}

/* Who holds any right is told that it is none. */
static const struct control_row unknown = {no_such, RIGHT_BIT(RIGHT_COUNT) - 1, CONTROL_ALONE,
                                           "an operation"};

int64_t control_call(struct vcpu *v, uint64_t at, size_t size, const struct control_row *row,
                     uint32_t row_count)
{
    static_assert(XEN_DOMCTL_INTERFACE_VERSION == XEN_SYSCTL_INTERFACE_VERSION &&
                      offsetof(struct xen_domctl, interface_version) ==
                          offsetof(struct xen_sysctl, interface_version),
                  "one header serves both");
    struct control_call c = {.v = v};
    if (guest_va_read(v, &c.domctl, at, size) != 0) {
        return -XEN_EFAULT;
    }
    if (c.domctl.interface_version != XEN_DOMCTL_INTERFACE_VERSION) {
        return -XEN_EACCES;
    }
    c.cmd = c.domctl.cmd & ((1u << CONTROL_CMD_BITS) - 1);
    c.progress = c.domctl.cmd >> CONTROL_CMD_BITS;
    row += array_index_clamp(c.cmd, row_count); /* the first one is nothing */
    row = row->handler != NULL ? row : &unknown;
    if ((row->flags & CONTROL_ALONE) == 0) {
        c.d = domain_get(c.domctl.domain == DOMID_SELF ? v->domain->id : c.domctl.domain);
        if (c.d == NULL) {
            return (row->flags & CONTROL_ENDS) != 0 && c.progress != 0 ? 0 : -XEN_ESRCH;
        }
    }
    int64_t result = run(&c, row);
    if (result == -XEN_ERESTART || (result >= 0 && (row->flags & CONTROL_OUT) != 0)) {
        c.domctl.cmd = c.cmd | (result == -XEN_ERESTART ? c.progress << CONTROL_CMD_BITS : 0);
        if (guest_va_write(v, at, &c.domctl, size) != 0) {
            result = -XEN_EFAULT;
        }
    }
    if (c.d != NULL) {
        domain_put(c.d);
    }
    return result;
}
