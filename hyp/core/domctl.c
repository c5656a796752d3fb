/*
 * domctl: what the tools do with domains. The table is at the end; how an
 * operation is made is in control-internal.h.
 *
 * Source: public/domctl.h.
 */
#include "control-internal.h"

#include <hyp/arch.h>

int64_t domctl(struct vcpu *v, uint64_t *arg);

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
        flags |= state == SCHED_RUNNING ? XEN_DOMINF_running : 0;
        flags &= state == SCHED_BLOCKED ? ~0u : ~XEN_DOMINF_blocked;
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
    flags |= d->state == DOMAIN_DYING ? XEN_DOMINF_dying : 0;
    flags |= d->state == DOMAIN_DOWN
                 ? XEN_DOMINF_shutdown | (uint32_t)d->reason << XEN_DOMINF_shutdownshift
                 : 0;
    flags |= d->paused_by_console || d->state == DOMAIN_CREATED ? XEN_DOMINF_paused : 0;
    unlock(&d->lock);
    *info =
        (struct xen_domctl_getdomaininfo){.domain = d->id,
                                          .flags = flags | XEN_DOMINF_hvm_guest | XEN_DOMINF_hap,
                                          .tot_pages = frame_owned_count(d->id),
                                          .max_pages = d->max_frames,
                                          .shared_info_frame = ~0ull,
                                          .cpu_time = ticks_to_ns(ticks),
                                          .nr_online_vcpus = online,
                                          .max_vcpu_id = d->vcpu_count - 1u,
                                          .gpaddr_bits = 40};
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
#define ROW(op, handler_, rights_, flags_) \
    [XEN_DOMCTL_##op] = {.handler = handler_, .rights = rights_, .flags = flags_, .name = #op}

static const struct domctl_row rows[] = {
    ROW(getdomaininfo, getdomaininfo, LOOK | RIGHT_BIT(RIGHT_STORE) | RIGHT_BIT(RIGHT_CONSOLE),
        CONTROL_OUT | CONTROL_ALONE),
};

static int64_t run(struct domctl_call *c, const struct domctl_row *row)
{
    int64_t error = rights_require(c->v->domain, row->rights, c->d, row->name);
    if (error == 0 && (row->flags & CONTROL_OTHER) != 0 && c->d == c->v->domain) {
        error = -XEN_EINVAL;
    }
    return error != 0 ? error : row->handler(c);
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
            return -XEN_ESRCH;
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
