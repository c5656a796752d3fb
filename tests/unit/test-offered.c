/* Devices that another domain plays: device models (ioreq servers), and the far end of a serial line. */
#include "control-world.h"

#include <hyp/hypercall.h>
#include <hyp/vgic.h>
#include <hyp/vuart.h>

/* --- Device models --- */

#define DEVICE 0x2000000ull

static int64_t dm(domid_t target, uint32_t cmd, struct xen_dm_op *op)
{
    struct vcpu *v = of(1)->vcpu[0];
    struct {
        struct xen_dm_op_buf b;
        struct xen_dm_op op;
    } *a = ram(1, SCRATCH);
    op->op = cmd;
    a->b = (struct xen_dm_op_buf){(SCRATCH << FRAME_SHIFT) + sizeof(a->b), sizeof(a->op)};
    a->op = *op;
    v->arch.x[16] = __HYPERVISOR_dm_op;
    v->arch.x[0] = target;
    v->arch.x[1] = 1;
    v->arch.x[2] = SCRATCH << FRAME_SHIFT;
    hypercall(v);
    assert_int_equal(fake_locks_held(), 0);
    *op = ((typeof(a))ram(1, SCRATCH))->op;
    return (int64_t)v->arch.x[0];
}
#define DM(target, name, ...) \
    dm(target, XEN_DMOP_##name, &(struct xen_dm_op){.u.name = {__VA_ARGS__}})

struct slot { /* struct ioreq */
    uint64_t addr, data;
    uint32_t count, size, port;
    uint16_t pad;
    uint8_t state, type;
};

/* A server over `home` for one device, its page at 0x90000; returns the emulator's port. */
static evtchn_port_t serve(void)
{
    struct {
        struct xen_mem_acquire_resource op;
        uint64_t at;
    } a = {.op = {.domid = 2,
                  .type = XENMEM_resource_ioreq_server,
                  .frame = 1,
                  .nr_frames = 1,
                  .frame_list = (SCRATCH << FRAME_SHIFT) + sizeof(a.op)},
           .at = 0x90000};
    nothing_there = true;
    assert_int_equal(DM(2, create_ioreq_server, 0), 0);
    assert_int_equal(DM(2, map_io_range_to_ioreq_server, 0, 0, 1, DEVICE, DEVICE + 0x1ff), 0);
    assert_int_equal(call(1, __HYPERVISOR_memory_op, XENMEM_acquire_resource, &a, sizeof(a), false),
                     0);
    assert_int_equal(DM(2, set_ioreq_server_state, 0, 1), 0);
    struct slot *s = ram(1, 0x90000);
    struct evtchn_bind_interdomain b = {.remote_dom = 2, .remote_port = s->port};
    assert_int_equal(
        call(1, __HYPERVISOR_event_channel_op, EVTCHNOP_bind_interdomain, &b, sizeof(b), false), 0);
    memcpy(&b, ram(1, SCRATCH), sizeof(b));
    return b.local_port;
}

static enum mmio_outcome load(uint64_t at, uint8_t size)
{
    struct mmio_access a = {.at = gpa(at), .size = size};
    enum mmio_outcome outcome = domain_mmio(of(2)->vcpu[0], &a);
    return outcome == MMIO_ABSENT ? ioreq_mmio(of(2)->vcpu[0], &a) : outcome; /* as a trap does */
}

/* A request goes out, its answer comes back; what the server writes besides is not believed. */
static void test_device_model(void **state)
{
    BEGIN("emulate home");
    evtchn_port_t port = serve();
    struct vcpu *v = of(2)->vcpu[0];
    struct slot *s = ram(1, 0x90000);
    evtchn_port_t theirs = s->port;
    assert_true(event(2, EVTCHNOP_close, theirs) == -XEN_EINVAL &&
                event(2, EVTCHNOP_send, theirs) == -XEN_EINVAL);
    assert_int_equal(load(DEVICE + 0x200, 4), MMIO_ABSENT);
    assert_int_equal(load(DEVICE + 0x1fe, 4), MMIO_ABSENT);
    assert_int_equal(load(DEVICE + 4, 4), MMIO_WAIT);
    assert_true(evtchn_is_pending(of(1), port));
    assert_true(s->addr == DEVICE + 4 && s->size == 4 && s->count == 1 && s->type == 1);
    assert_int_equal(s->state, 1 << 5 | STATE_IOREQ_READY);
    for (unsigned i = 0; i < 16; i++) { /* no state but one is an answer */
        s->state = (uint8_t)i;
        s->addr = s->size = 0;
        s->port = 99;
        s->data = 0x1234567890;
        assert_int_equal(event(1, EVTCHNOP_send, port), 0);
        assert_int_equal(v->work & WORK_IO, i < STATE_IORESP_READY ? 0 : WORK_IO);
    }
    assert_int_equal(v->io.value, 0x34567890);
    v->work &= ~(uint32_t)WORK_IO; /* as on its way to the guest */
    unsigned unpaused = fake_calls.sched_unpause;
    s->state = STATE_IORESP_READY; /* to a question nobody asked */
    assert_int_equal(event(1, EVTCHNOP_send, port), 0);
    assert_true((v->work & WORK_IO) == 0 && fake_calls.sched_unpause == unpaused);
    nothing_there = false;
    end();
}

/* A server that goes, in every way: who waits repeats his access, and finds nothing. */
static void test_device_model_goes(void **state)
{
    for (unsigned way = 0; way < 4; way++) {
        BEGIN("emulate home");
        serve();
        struct vcpu *v = of(2)->vcpu[0];
        unsigned unpaused = fake_calls.sched_unpause;
        assert_int_equal(load(DEVICE, 8), MMIO_WAIT);
        if (way == 0) {
            assert_int_equal(DM(2, set_ioreq_server_state, 0, 0), 0);
        } else if (way == 1) {
            assert_int_equal(DM(2, destroy_ioreq_server, 0), 0);
            assert_int_equal(DM(2, destroy_ioreq_server, 0), -XEN_ENOENT);
            ((struct slot *)ram(1, 0x90000))->state = 3; /* its page outlives it, for him */
        } else if (way == 2) {
            assert_int_equal(domain_destroy(of(1)), 0);
            work(1);
        } else {
            assert_int_equal(domain_destroy(of(2)), 0);
            work(2);
        }
        if (way < 3) {
            assert_int_equal(fake_calls.sched_unpause, unpaused + 1);
            assert_true((v->work & WORK_IO) == 0 && load(DEVICE, 8) == MMIO_ABSENT);
        }
        nothing_there = false;
        end();
    }
}

static void test_device_model_errors(void **state)
{
    BEGIN("emulate home");
    serve();
    of(2)->vgic.nr_spis = 32;
    assert_int_equal(DM(3, create_ioreq_server, 0), -XEN_EPERM);
    assert_int_equal(DM(1, create_ioreq_server, 0), -XEN_EPERM);
    assert_int_equal(DM(9, create_ioreq_server, 0), -XEN_ESRCH);
    assert_int_equal(DM(2, create_ioreq_server, 3), -XEN_EINVAL);
    assert_int_equal(DM(2, map_io_range_to_ioreq_server, 0, 0, 1, DEVICE + 8, DEVICE + 9),
                     -XEN_EEXIST);
    assert_int_equal(DM(2, map_io_range_to_ioreq_server, 0, 0, 0, 0, 9), -XEN_EINVAL);
    assert_int_equal(DM(2, map_io_range_to_ioreq_server, 0, 0, 1, 9, 8), -XEN_EINVAL);
    assert_int_equal(DM(2, map_io_range_to_ioreq_server, 7, 0, 1, 0, 9), -XEN_ENOENT);
    assert_int_equal(DM(2, unmap_io_range_from_ioreq_server, 0, 0, 1, 0, 9), -XEN_ENOENT);
    assert_int_equal(DM(2, get_ioreq_server_info, 0, 0), -XEN_EOPNOTSUPP);
    assert_int_equal(DM(2, get_ioreq_server_info, 0, XEN_DMOP_no_gfns), 0);
    for (unsigned i = 1; i < IOREQ_SERVERS; i++) {
        assert_int_equal(DM(2, create_ioreq_server, HVM_IOREQSRV_BUFIOREQ_ATOMIC), 0);
    }
    assert_int_equal(DM(2, create_ioreq_server, 0), -XEN_ENOSPC);
    struct xen_dm_op op = {.u.nr_vcpus.vcpus = 0};
    assert_true(dm(2, XEN_DMOP_nr_vcpus, &op) == 0 && op.u.nr_vcpus.vcpus == 1);
    assert_int_equal(dm(2, 11, &op), -XEN_EOPNOTSUPP);
    assert_int_equal(DM(2, set_irq_level, 33, 1), 0);
    assert_int_equal(level_of, 33);
    assert_int_equal(DM(2, set_irq_level, 31, 1), -XEN_EINVAL);
    assert_int_equal(DM(2, set_irq_level, 64, 1), -XEN_EINVAL);
    assert_int_equal(DM(2, set_irq_level, 33, 2), -XEN_EINVAL);
    /* Its memory, as a device reaches it; nobody else's. */
    assert_int_equal(map_foreign(2, BASE, 0x90002), 0);
    assert_true(p2m_allows(of(1), gpa(0x90002000), true, false));
    assert_int_equal(map_foreign(3, BASE, 0x90003), -XEN_EPERM);
    nothing_there = false;
    end();
}

/* --- A serial line that the console daemon has the other end of --- */

enum { PL011_DR = 0, PL011_FR = 0x18, FR_RXFE = 16, FR_TXFF = 32 };

static uint64_t line(domid_t id, uint32_t reg, bool write, uint64_t value)
{
    struct mmio_access a = {.at = gpa(0x22000000 + reg), .size = 4, .write = write, .value = value};
    assert_int_equal(domain_mmio(of(id)->vcpu[0], &a), MMIO_DONE);
    assert_int_equal(fake_locks_held(), 0);
    return a.value;
}

static void test_serial_line(void **state)
{
    BEGIN("build\0console");
    domid_t id = make(4);
    struct xen_domctl op = {.u.vuart_op = {.gfn = BASE + 2, .console_domid = 1}};
    assert_int_equal(domctl_of(XEN_DOMCTL_vuart_op, id, &op),
                     -XEN_EINVAL); /* no interrupt for it */
    of(id)->vgic.nr_spis = 32;
    op.u.vuart_op.type = 1;
    assert_int_equal(domctl_of(XEN_DOMCTL_vuart_op, id, &op), -XEN_EOPNOTSUPP);
    op.u.vuart_op.type = 0;
    op.u.vuart_op.cmd = 1;
    assert_int_equal(domctl_of(XEN_DOMCTL_vuart_op, id, &op), -XEN_EINVAL);
    op.u.vuart_op.cmd = 0;
    op.u.vuart_op.gfn = BASE + 40; /* is no memory */
    assert_true(domctl_of(XEN_DOMCTL_vuart_op, id, &op) < 0);
    assert_false(of(id)->vuart.present);
    op.u.vuart_op.gfn = BASE + 2;
    assert_int_equal(domctl_of(XEN_DOMCTL_vuart_op, id, &op), 0);
    struct evtchn_bind_interdomain b = {.remote_dom = id, .remote_port = op.u.vuart_op.evtchn};
    assert_int_equal(domctl_of(XEN_DOMCTL_vuart_op, id, &op), -XEN_EINVAL); /* once */
    assert_int_equal(simple(XEN_DOMCTL_unpausedomain, id), 0);
    assert_int_equal(domctl_of(XEN_DOMCTL_vuart_op, id, &op), -XEN_EPERM);
    /* The daemon: maps the ring and no other page, binds the port. */
    assert_int_equal(map_foreign(id, BASE + 1, 0x90001), -XEN_EPERM);
    assert_int_equal(map_foreign(id, BASE + 2, 0x90000), 0);
    assert_int_equal(
        call(1, __HYPERVISOR_event_channel_op, EVTCHNOP_bind_interdomain, &b, sizeof(b), false), 0);
    struct xencons_interface *ring = ram(1, 0x90000);
    line(id, PL011_DR, true, 'x');
    assert_true(ring->out_prod == 1 && ring->out[0] == 'x');
    assert_true(evtchn_is_pending(of(1), b.local_port));
    /* Full: the characters wait in the FIFO, and what does not fit there is lost, as on hardware. */
    unsigned sent = 1;
    for (; (line(id, PL011_FR, false, 0) & FR_TXFF) == 0; sent++) {
        line(id, PL011_DR, true, 'a' + sent % 26);
    }
    assert_int_equal(sent, sizeof(ring->out) + VUART_FIFO);
    ring->out_cons = ring->out_prod;
    assert_int_equal(event(1, EVTCHNOP_send, b.local_port), 0);
    assert_int_equal(ring->out_prod, sent);
    assert_int_equal(ring->out[(sent - 1) % sizeof(ring->out)], 'a' + (sent - 1) % 26);
    /* Typed: more than the FIFO has. The rest follows as the guest reads. */
    for (unsigned i = 0; i < 100; i++) {
        ring->in[i] = (char)i;
    }
    ring->in_prod = 100;
    assert_int_equal(event(1, EVTCHNOP_send, b.local_port), 0);
    for (unsigned i = 0; i < 100; i++) {
        assert_int_equal(line(id, PL011_FR, false, 0) & FR_RXFE, 0);
        assert_int_equal(line(id, PL011_DR, false, 0), i);
    }
    assert_true((line(id, PL011_FR, false, 0) & FR_RXFE) != 0 && ring->in_cons == 100);
    /* A page full of nonsense: the line is garbled, and that is all. */
    memset(ring, 0xa5, sizeof(*ring));
    for (unsigned i = 0; i < 100; i++) {
        line(id, PL011_DR, i % 2 == 0, 'z');
        (void)event(1, EVTCHNOP_send, b.local_port);
    }
    assert_int_equal(simple(XEN_DOMCTL_destroydomain, id), 0);
    memset(ring, 0, sizeof(*ring)); /* the page is the daemon's until it lets go */
    assert_true(event(1, EVTCHNOP_send, b.local_port) <= 0);
    assert_int_equal(unmap(0x90000), 0);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_serial_line),
        cmocka_unit_test(test_device_model),
        cmocka_unit_test(test_device_model_goes),
        cmocka_unit_test(test_device_model_errors),
    };
    return cmocka_run_group_tests_name("offered", tests, NULL, NULL);
}
