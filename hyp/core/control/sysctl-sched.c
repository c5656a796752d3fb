/*
 * sysctl: CPU pools, the scheduler's own parameters, debug keys.
 *
 * P1  each CPU is in one pool or in none; a CPU is taken out of one before it
 *     is put into another.
 * P2  a domain belongs to one pool, which has a CPU as long as the domain does.
 * P3  a vCPU is where its pool is once the call that changed the pool returns;
 *     the call walks the domains in steps (c->progress), so that between two
 *     steps some have followed and some have not. A caller that invents a
 *     progress makes domains follow that had nothing to follow: no harm.
 *
 * All pools have the one scheduler there is, under the name of credit2.
 * Source: public/sysctl.h, "XEN_SYSCTL_cpupool_op", "XEN_SYSCTL_scheduler_op".
 */
#include "control-internal.h"

#include <hyp/arch.h>
#include <hyp/cpu.h>
#include <hyp/log.h>
#include <hyp/sched.h>

#define NO_POOL SCHED_POOLS
#define DOMAINS_AT_ONCE 8u
#define RATELIMIT_US \
    200u /* how long a vCPU runs before a wake-up may preempt it: docs/scheduling.md */

static lock_t pool_lock = LOCK_INIT(RANK_CPUPOOL);
static uint32_t pools_used = 1; /* [pool_lock] bit n: there is a pool n */

static uint64_t cpus_of(uint32_t pool)
{
    return __atomic_load_n(&sched_pool_cpus[pool], __ATOMIC_RELAXED) & control_online_mask();
}

static uint64_t cpus_free(void)
{
    uint64_t mask = control_online_mask();
    for (uint32_t i = 0; i < SCHED_POOLS; i++) {
        mask &= ~cpus_of(i);
    }
    return mask;
}

static uint32_t pool_count(uint32_t pool)
{
    uint32_t count = 0;
    for (struct domain *d = domain_next(NULL); d != NULL; d = domain_next(d)) {
        count += __atomic_load_n(&d->sched.cpupool, __ATOMIC_RELAXED) == pool;
    }
    return count;
}

static int follow(struct domain *d)
{
    int error = 0;
    for (uint32_t i = 0; i < d->vcpu_count && error == 0; i++) {
        error = sched_follow_pool(d->vcpu[i]);
    }
    return error;
}

/* P3: all domains of `pool`, from c->progress - 1 on. Reservations keep their CPU: -XEN_EBUSY. */
static int64_t follow_all(struct sysctl_call *c, uint32_t pool)
{
    uint32_t budget = DOMAINS_AT_ONCE;
    int error = 0;
    struct domain *d = domain_from(c->progress - 1);
    for (; d != NULL && budget != 0 && error == 0; d = domain_next(d), budget--) {
        c->progress = d->id + 2u;
        error = d->sched.cpupool == pool ? follow(d) : 0;
    }
    if (d != NULL) {
        domain_put(d);
        return error != 0 ? error : -XEN_ERESTART;
    }
    return error;
}

/* The n-th bit that is meant: op->cpu, or the first of `mask` for any. */
static uint64_t cpu_bit(const struct xen_sysctl_cpupool_op *op, uint64_t mask)
{
    return op->cpu == XEN_SYSCTL_CPUPOOL_PAR_ANY ? mask & -mask
           : op->cpu < 64                        ? mask & 1ull << op->cpu
                                                 : 0;
}

static int create(struct xen_sysctl_cpupool_op *op)
{
    bool any = op->cpupool_id == XEN_SYSCTL_CPUPOOL_PAR_ANY;
    uint32_t pool = any ? (uint32_t)__builtin_ctz(~pools_used) : op->cpupool_id;
    if (op->sched_id != XEN_SCHEDULER_CREDIT2 && op->sched_id != 0) {
        return -XEN_EINVAL;
    }
    if (pool >= SCHED_POOLS) {
        return any ? -XEN_ENOMEM : -XEN_EINVAL;
    }
    if ((pools_used >> pool & 1) != 0) {
        return -XEN_EEXIST;
    }
    pools_used |= 1u << pool;
    op->cpupool_id = pool;
    return 0;
}

static int destroy(uint32_t pool)
{
    if (pool == 0 || cpus_of(pool) != 0 || pool_count(pool) != 0) {
        return -XEN_EBUSY;
    }
    pools_used &= ~(1u << pool);
    return 0;
}

static int add_cpu(struct xen_sysctl_cpupool_op *op, uint32_t pool)
{
    uint64_t bit = cpu_bit(op, cpus_free());
    __atomic_fetch_or(&sched_pool_cpus[pool], bit, __ATOMIC_RELAXED);
    return bit == 0 ? -XEN_EBUSY : 0;
}

/* P2: the last CPU stays as long as somebody may need it. */
static int remove_cpu(struct xen_sysctl_cpupool_op *op, uint32_t pool)
{
    uint64_t mask = cpus_of(pool), bit = cpu_bit(op, mask);
    if (bit == 0) {
        return -XEN_EINVAL;
    }
    const struct cpu *c = cpus[__builtin_ctzll(bit)];
    struct sched_cpu_info info;
    sched_cpu_info(cpus[c->id], arch_counter_ticks(), &info);
    if ((mask == bit && pool_count(pool) != 0) || info.dedicated || c->sched.rt_reserved != 0) {
        return -XEN_EBUSY;
    }
    __atomic_fetch_and(&sched_pool_cpus[pool], ~bit, __ATOMIC_RELAXED);
    return 0;
}

static int join(struct domain *d, uint32_t pool)
{
    uint32_t before = d->sched.cpupool;
    int error = cpus_of(pool) == 0 ? -XEN_EINVAL : 0;
    if (error == 0) {
        __atomic_store_n(&d->sched.cpupool, pool, __ATOMIC_RELAXED);
        error = follow(d);
    }
    if (error != 0) {
        __atomic_store_n(&d->sched.cpupool, before, __ATOMIC_RELAXED);
    }
    return error;
}

int control_join_pool(struct domain *d, uint32_t pool)
{
    lock(&pool_lock);
    bool there = pool < SCHED_POOLS && (pools_used >> pool & 1) != 0;
    int error = there ? join(d, pool) : -XEN_ENOENT;
    unlock(&pool_lock);
    return error;
}

static int64_t move_domain(struct vcpu *v, const struct xen_sysctl_cpupool_op *op, uint32_t pool)
{
    struct domain *d = domain_get(op->domid == DOMID_SELF ? v->domain->id : (domid_t)op->domid);
    if (d == NULL) {
        return -XEN_ESRCH;
    }
    int64_t error = join(d, pool);
    domain_put(d);
    return error;
}

/* The pool of that number or the next higher one. */
static int64_t info(struct sysctl_call *c)
{
    struct xen_sysctl_cpupool_op *op = &c->op.u.cpupool_op;
    uint32_t pool = op->cpupool_id == XEN_SYSCTL_CPUPOOL_PAR_ANY ? 0 : op->cpupool_id;
    uint32_t used = __atomic_load_n(&pools_used, __ATOMIC_RELAXED);
    while (pool < SCHED_POOLS && (used >> pool & 1) == 0) {
        pool++;
    }
    if (pool >= SCHED_POOLS) {
        return -XEN_ENOENT;
    }
    op->cpupool_id = pool;
    op->sched_id = XEN_SCHEDULER_CREDIT2;
    op->n_dom = pool_count(pool);
    return control_put_bitmap(c->v, &op->cpumap, cpus_of(pool));
}

/* With the lock: everything but the walk over the domains. */
static int64_t change(struct sysctl_call *c, uint32_t pool)
{
    struct xen_sysctl_cpupool_op *op = &c->op.u.cpupool_op;
    if (op->op == XEN_SYSCTL_CPUPOOL_OP_CREATE) {
        return create(op);
    }
    if (pool >= SCHED_POOLS || (pools_used >> pool & 1) == 0) {
        return -XEN_ENOENT;
    }
    switch (op->op) {
    case XEN_SYSCTL_CPUPOOL_OP_DESTROY:
        return destroy(pool);
    case XEN_SYSCTL_CPUPOOL_OP_ADDCPU:
        return add_cpu(op, pool);
    case XEN_SYSCTL_CPUPOOL_OP_RMCPU:
        return remove_cpu(op, pool);
    case XEN_SYSCTL_CPUPOOL_OP_MOVEDOMAIN:
        return move_domain(c->v, op, pool);
    default:
        return -XEN_ENOSYS;
    }
}

int64_t sysctl_cpupool(struct sysctl_call *c)
{
    const struct xen_sysctl_cpupool_op *op = &c->op.u.cpupool_op;
    bool walks = op->op == XEN_SYSCTL_CPUPOOL_OP_ADDCPU || op->op == XEN_SYSCTL_CPUPOOL_OP_RMCPU;
    int64_t error = 0;
    if (op->op == XEN_SYSCTL_CPUPOOL_OP_INFO) {
        return info(c);
    }
    if (op->op == XEN_SYSCTL_CPUPOOL_OP_FREEINFO) {
        return control_put_bitmap(c->v, &op->cpumap, cpus_free());
    }
    error = rights_require(c->v->domain, RIGHT_BIT(RIGHT_SCHEDULE), NULL, "changing CPU pools");
    if (error != 0) {
        return error;
    }
    if (c->progress == 0 || !walks) {
        lock(&pool_lock);
        error = change(c, op->cpupool_id);
        unlock(&pool_lock);
        c->progress = 1;
    }
    return error != 0 || !walks ? error : follow_all(c, op->cpupool_id);
}

/* --- The scheduler as a whole --- */

int64_t sysctl_scheduler(struct sysctl_call *c)
{
    struct xen_sysctl_scheduler_op *op = &c->op.u.scheduler_op;
    if (op->cpupool_id >= SCHED_POOLS || (pools_used >> op->cpupool_id & 1) == 0) {
        return -XEN_ESRCH;
    }
    if (op->sched_id != XEN_SCHEDULER_CREDIT2) {
        return -XEN_EINVAL;
    }
    if (op->cmd == XEN_SYSCTL_SCHEDOP_putinfo) {
        int error =
            rights_require(c->v->domain, RIGHT_BIT(RIGHT_SCHEDULE), NULL, "changing the scheduler");
        bool same = op->u.sched_credit2.ratelimit_us == RATELIMIT_US;
        return error != 0 ? error : same ? 0 : -XEN_EOPNOTSUPP;
    }
    op->u.sched_credit2.ratelimit_us = RATELIMIT_US;
    return op->cmd == XEN_SYSCTL_SCHEDOP_getinfo ? 0 : -XEN_EINVAL;
}

/* --- Debug keys: what Xen's show, as far as one line has it; the console's commands show more --- */

static void key(char k)
{
    struct frame_stats frames;
    switch (k) {
    case 'h':
        log_line("debug keys: h this line, m memory, r CPUs; all else: the hypervisor's console "
                 "(Ctrl-T, help)");
        break;
    case 'm':
        frame_stats(&frames);
        log_line("memory: %lu of %lu KiB free, %lu KiB the domains', %lu KiB the hypervisor's",
                 frames.free << (FRAME_SHIFT - 10), frames.total << (FRAME_SHIFT - 10),
                 frames.owned << (FRAME_SHIFT - 10), frames.hyp << (FRAME_SHIFT - 10));
        break;
    case 'r':
        for (uint32_t i = 0; i < cpu_count && i < 64; i++) {
            struct sched_cpu_info s;
            sched_cpu_info(cpus[i], arch_counter_ticks(), &s);
            log_line("CPU %u: domain %d vCPU %u (-1: idle), %u wait, %u assigned", i,
                     s.domain == DOMID_INVALID ? -1 : (int)s.domain, s.vcpu, s.waiting, s.assigned);
        }
        break;
    default:
        log_line("debug key '%c' does nothing here; h lists those that do", k);
        break;
    }
}

int64_t sysctl_debug_keys(struct sysctl_call *c)
{
    const struct xen_sysctl_debug_keys *op = &c->op.u.debug_keys;
    for (uint32_t i = 0; i < op->nr_keys && i < 16; i++) {
        char k;
        if (guest_va_read(c->v, &k, op->keys + i, 1) != 0) {
            return -XEN_EFAULT;
        }
        key(k >= ' ' && k <= '~' ? k : '?');
    }
    return 0;
}
