/*
 * sysctl and platform_op: what the tools ask of the machine. The table is at
 * the end; how an operation is made is in control-internal.h.
 *
 * Source: public/sysctl.h, public/platform.h.
 */
#include "control-internal.h"

#include <hyp/arch.h>
#include <hyp/cpu.h>
#include <hyp/log.h>
#include <hyp/xen.h>
#include <lib/string.h>

/* Bits above those that we have are zero; of a bitmap of more than 4 KiB, as far as that. */
int control_put_bitmap(struct vcpu *v, const struct xenctl_bitmap *to, uint64_t mask)
{
    static const uint8_t zeros[64];
    uint32_t all = (to->nr_bits + 7) / 8, at = all < sizeof(mask) ? all : sizeof(mask);
    all = all < FRAME_SIZE ? all : FRAME_SIZE;
    mask &= to->nr_bits < 64 ? (1ull << to->nr_bits) - 1 : ~0ull;
    int error = guest_va_write(v, to->bitmap, &mask, at);
    for (uint32_t n; error == 0 && at < all; at += n) {
        n = all - at < sizeof(zeros) ? all - at : (uint32_t)sizeof(zeros);
        error = guest_va_write(v, to->bitmap + at, zeros, n);
    }
    return error;
}

int control_get_bitmap(struct vcpu *v, const struct xenctl_bitmap *from, uint64_t *mask)
{
    uint32_t bytes = (from->nr_bits + 7) / 8;
    *mask = 0;
    int error = guest_va_read(v, mask, from->bitmap, bytes < sizeof(*mask) ? bytes : sizeof(*mask));
    if (from->nr_bits < 64) {
        *mask &= (1ull << from->nr_bits) - 1;
    }
    return error;
}

uint64_t control_online_mask(void)
{
    return cpu_count < 64 ? (1ull << cpu_count) - 1 : ~0ull;
}

/* --- The machine --- */

static int64_t physinfo(struct sysctl_call *c)
{
    struct frame_stats frames;
    frame_stats(&frames);
    c->op.u.physinfo = (struct xen_sysctl_physinfo){
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
        .scrub_pages = frames.dirty,
        .max_mfn = frames.last.v,
    };
    return 0;
}

static int64_t sched_id(struct sysctl_call *c)
{
    c->op.u.sched_id.sched_id = XEN_SCHEDULER_CREDIT2; /* weight and cap mean the same here */
    return 0;
}

static int64_t getcpuinfo(struct sysctl_call *c)
{
    struct xen_sysctl_getcpuinfo *op = &c->op.u.getcpuinfo;
    uint32_t n = 0;
    for (; n < cpu_count && n < op->max_cpus; n++) {
        struct sched_cpu_info info;
        uint64_t now = arch_counter_ticks();
        sched_cpu_info(cpus[n], now, &info);
        struct xen_sysctl_cpuinfo idle = {
            ticks_to_ns(now > info.busy_ticks ? now - info.busy_ticks : 0)};
        if (guest_va_write(c->v, op->info + n * sizeof(idle), &idle, sizeof(idle)) != 0) {
            return -XEN_EFAULT;
        }
    }
    op->nr_cpus = n;
    return 0;
}

static int64_t availheap(struct sysctl_call *c)
{
    struct frame_stats frames;
    frame_stats(&frames);
    c->op.u.availheap.avail_bytes = frames.free << FRAME_SHIFT;
    return 0;
}

static int64_t cputopoinfo(struct sysctl_call *c)
{
    struct xen_sysctl_cputopoinfo *op = &c->op.u.cputopoinfo;
    for (uint32_t i = 0; op->cputopo != 0 && i < cpu_count && i < op->num_cpus; i++) {
        struct xen_sysctl_cputopo topo = {.core = 0, .socket = 0, .node = 0};
        if (guest_va_write(c->v, op->cputopo + i * sizeof(topo), &topo, sizeof(topo)) != 0) {
            return -XEN_EFAULT;
        }
    }
    op->num_cpus = cpu_count;
    return 0;
}

/* One node, as far from itself as ACPI's SLIT has it. */
static int64_t numainfo(struct sysctl_call *c)
{
    struct xen_sysctl_numainfo *op = &c->op.u.numainfo;
    struct frame_stats frames;
    frame_stats(&frames);
    struct xen_sysctl_meminfo memory = {frames.total << FRAME_SHIFT, frames.free << FRAME_SHIFT};
    uint32_t distance = 20; /* as Xen says on Arm */
    bool fits = op->num_nodes > 0;
    if ((fits && op->meminfo != 0 &&
         guest_va_write(c->v, op->meminfo, &memory, sizeof(memory)) != 0) ||
        (fits && op->distance != 0 &&
         guest_va_write(c->v, op->distance, &distance, sizeof(distance)) != 0)) {
        return -XEN_EFAULT;
    }
    op->num_nodes = 1;
    return 0;
}

/* --- Domains --- */

bool control_sees(struct vcpu *v, const struct domain *d)
{
    return d == v->domain || rights_allow(v->domain, RIGHT_CONTROL, d) ||
           rights_allow(v->domain, RIGHT_INSPECT, d);
}

#define LIST_AT_ONCE 16u

/* Those that the caller may see, from first_domain on; `progress` counts what was written before. */
static int64_t getdomaininfolist(struct sysctl_call *c)
{
    struct xen_sysctl_getdomaininfolist *op = &c->op.u.getdomaininfolist;
    uint32_t budget = LIST_AT_ONCE;
    struct domain *d = domain_from(op->first_domain);
    for (; d != NULL && c->progress < op->max_domains; d = domain_next(d)) {
        struct xen_domctl_getdomaininfo info;
        if (budget-- == 0) {
            op->first_domain = d->id;
            domain_put(d);
            return -XEN_ERESTART;
        }
        if (!control_sees(c->v, d)) {
            continue;
        }
        control_describe(d, &info);
        if (guest_va_write(c->v, op->buffer + c->progress * sizeof(info), &info, sizeof(info)) !=
            0) {
            domain_put(d);
            return -XEN_EFAULT;
        }
        c->progress++;
    }
    if (d != NULL) {
        domain_put(d);
    }
    op->num_domains = c->progress;
    return 0;
}

/* --- The log --- */

#define READ_AT_ONCE 1024u /* 30 instructions a character */

/* Whole lines, a kilobyte a call: the tools come again until nothing is left. */
static int64_t readconsole(struct sysctl_call *c)
{
    struct xen_sysctl_readconsole *op = &c->op.u.readconsole;
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

/* --- The table --- */

#define HOST RIGHTS_HOST
#define ROW(op, handler_, rights_) \
    [XEN_SYSCTL_##op] = {.handler = handler_, .rights = rights_, .name = #op}

static const struct sysctl_row {
    int64_t (*handler)(struct sysctl_call *c);
    uint16_t rights; /* one of these */
    const char *name;
} rows[] = {
    ROW(readconsole, readconsole, RIGHT_BIT(RIGHT_CONSOLE)),
    ROW(physinfo, physinfo, HOST),
    ROW(sched_id, sched_id, HOST),
    ROW(getdomaininfolist, getdomaininfolist, HOST),
    ROW(getcpuinfo, getcpuinfo, HOST),
    ROW(availheap, availheap, HOST),
    ROW(cputopoinfo, cputopoinfo, HOST),
    ROW(numainfo, numainfo, HOST),
    ROW(debug_keys, sysctl_debug_keys, RIGHT_BIT(RIGHT_CONSOLE)),
    ROW(cpupool_op, sysctl_cpupool, HOST),
    ROW(scheduler_op, sysctl_scheduler, HOST),
};

int64_t sysctl(struct vcpu *v, uint64_t *arg)
{
    struct sysctl_call c = {.v = v};
    if (guest_va_read(v, &c.op, arg[0], sizeof(c.op)) != 0) {
        return -XEN_EFAULT;
    }
    if (c.op.interface_version != XEN_SYSCTL_INTERFACE_VERSION) {
        return -XEN_EACCES;
    }
    uint32_t cmd = c.op.cmd & ((1u << CONTROL_CMD_BITS) - 1);
    c.progress = c.op.cmd >> CONTROL_CMD_BITS;
    const struct sysctl_row *row =
        &rows[cmd < ARRAY_LEN(rows) ? array_index_clamp(cmd, ARRAY_LEN(rows)) : 0];
    int64_t result = rights_require(v->domain, row->handler != NULL ? row->rights : RIGHTS_ANY,
                                    NULL, row->handler != NULL ? row->name : "a sysctl");
    if (result == 0) {
        result = row->handler != NULL ? row->handler(&c) : -XEN_ENOSYS;
    }
    if (result >= 0 || result == -XEN_ERESTART) {
        c.op.cmd = cmd | (result == -XEN_ERESTART ? c.progress << CONTROL_CMD_BITS : 0);
        if (guest_va_write(v, arg[0], &c.op, sizeof(c.op)) != 0) {
            result = -XEN_EFAULT;
        }
    }
    return result;
}

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
    /* Linux starts in 1970 and says so, until it has found a clock: that time is not for all. */
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
