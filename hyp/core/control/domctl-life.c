/*
 * domctl: domains made, filled, let go and ended by the tools.
 *
 * A domain comes into being CREATED and paused, owned by who made it
 * (d->builder); it runs with the first unpause, and from then on the builder
 * has no way to its memory any more (hyp/rights.h, RIGHT_BUILD).
 */
#include "control-internal.h"

#include <hyp/arch.h>
#include <hyp/config.h>
#include <hyp/gic.h>
#include <hyp/log.h>
#include <hyp/xen.h>
#include <lib/string.h>
#include <xen/guest-layout.h>

/* What the hypervisor spends on a domain besides its tables, in frames; more with the tools' pool. */
#define BASE_FRAMES (64u + 16u)
#define SPIS_MAX 960u

/* Is there anything in the order that we cannot keep? */
static int64_t check_order(const struct xen_domctl_createdomain *c, uint32_t gic_version)
{
    uint32_t needed = XEN_DOMCTL_CDF_hvm | XEN_DOMCTL_CDF_hap;
    if ((c->flags & ~XEN_DOMCTL_CDF_oos_off) != needed || c->iommu_opts != 0 ||
        c->vmtrace_size != 0 || c->arch.tee_type != XEN_DOMCTL_CONFIG_TEE_NONE) {
        return -XEN_EINVAL;
    }
    if (gic_version != gic_host.version || c->arch.nr_spis > SPIS_MAX || c->max_vcpus == 0 ||
        c->max_vcpus > (gic_version == 2 ? 8 : MAX_VCPUS)) {
        return -XEN_EINVAL;
    }
    return c->max_grant_frames > (int32_t)GRANT_FRAMES_MAX ? -XEN_EINVAL : 0;
}

static void configure(struct domain_config *like, const struct xen_domctl_createdomain *c)
{
    *like = (struct domain_config){
        .vcpu_count = c->max_vcpus,
        .hyp_memory_bytes = (BASE_FRAMES + 16ul * c->max_vcpus) << FRAME_SHIFT,
        .vgic = {.version = gic_host.version, .nr_spis = (c->arch.nr_spis + 31) / 32 * 32},
        .bootargs = "",
        .on_crash = POLICY_PRESERVE,
        .on_reboot = POLICY_PRESERVE,
        .on_poweroff = POLICY_PRESERVE};
    config_place(like);
}

/* A GICv2 guest's CPU interface is the machine's virtual one. */
static int give_cpu_interface(struct domain *d)
{
    return d->vgic.version != 2 ? 0
                                : p2m_map(d, gpa_gfn(d->vgic.cpu_base), mpa_mfn(gic_host.vcpu.base),
                                          GUEST_GICC_SIZE >> FRAME_SHIFT, P2M_MMIO);
}

int64_t domctl_create(struct domctl_call *c)
{
    struct xen_domctl_createdomain *order = &c->op.u.createdomain;
    uint32_t gic_version = order->arch.gic_version == XEN_DOMCTL_CONFIG_GIC_NATIVE
                               ? gic_host.version
                               : order->arch.gic_version + 1u;
    struct domain_config like;
    struct domain *d;
    int64_t error = check_order(order, gic_version);
    if (error != 0) {
        return error;
    }
    configure(&like, order);
    domid_t wanted = c->op.domain < DOMID_FIRST_RESERVED ? c->op.domain : 0;
    error = domain_make(&like, wanted, c->v->domain, &d);
    if (error != 0) {
        return error;
    }
    memcpy(d->handle, order->handle, sizeof(d->handle));
    if (order->max_evtchn_port < d->evtchn->port_limit) {
        d->evtchn->port_limit = order->max_evtchn_port + 1;
    }
    error = control_join_pool(d, order->cpupool_id);
    if (error == 0) {
        error = give_cpu_interface(d);
    }
    if (error != 0 && domain_destroy(d) != 0) {
        log_warn("%s could not be removed.", d->name);
    }
    c->op.domain = d->id;
    order->arch.gic_version = (uint8_t)(gic_version - 1);
    order->arch.clock_frequency = 0; /* CNTFRQ_EL0 tells the truth */
    domain_put(d);
    return error;
}

/* It goes step by step, here; the worker would need longer, and ends it in any case. */
int64_t domctl_destroy(struct domctl_call *c)
{
    if (c->progress == 0) {
        int error = domain_destroy(c->d);
        if (error != 0 && error != -XEN_EBUSY) {
            return error;
        }
        c->progress = error == 0; /* busy with an earlier end: then again */
    }
    domain_hurry(c->d);
    return -XEN_ERESTART;
}

int64_t domctl_pause(struct domctl_call *c)
{
    return domain_pause_counted(c->d);
}

int64_t domctl_unpause(struct domctl_call *c)
{
    return domain_unpause_counted(c->d);
}

int64_t domctl_set_handle(struct domctl_call *c)
{
    lock(&c->d->lock);
    memcpy(c->d->handle, c->op.u.setdomainhandle.handle, sizeof(c->d->handle));
    unlock(&c->d->lock);
    return 0;
}

int64_t domctl_time_offset(struct domctl_call *c)
{
    xen_set_time_offset(c->d, c->op.u.settimeoffset.time_offset_seconds);
    return 0;
}

/* --- Memory --- */

int64_t domctl_max_mem(struct domctl_call *c)
{
    __atomic_store_n(&c->d->max_frames, c->op.u.max_mem.max_memkb >> (FRAME_SHIFT - 10),
                     __ATOMIC_RELAXED);
    return 0;
}

/* The tools' pool is what the hypervisor may spend on tables; what it spends otherwise comes on top. */
int64_t domctl_set_pool(struct domctl_call *c)
{
    uint64_t base = c->d->config->hyp_memory_bytes >> FRAME_SHIFT;
    uint64_t bytes = c->op.u.paging_mempool.size;
    if ((bytes & FRAME_MASK) != 0 || !c->d->config->made) { /* a configured one's is configured */
        return -XEN_EINVAL;
    }
    if (base + (bytes >> FRAME_SHIFT) < __atomic_load_n(&c->d->hyp_frames, __ATOMIC_RELAXED)) {
        return -XEN_ENOMEM; /* it has spent more */
    }
    __atomic_store_n(&c->d->hyp_frames_max, base + (bytes >> FRAME_SHIFT), __ATOMIC_RELAXED);
    return 0;
}

int64_t domctl_get_pool(struct domctl_call *c)
{
    uint64_t base = c->d->config->hyp_memory_bytes >> FRAME_SHIFT;
    uint64_t now = __atomic_load_n(&c->d->hyp_frames_max, __ATOMIC_RELAXED);
    c->op.u.paging_mempool.size = (now > base ? now - base : 0) << FRAME_SHIFT;
    return 0;
}

#define FLUSH_AT_ONCE 64u
#define FLUSH_MAX (1u << 18)

/* What the builder wrote through its caches becomes what a guest sees with its own off. */
int64_t domctl_cacheflush(struct domctl_call *c)
{
    struct xen_domctl_cacheflush *op = &c->op.u.cacheflush;
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

int64_t domctl_set_width(struct domctl_call *c)
{
    struct domain_config *config = (struct domain_config *)(uintptr_t)c->d->config;
    uint32_t size = c->op.u.address_size.size;
    if ((size != 64 && size != 32) || (size == 32 && !arch_has_aarch32())) {
        return -XEN_EINVAL;
    }
    if (!config->made) {
        return -XEN_EPERM; /* its kernel's format says it */
    }
    config->aarch32 = size == 32;
    return 0;
}

int64_t domctl_get_width(struct domctl_call *c)
{
    c->op.u.address_size.size = c->d->config->aarch32 ? 32 : 64;
    return 0;
}
