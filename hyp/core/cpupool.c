/*
 * CPU pools, as the tools have them: a CPU is in one pool or in none, a domain
 * is in one, and its vCPUs run on CPUs of it only.
 *
 * A pool is no scheduler of its own: all CPUs run the same one (hyp/sched.h),
 * and a pool is the part of a vCPU's affinity that its domain does not choose.
 *
 * K1  masks of pools are disjoint; a CPU in none of them runs nobody's vCPU.
 * K2  what the scheduler has (sched.affinity) is what was asked for
 *     (hard_affinity) within the pool, or all of the pool if that is empty.
 *
 * A change goes domain by domain: c->progress is the next one's number.
 *
 * Source: public/sysctl.h, XEN_SYSCTL_CPUPOOL_OP_*.
 */
#include "control-internal.h"

#include <hyp/cpu.h>
#include <hyp/log.h>

#define POOLS 16u
#define DOMAINS_AT_ONCE 8u

static lock_t pool_lock = LOCK_INIT(RANK_POOL);
static uint64_t removed_from_first;   /* [pool_lock] CPUs that are not in pool 0 */
static uint64_t mask_of_other[POOLS]; /* [pool_lock] of pool n > 0 */
static uint32_t pools_used = 1;       /* [pool_lock] bit n: pool n exists */

uint64_t control_online_mask(void)
{
    return cpu_count < 64 ? (1ull << cpu_count) - 1 : ~0ull;
}

static uint64_t pool_mask(uint32_t id) REQUIRES(&pool_lock)
{
    return id == 0 ? control_online_mask() & ~removed_from_first : mask_of_other[id];
}

static uint64_t free_mask(void) REQUIRES(&pool_lock)
{
    uint64_t taken = 0;
    for (uint32_t i = 0; i < POOLS; i++) {
        taken |= pool_mask(i);
    }
    return control_online_mask() & ~taken;
}

/* K2. -XEN_EBUSY: it has a CPU promised outside. */
static int apply_vcpu(struct vcpu *v, uint64_t pool)
{
    uint64_t mask = v->hard_affinity & pool;
    mask = mask != 0 ? mask : pool;
    return v->sched.affinity == mask ? 0 : sched_set_affinity(v, mask);
}

static int apply(struct domain *d)
{
    lock(&pool_lock);
    uint64_t mask = pool_mask(d->pool);
    int error = mask == 0 ? -XEN_EINVAL : 0;
    for (uint32_t i = 0; i < d->vcpu_count && error == 0; i++) {
        error = apply_vcpu(d->vcpu[i], mask);
    }
    unlock(&pool_lock);
    return error;
}

int cpupool_set_affinity(struct vcpu *v, uint64_t mask)
{
    lock(&pool_lock);
    uint64_t pool = pool_mask(v->domain->pool);
    int error = (mask & pool) == 0 ? -XEN_EINVAL : sched_set_affinity(v, mask & pool);
    if (error == 0) {
        v->hard_affinity = mask;
    }
    unlock(&pool_lock);
    return error;
}

int cpupool_join(struct domain *d, uint32_t id)
{
    lock(&pool_lock);
    bool there = id < POOLS && (pools_used >> id & 1) != 0;
    int error = !there ? -XEN_ENOENT : pool_mask(id) == 0 ? -XEN_EINVAL : 0;
    uint32_t before = d->pool;
    if (error == 0) {
        d->pool = id;
    }
    unlock(&pool_lock);
    if (error == 0) {
        error = apply(d);
    }
    if (error != 0) {
        d->pool = before;
    }
    return error;
}

/* What has changed for pool `id` is told to its domains, some at a time. */
static int64_t apply_all(struct sysctl_call *c, uint32_t id)
{
    uint32_t budget = DOMAINS_AT_ONCE;
    struct domain *d = domain_from(c->progress - 1);
    for (; d != NULL; d = domain_next(d)) {
        if (budget-- == 0) {
            c->progress = d->id + 1u;
            domain_put(d);
            return -XEN_ERESTART;
        }
        if (d->pool == id && apply(d) != 0) {
            dlog(d, "keeps CPUs outside its pool: they are promised to it.");
        }
    }
    return 0;
}

static uint32_t domains_in(uint32_t id)
{
    uint32_t count = 0;
    for (struct domain *d = domain_next(NULL); d != NULL; d = domain_next(d)) {
        count += d->pool == id;
    }
    return count;
}

/* --- Operations; the first step of each has progress 0 --- */

static int64_t create(struct xen_sysctl_cpupool_op *op)
{
    if (op->sched_id != XEN_SCHEDULER_CREDIT2) {
        return -XEN_EINVAL;
    }
    lock(&pool_lock);
    uint32_t id = op->cpupool_id == XEN_SYSCTL_CPUPOOL_PAR_ANY
                      ? (uint32_t)__builtin_ctz(~pools_used)
                      : op->cpupool_id;
    int64_t error = id >= POOLS ? -XEN_ENOSPC : (pools_used >> id & 1) != 0 ? -XEN_EEXIST : 0;
    if (error == 0) {
        pools_used |= 1u << id;
        mask_of_other[id] = 0;
        op->cpupool_id = id;
    }
    unlock(&pool_lock);
    return error;
}

static int64_t destroy(uint32_t id)
{
    if (id == 0 || domains_in(id) != 0) {
        return -XEN_EBUSY;
    }
    lock(&pool_lock);
    mask_of_other[id] = 0;
    pools_used &= ~(1u << id);
    unlock(&pool_lock);
    return 0;
}

static int64_t info(struct sysctl_call *c)
{
    struct xen_sysctl_cpupool_op *op = &c->op.u.cpupool_op;
    uint32_t id = op->cpupool_id;
    uint64_t mask = 0;
    lock(&pool_lock);
    while (id < POOLS && (pools_used >> id & 1) == 0) {
        id++;
    }
    if (id < POOLS) {
        mask = pool_mask(id);
    }
    unlock(&pool_lock);
    if (id >= POOLS) {
        return -XEN_ENOENT;
    }
    op->cpupool_id = id;
    op->sched_id = XEN_SCHEDULER_CREDIT2;
    op->n_dom = domains_in(id);
    return control_put_bitmap(c->v, &op->cpumap, mask);
}

static void set_mask(uint32_t id, uint64_t mask) REQUIRES(&pool_lock)
{
    if (id == 0) {
        removed_from_first = control_online_mask() & ~mask;
    } else {
        mask_of_other[id] = mask;
    }
}

static int64_t change(const struct xen_sysctl_cpupool_op *op, bool add)
{
    uint32_t id = op->cpupool_id;
    bool occupied = domains_in(id) != 0;
    lock(&pool_lock);
    uint64_t choice = add ? free_mask() : pool_mask(id);
    uint64_t bit = op->cpu == XEN_SYSCTL_CPUPOOL_PAR_ANY ? choice & -choice
                   : op->cpu < cpu_count                 ? 1ull << op->cpu
                                                         : 0;
    int64_t error = bit == 0 ? -XEN_EINVAL : (bit & choice) == 0 ? -XEN_ENODEV : 0;
    if (error == 0 && !add && pool_mask(id) == bit && occupied) {
        error = -XEN_EBUSY; /* its last one */
    }
    if (error == 0) {
        set_mask(id, add ? pool_mask(id) | bit : pool_mask(id) & ~bit);
    }
    unlock(&pool_lock);
    return error;
}

static int64_t move(struct vcpu *v, const struct xen_sysctl_cpupool_op *op)
{
    struct domain *d;
    if (op->domid == v->domain->id) {
        d = domain_hold(v->domain);
    } else {
        int error = xen_target(v, (domid_t)op->domid, &d);
        if (error != 0) {
            return error == -XEN_ESRCH ? -XEN_EINVAL : error;
        }
    }
    int64_t error = cpupool_join(d, op->cpupool_id);
    domain_put(d);
    return error;
}

int64_t sysctl_cpupool(struct sysctl_call *c)
{
    struct xen_sysctl_cpupool_op *op = &c->op.u.cpupool_op;
    bool looks = op->op == XEN_SYSCTL_CPUPOOL_OP_INFO || op->op == XEN_SYSCTL_CPUPOOL_OP_FREEINFO;
    bool exists = op->cpupool_id < POOLS && (pools_used >> op->cpupool_id & 1) != 0;
    int64_t error = looks ? 0
                          : rights_require(c->v->domain, RIGHT_BIT(RIGHT_SCHEDULE), NULL,
                                           "a change of CPU pools");
    if (error != 0) {
        return error;
    }
    if (!looks && op->op != XEN_SYSCTL_CPUPOOL_OP_CREATE && !exists) {
        return -XEN_ENOENT;
    }
    switch (op->op) {
    case XEN_SYSCTL_CPUPOOL_OP_INFO:
        return info(c);
    case XEN_SYSCTL_CPUPOOL_OP_FREEINFO: {
        lock(&pool_lock);
        uint64_t mask = free_mask();
        unlock(&pool_lock);
        return control_put_bitmap(c->v, &op->cpumap, mask);
    }
    case XEN_SYSCTL_CPUPOOL_OP_CREATE:
        return create(op);
    case XEN_SYSCTL_CPUPOOL_OP_DESTROY:
        return destroy(op->cpupool_id);
    case XEN_SYSCTL_CPUPOOL_OP_MOVEDOMAIN:
        return move(c->v, op);
    case XEN_SYSCTL_CPUPOOL_OP_ADDCPU:
    case XEN_SYSCTL_CPUPOOL_OP_RMCPU:
        if (c->progress == 0) {
            error = change(op, op->op == XEN_SYSCTL_CPUPOOL_OP_ADDCPU);
            c->progress = 1; /* domain 0 is next */
        }
        return error != 0 ? error : apply_all(c, op->cpupool_id);
    default:
        return -XEN_ENOSYS;
    }
}
