/* Hypercalls one by one: what must work, and what must be refused with which answer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "xen-world.h"
#include <hyp/config.h>
#include <hyp/rights.h>
#include <string.h>
#include <xen/sysctl.h>
#include <xen/sched.h>
#include <xen/version.h>

static int setup(void **state)
{
    world_begin(2);
    return 0;
}
static int teardown(void **state)
{
    world_end();
    return 0;
}

#define HOLE_ADDRESS (WORLD_HOLE << FRAME_SHIFT)
#define SCRATCH_ADDRESS (WORLD_SCRATCH << FRAME_SHIFT)

/* --- Dispatch --- */

static void unknown_numbers_say_so(void **state)
{
    assert_int_equal(call(1, 0, 0, 0, 0), -XEN_ENOSYS);
    assert_int_equal(call(1, __HYPERVISOR_sched_op_compat, 0, 0, 0), -XEN_ENOSYS);
    assert_int_equal(call(1, 48, 0, 0, 0), -XEN_ENOSYS);
    assert_int_equal(call(1, ~0ull, 0, 0, 0), -XEN_ENOSYS);
    assert_int_equal(call(1, __HYPERVISOR_physdev_op, 0, 0, 0), -XEN_ENOSYS);
}

static void multicall_makes_each_call(void **state)
{
    struct multicall_entry e[20] = {{0}};
    for (unsigned i = 0; i < 20; i++) {
        e[i].op = i == 3 ? __HYPERVISOR_multicall : i == 4 ? 99 : __HYPERVISOR_xen_version;
        e[i].args[0] = XENVER_version;
    }
    memcpy(guest(1, WORLD_SCRATCH), e, sizeof(e));
    assert_int_equal(call(1, __HYPERVISOR_multicall, SCRATCH_ADDRESS, 20, 0), 0);
    memcpy(e, guest(1, WORLD_SCRATCH), sizeof(e));
    assert_int_equal(e[0].result, 4 << 16 | 17);
    assert_int_equal(e[3].result, (uint64_t)-XEN_EINVAL);
    assert_int_equal(e[4].result, (uint64_t)-XEN_ENOSYS);
    assert_int_equal(e[19].result, 4 << 16 | 17);
    assert_true(world_restarts > 0);
    assert_int_equal(call(1, __HYPERVISOR_multicall, HOLE_ADDRESS, 1, 0), -XEN_EFAULT);
}

static void a_long_call_inside_a_multicall_goes_on(void **state)
{
    struct {
        struct multicall_entry e;
        struct xen_memory_reservation r;
        uint64_t frame[8];
    } a = {.r = {.nr_extents = 1, .extent_order = 3, .domid = DOMID_SELF}};
    uint64_t at = SCRATCH_ADDRESS;
    a.r.extent_start = at + offsetof(__typeof__(a), frame);
    a.e = (struct multicall_entry){
        .op = __HYPERVISOR_memory_op,
        .args = {XENMEM_populate_physmap, at + offsetof(__typeof__(a), r)}};
    a.frame[0] = WORLD_HOLE;
    memcpy(guest(1, WORLD_SCRATCH), &a, sizeof(a));
    assert_int_equal(call(1, __HYPERVISOR_multicall, at, 1, 0), 0);
    memcpy(&a, guest(1, WORLD_SCRATCH), sizeof(a));
    assert_int_equal(a.e.result, 1);
    memset(guest(1, WORLD_HOLE + 7), 1, 8);
}

static void version_says_4_17(void **state)
{
    char text[1024];
    struct xen_feature_info f = {.submap_idx = 0};
    assert_int_equal(call(1, __HYPERVISOR_xen_version, XENVER_version, 0, 0), 4 << 16 | 17);
    assert_int_equal(call(1, __HYPERVISOR_xen_version, XENVER_capabilities, SCRATCH_ADDRESS, 0), 0);
    memcpy(text, guest(1, WORLD_SCRATCH), sizeof(text));
    assert_non_null(strstr(text, "xen-3.0-aarch64"));
    assert_int_equal(call_with(1, __HYPERVISOR_xen_version, XENVER_get_features, &f, sizeof(f), 0),
                     0);
    assert_true(f.submap & 1u << XENFEAT_auto_translated_physmap);
    assert_true(f.submap & 1u << XENFEAT_not_direct_mapped);
    assert_false(f.submap & 1u << XENFEAT_dom0);
    f.submap_idx = 1;
    assert_int_equal(call_with(1, __HYPERVISOR_xen_version, XENVER_get_features, &f, sizeof(f), 0),
                     -XEN_EINVAL);
    assert_int_equal(call(1, __HYPERVISOR_xen_version, XENVER_extraversion, HOLE_ADDRESS, 0),
                     -XEN_EFAULT);
    assert_int_equal(call(1, __HYPERVISOR_xen_version, XENVER_build_id, 0, 0), -XEN_EPERM);
    assert_int_equal(call(1, __HYPERVISOR_xen_version, 11, 0, 0), -XEN_ENOSYS);
}

static void control_is_refused_version_first(void **state)
{
    uint32_t head[2] = {1, 0};
    assert_int_equal(call_with(1, __HYPERVISOR_domctl, 0, head, sizeof(head), 0), -XEN_EFAULT);
    memcpy(guest(1, WORLD_SCRATCH), head, sizeof(head));
    assert_int_equal(call(1, __HYPERVISOR_domctl, SCRATCH_ADDRESS, 0, 0), -XEN_EACCES);
    head[1] = XEN_DOMCTL_INTERFACE_VERSION;
    memcpy(guest(1, WORLD_SCRATCH), head, sizeof(head));
    assert_int_equal(call(1, __HYPERVISOR_domctl, SCRATCH_ADDRESS, 0, 0), -XEN_EPERM);
    assert_int_equal(call(1, __HYPERVISOR_sysctl, SCRATCH_ADDRESS, 0, 0), -XEN_EPERM);
    assert_int_equal(call(1, __HYPERVISOR_platform_op, SCRATCH_ADDRESS, 0, 0), -XEN_EACCES);
}

/* --- Events --- */

static uint32_t unbound(unsigned id, domid_t remote)
{
    struct evtchn_alloc_unbound a = {DOMID_SELF, remote, 0};
    assert_int_equal(EVENT(id, alloc_unbound, &a), 0);
    return a.port;
}

static uint32_t bound(unsigned id, domid_t remote, uint32_t port)
{
    struct evtchn_bind_interdomain b = {remote, port, 0};
    assert_int_equal(EVENT(id, bind_interdomain, &b), 0);
    return b.local_port;
}

static struct shared_info *shared(unsigned id)
{
    return world[id]->xen->shared;
}

static void unmask_all(unsigned id)
{
    memset(shared(id)->evtchn_mask, 0, sizeof(shared(id)->evtchn_mask));
}

static bool take_pending(unsigned id, uint32_t port)
{
    uint64_t *word = &shared(id)->evtchn_pending[port / 64];
    bool was = *word >> port % 64 & 1;
    *word &= ~(1ull << port % 64);
    shared(id)->vcpu_info[0].evtchn_pending_sel = 0;
    shared(id)->vcpu_info[0].evtchn_upcall_pending = 0;
    return was;
}

static void events_go_both_ways(void **state)
{
    uint32_t a = unbound(1, 2), b = bound(2, 1, a);
    struct evtchn_send s = {a};
    struct evtchn_status st = {.dom = DOMID_SELF, .port = a};
    assert_true(take_pending(2, b)); /* binding raises the binder's end */
    assert_int_equal(EVENT(1, status, &st), 0);
    assert_int_equal(st.status, EVTCHNSTAT_interdomain);
    assert_int_equal(st.u.interdomain.dom, 2);
    assert_int_equal(st.u.interdomain.port, b);
    unmask_all(2);
    unsigned before = world_injected;
    assert_int_equal(EVENT(1, send, &s), 0);
    assert_int_equal(EVENT(1, send, &s), 0); /* the second one is swallowed */
    assert_int_equal(world_injected, before + 1);
    assert_true(shared(2)->vcpu_info[0].evtchn_pending_sel >> b / 64 & 1);
    assert_true(take_pending(2, b));
    s.port = b;
    assert_int_equal(EVENT(2, send, &s), 0);
    assert_true(take_pending(1, a));
}

static void masked_events_wait_for_unmask(void **state)
{
    struct evtchn_bind_ipi ipi = {0, 0};
    assert_int_equal(EVENT(1, bind_ipi, &ipi), 0);
    struct evtchn_send s = {ipi.port};
    struct evtchn_unmask u = {ipi.port};
    assert_int_equal(EVENT(1, send, &s), 0);
    assert_int_equal(world_injected, 0);
    assert_int_equal(EVENT(1, unmask, &u), 0);
    assert_int_equal(world_injected, 1);
    u.port = 4000;
    assert_int_equal(EVENT(1, unmask, &u), -XEN_EINVAL);
}

static void closing_leaves_the_peer_unbound(void **state)
{
    uint32_t a = unbound(1, 2), b = bound(2, 1, a);
    struct evtchn_close c = {a};
    struct evtchn_status st = {.dom = DOMID_SELF, .port = b};
    struct evtchn_send s = {b};
    assert_int_equal(EVENT(1, close, &c), 0);
    assert_int_equal(EVENT(1, close, &c), -XEN_EINVAL);
    assert_int_equal(EVENT(2, status, &st), 0);
    assert_int_equal(st.status, EVTCHNSTAT_unbound);
    assert_int_equal(st.u.unbound.dom, 1);
    assert_int_equal(EVENT(2, send, &s), 0); /* nobody there: not an error */
    assert_int_equal(bound(1, 2, b), a);     /* it may be bound again */
}

static void bad_binds_are_refused(void **state)
{
    uint32_t a = unbound(1, 3);
    struct evtchn_bind_interdomain b = {1, a, 0};
    assert_int_equal(EVENT(2, bind_interdomain, &b), -XEN_EINVAL); /* meant for domain 3 */
    b.remote_dom = 9;
    assert_int_equal(EVENT(2, bind_interdomain, &b), -XEN_ESRCH);
    b = (struct evtchn_bind_interdomain){1, 0, 0};
    assert_int_equal(EVENT(2, bind_interdomain, &b), -XEN_EINVAL);
    struct evtchn_bind_virq v = {NR_VIRQS, 0, 0};
    assert_int_equal(EVENT(1, bind_virq, &v), -XEN_EINVAL);
    v = (struct evtchn_bind_virq){VIRQ_TIMER, 2, 0};
    assert_int_equal(EVENT(1, bind_virq, &v), -XEN_ENOENT);
    v = (struct evtchn_bind_virq){VIRQ_CONSOLE, 1, 0};
    assert_int_equal(EVENT(1, bind_virq, &v), -XEN_EINVAL);
    v = (struct evtchn_bind_virq){VIRQ_TIMER, 1, 0};
    assert_int_equal(EVENT(1, bind_virq, &v), 0);
    assert_int_equal(EVENT(1, bind_virq, &v), -XEN_EEXIST);
    struct evtchn_bind_vcpu bv = {v.port, 0};
    assert_int_equal(EVENT(1, bind_vcpu, &bv), -XEN_EINVAL); /* per vCPU: stays where it is */
    struct evtchn_alloc_unbound other = {2, 1, 0};
    assert_int_equal(EVENT(1, alloc_unbound, &other), -XEN_EPERM);
    other.dom = 9;
    assert_int_equal(EVENT(1, alloc_unbound, &other), -XEN_ESRCH);
}

static void ports_are_limited_and_come_back(void **state)
{
    struct evtchn_alloc_unbound a = {DOMID_SELF, 2, 0};
    unsigned count = 0;
    while (EVENT(1, alloc_unbound, &a) == 0) {
        count++;
    }
    assert_int_equal(count, EVTCHN_PORTS_DEFAULT - 1 - 2); /* console and store have two */
    assert_int_equal(EVENT(1, alloc_unbound, &a), -XEN_ENOSPC);
    struct evtchn_close c = {700};
    assert_int_equal(EVENT(1, close, &c), 0);
    assert_int_equal(unbound(1, 2), 700);
    struct evtchn_reset r = {DOMID_SELF};
    assert_int_equal(EVENT(1, reset, &r), 0);
    assert_true(world_restarts > 10);
    assert_int_equal(unbound(1, 2), 1);
}

static void virqs_arrive(void **state)
{
    struct evtchn_bind_virq v = {VIRQ_DOM_EXC, 0, 0};
    assert_int_equal(EVENT(1, bind_virq, &v), 0);
    evtchn_virq(world[1]->vcpu[0], VIRQ_DOM_EXC);
    assert_true(take_pending(1, v.port));
    struct evtchn_bind_vcpu bv = {v.port, 1};
    assert_int_equal(EVENT(1, bind_vcpu, &bv), 0);
    struct evtchn_close c = {v.port};
    assert_int_equal(EVENT(1, close, &c), 0);
    evtchn_virq(world[1]->vcpu[0], VIRQ_DOM_EXC); /* gone: nothing happens */
    assert_false(take_pending(1, v.port));
    assert_int_equal(EVENT(1, bind_virq, &v), 0);
}

/* As it may be who serves everybody's store: the table goes in steps, and nobody opens a channel in it meanwhile. */
static void a_large_table_goes_in_steps(void **state)
{
    struct domain *d = world[1];
    struct frame_stats s;
    evtchn_port_t port;
    int error = -XEN_ERESTART;
    d->evtchn->port_limit = EVTCHN_PORTS_MAX;
    d->hyp_frames_max += 32;
    for (unsigned i = 0; i < 4000; i++) {
        assert_int_equal(evtchn_open(d, EVTCHN_UNBOUND, 2, NULL, &port), 0);
    }
    frame_stats(&s);
    uint64_t free = s.free, most = 0;
    for (unsigned calls = 0; error != 0; calls++) {
        error = xen_domain_stop(d);
        assert_true(calls < 200);
        frame_stats(&s);
        most = s.free - free > most ? s.free - free : most;
        free = s.free;
        assert_int_equal(evtchn_open(d, EVTCHN_UNBOUND, 2, NULL, &port), -XEN_ENOSPC);
    }
    assert_in_range(most, 1, 17);
    assert_int_equal(d->evtchn->port_count, 0);
}

/* --- FIFO --- */

#define FIFO_CONTROL WORLD_BASE
#define FIFO_ARRAY (WORLD_BASE + 1)

static void fifo_on(unsigned id)
{
    struct evtchn_init_control ic = {.control_gfn = FIFO_CONTROL, .vcpu = 0};
    struct evtchn_expand_array ea = {FIFO_ARRAY};
    assert_int_equal(EVENT(id, init_control, &ic), 0);
    assert_int_equal(ic.link_bits, 17);
    assert_int_equal(EVENT(id, init_control, &ic), -XEN_EINVAL); /* once */
    assert_int_equal(EVENT(id, expand_array, &ea), 0);
}

/* What an honest guest does: take the head of the most urgent queue. 0: nothing. */
static uint32_t fifo_take(unsigned id)
{
    struct evtchn_fifo_control_block *cb = guest(id, FIFO_CONTROL);
    uint32_t *words = guest(id, FIFO_ARRAY);
    while (cb->ready != 0) {
        unsigned q = (unsigned)__builtin_ctz(cb->ready);
        uint32_t port = cb->head[q];
        cb->ready &= ~(1u << q);
        if (port == 0) {
            continue;
        }
        uint32_t link = words[port] & EVTCHN_FIFO_LINK_MASK;
        words[port] &= ~(1u << EVTCHN_FIFO_LINKED | EVTCHN_FIFO_LINK_MASK);
        cb->head[q] = link;
        cb->ready |= link != 0 ? 1u << q : 0;
        bool pending = words[port] >> EVTCHN_FIFO_PENDING & 1;
        words[port] &= ~(1u << EVTCHN_FIFO_PENDING);
        if (pending) {
            return port;
        }
    }
    world[id]->vcpu[0]->evtchn->info->evtchn_upcall_pending = 0;
    return 0;
}

static void fifo_keeps_order_and_priority(void **state)
{
    uint32_t port[4];
    fifo_on(1);
    for (unsigned i = 0; i < 4; i++) {
        struct evtchn_bind_ipi ipi = {0, 0};
        assert_int_equal(EVENT(1, bind_ipi, &ipi), 0);
        port[i] = ipi.port;
    }
    struct evtchn_set_priority p = {port[3], 2};
    assert_int_equal(EVENT(1, set_priority, &p), 0);
    p.priority = 16;
    assert_int_equal(EVENT(1, set_priority, &p), -XEN_EINVAL);
    for (unsigned i = 0; i < 4; i++) {
        struct evtchn_send s = {port[i]};
        assert_int_equal(EVENT(1, send, &s), 0);
    }
    assert_int_equal(world_injected, 1);
    assert_int_equal(fifo_take(1), port[3]);
    assert_int_equal(fifo_take(1), port[0]);
    struct evtchn_send again = {port[0]};
    assert_int_equal(EVENT(1, send, &again), 0); /* behind the others now */
    assert_int_equal(fifo_take(1), port[1]);
    assert_int_equal(fifo_take(1), port[2]);
    assert_int_equal(fifo_take(1), port[0]);
    assert_int_equal(fifo_take(1), 0);
}

static void fifo_moves_queues_when_empty(void **state)
{
    fifo_on(1);
    struct evtchn_bind_ipi ipi = {0, 0};
    assert_int_equal(EVENT(1, bind_ipi, &ipi), 0);
    struct evtchn_send s = {ipi.port};
    for (uint32_t priority = 0; priority < 16; priority++) {
        struct evtchn_set_priority p = {ipi.port, priority};
        assert_int_equal(EVENT(1, set_priority, &p), 0);
        assert_int_equal(EVENT(1, send, &s), 0);
        assert_int_equal(fifo_take(1), ipi.port);
        assert_int_equal(fifo_take(1), 0);
    }
}

static void fifo_takes_over_what_was_pending(void **state)
{
    struct evtchn_bind_ipi ipi = {0, 0};
    assert_int_equal(EVENT(1, bind_ipi, &ipi), 0);
    struct evtchn_send s = {ipi.port};
    assert_int_equal(EVENT(1, send, &s), 0);
    fifo_on(1);
    assert_int_equal(fifo_take(1), ipi.port);
}

/* However much there is: some of it in each call. */
static void fifo_takes_over_much_in_pieces(void **state)
{
    struct evtchn_bind_ipi ipi = {0, 0};
    unsigned count = 0, taken = 0;
    for (; EVENT(1, bind_ipi, &ipi) == 0; count++) {
        struct evtchn_send s = {ipi.port};
        assert_int_equal(EVENT(1, send, &s), 0);
    }
    assert_true(count > 1000);
    unsigned before = world_restarts;
    fifo_on(1);
    assert_in_range(world_restarts - before, 3, 4);
    while (fifo_take(1) != 0) {
        taken++;
    }
    assert_int_equal(taken, count);
}

static void a_lying_guest_cannot_lead_the_fifo_astray(void **state)
{
    uint32_t *words = guest(1, FIFO_ARRAY);
    fifo_on(1);
    struct evtchn_bind_ipi a = {0, 0}, b = {0, 0};
    assert_int_equal(EVENT(1, bind_ipi, &a), 0);
    assert_int_equal(EVENT(1, bind_ipi, &b), 0);
    struct evtchn_send s = {a.port};
    assert_int_equal(EVENT(1, send, &s), 0);
    for (unsigned i = 0; i < 1024; i++) {
        words[i] = 0xffffffff; /* linked, busy, to nowhere */
    }
    s.port = b.port;
    assert_int_equal(EVENT(1, send, &s), 0);
    words[b.port] = 0;
    assert_int_equal(EVENT(1, send, &s), 0);
    struct evtchn_bind_ipi c = {0, 0};
    struct evtchn_close close_b = {b.port};
    words[b.port] = 1u << EVTCHN_FIFO_LINKED;
    assert_int_equal(EVENT(1, close, &close_b), 0);
    words[b.port] |= 1u << EVTCHN_FIFO_LINKED;
    assert_int_equal(EVENT(1, bind_ipi, &c), -XEN_ENOSPC); /* every word says it is still linked */
    words[b.port] = 0;
    assert_int_equal(EVENT(1, bind_ipi, &c), 0);
    assert_int_equal(c.port, b.port);
}

/* --- vCPU and domain --- */

static void vcpu_info_moves_once(void **state)
{
    struct vcpu_register_vcpu_info r = {.mfn = WORLD_BASE, .offset = 64};
    struct vcpu_info *info = (void *)((char *)guest(1, WORLD_BASE) + 64);
    memcpy(guest(1, WORLD_SCRATCH), &r, sizeof(r));
    assert_int_equal(call(1, __HYPERVISOR_vcpu_op, VCPUOP_register_vcpu_info, 0, SCRATCH_ADDRESS),
                     0);
    assert_int_equal(info->evtchn_upcall_pending, 1);
    assert_int_equal(info->evtchn_pending_sel, ~0ull);
    assert_int_equal(call(1, __HYPERVISOR_vcpu_op, VCPUOP_register_vcpu_info, 0, SCRATCH_ADDRESS),
                     -XEN_EINVAL);
    assert_int_equal(call(1, __HYPERVISOR_vcpu_op, VCPUOP_register_vcpu_info, 2, SCRATCH_ADDRESS),
                     -XEN_ENOENT);
    r.mfn = WORLD_HOLE;
    memcpy(guest(1, WORLD_SCRATCH), &r, sizeof(r));
    assert_int_equal(call(1, __HYPERVISOR_vcpu_op, VCPUOP_register_vcpu_info, 1, SCRATCH_ADDRESS),
                     -XEN_EINVAL);
    assert_int_equal(call(1, __HYPERVISOR_vcpu_op, VCPUOP_up, 1, 0), -XEN_EINVAL);
}

static void runstate_may_straddle_two_pages(void **state)
{
    struct vcpu_runstate_info got;
    uint64_t at = (WORLD_BASE << FRAME_SHIFT) + FRAME_SIZE - 24;
    memcpy(guest(1, WORLD_SCRATCH), &at, sizeof(at));
    assert_int_equal(
        call(1, __HYPERVISOR_vm_assist, VMASST_CMD_enable, VMASST_TYPE_runstate_update_flag, 0), 0);
    assert_int_equal(
        call(1, __HYPERVISOR_vcpu_op, VCPUOP_register_runstate_memory_area, 0, SCRATCH_ADDRESS), 0);
    xen_runstate_update(world[1]->vcpu[0]);
    memcpy(&got, (char *)guest(1, WORLD_BASE) + FRAME_SIZE - 24, 24);
    memcpy((char *)&got + 24, guest(1, WORLD_BASE + 1), 24);
    assert_int_equal(got.state, RUNSTATE_running);
    assert_int_equal(got.time[RUNSTATE_running], 4 * 16);
    assert_int_equal(got.time[RUNSTATE_offline], 1 * 16);
    assert_int_equal(got.state_entry_time & XEN_RUNSTATE_UPDATE, 0);
    at = HOLE_ADDRESS;
    memcpy(guest(1, WORLD_SCRATCH), &at, sizeof(at));
    assert_int_equal(
        call(1, __HYPERVISOR_vcpu_op, VCPUOP_register_runstate_memory_area, 0, SCRATCH_ADDRESS),
        -XEN_EFAULT);
}

static void parameters_are_told_and_not_taken(void **state)
{
    struct xen_hvm_param p = {.domid = DOMID_SELF, .index = HVM_PARAM_STORE_PFN};
    assert_int_equal(call_with(1, __HYPERVISOR_hvm_op, HVMOP_get_param, &p, sizeof(p), 0), 0);
    assert_int_equal(p.value, 0x39001);
    struct xenstore_domain_interface *ring = guest(1, p.value);
    assert_int_equal(ring->connection, XENSTORE_RECONNECT);
    assert_int_equal(call_with(1, __HYPERVISOR_hvm_op, HVMOP_set_param, &p, sizeof(p), 0),
                     -XEN_EPERM);
    p.index = 4;
    assert_int_equal(call_with(1, __HYPERVISOR_hvm_op, HVMOP_get_param, &p, sizeof(p), 0),
                     -XEN_EINVAL);
    p.index = HVM_NR_PARAMS;
    assert_int_equal(call_with(1, __HYPERVISOR_hvm_op, HVMOP_get_param, &p, sizeof(p), 0),
                     -XEN_EINVAL);
}

static void polling_sees_what_is_there_and_sleeps_otherwise(void **state)
{
    struct {
        struct sched_poll p;
        evtchn_port_t port;
    } a = {.p = {.nr_ports = 1, .timeout = 1000000}};
    struct evtchn_bind_ipi ipi = {0, 0};
    assert_int_equal(EVENT(1, bind_ipi, &ipi), 0);
    struct evtchn_send s = {ipi.port};
    a.p.ports = SCRATCH_ADDRESS + offsetof(__typeof__(a), port);
    a.port = ipi.port;
    fake_calls.sched_block = fake_calls.sched_wake = 0;
    assert_int_equal(call_with(1, __HYPERVISOR_sched_op, SCHEDOP_poll, &a, sizeof(a), 0), 0);
    assert_int_equal(fake_calls.sched_block, 1);
    assert_int_equal(EVENT(1, send, &s), 0); /* as if from elsewhere: masked, and yet it wakes */
    assert_int_equal(fake_calls.sched_wake, 1);
    assert_int_equal(call_with(1, __HYPERVISOR_sched_op, SCHEDOP_poll, &a, sizeof(a), 0), 0);
    assert_int_equal(fake_calls.sched_block, 1); /* pending: no sleep */
    a.port = 5000;
    assert_int_equal(call_with(1, __HYPERVISOR_sched_op, SCHEDOP_poll, &a, sizeof(a), 0),
                     -XEN_EINVAL);
    a.p.nr_ports = 129;
    assert_int_equal(call_with(1, __HYPERVISOR_sched_op, SCHEDOP_poll, &a, sizeof(a), 0),
                     -XEN_EINVAL);
}

static void watchdogs_bite(void **state)
{
    struct sched_watchdog w = {0, 1};
    assert_int_equal(call_with(1, __HYPERVISOR_sched_op, SCHEDOP_watchdog, &w, sizeof(w), 0), 1);
    assert_int_equal(call_with(1, __HYPERVISOR_sched_op, SCHEDOP_watchdog, &w, sizeof(w), 0), 2);
    assert_int_equal(call_with(1, __HYPERVISOR_sched_op, SCHEDOP_watchdog, &w, sizeof(w), 0),
                     -XEN_EEXIST);
    w = (struct sched_watchdog){1, 0};
    assert_int_equal(call_with(1, __HYPERVISOR_sched_op, SCHEDOP_watchdog, &w, sizeof(w), 0), 0);
    assert_int_equal(call_with(1, __HYPERVISOR_sched_op, SCHEDOP_watchdog, &w, sizeof(w), 0),
                     -XEN_EINVAL);
    struct timer *t = &world[1]->xen->watchdog[1].timer;
    t->fire(t, 0);
    assert_int_equal(fake_calls.reason, SHUTDOWN_watchdog);
    struct sched_shutdown bad = {9};
    assert_int_equal(call_with(1, __HYPERVISOR_sched_op, SCHEDOP_shutdown, &bad, sizeof(bad), 0),
                     -XEN_EINVAL);
}

/* Each reason arrives; what was told before by shutdown_code is what counts. */
static void every_reason_arrives(void **state)
{
    for (uint32_t reason = 0; reason <= SHUTDOWN_MAX; reason++) {
        struct sched_shutdown s = {reason};
        world[1]->xen->shutdown_code = -1; /* as at each start */
        assert_int_equal(call_with(1, __HYPERVISOR_sched_op, SCHEDOP_shutdown, &s, sizeof(s), 0),
                         0);
        assert_int_equal(fake_calls.reason, reason);
    }
    struct sched_shutdown code = {SHUTDOWN_crash}, s = {SHUTDOWN_poweroff};
    world[1]->xen->shutdown_code = -1;
    assert_int_equal(
        call_with(1, __HYPERVISOR_sched_op, SCHEDOP_shutdown_code, &code, sizeof(code), 0), 0);
    assert_int_equal(call_with(1, __HYPERVISOR_sched_op, SCHEDOP_shutdown, &s, sizeof(s), 0), 0);
    assert_int_equal(fake_calls.reason, SHUTDOWN_crash);
}

/* --- Console --- */

static void the_ring_is_the_console(void **state)
{
    struct xencons_interface *ring = guest(1, 0x39000);
    struct evtchn_send s = {world[1]->xen->console_port};
    assert_int_equal(xen_console_input(world[1], "x", 1), 0); /* not opened yet */
    memcpy(ring->out, "hello", 5);
    ring->out_prod = 5;
    assert_int_equal(EVENT(1, send, &s), 0);
    assert_memory_equal(world_console, "hello", 5);
    assert_int_equal(ring->out_cons, 5);
    assert_int_equal(xen_console_input(world[1], "abc", 3), 3);
    assert_int_equal(ring->in_prod, 3);
    assert_memory_equal(ring->in, "abc", 3);
    ring->in_prod = 77777; /* a lie about our own index changes nothing */
    assert_int_equal(xen_console_input(world[1], "d", 1), 1);
    assert_int_equal(ring->in_prod, 4);
    ring->in_cons = 0xfffffff0;
    assert_int_equal(xen_console_input(world[1], "e", 1), 1);
    ring->out_prod = 0x80000000; /* out of step: bounded all the same */
    world_console_length = 0;
    assert_int_equal(EVENT(1, send, &s), 0);
    assert_true(world_console_length <= 2048);
    world_console_room = world_console_length + 2; /* a full console keeps the rest in the ring */
    ring->out_prod += 5;
    assert_int_equal(EVENT(1, send, &s), 0);
    assert_int_equal(ring->out_prod - ring->out_cons, 3);
    world_console_room += 100;
    xen_console_output_ready(world[1]);
    assert_int_equal(ring->out_prod, ring->out_cons);
}

static void console_io_writes(void **state)
{
    memset(guest(1, WORLD_SCRATCH), 'z', FRAME_SIZE);
    assert_int_equal(call(1, __HYPERVISOR_console_io, CONSOLEIO_write, 2000, SCRATCH_ADDRESS), 0);
    assert_int_equal(world_console_length, 2000);
    assert_int_equal(call(1, __HYPERVISOR_console_io, CONSOLEIO_write, 1, HOLE_ADDRESS),
                     -XEN_EFAULT);
    assert_int_equal(call(1, __HYPERVISOR_console_io, CONSOLEIO_read, 1, SCRATCH_ADDRESS), 0);
    assert_int_equal(call(1, __HYPERVISOR_console_io, 7, 1, 0), -XEN_ENOSYS);
}

/* Who has the right `console` and listens gets its keys by the call; who has one of the two does not. */
static void console_io_reads(void **state)
{
    static const char rights[] = "inspect *\0console";
    struct domain_config *c = (struct domain_config *)world[1]->config;
    struct evtchn_bind_virq virq = {.virq = VIRQ_CONSOLE};
    assert_int_equal(EVENT(1, bind_virq, &virq), 0);
    assert_int_equal(xen_console_input(world[1], "no", 2), 0);
    c->rights = rights;
    c->rights_len = sizeof(rights);
    assert_int_equal(rights_grant(world[1]), 0);
    assert_true(xen_console_used(world[1]));
    assert_int_equal(xen_console_input(world[1], "hello", 5), 5);
    assert_true(evtchn_is_pending(world[1], virq.port));
    char many[100] = {0};
    assert_int_equal(xen_console_input(world[1], many, sizeof(many)), 64 - 5); /* the rest waits */
    assert_int_equal(call(1, __HYPERVISOR_console_io, CONSOLEIO_read, 3, SCRATCH_ADDRESS), 3);
    assert_memory_equal(guest(1, WORLD_SCRATCH), "hel", 3);
    assert_int_equal(call(1, __HYPERVISOR_console_io, CONSOLEIO_read, 1000, SCRATCH_ADDRESS), 61);
    assert_int_equal(call(1, __HYPERVISOR_console_io, CONSOLEIO_read, 1000, SCRATCH_ADDRESS), 0);
    assert_int_equal(xen_console_input(world[1], "x", 1), 1);
    assert_int_equal(call(1, __HYPERVISOR_console_io, CONSOLEIO_read, 1, HOLE_ADDRESS),
                     -XEN_EFAULT);
    assert_int_equal(call(1, __HYPERVISOR_console_io, CONSOLEIO_read, 1u << 31, SCRATCH_ADDRESS),
                     -XEN_EINVAL);
    struct evtchn_close close = {virq.port};
    assert_int_equal(EVENT(1, close, &close), 0);
    assert_false(xen_console_used(world[1])); /* nobody listens: keys are the PV console's again */
    c->rights = NULL;
    c->rights_len = 0;
}

/* Seconds and nanoseconds of the guest's system time 0, under an even version. */
static void the_wall_clock_is_told(void **state)
{
    const struct shared_info *s = world[1]->xen->shared;
    uint32_t version = s->wc_version;
    xen_set_wall_clock((1ull << 32) + 7, 250);
    assert_int_equal(s->wc_version & 1, 0);
    assert_int_not_equal(s->wc_version, version);
    uint64_t at_start = ((uint64_t)s->wc_sec_hi << 32 | s->wc_sec) * 1000000000 + s->wc_nsec;
    assert_int_equal(at_start + xen_system_time_ns(world[1]),
                     ((1ull << 32) + 7) * 1000000000 + 250);
}

/* --- Memory --- */

static int64_t reserve(unsigned id, uint32_t op, uint32_t order, uint64_t count, uint64_t first)
{
    struct {
        struct xen_memory_reservation r;
        uint64_t frame[128];
    } a = {.r = {.nr_extents = count, .extent_order = order, .domid = DOMID_SELF}};
    a.r.extent_start = SCRATCH_ADDRESS + offsetof(__typeof__(a), frame);
    for (uint64_t i = 0; i < count && i < 128; i++) {
        a.frame[i] = first + (i << order);
    }
    return call_with(id, __HYPERVISOR_memory_op, op, &a, sizeof(a), 0);
}

static void memory_goes_and_comes(void **state)
{
    uint64_t before = frame_owned_count(1);
    memset(guest(1, WORLD_BASE + 2), 0xaa, FRAME_SIZE);
    assert_int_equal(reserve(1, XENMEM_decrease_reservation, 0, 60, WORLD_BASE), 60);
    assert_int_equal(frame_owned_count(1), before - 60);
    assert_int_equal(reserve(1, XENMEM_decrease_reservation, 0, 1, WORLD_BASE), 0);
    assert_int_equal(reserve(1, XENMEM_populate_physmap, 2, 15, WORLD_BASE), 15);
    assert_int_equal(frame_owned_count(1), before);
    for (unsigned i = 0; i < FRAME_SIZE; i++) {
        assert_int_equal(((char *)guest(1, WORLD_BASE + 2))[i], 0);
    }
    assert_int_equal(reserve(1, XENMEM_populate_physmap, 0, 100, WORLD_HOLE), 8); /* its limit */
    assert_int_equal(reserve(1, XENMEM_populate_physmap, 10, 1, WORLD_HOLE), 0);
    assert_int_equal(reserve(1, XENMEM_increase_reservation, 0, 1, 0), 0);
    assert_true(call(1, __HYPERVISOR_memory_op, XENMEM_exchange, SCRATCH_ADDRESS, 0) ==
                -XEN_ENOSYS);
    fake_tlb_check(world[1]);
}

static void large_extents_are_done_in_pieces(void **state)
{
    world[1]->max_frames += 600;
    assert_int_equal(reserve(1, XENMEM_populate_physmap, 9, 1, WORLD_HOLE), 1);
    unsigned at_once = world_restarts; /* in one piece, as there is one */
    memset(guest(1, WORLD_HOLE + 511), 1, 8);
    assert_int_equal(reserve(1, XENMEM_decrease_reservation, 9, 1, WORLD_HOLE), 1);
    assert_true(world_restarts >= at_once + 7);
    assert_int_equal(reserve(1, XENMEM_decrease_reservation, 0, 1, WORLD_HOLE + 5), 0);
}

static void shared_info_goes_over_memory(void **state)
{
    struct xen_add_to_physmap a = {
        .domid = DOMID_SELF, .space = XENMAPSPACE_shared_info, .gpfn = WORLD_BASE};
    uint64_t before = frame_owned_count(1);
    assert_int_equal(MEMORY(1, add_to_physmap, &a), 0);
    assert_ptr_equal(guest(1, WORLD_BASE), shared(1));
    assert_int_equal(frame_owned_count(1), before - 1);
    a.idx = 1;
    assert_int_equal(MEMORY(1, add_to_physmap, &a), -XEN_EINVAL);
    a = (struct xen_add_to_physmap){
        .domid = DOMID_SELF, .space = XENMAPSPACE_grant_table, .idx = 63, .gpfn = WORLD_HOLE};
    assert_int_equal(MEMORY(1, add_to_physmap, &a), 0);
    a.idx = 64;
    assert_int_equal(MEMORY(1, add_to_physmap, &a), -XEN_EINVAL);
    struct xen_remove_from_physmap r = {DOMID_SELF, WORLD_HOLE};
    assert_int_equal(MEMORY(1, remove_from_physmap, &r), 0);
    assert_int_equal(MEMORY(1, remove_from_physmap, &r), -XEN_ENOENT);
    a = (struct xen_add_to_physmap){
        .domid = DOMID_SELF, .space = XENMAPSPACE_gmfn, .gpfn = WORLD_HOLE};
    assert_int_equal(MEMORY(1, add_to_physmap, &a), -XEN_ENOSYS);
    a.domid = 2;
    assert_int_equal(MEMORY(1, add_to_physmap, &a), -XEN_EPERM);
}

static void foreign_memory_needs_a_right(void **state)
{
    struct {
        struct xen_add_to_physmap_batch b;
        uint64_t idx[40], gpfn[40];
        int32_t err[40];
    } a = {.b = {.domid = DOMID_SELF, .space = XENMAPSPACE_gmfn_foreign, .size = 40, .u = {2}}};
    a.b.idxs = SCRATCH_ADDRESS + offsetof(__typeof__(a), idx);
    a.b.gpfns = SCRATCH_ADDRESS + offsetof(__typeof__(a), gpfn);
    a.b.errs = SCRATCH_ADDRESS + offsetof(__typeof__(a), err);
    for (unsigned i = 0; i < 40; i++) {
        a.idx[i] = WORLD_BASE + i;
        a.gpfn[i] = WORLD_HOLE + i;
    }
    assert_int_equal(MEMORY(1, add_to_physmap_batch, &a), 0);
    assert_int_equal(a.err[0], -XEN_EPERM);
    assert_int_equal(a.err[39], -XEN_EPERM);
    assert_true(world_restarts > 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(unknown_numbers_say_so),
        T(multicall_makes_each_call),
        T(a_long_call_inside_a_multicall_goes_on),
        T(version_says_4_17),
        T(control_is_refused_version_first),
        T(events_go_both_ways),
        T(masked_events_wait_for_unmask),
        T(closing_leaves_the_peer_unbound),
        T(bad_binds_are_refused),
        T(ports_are_limited_and_come_back),
        T(virqs_arrive),
        T(a_large_table_goes_in_steps),
        T(fifo_keeps_order_and_priority),
        T(fifo_moves_queues_when_empty),
        T(fifo_takes_over_what_was_pending),
        T(fifo_takes_over_much_in_pieces),
        T(a_lying_guest_cannot_lead_the_fifo_astray),
        T(vcpu_info_moves_once),
        T(runstate_may_straddle_two_pages),
        T(parameters_are_told_and_not_taken),
        T(polling_sees_what_is_there_and_sleeps_otherwise),
        T(watchdogs_bite),
        T(every_reason_arrives),
        T(the_ring_is_the_console),
        T(console_io_writes),
        T(console_io_reads),
        T(the_wall_clock_is_told),
        T(memory_goes_and_comes),
        T(large_extents_are_done_in_pieces),
        T(shared_info_goes_over_memory),
        T(foreign_memory_needs_a_right),
    };
    return cmocka_run_group_tests_name("xen", tests, NULL, NULL);
}
