/*
 * domctl: what the tools do with domains. The table is at the end; how an
 * operation is made is in control-internal.h.
 *
 * Source: public/domctl.h.
 */
#include "control-internal.h"

#include <hyp/arch.h>
#include <lib/string.h>

/* --- What there is --- */

/* Who runs, who waits: as Xen tells it, of the vCPUs that are on. */
static uint32_t activity(struct domain *d, uint32_t *online)
{
    uint32_t flags = XEN_DOMINF_blocked;
    *online = 0;
    for (uint32_t i = 0; i < d->vcpu_count; i++) {
        enum sched_state state = __atomic_load_n(&d->vcpu[i]->sched.state, __ATOMIC_RELAXED);
        if (state == SCHED_OFFLINE) {
            continue;
        }
        ++*online;
        /* One that is only paused has not gone to sleep. */
        bool blocked = state == SCHED_BLOCKED &&
                       __atomic_load_n(&d->vcpu[i]->sched.awake, __ATOMIC_RELAXED) == 0;
        flags |= state == SCHED_RUNNING ? XEN_DOMINF_running : 0;
        flags &= blocked ? ~0u : ~XEN_DOMINF_blocked;
    }
    return flags;
}

void control_describe(struct domain *d, struct xen_domctl_getdomaininfo *info)
{
    uint64_t ticks = 0, now = arch_counter_ticks();
    uint32_t online;
    for (uint32_t i = 0; i < d->vcpu_count; i++) {
        ticks += sched_runtime_ticks(d->vcpu[i], now);
    }
    uint32_t flags = activity(d, &online);
    lock(&d->lock);
    flags &= d->state == DOMAIN_CREATED ? ~XEN_DOMINF_blocked : ~0u; /* is about to run */
    flags |= d->state == DOMAIN_DYING ? XEN_DOMINF_dying : 0;
    flags |= d->state == DOMAIN_DOWN
                 ? XEN_DOMINF_shutdown | (uint32_t)d->reason << XEN_DOMINF_shutdownshift
                 : 0;
    bool paused = d->paused_by_console || d->pauses != 0 || d->state == DOMAIN_CREATED;
    flags |= paused ? XEN_DOMINF_paused : 0;
    unlock(&d->lock);
    *info = (struct xen_domctl_getdomaininfo){
        .domain = d->id,
        .flags = flags | XEN_DOMINF_hvm_guest | XEN_DOMINF_hap,
        .tot_pages = frame_owned_count(d->id),
        .max_pages = d->max_frames,
        .shared_info_frame = ~0ull,
        .cpu_time = ticks_to_ns(ticks),
        .nr_online_vcpus = online,
        .max_vcpu_id = d->vcpu_count - 1u,
        .cpupool = d->sched.cpupool,
        .gpaddr_bits = 40,
        .arch_config = {.gic_version = (uint8_t)(d->vgic.version - 1)}};
    memcpy(info->handle, d->handle, sizeof(info->handle));
}

/* The domain with that number or the next higher one of those that the caller may know. */
static int64_t getdomaininfo(struct domctl_call *c)
{
    for (struct domain *d = domain_next(NULL); d != NULL; d = domain_next(d)) {
        if (d->id >= c->op.domain &&
            (rights_allow(c->v->domain, RIGHT_STORE, d) ||
             rights_allow(c->v->domain, RIGHT_CONSOLE, d) || control_sees(c->v, d))) {
            control_describe(d, &c->op.u.getdomaininfo);
            c->op.domain = d->id;
            domain_put(d);
            return 0;
        }
    }
    return -XEN_ESRCH;
}

/* --- The table --- */

struct domctl_row {
    int64_t (*handler)(struct domctl_call *c);
    uint16_t rights; /* one of these, over the target */
    uint8_t flags;   /* enum control_flags */
    const char *name;
};

#define LOOK RIGHTS_LOOK
#define RULE RIGHT_BIT(RIGHT_CONTROL)
#define MAKE RIGHT_BIT(RIGHT_BUILD)
#define ROW(op, handler_, rights_, flags_) \
    [XEN_DOMCTL_##op] = {.handler = handler_, .rights = rights_, .flags = flags_, .name = #op}

static const struct domctl_row rows[] = {
    ROW(createdomain, domctl_create, MAKE, CONTROL_OUT | CONTROL_ALONE),
    ROW(destroydomain, domctl_destroy, RULE, CONTROL_OTHER | CONTROL_ENDS),
    ROW(pausedomain, domctl_pause, RULE, CONTROL_OTHER),
    ROW(unpausedomain, domctl_unpause, RULE, CONTROL_OTHER),
    ROW(getdomaininfo, getdomaininfo,
        LOOK | MAKE | RIGHT_BIT(RIGHT_STORE) | RIGHT_BIT(RIGHT_CONSOLE),
        CONTROL_OUT | CONTROL_ALONE),
    ROW(setvcpuaffinity, domctl_set_affinity, RULE, 0),
    ROW(max_mem, domctl_max_mem, RULE, 0),
    ROW(setvcpucontext, domctl_set_context, MAKE, CONTROL_BUILD),
    ROW(getvcpucontext, domctl_get_context, LOOK, CONTROL_OTHER),
    ROW(getvcpuinfo, domctl_vcpu_info, LOOK, CONTROL_OUT),
    ROW(max_vcpus, domctl_max_vcpus, RULE, 0),
    ROW(scheduler_op, domctl_scheduler, RULE, CONTROL_OUT),
    ROW(setdomainhandle, domctl_set_handle, RULE, 0),
    ROW(irq_permission, domctl_irq_permission, RULE, 0),
    ROW(iomem_permission, domctl_iomem_permission, RULE, 0),
    ROW(settimeoffset, domctl_time_offset, RULE, 0),
    ROW(getvcpuaffinity, domctl_get_affinity, LOOK, 0),
    ROW(set_address_size, domctl_set_width, MAKE, CONTROL_BUILD),
    ROW(get_address_size, domctl_get_width, LOOK, CONTROL_OUT),
    ROW(assign_device, domctl_assign_device, RULE, 0),
    ROW(bind_pt_irq, domctl_bind_irq, MAKE, 0),
    ROW(memory_mapping, domctl_memory_mapping, MAKE, 0),
    ROW(test_assign_device, domctl_assign_device, RULE, 0),
    ROW(deassign_device, domctl_assign_device, RULE, 0),
    ROW(unbind_pt_irq, domctl_unbind_irq, RULE, 0),
    ROW(setnodeaffinity, domctl_set_nodes, RULE, 0),
    ROW(getnodeaffinity, domctl_get_nodes, LOOK, 0),
    ROW(cacheflush, domctl_cacheflush, MAKE, 0),
    ROW(vuart_op, domctl_vuart, MAKE, CONTROL_BUILD | CONTROL_OUT),
    ROW(get_paging_mempool_size, domctl_get_pool, LOOK, CONTROL_OUT),
    ROW(set_paging_mempool_size, domctl_set_pool, RULE, 0),
};

/* With the right over the target, and with its lock if that is to stay half built meanwhile. */
static int64_t run(struct domctl_call *c, const struct domctl_row *row)
    NO_LOCK_ANALYSIS("only some rows lock")
{
    bool build = (row->flags & CONTROL_BUILD) != 0;
    int64_t result = rights_require(c->v->domain, row->rights, c->d, row->name);
    if (result == 0 && (row->flags & CONTROL_OTHER) != 0 && c->d == c->v->domain) {
        result = -XEN_EINVAL;
    }
    if (result != 0) {
        return result;
    }
    if (build) {
        lock(&c->d->lock);
    }
    result = build && c->d->state != DOMAIN_CREATED ? -XEN_EPERM : row->handler(c);
    if (build) {
        unlock(&c->d->lock);
    }
    return result;
}

static const struct domctl_row unknown = {
    .rights = RIGHTS_ANY, .flags = CONTROL_ALONE, .name = "an operation"};

static int64_t no_such(struct domctl_call *c)
{
    int error = rights_require(c->v->domain, RIGHTS_ANY, NULL, unknown.name);
    return error != 0 ? error : -XEN_ENOSYS;
}

int64_t domctl(struct vcpu *v, uint64_t *arg)
{
    struct domctl_call c = {.v = v};
    if (guest_va_read(v, &c.op, arg[0], sizeof(c.op)) != 0) {
        return -XEN_EFAULT;
    }
    if (c.op.interface_version != XEN_DOMCTL_INTERFACE_VERSION) {
        return -XEN_EACCES;
    }
    uint32_t cmd = c.op.cmd & ((1u << CONTROL_CMD_BITS) - 1);
    c.progress = c.op.cmd >> CONTROL_CMD_BITS;
    const struct domctl_row *row =
        cmd < ARRAY_LEN(rows) ? &rows[array_index_clamp(cmd, ARRAY_LEN(rows))] : NULL;
    if (row == NULL || row->handler == NULL) {
        return no_such(&c);
    }
    if ((row->flags & CONTROL_ALONE) == 0) {
        c.d = domain_get(c.op.domain == DOMID_SELF ? v->domain->id : c.op.domain);
        if (c.d == NULL) {
            return (row->flags & CONTROL_ENDS) != 0 && c.progress != 0 ? 0 : -XEN_ESRCH;
        }
    }
    int64_t result = run(&c, row);
    if (result == -XEN_ERESTART || (result >= 0 && (row->flags & CONTROL_OUT) != 0)) {
        c.op.cmd = cmd | (result == -XEN_ERESTART ? c.progress << CONTROL_CMD_BITS : 0);
        if (guest_va_write(v, arg[0], &c.op, sizeof(c.op)) != 0) {
            result = -XEN_EFAULT;
        }
    }
    if (c.d != NULL) {
        domain_put(c.d);
    }
    return result;
}
