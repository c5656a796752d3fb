/*
 * Domains: their life cycle, and the worker that carries it out; domain-table.c has the table.
 *
 * A trap only records what is to happen (state, reason, job) and pauses the
 * vCPUs. The worker, a software timer, does the rest in bounded steps:
 *
 *   JOB_STOP     until no CPU holds a vCPU of the domain (D2)
 *   JOB_UNLINK   interrupts, channels, grants: until nothing leads from it to others, or from them to it
 *   JOB_EMPTY    memory, tables: until the domain owns nothing
 *   then, by policy: JOB_BUILD -> RUNNING, or JOB_RELEASE -> gone
 *
 * Locks: d->lock guards the state, reason and job.
 */
#include "domain-internal.h"

#include <xen/errno.h>
#include <hyp/arch.h>
#include <hyp/assert.h>
#include <hyp/checker.h>
#include <hyp/config.h>
#include <hyp/console.h>
#include <hyp/cpu.h>
#include <hyp/frame.h>
#include <hyp/irq.h>
#include <hyp/log.h>
#include <hyp/rights.h>
#include <hyp/xen.h>
#include <lib/string.h>

#define WORKER_PAUSE_NS 50000ull /* between two steps: others get the CPU */

static void vcpus_free(struct domain *d)
{
    for (uint32_t i = 0; i < d->vcpu_count; i++) {
        struct vcpu *v = d->vcpu[i];

        if (v) {
            vtimer_vcpu_destroy(v);
            sched_vcpu_destroy(v);
            arch_vcpu_destroy(v);
            frame_free_hyp(d, v, 0);
            d->vcpu[i] = NULL;
        }
    }
}

/* One that was made at run time is its domain's. */
static void config_free(const struct domain_config *config)
{
    if (config->made) {
        frame_free_hyp(NULL, (void *)(uintptr_t)config, 0);
    }
}

/* The last reference: nobody can find it, nothing of it runs, it owns no memory. */
static void domain_free(struct domain *d)
{
    while (p2m_teardown(d) == -XEN_ERESTART) {
        /* Its making failed half-way, so there is little; else it is empty. */
    }
    xen_domain_destroy(d);
    vgic_domain_destroy(d);
    console_domain_destroy(d);
    vcpus_free(d);
    rights_destroy(d);
    config_free(d->config);
    p2m_destroy(d);
    if (d->hyp_frames != 0) {
        log_warn("%s: %llu frames of the hypervisor's were not given back.", d->name,
                 (unsigned long long)d->hyp_frames);
    }
    frame_free_hyp(NULL, d, 0);
}

void domain_put(struct domain *d)
{
    if (__atomic_fetch_sub(&d->refs, 1, __ATOMIC_ACQ_REL) == 1) {
        domain_free(d);
    }
}

static int vcpu_create(struct domain *d, uint32_t id)
{
    static_assert(sizeof(struct vcpu) <= FRAME_SIZE, "a vCPU is one page");
    struct vcpu *v = frame_alloc_hyp(d, 0);

    if (!v) {
        return -XEN_ENOMEM;
    }
    v->domain = d;
    v->id = id;
    v->soft_affinity = ~0ull;
    sched_vcpu_init(v);
    vtimer_vcpu_init(v);
    d->vcpu[id] = v;
    return 0;
}

static int devices_create(struct domain *d, const struct domain_config *config)
{
    int error = vgic_domain_init(d, &config->vgic);

    /* Pinning first: a reservation then finds its CPU among those allowed, once. */
    for (uint32_t i = 0; i < d->vcpu_count && !error; i++) {
        if (config->affinity[i]) {
            error = sched_set_affinity(d->vcpu[i], config->affinity[i]);
        }
    }
    if (!error && config->sched.weight + config->sched.budget_ticks) {
        error = sched_set(d, &config->sched);
    }
    return error;
}

/* What a domain is made of, before anybody can find it. */
static int furnish(struct domain *d, const struct domain_config *config)
{
    int error = p2m_init(d);

    for (uint32_t i = 0; i < d->vcpu_count && !error; i++) {
        error = vcpu_create(d, i);
    }
    if (!error) {
        error = devices_create(d, config);
    }
    if (!error && !config->made) { /* its console is the tools' business */
        error = console_domain_create(d);
    }
    return error ? error : xen_domain_create(d);
}

static void worker_fire(struct timer *t, uint64_t now_ticks);

int domain_create(const struct domain_config *config, struct domain **out)
{
    static_assert(sizeof(struct domain) + MAX_VCPUS * sizeof(void *) <= FRAME_SIZE,
                  "a domain is one page");
    struct domain *d = frame_alloc_hyp(NULL, 0);

    if (!d) {
        config_free(config);
        return -XEN_ENOMEM;
    }
    d->id = config->id;
    d->refs = 1;
    d->state = DOMAIN_CREATED;
    d->builder = DOMID_INVALID;
    d->config = config;
    d->on_crash = config->on_crash;
    d->on_reboot = config->on_reboot;
    d->on_poweroff = config->on_poweroff;
    d->max_frames =
        (config->max_memory_bytes >> FRAME_SHIFT) + (config->enhanced ? XEN_MAGIC_FRAMES : 0);
    d->hyp_frames_max = config->hyp_memory_bytes
                            ? config->hyp_memory_bytes >> FRAME_SHIFT
                            : 64 + 8 * config->vcpu_count + (d->max_frames >> 7);
    memcpy(d->name, config->name, sizeof(d->name));
    lock_init(&d->lock, RANK_DOMAIN);
    timer_init(&d->worker, worker_fire);
    d->worker.slow = true;
    d->vcpu = (struct vcpu **)(d + 1);
    d->vcpu_max = (uint16_t)config->vcpu_count;
    d->vcpu_count = config->made ? 1 : d->vcpu_max; /* the others come by domain_add_vcpu() */
    int error = furnish(d, config);
    if (!error) {
        error = domain_table_insert(d);
    }
    if (error) {
        domain_put(d);
        return error;
    }
    *out = d;
    return 0;
}

int domain_add_vcpu(struct domain *d)
{
    uint32_t id = d->vcpu_count;
    int error = vcpu_create(d, id);

    if (!error) {
        struct vcpu *v = d->vcpu[id];
        vgic_vcpu_init(v);
        xen_vcpu_create(v);
        if (d->pauses != 0) {
            sched_pause(v);
        }
        /* Who goes through them without the lock finds it whole. */
        __atomic_store_n(&d->vcpu_count, (uint16_t)(id + 1), __ATOMIC_RELEASE);
    }
    return error;
}

/* Memory and images are in place: vCPU 0 goes, unless it was destroyed meanwhile. */
static bool let_go(struct domain *d)
{
    lock(&d->lock);
    bool wanted = d->state != DOMAIN_DYING;
    if (wanted) {
        d->state = DOMAIN_RUNNING;
        d->job = JOB_NONE;
        d->ordered = false;
    }
    unlock(&d->lock);
    if (wanted) {
        sched_set_online(d->vcpu[0], true);
    }
    return wanted;
}

int domain_start(struct domain *d)
{
    d->vtimer_offset_ticks = arch_counter_ticks();
    int error = domain_build(d);

    while (error == -XEN_ERESTART) { /* at boot nobody waits for this CPU */
        error = domain_build(d);
    }
    if (!error) {
        (void)let_go(d); /* at boot nobody destroys it */
    }
    return error;
}

static void worker_set(struct domain *d, uint64_t after_ns)
{
    timer_set(&d->worker, arch_counter_ticks() + ns_to_ticks(after_ns));
}

int domain_launch(const struct domain_config *config)
{
    struct domain *d;
    int error = domain_create(config, &d);

    if (!error) {
        d->vtimer_offset_ticks = arch_counter_ticks();
        d->job = JOB_BUILD;
        worker_set(d, 0);
    }
    return error;
}

int domain_make(const struct domain_config *like, domid_t wanted, struct domain *builder,
                struct domain **out)
{
    static_assert(sizeof(struct domain_config) <= FRAME_SIZE, "a configuration made is one page");
    struct domain_config *config = frame_alloc_hyp(NULL, 0);
    struct domain *d;

    if (!config) {
        return -XEN_ENOMEM;
    }
    *config = *like;
    config->made = true;
    config->id = wanted ? wanted : domain_choose_number();
    fmt(config->name, sizeof(config->name), "dom%u", config->id);
    memcpy(config->node, config->name, sizeof(config->name));
    int error = domain_create(config, &d); /* on error it has freed the configuration */
    if (error) {
        return error;
    }
    __atomic_fetch_add(&d->refs, 1, __ATOMIC_RELAXED);
    d->builder = builder->id;
    d->vtimer_offset_ticks = arch_counter_ticks();
    error = domain_pause_counted(d);
    if (!error) {
        error = xen_domain_start(d);
    }
    if (error) {
        if (domain_destroy(d)) {
            log_warn("%s could not be removed.", d->name);
        }
        domain_put(d);
        return error;
    }
    *out = d;
    return 0;
}

static void pause_vcpus(struct domain *d) REQUIRES(&d->lock)
{
    for (uint32_t i = 0; i < d->vcpu_count; i++) {
        sched_pause(d->vcpu[i]);
    }
}

static void unpause_vcpus(struct domain *d) REQUIRES(&d->lock)
{
    for (uint32_t i = 0; i < d->vcpu_count; i++) {
        sched_unpause(d->vcpu[i]);
    }
}

/* Take the domain off its CPUs. d->lock is held and d->state says why. */
static void stop_vcpus(struct domain *d) REQUIRES(&d->lock)
{
    pause_vcpus(d);
    d->job = JOB_STOP;
    worker_set(d, 0);
}

void domain_shutdown(struct domain *d, enum shutdown_reason reason)
{
    struct vcpu *v = this_cpu()->current;

    lock(&d->lock);
    if (d->state == DOMAIN_RUNNING) {
        d->state = DOMAIN_DOWN;
        d->reason = reason;
        d->shutdown_vcpu = v && v->domain == d ? v->id : 0;
        stop_vcpus(d);
    }
    unlock(&d->lock);
}

/* True once no CPU holds any of its vCPUs; asks those that do to let go. */
static bool all_unloaded(struct domain *d)
{
    bool done = true;

    for (uint32_t i = 0; i < d->vcpu_count; i++) {
        done = sched_is_off(d->vcpu[i]) && done;
    }
    return done;
}

static enum domain_policy policy_of(const struct domain *d)
{
    if (d->ordered) {
        return POLICY_RESTART;
    }
    switch (d->reason) {
    case SHUTDOWN_poweroff:
        return d->on_poweroff;
    case SHUTDOWN_reboot:
    case SHUTDOWN_soft_reset:
        return d->on_reboot;
    default:
        return d->on_crash;
    }
}

static const char *const reason_name[] = {"powered off",         "asked to reboot",
                                          "suspended",           "crashed",
                                          "missed its watchdog", "asked for a soft reset"};

/* All vCPUs are off: what happens to the domain? */
static enum domain_job after_stop(struct domain *d)
{
    enum domain_job job = JOB_UNLINK;
    bool ends_host = false;

    if (d->reason == SHUTDOWN_crash || d->reason == SHUTDOWN_watchdog) {
        domain_remember_crash(d, reason_name[d->reason]);
    }
    lock(&d->lock);
    if (d->state == DOMAIN_DOWN && policy_of(d) == POLICY_PRESERVE) {
        log_line("%s %s; it is kept as it is.", d->name, reason_name[d->reason]);
        job = JOB_NONE;
    } else if (d->state == DOMAIN_DOWN && policy_of(d) == POLICY_RESTART) {
        log_line("%s %s; it starts again.", d->name, reason_name[d->reason]);
    } else if (d->state == DOMAIN_DOWN) {
        log_line("%s %s; its memory is freed.", d->name, reason_name[d->reason]);
        d->state = DOMAIN_DYING;
        ends_host = d->reason == SHUTDOWN_poweroff && rights_allow(d, RIGHT_SHUTDOWN_HOST, NULL);
    }
    unlock(&d->lock);
    if (d->config->dom0 && d->state != DOMAIN_RUNNING) {
        log_warn("%s %s, and the machine with it, as with Xen.", d->name, reason_name[d->reason]);
        arch_power(d->reason != SHUTDOWN_poweroff);
    }
    if (ends_host) { /* as on Xen, where it is dom0's to do */
        log_warn("%s has the right shutdown-host: the machine is switched off.", d->name);
        arch_power(false);
    }
    return job;
}

/* Back to the state in which domain_build() finds it. Resumable, and one thing at a time. */
static int empty(struct domain *d)
{
    bool tables = d->p2m.max_gfn.v != 0, parked = d->parked != 0;

    if (p2m_teardown(d) != 0 || tables || frame_release_parked(d) != 0 || parked) {
        return -XEN_ERESTART;
    }
    return xen_domain_stop(
        d); /* again: pages that were mapped, what others have bound to it meanwhile */
}

/* All devices and vCPUs back to power-on, before the memory is built anew. */
static void reset(struct domain *d)
{
    vgic_domain_reset(d);
    vuart_reset(d);
    for (uint32_t i = 0; i < d->vcpu_count; i++) {
        sched_set_online(d->vcpu[i], false);
        vtimer_vcpu_reset(d->vcpu[i]);
        d->vcpu[i]->work = 0;
        sched_unpause(d->vcpu[i]);
    }
    d->vtimer_offset_ticks = arch_counter_ticks();
    d->reboot_count++;
}

/* What cannot be started again is destroyed; its vCPUs are offline. */
static enum domain_job give_up(struct domain *d)
{
    log_warn("%s cannot be built again; it is destroyed.", d->name);
    lock(&d->lock);
    d->state = DOMAIN_DYING;
    unlock(&d->lock);
    return JOB_UNLINK;
}

/* What it was building and has not started dies with its builder's run. */
static void reclaim(struct domain *builder)
{
    if (!rights_allow(builder, RIGHT_BUILD, NULL)) {
        return;
    }
    for (struct domain *d = domain_next(NULL); d; d = domain_next(d)) {
        if (d->builder == builder->id && d->state == DOMAIN_CREATED && domain_destroy(d) == 0) {
            log_line("%s was only half built by %s; it is destroyed.", d->name, builder->name);
        }
    }
}

/* One bounded step of the domain's job. */
static void step(struct domain *d)
{
    enum domain_job next = d->job;
    int error;

    switch (d->job) {
    case JOB_STOP:
        if (all_unloaded(d)) {
            domain_quiet_devices(d);
            next = after_stop(d);
            reclaim(d);
            xen_tell_domain_exception();
        }
        break;
    case JOB_UNLINK: /* what it has mapped of others goes before its tables do */
        irq_release_all(d);
        next = xen_domain_stop(d) == 0 ? JOB_EMPTY : JOB_UNLINK;
        break;
    case JOB_EMPTY:
        error = empty(d);
        if (error != -XEN_ERESTART) {
            ASSERT(checker_run() == 0);
            next = d->state == DOMAIN_DYING ? JOB_RELEASE : JOB_RESET;
        }
        break;
    case JOB_RESET:
        reset(d);
        next = JOB_BUILD;
        break;
    case JOB_BUILD:
        error = domain_build(d);
        if (error == 0 && let_go(d)) { /* from here on it may shut down and set the next job */
            return;
        }
        if (error != -XEN_ERESTART) {
            next = error != 0 ? give_up(d) : JOB_UNLINK;
        }
        break;
    case JOB_RELEASE:
        d->job = JOB_NONE;
        log_line("%s is gone.", d->name);
        CHECK(frame_owned_count(d->id) == 0); /* the number may be somebody else's from here on */
        rights_forget(d);
        domain_table_remove(d);
        xen_tell_domain_exception();
        return;
    case JOB_NONE:
        return;
    }
    d->job = next;
    if (next != JOB_NONE) {
        worker_set(d, WORKER_PAUSE_NS);
    }
}

/*
 * Steps are made by one CPU at a time: the worker's timer, or a caller in a hurry. Only the worker
 * gives the table's reference up, so its timer never fires for a domain that is gone.
 */
static void worker_fire(struct timer *t, uint64_t now_ticks)
{
    struct domain *d = container_of(t, struct domain, worker);

    if (__atomic_exchange_n(&d->working, true, __ATOMIC_ACQUIRE)) {
        worker_set(d, WORKER_PAUSE_NS);
        return;
    }
    bool last = d->job == JOB_RELEASE;
    step(d);
    __atomic_store_n(&d->working, false, __ATOMIC_RELEASE);
    if (last) {
        timer_retire(t); /* somebody in a hurry may have set it meanwhile */
        domain_put(d);
    }
}

void domain_hurry(struct domain *d)
{
    if (__atomic_exchange_n(&d->working, true, __ATOMIC_ACQUIRE)) {
        return;
    }
    if (d->job == JOB_STOP || d->job == JOB_UNLINK || d->job == JOB_EMPTY) {
        step(d);
    } else if (d->job == JOB_RELEASE) {
        worker_set(d, 0);
    }
    __atomic_store_n(&d->working, false, __ATOMIC_RELEASE);
}

int domain_pause(struct domain *d)
{
    lock(&d->lock);
    int error = d->state != DOMAIN_RUNNING ? -XEN_EINVAL : d->paused_by_console ? -XEN_EBUSY : 0;
    if (!error) {
        d->paused_by_console = true;
        pause_vcpus(d);
    }
    unlock(&d->lock);
    return error;
}

/* True if the console had paused it. */
static bool end_console_pause(struct domain *d) REQUIRES(&d->lock)
{
    bool paused = d->paused_by_console;

    if (paused) {
        d->paused_by_console = false;
        unpause_vcpus(d);
    }
    return paused;
}

int domain_unpause(struct domain *d)
{
    lock(&d->lock);
    bool paused = end_console_pause(d);
    unlock(&d->lock);
    return paused ? 0 : -XEN_EINVAL;
}

int domain_pause_counted(struct domain *d)
{
    lock(&d->lock);
    int error = d->state == DOMAIN_DYING ? -XEN_EINVAL : d->pauses == 255 ? -XEN_EOVERFLOW : 0;
    if (!error && d->pauses++ == 0) {
        pause_vcpus(d);
    }
    unlock(&d->lock);
    return error;
}

int domain_unpause_counted(struct domain *d)
{
    lock(&d->lock);
    int error = d->state == DOMAIN_DYING || d->pauses == 0 ? -XEN_EINVAL : 0;
    if (!error && --d->pauses == 0) {
        if (d->state == DOMAIN_CREATED && d->config->made) {
            d->state = DOMAIN_RUNNING;
        }
        unpause_vcpus(d);
    }
    unlock(&d->lock);
    return error;
}

/*
 * An order from outside the guest; a console's pause ends with it. One that is on its way up or down
 * takes no other order than its end: it is not built again, or if its building has begun, not let go.
 */
static int order(struct domain *d, enum domain_state state, enum shutdown_reason reason)
{
    lock(&d->lock);
    bool turning = d->state == DOMAIN_DOWN || d->state == DOMAIN_CREATED;
    bool idle = d->state == DOMAIN_RUNNING || (turning && d->job == JOB_NONE);
    if (idle) {
        bool stopped = d->state == DOMAIN_DOWN;

        (void)end_console_pause(d);
        d->state = state;
        d->reason = reason;
        d->ordered = state == DOMAIN_DOWN;
        if (stopped) {
            d->job = JOB_STOP; /* preserved: its vCPUs are paused already */
            worker_set(d, 0);
        } else {
            stop_vcpus(d);
        }
    } else if (turning && state == DOMAIN_DYING) {
        (void)end_console_pause(d);
        d->state = DOMAIN_DYING;
        idle = true;
    }
    unlock(&d->lock);
    return idle ? 0 : -XEN_EBUSY;
}

int domain_destroy(struct domain *d)
{
    return order(d, DOMAIN_DYING, SHUTDOWN_poweroff);
}

int domain_reboot(struct domain *d)
{
    return order(d, DOMAIN_DOWN, SHUTDOWN_reboot);
}

void vcpu_notify(struct vcpu *v, uint32_t work_bits)
{
    if (this_cpu()->current == v) {
        __atomic_fetch_or(&v->work, work_bits, __ATOMIC_RELAXED); /* looked at on its way out */
    } else {
        vcpu_notify_other(v, work_bits);
    }
}

void vcpu_notify_other(struct vcpu *v, uint32_t work_bits)
{
    uint32_t before = __atomic_fetch_or(&v->work, work_bits, __ATOMIC_SEQ_CST);

    /*
     * Whoever set the bits before has made it notice - unless it was that CPU itself, for a vCPU
     * that is loaded but asleep (vgic_serve()). sched_block() clears awake, then looks at work: one
     * that is awake after we set the bits needs no scheduler.
     */
    if (!__atomic_load_n(&v->sched.awake, __ATOMIC_SEQ_CST)) {
        sched_wake(v);
    } else if ((before & work_bits) == work_bits) {
        return;
    }
    /* Running elsewhere: interrupt it. Pairs with the barrier after switch_to() in exit_work(). */
    struct cpu *c = __atomic_load_n(&v->cpu, __ATOMIC_SEQ_CST);
    if (c && __atomic_load_n(&c->current, __ATOMIC_RELAXED) == v) {
        cpu_kick(c, IPI_RESCHED);
    }
}

enum mmio_outcome domain_mmio(struct vcpu *v, struct mmio_access *a)
{
    if (vuart_owns(&v->domain->vuart, a->at)) {
        vuart_access(v->domain, a);
        return MMIO_DONE;
    }
    switch (vgic_mmio(v, a)) {
    case VGIC_DONE:
        return MMIO_DONE;
    case VGIC_RETRY:
        return MMIO_RETRY;
    default:
        return MMIO_ABSENT;
    }
}
