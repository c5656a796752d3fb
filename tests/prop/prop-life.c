/*
 * A domain's life against its specification: the real domain.c over the real
 * frames and tables; devices and the builder are stand-ins that succeed, take
 * two steps, or fail as the property asks.
 *
 * Every sequence of events up to a length, for every policy, with the vCPU on
 * or off its CPU when the worker looks. At the end the worker is let run: it
 * always comes to an end, and a domain that is gone has left nothing.
 */
#include "life.h"
#include "prop.h"

#include <fake.h>
#include <hyp/config.h>
#include <hyp/console.h>
#include <hyp/frame.h>
#include <hyp/irq.h>
#include <hyp/vgic.h>
#include <hyp/vtimer.h>
#include <hyp/vuart.h>
#include <hyp/xen.h>
#include <string.h>
#include <xen/errno.h>

static struct domain_config config;
static struct domain *d; /* NULL once it is gone */
static domid_t id;       /* its number */
static struct spec_life pre, post;
static uint64_t free_before;
static enum { BUILD_GOOD, BUILD_SLOW, BUILD_BAD } build;
static bool half_built;

/* --- Stand-ins --- */

void domain_quiet_devices(struct domain *x)
{
}
int domain_build(struct domain *b)
{
    mfn_t m;
    if (build == BUILD_BAD) {
        return -XEN_ENOMEM;
    }
    if (build == BUILD_SLOW && !half_built) {
        half_built = true;
        return -XEN_ERESTART;
    }
    half_built = false;
    int error = frame_alloc_domain(b, 1, &m);
    return error != 0 ? error : p2m_map(b, gfn(8), m, 2, P2M_RAM);
}

void arch_vcpu_destroy(struct vcpu *v)
{
}
void arch_vcpu_snapshot(const struct vcpu *v, struct crash_record *to)
{
}
int console_domain_create(struct domain *c)
{
    return 0;
}
void console_domain_destroy(struct domain *c)
{
}
void irq_release_all(struct domain *c)
{
}
int vgic_domain_init(struct domain *c, const struct vgic_config *v)
{
    return 0;
}
void vgic_domain_reset(struct domain *c)
{
}
void vgic_domain_destroy(struct domain *c)
{
}
enum vgic_outcome vgic_mmio(struct vcpu *v, struct mmio_access *a)
{
    return VGIC_DONE;
}
void vtimer_vcpu_init(struct vcpu *v)
{
}
void vtimer_vcpu_destroy(struct vcpu *v)
{
}

void vtimer_vcpu_reset(struct vcpu *v)
{
}
void vuart_reset(struct domain *c)
{
}
void vuart_access(struct domain *c, struct mmio_access *a)
{
}
int xen_domain_create(struct domain *c)
{
    return 0;
}
int xen_domain_start(struct domain *c)
{
    return 0;
}
int xen_domain_stop(struct domain *c)
{
    return 0;
}
void xen_domain_destroy(struct domain *c)
{
}
void xen_tell_domain_exception(void)
{
}

/* --- The property --- */

static const enum shutdown_reason reasons[] = {SHUTDOWN_poweroff, SHUTDOWN_reboot, SHUTDOWN_crash};

static uint64_t free_frames(void)
{
    struct frame_stats s;
    frame_stats(&s);
    return s.free;
}

/* The table's reference is the domain's; when that is gone, so is `d`. */
static void find_again(void)
{
    struct domain *found = domain_get(id);
    if (found == NULL) {
        d = NULL;
    } else {
        domain_put(found);
    }
}

/* Whatever was asked, the worker finishes it: in gone, in running, or kept as it is. */
static void settle(void)
{
    for (unsigned i = 0; d != NULL && d->job != JOB_NONE; i++) {
        PROVE(i < 20);
        d->vcpu[0]->cpu = NULL;
        d->worker.cpu = NULL;
        d->worker.fire(&d->worker, arch_counter_ticks());
        find_again();
    }
    PROVE(fake_locks_held() == 0);
    if (d == NULL && free_before != 0) { /* there was one */
        PROVE(frame_owned_count(id) == 0);
        PROVE(free_frames() == free_before);
    }
}

static void boot(void)
{
    fake_locks_forget();
    build = BUILD_BAD;
    settle(); /* the last case's domain, if it was left */
    if (d != NULL) {
        PROVE(domain_destroy(d) == 0);
        settle();
    }
    fake_boot(1, 64 * FRAME_SIZE);
    PROVE(domains_init() == 0);
    free_before = free_frames();
    config = (struct domain_config){
        .name = "guest", .id = 1, .vcpu_count = 1, .max_memory_bytes = 1 << 20};
    config.on_crash = config.on_reboot = config.on_poweroff =
        (enum domain_policy)ANY(POLICY_DESTROY, POLICY_PRESERVE);
    build = BUILD_GOOD;
    half_built = false;
    id = 1;
    PROVE(domain_create(&config, &d) == 0);
    spec_life_look(d, &pre);
}

static void work(void)
{
    if (d->worker.cpu == NULL) {
        return;
    }
    if (d->job == JOB_STOP && ANY(0, 1) != 0) {
        d->vcpu[0]->cpu = NULL; /* the scheduler got it off */
    }
    d->worker.cpu = NULL;
    d->worker.fire(&d->worker, arch_counter_ticks());
}

static int happen(enum life_event event, enum shutdown_reason *reason)
{
    switch (event) {
    case LIFE_START:
        ASSUME(d->state == DOMAIN_CREATED && d->job == JOB_NONE);
        return domain_start(d);
    case LIFE_SHUTDOWN:
        *reason = reasons[ANY(0, ARRAY_LEN(reasons) - 1)];
        domain_shutdown(d, *reason);
        return 0;
    case LIFE_PAUSE:
        return domain_pause(d);
    case LIFE_UNPAUSE:
        return domain_unpause(d);
    case LIFE_REBOOT:
        return domain_reboot(d);
    case LIFE_DESTROY:
        return domain_destroy(d);
    case LIFE_HOLD:
        return domain_pause_counted(d);
    case LIFE_LET_GO:
        return domain_unpause_counted(d);
    default:
        work();
        return 0;
    }
}

static void step(enum life_event event)
{
    enum shutdown_reason reason = SHUTDOWN_poweroff;
    int result = happen(event, &reason);
    if (event == LIFE_WORK) {
        find_again();
    }
    if (d != NULL && d->state == DOMAIN_RUNNING && d->vcpu[0]->sched.pause_count == 0) {
        d->vcpu[0]->cpu = this_cpu();
    }
    spec_life_look(d, &post);
    if (post.gone) {
        post.memory = frame_owned_count(id);
    }
    PROVE_RULE(spec_life_step(&pre, event, reason, result, &post));
    pre = post;
}

static void good_life(void)
{
    boot();
    step(LIFE_START);
    build = ANY(BUILD_GOOD, BUILD_BAD);
    for (unsigned i = 0; d != NULL && i < 3; i++) {
        step((enum life_event)ANY(LIFE_SHUTDOWN, LIFE_WORK));
    }
    settle();
    if (d != NULL) { /* running again, or kept as it is */
        spec_life_look(d, &pre);
        PROVE(pre.state == DOMAIN_RUNNING || pre.policy == POLICY_PRESERVE);
        step((enum life_event)ANY(LIFE_SHUTDOWN, LIFE_WORK));
        settle();
    }
}

/* Orders before it was ever started, and a start that fails. */
static void good_before_the_start(void)
{
    boot();
    build = ANY(BUILD_GOOD, BUILD_BAD);
    for (unsigned i = 0; d != NULL && i < 4; i++) {
        step((enum life_event)ANY(LIFE_START, LIFE_WORK));
    }
    settle();
}

/* Started again by hand after its end: orders before it is built come too early, but for its end. */
static void good_launch(void)
{
    boot();
    PROVE(domain_destroy(d) == 0);
    settle();
    PROVE(d == NULL && domain_launch(&config) == 0);
    d = domain_get(id);
    domain_put(d);
    build = ANY(BUILD_GOOD, BUILD_BAD);
    spec_life_look(d, &pre);
    for (unsigned i = 0; d != NULL && i < 4; i++) {
        step((enum life_event)ANY(LIFE_SHUTDOWN, LIFE_WORK));
    }
    settle();
}

/* One that another made: held at birth, started by being let go; it leaves nothing behind. */
static void good_made(void)
{
    mfn_t m;
    boot();
    struct domain *builder = d;
    uint64_t free_of_all = free_before;
    free_before = free_frames();
    PROVE(domain_make(&config, 2, builder, &d) == 0);
    domain_put(d); /* the table keeps it */
    id = 2;
    PROVE(frame_alloc_domain(d, 0, &m) == 0 && p2m_map(d, gfn(8), m, 1, P2M_RAM) == 0);
    spec_life_look(d, &pre);
    PROVE(pre.held == 1 && pre.made && pre.state == DOMAIN_CREATED);
    for (unsigned i = 0; d != NULL && i < 4; i++) {
        step((enum life_event)ANY(LIFE_SHUTDOWN, LIFE_WORK));
    }
    build = BUILD_BAD;
    settle();
    if (d != NULL) {
        PROVE(domain_destroy(d) == 0);
        for (unsigned i = 0; i < 4; i++) {
            domain_hurry(d); /* as a caller of domctl would */
        }
        settle();
    }
    PROVE(d == NULL);
    d = builder;
    id = 1;
    free_before = free_of_all;
}

/* Somebody lets a paused vCPU go behind the domain's back. */
static void bad_pause_count(void)
{
    boot();
    step(LIFE_START);
    step(LIFE_PAUSE);
    d->vcpu[0]->sched.pause_count = 0;
    spec_life_look(d, &pre);
    step(LIFE_PAUSE);
}

/* A domain that is torn down while a vCPU is on a CPU. */
static void bad_memory_under_a_vcpu(void)
{
    boot();
    step(LIFE_START);
    domain_shutdown(d, SHUTDOWN_reboot);
    d->vcpu[0]->cpu = this_cpu();
    spec_life_look(d, &pre);
    while (p2m_teardown(d) == -XEN_ERESTART) {
    }
    spec_life_look(d, &post);
    PROVE_RULE(spec_life_step(&pre, LIFE_WORK, SHUTDOWN_reboot, 0, &post));
}

const struct prop props[] = {
    {"good_life", good_life,
     "3 policies, 3 builders, every 3 of 8 events, the worker to its end, and another event", NULL},
    {"good_before_the_start", good_before_the_start,
     "the same, every 4 of 9 events, not started yet", NULL},
    {"good_launch", good_launch, "the same, every 4 of 8 events, while it is built again", NULL},
    {"good_made", good_made, "3 policies, every 4 of 8 events", NULL},
    {"bad_pause_count", bad_pause_count, "one", "paused a wrong number of times"},
    {"bad_memory_under_a_vcpu", bad_memory_under_a_vcpu, "one", "memory taken away under a vCPU"},
    {NULL, NULL, NULL, NULL},
};
