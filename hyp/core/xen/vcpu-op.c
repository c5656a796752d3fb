/*
 * vcpu_op: where a vCPU's information is kept, how long it ran, its timer.
 *
 * Xen on Arm does only the two registrations and answers -EINVAL to the rest;
 * guests on Arm bring vCPUs up by PSCI. The singleshot timer works here as it
 * does on other architectures.
 *
 * Source: public/vcpu.h.
 */
#include "xen-internal.h"

#include <hyp/arch.h>
#include <hyp/evtchn.h>
#include <hyp/sched.h>
#include <hyp/xen.h>
#include <lib/string.h>

uint64_t xen_system_time_ns(const struct domain *d)
{
    return ticks_to_ns(arch_counter_ticks() - d->vtimer_offset_ticks);
}

/* --- vcpu_info --- */

/* Everything is marked as pending afterwards: an event that went to the old place meanwhile is not lost. */
static void use_info(struct vcpu *v, struct vcpu_info *info)
{
    struct evtchn_vcpu *x = v->evtchn;
    memcpy(info, x->info, sizeof(*info));
    info->evtchn_upcall_pending = 1;
    x->info_own = true;
    __atomic_store_n(&x->info, info, __ATOMIC_RELEASE);
    __atomic_store_n(&info->evtchn_pending_sel, ~0ull, __ATOMIC_SEQ_CST);
    vgic_inject(v, VIRQ_EVTCHN);
}

/* The vCPU that a call is about: xen_op() is only asked for one that is there. */
static struct vcpu *named(const struct domain *d, const uint64_t *reg)
{
    return d->vcpu[array_index_clamp((uint32_t)reg[1], d->vcpu_count)];
}

static int64_t register_vcpu_info(struct vcpu *v, struct domain *d, const uint64_t *reg, void *arg)
{
    const struct vcpu_register_vcpu_info *r = arg;
    struct vcpu *target = named(d, reg);
    mfn_t frame;
    if (r->offset > FRAME_SIZE - sizeof(struct vcpu_info) || r->offset % 8 != 0) {
        return -XEN_ENXIO;
    }
    if (target != v && target->sched.online) {
        return -XEN_EINVAL;
    }
    int64_t error = xen_own_frame(d, gfn(r->mfn), &frame);
    if (error != 0) {
        return error;
    }
    lock(&d->xen->lock);
    if (target->evtchn->info_own) {
        error = -XEN_EINVAL; /* once for the life of the domain */
    } else {
        use_info(target, (void *)((char *)mfn_to_va(frame) + r->offset));
    }
    unlock(&d->xen->lock);
    if (error != 0) {
        frame_put(frame);
    }
    return error;
}

/* --- Run states --- */

static void runstate_now(struct vcpu *v, struct vcpu_runstate_info *r)
{
    static const uint8_t as_told[SCHED_STATE_COUNT] = {[SCHED_RUNNING] = RUNSTATE_running,
                                                       [SCHED_RUNNABLE] = RUNSTATE_runnable,
                                                       [SCHED_BLOCKED] = RUNSTATE_blocked,
                                                       [SCHED_OFFLINE] = RUNSTATE_offline};
    struct sched_times t;
    sched_times(v, arch_counter_ticks(), &t);
    r->state = as_told[t.state];
    r->state_entry_time = ticks_to_ns(t.since_ticks - v->domain->vtimer_offset_ticks);
    for (unsigned i = 0; i < SCHED_STATE_COUNT; i++) {
        r->time[as_told[i]] = ticks_to_ns(t.ticks[i]);
    }
}

/*
 * Byte i of the area is at runstate[i >= runstate_split] + i. With the update flag, which is the top
 * bit of the entry time and so all in one byte, that is set as long as the rest is being written.
 */
static void area_update(struct vcpu *v)
{
    enum { FLAG = offsetof(struct vcpu_runstate_info, state_entry_time) + 7 };
    struct vcpu_runstate_info r = {0};
    const struct evtchn_vcpu *x = v->evtchn;
    uint32_t split = x->runstate_split;
    uint8_t *flag = &x->runstate[FLAG >= split][FLAG];
    bool flagged = v->domain->xen->vm_assist >> VMASST_TYPE_runstate_update_flag & 1;
    runstate_now(v, &r);
    uint8_t over = (uint8_t)(r.state_entry_time >> 56);
    r.state_entry_time |= flagged ? XEN_RUNSTATE_UPDATE : 0;
    __atomic_store_n(flag, (uint8_t)(r.state_entry_time >> 56), __ATOMIC_RELAXED);
    arch_wmb();
    memcpy(x->runstate[0], &r, split);
    memcpy(x->runstate[1] + split, (char *)&r + split, sizeof(r) - split);
    arch_wmb();
    __atomic_store_n(flag, over, __ATOMIC_RELAXED);
}

void xen_runstate_update(struct vcpu *v)
{
    if (v->evtchn->runstate_split == 0) {
        return;
    }
    lock(&v->domain->xen->lock);
    if (v->evtchn->runstate_split != 0) {
        area_update(v);
    }
    unlock(&v->domain->xen->lock);
}

#define AREA_LAST (sizeof(struct vcpu_runstate_info) - 1)

static void area_forget(struct evtchn_vcpu *x)
{
    if (x->runstate_split != 0) {
        frame_put(va_to_mfn(x->runstate[0]));
        frame_put(va_to_mfn(x->runstate[1] + AREA_LAST));
        x->runstate_split = 0;
    }
}

/*
 * The address is looked up once, now: later the guest's page tables may be anything. The frames of
 * the first byte and of the last, nearly always the same one, are held.
 */
static int64_t register_runstate(struct vcpu *v, struct domain *d, const uint64_t *reg, void *arg)
{
    uint64_t va = ((const struct vcpu_register_runstate_memory_area *)arg)->addr.p;
    struct vcpu *target = named(d, reg);
    struct evtchn_vcpu *x = target->evtchn;
    mpa_t first = {0}, last = {0};
    int64_t error = va != 0 ? guest_va_hold(v, va, &first) : 0;
    if (error == 0 && va != 0) {
        error = guest_va_hold(v, va + AREA_LAST, &last);
        if (error != 0) {
            frame_put(mpa_mfn(first));
        }
    }
    if (error != 0) {
        return error;
    }
    lock(&d->xen->lock);
    area_forget(x);
    if (va != 0) {
        uint32_t on_first = (uint32_t)(FRAME_SIZE - (va & FRAME_MASK));
        x->runstate[0] = arch_ram_va(first.v);
        x->runstate[1] = (uint8_t *)arch_ram_va(last.v) - AREA_LAST;
        x->runstate_split = on_first <= AREA_LAST ? on_first : AREA_LAST + 1;
        area_update(target);
    }
    unlock(&d->xen->lock);
    return 0;
}

/* --- Timers: the one that raises VIRQ_TIMER, and the end of a SCHEDOP_poll --- */

static void poll_over(struct timer *t, uint64_t now_ticks)
{
    sched_wake(container_of(t, struct evtchn_vcpu, poll_timer)->vcpu);
}

static void shot(struct timer *t, uint64_t now_ticks)
{
    evtchn_virq(container_of(t, struct evtchn_vcpu, shot_timer)->vcpu, VIRQ_TIMER);
}

/* A timer belongs to the CPU its vCPU is on: only that one sets it. */
static int64_t set_singleshot(struct vcpu *v, struct domain *d, const uint64_t *reg, void *arg)
{
    const struct vcpu_set_singleshot_timer *s = arg;
    if (named(d, reg) != v) {
        return -XEN_EINVAL;
    }
    if ((s->flags & VCPU_SSHOTTMR_future) != 0 && s->timeout_abs_ns < xen_system_time_ns(d)) {
        return -XEN_ETIME;
    }
    timer_set(&v->evtchn->shot_timer, d->vtimer_offset_ticks + ns_to_ticks(s->timeout_abs_ns));
    return 0;
}

static int64_t stop_singleshot(struct vcpu *v, struct domain *d, const uint64_t *reg, void *arg)
{
    if (named(d, reg) != v) {
        return -XEN_EINVAL;
    }
    timer_cancel(&v->evtchn->shot_timer);
    return 0;
}

/* arg[0] command, arg[1] which vCPU, arg[2] structure. What is not here, as up and down, PSCI does on Arm. */
int64_t vcpu_op(struct vcpu *v, uint64_t *arg)
{
    static const struct xen_op ops[] = {
        [VCPUOP_register_runstate_memory_area] = {register_runstate,
                                                  sizeof(
                                                      struct vcpu_register_runstate_memory_area)},
        [VCPUOP_set_singleshot_timer] = {set_singleshot, sizeof(struct vcpu_set_singleshot_timer)},
        [VCPUOP_stop_singleshot_timer] = {stop_singleshot},
        [VCPUOP_register_vcpu_info] = {register_vcpu_info, sizeof(struct vcpu_register_vcpu_info)},
    };
    if ((uint32_t)arg[1] >= v->domain->vcpu_count) {
        return -XEN_ENOENT;
    }
    int64_t result = xen_op(v, arg, ops, ARRAY_LEN(ops), arg[2]);
    return result == -XEN_ENOSYS ? -XEN_EINVAL : result;
}

void vcpu_op_init(struct vcpu *v)
{
    struct evtchn_vcpu *x = v->evtchn;
    x->vcpu = v;
    x->info = &x->no_info;
    x->resume_key = ~0ull;
    timer_init(&x->shot_timer, shot);
    timer_init(&x->poll_timer, poll_over);
}

void vcpu_op_stop(struct vcpu *v)
{
    struct evtchn_vcpu *x = v->evtchn;
    timer_retire(&x->shot_timer);
    timer_retire(&x->poll_timer);
    area_forget(x);
    const struct vcpu_info *before = x->info;
    x->info = &x->no_info;
    x->no_info = (struct vcpu_info){0};
    if (x->info_own) {
        frame_put(va_to_mfn(before));
    }
    x->info_own = false;
}
