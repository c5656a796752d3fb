/*
 * vcpu_op: where a vCPU's information is kept, how long it ran, its timers.
 *
 * Xen on Arm does only the two registrations and answers -EINVAL to the rest;
 * guests on Arm bring vCPUs up by PSCI. The timers, is_up and
 * get_runstate_info work here as they do on other architectures.
 *
 * Source: public/vcpu.h.
 */
#include "xen-internal.h"

#include <hyp/arch.h>
#include <hyp/evtchn.h>
#include <hyp/sched.h>
#include <hyp/xen.h>
#include <lib/string.h>

#define PERIOD_MIN_NS 1000000ull /* as Xen: one millisecond */

uint64_t xen_system_time_ns(const struct domain *d)
{
    return ticks_to_ns(arch_counter_ticks() - d->vtimer_offset_ticks);
}

/* --- vcpu_info --- */

/* Everything is marked as pending afterwards: an event that went to the old place meanwhile is not lost. */
static void use_info(struct vcpu *v, struct vcpu_info *info, mfn_t frame)
{
    struct evtchn_vcpu *x = v->evtchn;
    memcpy(info, x->info, sizeof(*info));
    info->evtchn_upcall_pending = 1;
    x->info_frame = frame;
    __atomic_store_n(&x->info, info, __ATOMIC_RELEASE);
    __atomic_store_n(&info->evtchn_pending_sel, ~0ull, __ATOMIC_SEQ_CST);
    vgic_inject(v, VIRQ_EVTCHN);
}

static int64_t register_vcpu_info(struct vcpu *v, struct vcpu *target, uint64_t at)
{
    struct vcpu_register_vcpu_info op;
    struct domain *d = v->domain;
    mfn_t frame;
    if (guest_va_read(v, &op, at, sizeof(op)) != 0) {
        return -XEN_EFAULT;
    }
    if (op.offset > FRAME_SIZE - sizeof(struct vcpu_info) || op.offset % 8 != 0) {
        return -XEN_ENXIO;
    }
    if (target != v && target->sched.online) {
        return -XEN_EINVAL;
    }
    int64_t error = xen_own_frame(d, gfn(op.mfn), &frame);
    if (error != 0) {
        return error;
    }
    lock(&d->xen->lock);
    if (target->evtchn->info_frame.v != MFN_NONE.v) {
        error = -XEN_EINVAL; /* once for the life of the domain */
    } else {
        use_info(target, (void *)((char *)mfn_to_va(frame) + op.offset), frame);
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

/* Byte `offset` of the registered area, which may lie on two frames. */
static void area_write(const struct evtchn_vcpu *x, uint32_t offset, const void *from,
                       uint32_t size)
{
    const char *bytes = from;
    bool aligned =
        x->runstate_at[0].v % sizeof(uint64_t) == 0; /* then no word is split, nor seen half */
    for (uint32_t i = 0; i < size; i += aligned ? sizeof(uint64_t) : 1) {
        bool second = offset + i >= x->runstate_split;
        mpa_t at = mpa(x->runstate_at[second].v + offset + i - (second ? x->runstate_split : 0));
        char *to = (char *)mfn_to_va(mpa_mfn(at)) + (at.v & FRAME_MASK);
        if (aligned) {
            uint64_t word;
            memcpy(&word, bytes + i, sizeof(word));
            __atomic_store_n((uint64_t *)to, word, __ATOMIC_RELAXED);
        } else {
            *to = bytes[i];
        }
    }
}

/* With the update flag: entry time carries the top bit as long as the rest is being written. */
static void area_update(struct vcpu *v)
{
    struct vcpu_runstate_info r = {0};
    const struct evtchn_vcpu *x = v->evtchn;
    bool flagged = v->domain->xen->vm_assist >> VMASST_TYPE_runstate_update_flag & 1;
    runstate_now(v, &r);
    uint64_t entry = r.state_entry_time | XEN_RUNSTATE_UPDATE;
    if (flagged) {
        area_write(x, offsetof(struct vcpu_runstate_info, state_entry_time), &entry, sizeof(entry));
        r.state_entry_time = entry;
        arch_wmb();
    }
    area_write(x, 0, &r, sizeof(r));
    if (flagged) {
        arch_wmb();
        entry &= ~XEN_RUNSTATE_UPDATE;
        area_write(x, offsetof(struct vcpu_runstate_info, state_entry_time), &entry, sizeof(entry));
    }
}

void xen_runstate_update(struct vcpu *v)
{
    if (v->evtchn == NULL || v->evtchn->runstate_split == 0) {
        return;
    }
    lock(&v->domain->xen->lock);
    if (v->evtchn->runstate_split != 0) {
        area_update(v);
    }
    unlock(&v->domain->xen->lock);
}

static void area_forget(struct evtchn_vcpu *x)
{
    if (x->runstate_split != 0) {
        frame_put(mpa_mfn(x->runstate_at[0]));
        if (x->runstate_split < sizeof(struct vcpu_runstate_info)) {
            frame_put(mpa_mfn(x->runstate_at[1]));
        }
        x->runstate_split = 0;
    }
}

/* The address is looked up once, now: later the guest's page tables may be anything. */
static int64_t register_runstate(struct vcpu *v, struct vcpu *target, uint64_t at)
{
    struct vcpu_register_runstate_memory_area op;
    struct evtchn_vcpu *x = target->evtchn;
    mpa_t area[2] = {{0}, {0}};
    if (guest_va_read(v, &op, at, sizeof(op)) != 0) {
        return -XEN_EFAULT;
    }
    uint64_t va = op.addr.p;
    uint32_t first = (uint32_t)(FRAME_SIZE - (va & FRAME_MASK)),
             split = sizeof(struct vcpu_runstate_info);
    split = first < split ? first : split;
    int64_t error = 0;
    if (va != 0) {
        error = guest_va_hold(v, va, &area[0]);
        if (error == 0 && split < sizeof(struct vcpu_runstate_info)) {
            error = guest_va_hold(v, va + split, &area[1]);
            if (error != 0) {
                frame_put(mpa_mfn(area[0]));
            }
        }
    }
    if (error != 0) {
        return error;
    }
    lock(&v->domain->xen->lock);
    area_forget(x);
    if (va != 0) {
        x->runstate_at[0] = area[0];
        x->runstate_at[1] = area[1];
        x->runstate_split = split;
        area_update(target);
    }
    unlock(&v->domain->xen->lock);
    return 0;
}

static int64_t get_runstate(struct vcpu *v, struct vcpu *target, uint64_t at)
{
    struct vcpu_runstate_info r = {0};
    runstate_now(target, &r);
    return guest_va_write(v, at, &r, sizeof(r)) != 0 ? -XEN_EFAULT : 0;
}

/* --- Timers that raise VIRQ_TIMER --- */

static void shot(struct timer *t, uint64_t now_ticks)
{
    struct evtchn_vcpu *x = container_of(t, struct evtchn_vcpu, shot_timer);
    evtchn_virq(x->vcpu, VIRQ_TIMER);
}

static void period(struct timer *t, uint64_t now_ticks)
{
    struct evtchn_vcpu *x = container_of(t, struct evtchn_vcpu, period_timer);
    timer_set(t, now_ticks + x->period_ticks);
    evtchn_virq(x->vcpu, VIRQ_TIMER);
}

static int64_t set_singleshot(struct vcpu *v, uint64_t at)
{
    struct vcpu_set_singleshot_timer op;
    if (guest_va_read(v, &op, at, sizeof(op)) != 0) {
        return -XEN_EFAULT;
    }
    if ((op.flags & VCPU_SSHOTTMR_future) != 0 &&
        op.timeout_abs_ns < xen_system_time_ns(v->domain)) {
        return -XEN_ETIME;
    }
    timer_set(&v->evtchn->shot_timer,
              v->domain->vtimer_offset_ticks + ns_to_ticks(op.timeout_abs_ns));
    return 0;
}

static int64_t set_periodic(struct vcpu *v, uint64_t at)
{
    struct vcpu_set_periodic_timer op;
    if (guest_va_read(v, &op, at, sizeof(op)) != 0) {
        return -XEN_EFAULT;
    }
    if (op.period_ns < PERIOD_MIN_NS) {
        return -XEN_EINVAL;
    }
    v->evtchn->period_ticks = ns_to_ticks(op.period_ns);
    timer_set(&v->evtchn->period_timer, arch_counter_ticks() + v->evtchn->period_ticks);
    return 0;
}

int64_t vcpu_op(struct vcpu *v, uint64_t *arg)
{
    struct domain *d = v->domain;
    uint32_t cmd = (uint32_t)arg[0], id = (uint32_t)arg[1];
    if (id >= d->vcpu_count) {
        return -XEN_ENOENT;
    }
    struct vcpu *target = d->vcpu[array_index_clamp(id, d->vcpu_count)];
    bool timer = cmd >= VCPUOP_set_periodic_timer && cmd <= VCPUOP_stop_singleshot_timer;
    if (timer && target != v) {
        return -XEN_EINVAL; /* a timer belongs to the CPU its vCPU is on */
    }
    switch (cmd) {
    case VCPUOP_is_up:
        return target->sched.online ? 1 : 0;
    case VCPUOP_get_runstate_info:
        return get_runstate(v, target, arg[2]);
    case VCPUOP_register_runstate_memory_area:
        return register_runstate(v, target, arg[2]);
    case VCPUOP_set_periodic_timer:
        return set_periodic(v, arg[2]);
    case VCPUOP_stop_periodic_timer:
        timer_cancel(&v->evtchn->period_timer);
        return 0;
    case VCPUOP_set_singleshot_timer:
        return set_singleshot(v, arg[2]);
    case VCPUOP_stop_singleshot_timer:
        timer_cancel(&v->evtchn->shot_timer);
        return 0;
    case VCPUOP_register_vcpu_info:
        return register_vcpu_info(v, target, arg[2]);
    default: /* initialise, up, down: PSCI does that on Arm */
        return -XEN_EINVAL;
    }
}

void vcpu_op_init(struct vcpu *v)
{
    struct evtchn_vcpu *x = v->evtchn;
    x->vcpu = v;
    x->info = &x->no_info;
    x->info_frame = MFN_NONE;
    x->resume_key = ~0ull;
    timer_init(&x->shot_timer, shot);
    timer_init(&x->period_timer, period);
}

void vcpu_op_stop(struct vcpu *v)
{
    struct evtchn_vcpu *x = v->evtchn;
    timer_retire(&x->shot_timer);
    timer_retire(&x->period_timer);
    area_forget(x);
    x->info = &x->no_info;
    x->no_info = (struct vcpu_info){0};
    if (x->info_frame.v != MFN_NONE.v) {
        frame_put(x->info_frame);
        x->info_frame = MFN_NONE;
    }
}
