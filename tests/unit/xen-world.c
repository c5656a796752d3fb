/* See xen-world.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "xen-world.h"
#include <hyp/checker.h>
#include <hyp/config.h>
#include <hyp/console.h>
#include <hyp/gic.h>
#include <hyp/rights.h>
#include <string.h>

struct domain *world[WORLD_DOMAINS + 1];
unsigned world_injected, world_restarts;
char world_console[4096];
size_t world_console_length, world_console_room;
static struct frame_stats at_start;
static struct domain_config config = {.enhanced = true};

/* What the interface asks of its neighbours. */

void vgic_inject(struct vcpu *v, uint32_t intid)
{
    assert_int_equal(intid, VIRQ_EVTCHN);
    assert_int_equal(v->evtchn->info->evtchn_upcall_pending, 1);
    world_injected++;
}

void vgic_set_level(struct vcpu *v, uint32_t intid, bool high)
{
}
bool vgic_has_pending(struct vcpu *v)
{
    return v->evtchn->info->evtchn_upcall_pending != 0;
}

size_t console_domain_output(struct domain *d, const uint8_t *bytes, size_t count)
{
    size_t taken = 0;
    while (taken < count && world_console_length < world_console_room) {
        world_console[world_console_length++] = (char)bytes[taken++];
    }
    return taken;
}

void sched_times(struct vcpu *v, uint64_t now_ticks, struct sched_times *out)
{
    *out = (struct sched_times){
        .state = SCHED_RUNNING, .since_ticks = now_ticks, .ticks = {1, 2, 3, 4}};
}

struct gic_host gic_host = {.version = 3, .intid_count = 256};

int domain_destroy(struct domain *d)
{
    return -XEN_EBUSY;
}

int config_all(const struct domain_config **out)
{
    *out = &config;
    return 1;
}

static void begin_domain(unsigned id)
{
    struct domain *d = fake_domain((domid_t)id, "guest", 2);
    mfn_t m;
    world[id] = d;
    d->config = &config;
    d->max_frames = WORLD_FRAMES + XEN_MAGIC_FRAMES + 8;
    d->hyp_frames_max = 200;
    assert_int_equal(p2m_init(d), 0);
    assert_int_equal(xen_domain_create(d), 0);
    for (unsigned i = 0; i < WORLD_FRAMES; i++) {
        assert_int_equal(frame_alloc_domain(d, 0, &m), 0);
        assert_int_equal(p2m_map(d, gfn(WORLD_BASE + i), m, 1, P2M_RAM), 0);
    }
    assert_int_equal(xen_domain_start(d), 0);
}

void world_begin(unsigned count)
{
    fake_boot(2, 64ull << 20);
    frame_stats(&at_start);
    world_injected = world_restarts = 0;
    world_console_length = 0;
    world_console_room = sizeof(world_console);
    for (unsigned id = 1; id <= count; id++) {
        begin_domain(id);
    }
}

void world_stop_calls(struct domain *d)
{
    int error;
    while ((error = xen_domain_stop(d)) == -XEN_ERESTART) {
    }
    assert_int_equal(error, 0);
}

void world_empty(struct domain *d)
{
    int error;
    world_stop_calls(d);
    assert_int_equal(checker_run(), 0); /* what its tables map is still what they say */
    while ((error = p2m_teardown(d)) == -XEN_ERESTART) {
    }
    assert_int_equal(error, 0);
    fake_tlb_check(d);
}

void world_kill(unsigned id)
{
    struct domain *d = world[id];
    world[id] = NULL;
    world_empty(d);
    world_stop_calls(d);
}

/* Domains killed before may have been kept by what others had mapped of them; now nobody is left. */
void world_end(void)
{
    struct frame_stats now;
    struct domain *all[WORLD_DOMAINS + 1] = {NULL};
    for (unsigned id = 1; id <= WORLD_DOMAINS; id++) {
        if (world[id] != NULL) {
            world_kill(id);
        }
        all[id] = domain_get((domid_t)id);
    }
    for (unsigned id = 1; id <= WORLD_DOMAINS; id++) {
        struct domain *d = all[id];
        if (d == NULL) {
            continue;
        }
        domain_put(d);
        assert_int_equal(d->refs, 1);
        xen_domain_destroy(d);
        rights_destroy(d);
        p2m_destroy(d);
        assert_int_equal(d->hyp_frames, 0);
        assert_int_equal(frame_owned_count(d->id), 0);
        fake_domain_free(d);
    }
    frame_stats(&now);
    assert_int_equal(now.free, at_start.free);
    assert_int_equal(fake_locks_held(), 0);
}

int64_t call(unsigned id, uint64_t number, uint64_t a0, uint64_t a1, uint64_t a2)
{
    struct vcpu *v = world[id]->vcpu[0];
    uint64_t *x = v->arch.x;
    x[16] = number;
    x[0] = a0;
    x[1] = a1;
    x[2] = a2;
    for (unsigned turn = 0;; turn++) {
        assert_true(turn < 100000);
        v->arch.pc = 4;
        hypercall(v);
        assert_int_equal(fake_locks_held(), 0);
        if (v->arch.pc == 4) {
            return (int64_t)x[0];
        }
        world_restarts++;
        if (turn % 1000 == 999) {
            world_console_length =
                0; /* who waits for a full console waits for a person's terminal */
        }
    }
}

int64_t call_with(unsigned id, uint64_t number, uint64_t cmd, void *argument, size_t size,
                  uint64_t count)
{
    memcpy(guest(id, WORLD_SCRATCH), argument, size);
    int64_t result = call(id, number, cmd, WORLD_SCRATCH << FRAME_SHIFT, count);
    if (world[id] != NULL && world[id]->p2m.root.v != 0) {
        memcpy(argument, guest(id, WORLD_SCRATCH), size);
    }
    return result;
}

void *guest(unsigned id, uint64_t gfn_number)
{
    mpa_t at;
    assert_true(fake_guest_translate(world[id], gpa(gfn_number << FRAME_SHIFT), false, &at));
    return fake_ram(at);
}
