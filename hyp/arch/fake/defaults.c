/*
 * Weak stand-ins for components that a unit test does not link. Each records
 * its call in fake_calls, or does the simplest thing that is true. The real
 * one, once linked, wins.
 */
#include <xen/errno.h>
#include <xen/domctl.h>
#include <fake.h>
#include <hyp/assert.h>
#include <hyp/config.h>
#include <hyp/frame.h>
#include <hyp/irq.h>
#include <hyp/log.h>
#include "../../core/control/control-internal.h"
#include "../../core/config/devices-internal.h"
#include <hyp/p2m.h>
#include <hyp/sched.h>
#include <hyp/timer.h>
#include <hyp/xen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WEAK __attribute__((weak))

struct fake_calls fake_calls;
WEAK struct cpu *cpus[MAX_CPUS];
WEAK uint32_t cpu_count;

/* Locks: held by anybody, and ranks rising on each CPU. */

static struct held {
    lock_t *lock;
    struct cpu *cpu;
} held[64];
static unsigned held_count;

unsigned fake_locks_held(void)
{
    return held_count;
}

void fake_locks_forget(void)
{
    while (held_count > 0) {
        held[--held_count].lock->tickets = 0;
    }
}

static void take(lock_t *l, bool same_rank_allowed)
{
    for (unsigned i = 0; i < held_count; i++) {
        CHECK(held[i].lock != l); /* one thread plays all CPUs: waiting would never end */
        if (held[i].cpu == fake_cpu) {
            CHECK(held[i].lock->rank < l->rank ||
                  (same_rank_allowed && held[i].lock->rank == l->rank));
        }
    }
    CHECK(held_count < ARRAY_LEN(held));
    held[held_count].lock = l;
    held[held_count++].cpu = fake_cpu;
    l->tickets += 0x10000;
}

WEAK void lock(lock_t *l)
{
    take(l, false);
}

WEAK void unlock(lock_t *l)
{
    unsigned i = 0;
    while (i < held_count && held[i].lock != l) {
        i++;
    }
    CHECK(i < held_count);
    held[i] = held[--held_count];
    l->tickets -= 0x10000;
}

WEAK void lock_both(lock_t *a, lock_t *b)
{
    take(a < b ? a : b, false);
    if (a != b) {
        take(a < b ? b : a, true);
    }
}

WEAK void unlock_both(lock_t *a, lock_t *b)
{
    unlock(a);
    if (a != b) {
        unlock(b);
    }
}

WEAK bool lock_is_held(const lock_t *l)
{
    return l->tickets != 0;
}

/* Log. */

static void record(const char *prefix, const char *format, va_list args)
{
    size_t used = strlen(fake_calls.log);
    if (used > sizeof(fake_calls.log) / 2) {
        used = 0; /* old lines make room for new ones */
    }
    char *at = fake_calls.log + used;
    size_t room = sizeof(fake_calls.log) - used - 2;
    int n = snprintf(at, room, "%s", prefix);
    vsnprintf(at + n, room - (size_t)n, format, args);
    strcat(fake_calls.log, "\n");
}

#define RECORD(prefix)                 \
    do {                               \
        va_list args_;                 \
        va_start(args_, format);       \
        record(prefix, format, args_); \
        va_end(args_);                 \
    } while (0)

WEAK void log_line(const char *format, ...)
{
    RECORD("");
}

WEAK void log_warn(const char *format, ...)
{
    RECORD("warning: ");
}

WEAK void dlog(struct domain *d, const char *format, ...)
{
    char prefix[DOMAIN_NAME_LEN + 4];
    snprintf(prefix, sizeof(prefix), "%s: ", d->name);
    RECORD(prefix);
}

WEAK int vfmt(char *buf, size_t size, const char *format, va_list args)
{
    return vsnprintf(buf, size, format, args);
}

WEAK int fmt(char *buf, size_t size, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vfmt(buf, size, format, args);
    va_end(args);
    return n;
}

/* Domains. */

static struct domain *domains[64];
static unsigned made_count;

struct domain *fake_domain(domid_t id, const char *name, unsigned vcpu_count)
{
    CHECK(made_count < ARRAY_LEN(domains));
    struct domain *d = calloc(1, sizeof(*d));
    CHECK(d != NULL);
    d->id = id;
    d->vcpu_count = d->vcpu_max = (uint16_t)vcpu_count;
    d->refs = 1;
    d->builder = DOMID_INVALID;
    snprintf(d->name, sizeof(d->name), "%s", name);
    lock_init(&d->lock, RANK_DOMAIN);
    d->max_frames = d->hyp_frames_max = ~0ull;
    d->vcpu = calloc(vcpu_count + 1, sizeof(struct vcpu *));
    CHECK(d->vcpu != NULL);
    for (unsigned i = 0; i < vcpu_count; i++) {
        d->vcpu[i] = calloc(1, sizeof(struct vcpu));
        CHECK(d->vcpu[i] != NULL);
        d->vcpu[i]->domain = d;
        d->vcpu[i]->id = i;
        list_init(&d->vcpu[i]->sched.link);
        d->vcpu[i]->sched.home = cpu_count != 0 ? cpus[i % cpu_count] : NULL;
    }
    domains[made_count++] = d;
    return d;
}

void fake_domain_free(struct domain *d)
{
    for (unsigned i = 0; i < made_count; i++) {
        if (domains[i] == d) {
            domains[i] = domains[--made_count];
            break;
        }
    }
    fake_tlb_forget(d);
    for (unsigned i = 0; i < d->vcpu_count; i++) {
        free(d->vcpu[i]);
    }
    free(d->vcpu);
    free(d);
}

void fake_domain_free_all(void)
{
    while (made_count > 0) {
        fake_domain_free(domains[made_count - 1]);
    }
}

WEAK struct domain *domain_get(domid_t id)
{
    for (unsigned i = 0; i < made_count; i++) {
        if (domains[i]->id == id) {
            domains[i]->refs++;
            return domains[i];
        }
    }
    return NULL;
}

WEAK struct domain *domain_get_by_name(const char *name)
{
    for (unsigned i = 0; i < made_count; i++) {
        if (strcmp(domains[i]->name, name) == 0) {
            domains[i]->refs++;
            return domains[i];
        }
    }
    return NULL;
}

WEAK void domain_put(struct domain *d)
{
    CHECK(d->refs > 0);
    d->refs--;
}

WEAK struct domain *domain_from(uint32_t first)
{
    struct domain *found = NULL;
    for (unsigned i = 0; i < made_count; i++) {
        if (domains[i]->id >= first && (found == NULL || domains[i]->id < found->id)) {
            found = domains[i];
        }
    }
    if (found != NULL) {
        found->refs++;
    }
    return found;
}

WEAK struct domain *domain_next(struct domain *previous)
{
    unsigned i = 0;
    if (previous != NULL) {
        while (i < made_count && domains[i] != previous) {
            i++;
        }
        i++;
        domain_put(previous);
    }
    if (i >= made_count) {
        return NULL;
    }
    domains[i]->refs++;
    return domains[i];
}

WEAK void domain_shutdown(struct domain *d, enum shutdown_reason reason)
{
    fake_calls.domain_shutdown++;
    fake_calls.reason = reason;
    d->state = DOMAIN_DOWN;
    d->reason = reason;
}

WEAK void vcpu_notify(struct vcpu *v, uint32_t work_bits)
{
    fake_calls.vcpu_notify++;
    fake_calls.notify_bits |= work_bits;
    fake_calls.notified = v;
    v->work |= work_bits;
}

WEAK void vcpu_notify_other(struct vcpu *v, uint32_t work_bits)
{
    vcpu_notify(v, work_bits);
}

/* Scheduler, timers and CPUs. */

WEAK void cpu_kick(struct cpu *c, uint32_t ipi_bits)
{
    fake_calls.cpu_kick++;
    c->ipi |= ipi_bits;
    arch_cpu_kick(c);
}

WEAK void sched_wake(struct vcpu *v)
{
    fake_calls.sched_wake++;
}

WEAK bool sched_block(struct vcpu *v)
{
    fake_calls.sched_block++;
    return (v->work & ~(uint32_t)WORK_RESCHED) == 0;
}

WEAK bool sched_yield(struct vcpu *v)
{
    fake_calls.sched_yield++;
    return false;
}

WEAK bool sched_contended(const struct cpu *c)
{
    return false;
}

WEAK void sched_pause(struct vcpu *v)
{
    fake_calls.sched_pause++;
    v->sched.pause_count++;
}

WEAK int sched_pause_sync(struct vcpu *v)
{
    sched_pause(v);
    return 0;
}

WEAK bool sched_is_off(struct vcpu *v)
{
    return v->cpu == NULL;
}

WEAK void sched_vcpu_init(struct vcpu *v)
{
    list_init(&v->sched.link);
}

WEAK void sched_vcpu_destroy(struct vcpu *v)
{
}

WEAK int sched_set(struct domain *d, const struct sched_params *p)
{
    return 0;
}

WEAK uint64_t sched_pool_cpus[SCHED_POOLS] = {[0] = ~0ull};
WEAK int sched_follow_pool(struct vcpu *v)
{
    return 0;
}
WEAK int sched_set_affinity(struct vcpu *v, uint64_t cpu_mask)
{
    return 0;
}

WEAK void sched_unpause(struct vcpu *v)
{
    fake_calls.sched_unpause++;
    v->sched.pause_count--;
}

WEAK void sched_set_online(struct vcpu *v, bool online)
{
    v->sched.online = online;
}

WEAK uint64_t sched_runtime_ticks(const struct vcpu *v, uint64_t now_ticks)
{
    return 0;
}

WEAK void timer_cpu_init(struct timer_cpu *c)
{
    list_init(&c->list);
}

WEAK void timer_init(struct timer *t, void (*fire)(struct timer *t, uint64_t now_ticks))
{
    list_init(&t->link);
    t->cpu = NULL;
    t->deadline_ticks = TICKS_NEVER;
    t->fire = fire;
}

WEAK void timer_set(struct timer *t, uint64_t deadline_ticks)
{
    fake_calls.timer_set++;
    t->cpu = this_cpu();
    t->deadline_ticks = deadline_ticks;
}

WEAK void timer_retire(struct timer *t)
{
    timer_cancel(t);
}

WEAK void timer_cancel(struct timer *t)
{
    fake_calls.timer_cancel++;
    t->cpu = NULL;
    t->deadline_ticks = TICKS_NEVER;
}

WEAK uint64_t ns_to_ticks(uint64_t ns)
{
    return ns / 16 + (ns % 16 != 0);
}

WEAK uint64_t ticks_to_ns(uint64_t ticks)
{
    return ticks * 16;
}

/* PV consoles: nobody has one. */

WEAK bool xen_console_used(const struct domain *d)
{
    return false;
}

WEAK size_t xen_console_input(struct domain *d, const char *text, size_t length)
{
    return 0;
}

WEAK void xen_console_output_ready(struct domain *d)
{
}

/* Memory: pages of the host, and guest memory that is flat. */

WEAK void *frame_alloc_hyp(struct domain *d, unsigned order)
{
    void *va = aligned_alloc(FRAME_SIZE, FRAME_SIZE << order);
    if (va != NULL) {
        memset(va, 0, FRAME_SIZE << order);
        if (d != NULL) {
            d->hyp_frames += 1ull << order;
        }
    }
    return va;
}

WEAK void frame_free_hyp(struct domain *d, void *va, unsigned order)
{
    if (d != NULL) {
        d->hyp_frames -= 1ull << order;
    }
    free(va);
}

static void *flat(gpa_t at, size_t size_bytes)
{
    if (at.v < FAKE_RAM_BASE || size_bytes > fake_ram_bytes() ||
        at.v - FAKE_RAM_BASE > fake_ram_bytes() - size_bytes) {
        return NULL;
    }
    return size_bytes != 0 ? fake_ram(mpa(at.v)) : &fake_calls;
}

WEAK int guest_read(struct domain *d, void *to, gpa_t from, size_t size_bytes)
{
    void *at = flat(from, size_bytes);
    if (at == NULL) {
        return -XEN_EFAULT;
    }
    memcpy(to, at, size_bytes);
    return 0;
}

WEAK int guest_write(struct domain *d, gpa_t to, const void *from, size_t size_bytes)
{
    void *at = flat(to, size_bytes);
    if (at == NULL) {
        return -XEN_EFAULT;
    }
    memcpy(at, from, size_bytes);
    return 0;
}

WEAK int guest_zero(struct domain *d, gpa_t at, size_t size_bytes)
{
    void *va = flat(at, size_bytes);
    if (va == NULL) {
        return -XEN_EFAULT;
    }
    memset(va, 0, size_bytes);
    return 0;
}

WEAK bool log_read(uint64_t *at, char *buf, size_t size)
{
    return false;
}

WEAK void sched_cpu_info(struct cpu *c, uint64_t now_ticks, struct sched_cpu_info *out)
{
    *out = (struct sched_cpu_info){.domain = DOMID_INVALID};
}

WEAK void config_place(struct domain_config *c)
{
}

WEAK int config_all(const struct domain_config **out)
{
    *out = NULL;
    return 0;
}

WEAK void arch_vcpu_get_context(const struct vcpu *v, struct vcpu_guest_context *to)
{
    memset(to, 0, sizeof(*to));
    memcpy(&to->user_regs.x0, v->arch.x, sizeof(v->arch.x));
    to->user_regs.pc64 = v->arch.pc;
}

WEAK int arch_vcpu_set_context(struct vcpu *v, const struct vcpu_guest_context *from, bool aarch32)
{
    memcpy(v->arch.x, &from->user_regs.x0, sizeof(v->arch.x));
    v->arch.pc = from->user_regs.pc64;
    return 0;
}

WEAK int domain_make(const struct domain_config *like, domid_t wanted, struct domain *builder,
                     struct domain **out)
{
    return -XEN_ENOMEM;
}
WEAK int domain_pause_counted(struct domain *d)
{
    return 0;
}
WEAK int domain_unpause_counted(struct domain *d)
{
    return 0;
}
WEAK void domain_hurry(struct domain *d)
{
}

WEAK int64_t xen_op_make(struct vcpu *v, uint64_t *reg, const struct xen_op *o, uint64_t at)
{
    return -XEN_ENOSYS;
}
WEAK int rights_drop(struct domain *d, const char *words)
{
    return -XEN_EINVAL;
}

/* Where no board's tree is linked: it has no node. */
WEAK const struct tree *config_host_tree(void)
{
    return NULL;
}
WEAK tree_node tree_find(const struct tree *t, const char *path, size_t length)
{
    return (tree_node){.at = NULL};
}
WEAK int tree_reg(const struct tree *t, tree_node node, unsigned n, mpa_t *base, uint64_t *size)
{
    return -XEN_ENOENT;
}
WEAK int tree_irq(const struct tree *t, tree_node node, unsigned n, uint32_t *intid, bool *edge)
{
    return -XEN_ENOENT;
}
WEAK bool frame_is_ram(mfn_t m)
{
    return false;
}
WEAK bool device_is_ours(uint64_t start, uint64_t size)
{
    return false;
}

WEAK int irq_assign(uint32_t intid, bool edge, struct domain *d, uint32_t virq)
{
    return -XEN_ENOSPC;
}
WEAK int irq_release(uint32_t intid, struct domain *d)
{
    return -XEN_ENOENT;
}

WEAK int domain_add_vcpu(struct domain *d)
{
    return -XEN_ENOMEM;
}
WEAK void vgic_vcpu_init(struct vcpu *v)
{
}
WEAK void xen_vcpu_create(struct vcpu *v)
{
}

/* The line of a domain made by tools, where control/vuart-ring.c is not linked. */
WEAK bool vuart_ring_put(struct domain *d, uint8_t byte)
{
    return false;
}
WEAK void vuart_ring_moved(struct domain *d)
{
}
WEAK void vuart_ring_stop(struct domain *d)
{
}
WEAK int64_t domctl_vuart(struct control_call *c)
{
    return -XEN_ENOSYS;
}

WEAK noreturn_fn void arch_power(bool reset)
{
    abort();
}
