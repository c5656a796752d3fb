/*
 * sysctl and platform_op: what the tools ask of the machine - what there is,
 * which domains, the log, CPU pools, the scheduler's own parameters, debug
 * keys. The table is at the end; how an operation is made is in
 * control-internal.h.
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
 * Source: public/sysctl.h, public/platform.h.
 */
#include "control-internal.h"

#include <hyp/arch.h>
#include <hyp/cpu.h>
#include <hyp/log.h>
#include <hyp/sched.h>
#include <hyp/xen.h>
#include <lib/string.h>

/* --- Bitmaps --- */

static uint64_t low_bits(uint32_t count)
{
    return count < 64 ? (1ull << count) - 1 : ~0ull;
}

static int put_zeros(struct vcpu *v, uint64_t at, uint32_t count)
{
    static const uint8_t zeros[64];
    int error = 0;
    for (uint32_t n; error == 0 && count > 0; at += n, count -= n) {
        n = count < sizeof(zeros) ? count : (uint32_t)sizeof(zeros);
        error = guest_va_write(v, at, zeros, n);
    }
    return error;
}

/* Bits above those that we have are zero; of a bitmap of more than 4 KiB, as far as that. */
int control_put_bitmap(struct vcpu *v, const struct xenctl_bitmap *to, uint64_t mask)
{
    uint32_t all = (to->nr_bits + 7) / 8, ours = all < sizeof(mask) ? all : sizeof(mask);
    all = all < FRAME_SIZE ? all : FRAME_SIZE;
    mask &= low_bits(to->nr_bits);
    int error = guest_va_write(v, to->bitmap, &mask, ours);
    return error != 0 ? error : put_zeros(v, to->bitmap + ours, all - ours);
}

int control_get_bitmap(struct vcpu *v, const struct xenctl_bitmap *from, uint64_t *mask)
{
    uint32_t bytes = (from->nr_bits + 7) / 8;
    *mask = 0;
    int error = guest_va_read(v, mask, from->bitmap, bytes < sizeof(*mask) ? bytes : sizeof(*mask));
    *mask &= low_bits(from->nr_bits);
    return error;
}

uint64_t control_online_mask(void)
{
    return low_bits(cpu_count);
}

/* --- The machine --- */

static int64_t physinfo(struct control_call *c)
{
    struct frame_stats frames;
    frame_stats(&frames);
    c->sysctl.u.physinfo = (struct xen_sysctl_physinfo){
        .threads_per_core = 1,
        .cores_per_socket = 1,
        .nr_cpus = cpu_count,
        .max_cpu_id = cpu_count - 1,
        .nr_nodes = 1,
        .cpu_khz = (uint32_t)(arch_counter_hz() / 1000),
        .capabilities = XEN_SYSCTL_PHYSCAP_hvm | XEN_SYSCTL_PHYSCAP_hap |
                        XEN_SYSCTL_PHYSCAP_gnttab_v1 | XEN_SYSCTL_PHYSCAP_gnttab_v2,
        .total_pages = frames.total,
        .free_pages = frames.free,
        .max_mfn = frames.last.v,
    };
    return 0;
}

static int64_t sched_id(struct control_call *c)
{
    c->sysctl.u.sched_id.sched_id = XEN_SCHEDULER_CREDIT2; /* weight and cap mean the same here */
    return 0;
}

static int64_t getcpuinfo(struct control_call *c)
{
    struct xen_sysctl_getcpuinfo *op = &c->sysctl.u.getcpuinfo;
    int error = 0;
    op->nr_cpus = op->max_cpus < cpu_count ? op->max_cpus : cpu_count;
    for (uint32_t i = 0; i < op->nr_cpus && error == 0; i++) {
        struct sched_cpu_info info;
        uint64_t now = arch_counter_ticks();
        sched_cpu_info(cpus[i], now, &info);
        uint64_t idle_ns = ticks_to_ns(now > info.busy_ticks ? now - info.busy_ticks : 0);
        error = guest_va_write(c->v, op->info + i * sizeof(idle_ns), &idle_ns, sizeof(idle_ns));
    }
    return error;
}

static int64_t availheap(struct control_call *c)
{
    struct frame_stats frames;
    frame_stats(&frames);
    c->sysctl.u.availheap.avail_bytes = frames.free << FRAME_SHIFT;
    return 0;
}

/* Each CPU is core, socket and node 0. */
static int64_t cputopoinfo(struct control_call *c)
{
    struct xen_sysctl_cputopoinfo *op = &c->sysctl.u.cputopoinfo;
    uint32_t count = op->num_cpus < cpu_count ? op->num_cpus : cpu_count;
    op->num_cpus = cpu_count;
    return op->cputopo == 0
               ? 0
               : put_zeros(c->v, op->cputopo, count * (uint32_t)sizeof(struct xen_sysctl_cputopo));
}

/* One node, as far from itself as ACPI's SLIT has it. */
static int64_t numainfo(struct control_call *c)
{
    struct xen_sysctl_numainfo *op = &c->sysctl.u.numainfo;
    struct frame_stats frames;
    frame_stats(&frames);
    struct xen_sysctl_meminfo memory = {frames.total << FRAME_SHIFT, frames.free << FRAME_SHIFT};
    uint32_t distance = 20; /* as Xen says on Arm */
    bool fits = op->num_nodes > 0;
    int error = 0;
    if (fits && op->meminfo != 0) {
        error = guest_va_write(c->v, op->meminfo, &memory, sizeof(memory));
    }
    if (fits && op->distance != 0 && error == 0) {
        error = guest_va_write(c->v, op->distance, &distance, sizeof(distance));
    }
    op->num_nodes = 1;
    return error;
}

/* --- Domains --- */

#define LIST_AT_ONCE 16u

/* Those that the caller may see, from first_domain on; `progress` counts what was written before. */
static int64_t getdomaininfolist(struct control_call *c)
{
    struct xen_sysctl_getdomaininfolist *op = &c->sysctl.u.getdomaininfolist;
    uint32_t budget = LIST_AT_ONCE;
    int error = 0;
    struct domain *d = domain_from(op->first_domain);
    for (; d != NULL && c->progress < op->max_domains && error == 0; d = domain_next(d)) {
        struct xen_domctl_getdomaininfo info;
        if (budget-- == 0) {
            op->first_domain = d->id;
            error = -XEN_ERESTART;
        } else if (control_sees(c->v, d)) {
            uint64_t at = op->buffer + c->progress++ * sizeof(info);
            control_describe(d, &info);
            error = guest_va_write(c->v, at, &info, sizeof(info));
        }
    }
    if (d != NULL) {
        domain_put(d);
    }
    op->num_domains = c->progress;
    return error;
}

/* --- The log --- */

#define READ_AT_ONCE 1024u /* 30 instructions a character */

/* Whole lines, a kilobyte a call: the tools come again until nothing is left. */
static int64_t readconsole(struct control_call *c)
{
    struct xen_sysctl_readconsole *op = &c->sysctl.u.readconsole;
    uint64_t at = op->incremental ? op->index : 0;
    uint32_t room = op->count < READ_AT_ONCE ? op->count : READ_AT_ONCE, done = 0;
    char line[256];
    for (uint64_t next = at; log_read(&next, line, sizeof(line) - 1); at = next) {
        uint32_t n = (uint32_t)strlen(line);
        line[n++] = '\n';
        if (n > room - done) {
            break;
        }
        if (guest_va_write(c->v, op->buffer + done, line, n) != 0) {
            return -XEN_EFAULT;
        }
        done += n;
    }
    op->index = (uint32_t)at;
    op->count = done;
    return 0;
}

/* --- CPU pools --- */

#define DOMAINS_AT_ONCE 8u

static lock_t pool_lock = LOCK_INIT(RANK_CPUPOOL);
static uint32_t pools_used = 1; /* [pool_lock] bit n: there is a pool n */

static bool is_pool(uint32_t pool)
{
    return pool < SCHED_POOLS && (__atomic_load_n(&pools_used, __ATOMIC_RELAXED) >> pool & 1) != 0;
}

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

static uint32_t domains_of(uint32_t pool)
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
static int64_t follow_all(struct control_call *c, uint32_t pool)
{
    uint32_t budget = DOMAINS_AT_ONCE;
    int error = 0;
    struct domain *d = domain_from(c->progress - 1);
    for (; d != NULL && error == 0; d = domain_next(d)) {
        if (budget-- == 0) {
            c->progress = d->id + 1u;
            error = -XEN_ERESTART;
        } else if (d->sched.cpupool == pool) {
            error = follow(d);
        }
    }
    if (d != NULL) {
        domain_put(d);
    }
    return error;
}

/* The bit that is meant: op->cpu, or the first of `mask` for any. */
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
    if (is_pool(pool)) {
        return -XEN_EEXIST;
    }
    pools_used |= 1u << pool;
    op->cpupool_id = pool;
    return 0;
}

static int destroy(uint32_t pool)
{
    if (pool == 0 || cpus_of(pool) != 0 || domains_of(pool) != 0) {
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
    struct cpu *c = cpus[__builtin_ctzll(bit)];
    struct sched_cpu_info info;
    sched_cpu_info(c, arch_counter_ticks(), &info);
    if ((mask == bit && domains_of(pool) != 0) || info.dedicated || c->sched.rt_reserved != 0) {
        return -XEN_EBUSY;
    }
    __atomic_fetch_and(&sched_pool_cpus[pool], ~bit, __ATOMIC_RELAXED);
    return 0;
}

int control_join_pool(struct domain *d, uint32_t pool)
{
    lock(&pool_lock);
    uint32_t before = d->sched.cpupool;
    int error = !is_pool(pool) ? -XEN_ENOENT : cpus_of(pool) == 0 ? -XEN_EINVAL : 0;
    if (error == 0) {
        __atomic_store_n(&d->sched.cpupool, pool, __ATOMIC_RELAXED);
        error = follow(d);
    }
    if (error != 0) {
        __atomic_store_n(&d->sched.cpupool, before, __ATOMIC_RELAXED);
        (void)!follow(d); /* who went before one could not comes back to what was its own */
    }
    unlock(&pool_lock);
    return error;
}

static int move_domain(struct vcpu *v, const struct xen_sysctl_cpupool_op *op)
{
    struct domain *d = domain_get(op->domid == DOMID_SELF ? v->domain->id : (domid_t)op->domid);
    if (d == NULL) {
        return -XEN_ESRCH;
    }
    int error = control_join_pool(d, op->cpupool_id);
    domain_put(d);
    return error;
}

/* The pool of that number or the next higher one. */
static int pool_info(struct control_call *c)
{
    struct xen_sysctl_cpupool_op *op = &c->sysctl.u.cpupool_op;
    uint32_t pool = op->cpupool_id == XEN_SYSCTL_CPUPOOL_PAR_ANY ? 0 : op->cpupool_id;
    while (pool < SCHED_POOLS && !is_pool(pool)) {
        pool++;
    }
    if (pool >= SCHED_POOLS) {
        return -XEN_ENOENT;
    }
    op->cpupool_id = pool;
    op->sched_id = XEN_SCHEDULER_CREDIT2;
    op->n_dom = domains_of(pool);
    return control_put_bitmap(c->v, &op->cpumap, cpus_of(pool));
}

/* With the lock: which pools there are, with which CPUs. */
static int change_pool(struct xen_sysctl_cpupool_op *op)
{
    if (op->op == XEN_SYSCTL_CPUPOOL_OP_CREATE) {
        return create(op);
    }
    if (!is_pool(op->cpupool_id)) {
        return -XEN_ENOENT;
    }
    switch (op->op) {
    case XEN_SYSCTL_CPUPOOL_OP_DESTROY:
        return destroy(op->cpupool_id);
    case XEN_SYSCTL_CPUPOOL_OP_ADDCPU:
        return add_cpu(op, op->cpupool_id);
    case XEN_SYSCTL_CPUPOOL_OP_RMCPU:
        return remove_cpu(op, op->cpupool_id);
    default:
        return -XEN_ENOSYS;
    }
}

static int64_t cpupool(struct control_call *c)
{
    struct xen_sysctl_cpupool_op *op = &c->sysctl.u.cpupool_op;
    if (op->op == XEN_SYSCTL_CPUPOOL_OP_INFO) {
        return pool_info(c);
    }
    if (op->op == XEN_SYSCTL_CPUPOOL_OP_FREEINFO) {
        return control_put_bitmap(c->v, &op->cpumap, cpus_free());
    }
    int64_t error =
        rights_require(c->v->domain, RIGHT_BIT(RIGHT_SCHEDULE), NULL, "changing CPU pools");
    if (error == 0 && op->op == XEN_SYSCTL_CPUPOOL_OP_MOVEDOMAIN) {
        return move_domain(c->v, op);
    }
    if (error == 0 && c->progress == 0) {
        lock(&pool_lock);
        error = change_pool(op);
        unlock(&pool_lock);
        c->progress = 1;
    }
    return error != 0 ? error : follow_all(c, op->cpupool_id);
}

/* --- The scheduler as a whole --- */

/* How long a vCPU runs before a wake-up may preempt it: docs/scheduling.md. */
#define RATELIMIT_US 200u

static int64_t scheduler(struct control_call *c)
{
    struct xen_sysctl_scheduler_op *op = &c->sysctl.u.scheduler_op;
    if (!is_pool(op->cpupool_id)) {
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
        log_line("debug key '%c': h this line, m memory, r CPUs; all else: the hypervisor's "
                 "console (Ctrl-T, help)",
                 k);
        break;
    }
}

static int64_t debug_keys(struct control_call *c)
{
    const struct xen_sysctl_debug_keys *op = &c->sysctl.u.debug_keys;
    for (uint32_t i = 0; i < op->nr_keys && i < 16; i++) {
        char k;
        if (guest_va_read(c->v, &k, op->keys + i, 1) != 0) {
            return -XEN_EFAULT;
        }
        key(k >= ' ' && k <= '~' ? k : '?');
    }
    return 0;
}

/* --- The table --- */

#define HOST RIGHTS_HOST
#define READ RIGHT_BIT(RIGHT_CONSOLE)
#define ROW(op, handler_, rights_) \
    [XEN_SYSCTL_##op] = {          \
        .handler = handler_, .rights = rights_, .flags = CONTROL_ALONE | CONTROL_OUT, .name = #op}

static const struct control_row rows[] = {
    ROW(readconsole, readconsole, READ), ROW(physinfo, physinfo, HOST),
    ROW(sched_id, sched_id, HOST),       ROW(getdomaininfolist, getdomaininfolist, HOST),
    ROW(getcpuinfo, getcpuinfo, HOST),   ROW(availheap, availheap, HOST),
    ROW(cputopoinfo, cputopoinfo, HOST), ROW(numainfo, numainfo, HOST),
    ROW(debug_keys, debug_keys, READ),   ROW(cpupool_op, cpupool, HOST),
    ROW(scheduler_op, scheduler, HOST),
};

int64_t sysctl(struct vcpu *v, uint64_t *arg)
{
    return control_call(v, arg[0], sizeof(struct xen_sysctl), rows, ARRAY_LEN(rows));
}

/* --- Its neighbours --- */

/*
 * Linux hands its own time on at boot, right or not: without a board's clock of its own it counts
 * from 1970, and every domain would have lost the time that the hypervisor has read from the board.
 */
#define CLOCK_OF_1980 315532800u

int64_t platform_op(struct vcpu *v, uint64_t *arg)
{
    struct {
        uint32_t cmd, interface_version;
        struct xenpf_settime64 time;
    } op;
    if (guest_va_read(v, &op, arg[0], sizeof(op)) != 0) {
        return -XEN_EFAULT;
    }
    if (op.interface_version != XENPF_INTERFACE_VERSION) {
        return -XEN_EACCES;
    }
    int error =
        rights_require(v->domain, RIGHT_BIT(RIGHT_SHUTDOWN_HOST), NULL, "setting the clock");
    if (error != 0 || op.cmd != XENPF_settime64) {
        return error != 0 ? error : -XEN_ENOSYS;
    }
    if (op.time.mbz != 0 || op.time.nsecs >= 1000000000u || op.time.secs < CLOCK_OF_1980) {
        return -XEN_EINVAL;
    }
    xen_set_wall_clock(op.time.secs, op.time.nsecs);
    return 0;
}

int64_t hypfs_op(struct vcpu *v, uint64_t *arg)
{
    int error =
        rights_require(v->domain, RIGHT_BIT(RIGHT_SCHEDULE), NULL, "the hypervisor's parameters");
    return error != 0 ? error : -XEN_ENOSYS;
}
