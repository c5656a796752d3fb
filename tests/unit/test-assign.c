/* What of the machine is given to domains by the tools: devices, interrupts, CPU pools. */
#include "tools-world.h"

#include <hyp/cpu.h>

/* --- Devices --- */

static void good_device(void **state)
{
    struct p2m_entry e;
    assert_int_equal(DOMCTL_OF(iomem_permission, HALF, iomem_permission, 0xa003, 2, 1), 0);
    assert_int_equal(DOMCTL_OF(memory_mapping, HALF, memory_mapping, 0x1000, 0xa003, 2, 1), 0);
    assert_true(p2m_lookup(world[HALF], gfn(0x1001), &e) && e.mfn.v == 0xa004);
    assert_non_null(strstr(fake_calls.log, "No IOMMU confines it"));
    assert_int_equal(DOMCTL_OF(memory_mapping, HALF, memory_mapping, 0x1000, 0xa003, 2, 0), 0);
    assert_false(p2m_lookup(world[HALF], gfn(0x1000), &e) && e.type == P2M_MMIO);
    assert_int_equal(DOMCTL_OF(irq_permission, HALF, irq_permission, 40, 1), 0);
    assert_false(rights_irq(world[HALF], 40) || rights_iomem(world[HALF], mfn(0xa003), 1)); /* T2 */
    assert_int_equal(DOMCTL_OF(bind_pt_irq, HALF, bind_pt_irq, .machine_irq = 40,
                               .irq_type = PT_IRQ_TYPE_SPI, .u.spi.spi = 40),
                     0);
    assert_int_equal(irqs, 1);
    irqs_back = 0;
    for (unsigned i = 0; i < 2; i++) { /* half built, and while it runs */
        assert_int_equal(DOMCTL_OF(unbind_pt_irq, HALF, bind_pt_irq, .machine_irq = 40,
                                   .irq_type = PT_IRQ_TYPE_SPI, .u.spi.spi = 40),
                         0);
        world[HALF]->state = i == 0 ? DOMAIN_RUNNING : DOMAIN_CREATED;
    }
    assert_int_equal(irqs_back, 2);
    assert_int_equal(DOMCTL_OF(irq_permission, HALF, irq_permission, 40, 0), 0);
    assert_int_equal(DOMCTL_OF(iomem_permission, HALF, iomem_permission, 0xa004, 1, 0), 0);
    assert_int_equal(rights_drop(world[TOOLS], "irq"), 0);
    assert_int_equal(DOMCTL_OF(irq_permission, HALF, irq_permission, 40, 1), -XEN_EPERM);
    assert_int_equal(DOMCTL_OF(irq_permission, HALF, irq_permission, 41, 1), 0); /* the device's */
    assert_int_equal(rights_drop(world[TOOLS], "device"), 0);
    assert_int_equal(DOMCTL_OF(irq_permission, HALF, irq_permission, 41, 1), -XEN_EPERM);
    assert_int_equal(DOMCTL_OF(iomem_permission, HALF, iomem_permission, 0xa003, 1, 1), -XEN_EPERM);
}

static void bad_device(void **state)
{
    assert_int_equal(DOMCTL_OF(irq_permission, HALF, irq_permission, 42, 1), -XEN_EPERM);
    assert_int_equal(DOMCTL_OF(irq_permission, HALF, irq_permission, ~0u, 1), -XEN_EPERM);
    assert_int_equal(DOMCTL_OF(iomem_permission, HALF, iomem_permission, 0xa000, 0, 1),
                     -XEN_EINVAL);
    assert_int_equal(DOMCTL_OF(iomem_permission, HALF, iomem_permission, 2, ~0ull, 1), -XEN_EINVAL);
    assert_int_equal(DOMCTL_OF(iomem_permission, HALF, iomem_permission, 0x9fff, 2, 1), -XEN_EPERM);
    assert_int_equal(DOMCTL_OF(memory_mapping, HALF, memory_mapping, 0x1000, 0xa003, 0, 1),
                     -XEN_EINVAL);
    assert_int_equal(DOMCTL_OF(memory_mapping, HALF, memory_mapping, 0x1000, 0xa003, 65, 1),
                     -XEN_E2BIG);
    assert_int_equal(DOMCTL_OF(memory_mapping, HALF, memory_mapping, 0x1000, 0xb003, 1, 1),
                     -XEN_EPERM);
    assert_int_equal(DOMCTL_OF(memory_mapping, HALF, memory_mapping, 0x1000, 0x40000, 1, 1),
                     -XEN_EPERM);
    assert_true(DOMCTL_OF(memory_mapping, HALF, memory_mapping, ~0ull, 0xa003, 1, 1) < 0);
    /* Not what is there: nothing, RAM, another page. */
    assert_int_equal(DOMCTL_OF(memory_mapping, HALF, memory_mapping, 0x1000, 0xa003, 1, 0),
                     -XEN_EINVAL);
    assert_int_equal(DOMCTL_OF(memory_mapping, HALF, memory_mapping, WORLD_BASE, 0xa003, 1, 0),
                     -XEN_EINVAL);
    assert_int_equal(DOMCTL_OF(memory_mapping, HALF, memory_mapping, 0x1000, 0xa003, 1, 1), 0);
    assert_int_equal(DOMCTL_OF(memory_mapping, HALF, memory_mapping, 0x1000, 0xa004, 1, 0),
                     -XEN_EINVAL);
#define BIND(irq, type, to)                                                             \
    DOMCTL_OF(bind_pt_irq, HALF, bind_pt_irq, .machine_irq = (irq), .irq_type = (type), \
              .u.spi.spi = (to))
    assert_int_equal(BIND(40, 1, 40), -XEN_EINVAL);
    assert_int_equal(BIND(40, PT_IRQ_TYPE_SPI, 41), -XEN_EINVAL);
    assert_int_equal(BIND(42, PT_IRQ_TYPE_SPI, 42), -XEN_EPERM);
    next_error = -XEN_EBUSY;
    assert_int_equal(BIND(40, PT_IRQ_TYPE_SPI, 40), -XEN_EBUSY);
#define UNBIND(irq, type, to)                                                             \
    DOMCTL_OF(unbind_pt_irq, HALF, bind_pt_irq, .machine_irq = (irq), .irq_type = (type), \
              .u.spi.spi = (to))
    irqs_back = 0;
    assert_int_equal(UNBIND(40, 1, 40), -XEN_EINVAL);
    assert_int_equal(UNBIND(40, PT_IRQ_TYPE_SPI, 41), -XEN_EINVAL);
    assert_int_equal(UNBIND(42, PT_IRQ_TYPE_SPI, 42), -XEN_EPERM);
    world[HALF]->state = DOMAIN_DYING; /* its end has them */
    assert_int_equal(UNBIND(40, PT_IRQ_TYPE_SPI, 40), -XEN_ENOENT);
    assert_int_equal(irqs_back, 0);
    world[HALF]->state = DOMAIN_CREATED;
    next_error = -XEN_ENOENT;
    assert_int_equal(UNBIND(40, PT_IRQ_TYPE_SPI, 40), -XEN_ENOENT);
    next_error = -XEN_EBUSY;
    static const uint32_t iommu[] = {XEN_DOMCTL_assign_device, XEN_DOMCTL_test_assign_device,
                                     XEN_DOMCTL_deassign_device};
    struct xen_domctl op = {.cmd = 0};
    for (unsigned i = 0; i < ARRAY_LEN(iommu); i++) {
        assert_int_equal(domctl_of(iommu[i], HALF, &op), -XEN_EOPNOTSUPP);
    }
    next_error = 0;
    world[HALF]->state = DOMAIN_RUNNING;
    assert_int_equal(BIND(40, PT_IRQ_TYPE_SPI, 40), -XEN_EPERM);
    assert_int_equal(DOMCTL_OF(memory_mapping, HALF, memory_mapping, 0x1001, 0xa003, 1, 1),
                     -XEN_EPERM);
}

/* --- CPU pools --- */

static int64_t pool(uint32_t what, uint32_t id, uint32_t cpu, domid_t domain,
                    struct xen_sysctl *out)
{
    struct xen_sysctl op = {.u.cpupool_op = {.op = what,
                                             .cpupool_id = id,
                                             .sched_id = XEN_SCHEDULER_CREDIT2,
                                             .cpu = cpu,
                                             .domid = domain,
                                             .cpumap = BITS(MORE, 64)}};
    int64_t error = sysctl_of(XEN_SYSCTL_cpupool_op, &op);
    if (out != NULL) {
        *out = op;
    }
    return error;
}
#define POOL(what, id, cpu, domain) pool(XEN_SYSCTL_CPUPOOL_OP_##what, id, cpu, domain, NULL)
#define ANY XEN_SYSCTL_CPUPOOL_PAR_ANY

static void good_pools(void **state)
{
    struct xen_sysctl op;
    uint64_t *map = (uint64_t *)HANDLES;
    assert_int_equal(pool(XEN_SYSCTL_CPUPOOL_OP_CREATE, ANY, 0, 0, &op), 0);
    assert_int_equal(op.u.cpupool_op.cpupool_id, 1);
    assert_int_equal(POOL(CREATE, 5, 0, 0), 0);
    assert_int_equal(pool(XEN_SYSCTL_CPUPOOL_OP_INFO, 2, 0, 0, &op), 0);
    assert_int_equal(op.u.cpupool_op.cpupool_id, 5);
    assert_int_equal(map[0], 0);
    assert_int_equal(pool(XEN_SYSCTL_CPUPOOL_OP_INFO, ANY, 0, 0, &op), 0);
    assert_int_equal(op.u.cpupool_op.n_dom, 3);
    assert_int_equal(map[0], 3);
    assert_int_equal(POOL(RMCPU, 0, 1, 0), 0);
    assert_int_equal(POOL(FREEINFO, 0, 0, 0), 0);
    assert_int_equal(map[0], 2);
    for (unsigned i = 0; i < 20; i++) { /* P3: in steps */
        assert_non_null(fake_domain((domid_t)(100 + i), "more", 1));
    }
    unsigned before = world_restarts;
    assert_int_equal(POOL(ADDCPU, 1, ANY, 0), 0);
    assert_true(world_restarts > before + 1);
    for (unsigned i = 0; i < 20; i++) {
        struct domain *d = domain_get((domid_t)(100 + i));
        domain_put(d);
        fake_domain_free(d);
    }
    assert_int_equal(POOL(MOVEDOMAIN, 1, 0, OTHER), 0);
    assert_int_equal(world[OTHER]->sched.cpupool, 1);
    assert_int_equal(POOL(MOVEDOMAIN, 1, 0, DOMID_SELF), 0);
    assert_int_equal(world[TOOLS]->sched.cpupool, 1);
    assert_int_equal(POOL(DESTROY, 1, 0, 0), -XEN_EBUSY);
    assert_int_equal(POOL(RMCPU, 1, 1, 0), -XEN_EBUSY); /* P2 */
    assert_int_equal(POOL(MOVEDOMAIN, 0, 0, OTHER), 0);
    assert_int_equal(POOL(MOVEDOMAIN, 0, 0, TOOLS), 0);
    assert_int_equal(POOL(RMCPU, 1, ANY, 0), 0);
    assert_int_equal(POOL(DESTROY, 1, 0, 0), 0);
    assert_int_equal(POOL(DESTROY, 5, 0, 0), 0);
    assert_int_equal(POOL(ADDCPU, 0, 1, 0), 0);
}

static void bad_pools(void **state)
{
    unsigned made = 0;
    while (POOL(CREATE, ANY, 0, 0) == 0) {
        made++;
    }
    assert_int_equal(made, SCHED_POOLS - 1);
    assert_int_equal(POOL(CREATE, ANY, 0, 0), -XEN_ENOMEM);
    assert_int_equal(POOL(CREATE, SCHED_POOLS, 0, 0), -XEN_EINVAL);
    assert_int_equal(POOL(CREATE, 3, 0, 0), -XEN_EEXIST);
    for (uint32_t i = 2; i < SCHED_POOLS; i++) {
        assert_int_equal(POOL(DESTROY, i, 0, 0), 0);
    }
    struct xen_sysctl op = {.u.cpupool_op = {.op = XEN_SYSCTL_CPUPOOL_OP_CREATE,
                                             .cpupool_id = ANY,
                                             .sched_id = XEN_SCHEDULER_RTDS}};
    assert_int_equal(sysctl_of(XEN_SYSCTL_cpupool_op, &op), -XEN_EINVAL);
    assert_int_equal(POOL(DESTROY, 0, 0, 0), -XEN_EBUSY);
    assert_int_equal(POOL(DESTROY, 2, 0, 0), -XEN_ENOENT);
    assert_int_equal(POOL(DESTROY, ~0u, 0, 0), -XEN_ENOENT);
    assert_int_equal(POOL(INFO, 2, 0, 0), -XEN_ENOENT);
    assert_int_equal(POOL(INFO, 99, 0, 0), -XEN_ENOENT);
    assert_int_equal(pool(99, 0, 0, 0, NULL), -XEN_ENOSYS);
    assert_int_equal(POOL(ADDCPU, 1, ANY, 0), -XEN_EBUSY); /* none is free */
    assert_int_equal(POOL(ADDCPU, 1, 64, 0), -XEN_EBUSY);
    assert_int_equal(POOL(RMCPU, 0, 64, 0), -XEN_EINVAL);
    assert_int_equal(POOL(RMCPU, 1, ANY, 0), -XEN_EINVAL);
    cpu_of_no_use = 1;
    assert_int_equal(POOL(RMCPU, 0, 1, 0), -XEN_EBUSY);
    cpu_of_no_use = -1;
    cpus[1]->sched.rt_reserved = 1;
    assert_int_equal(POOL(RMCPU, 0, 1, 0), -XEN_EBUSY);
    cpus[1]->sched.rt_reserved = 0;
    assert_int_equal(POOL(MOVEDOMAIN, 1, 0, OTHER), -XEN_EINVAL); /* it has no CPU */
    assert_int_equal(POOL(MOVEDOMAIN, 0, 0, 77), -XEN_ESRCH);
    next_error = -XEN_EBUSY;
    assert_int_equal(POOL(MOVEDOMAIN, 0, 0, OTHER), -XEN_EBUSY);
    next_error = 0;
    assert_int_equal(POOL(RMCPU, 0, 1, 0), 0);
    assert_int_equal(POOL(ADDCPU, 1, 1, 0), 0);
    next_error = -XEN_EBUSY;
    who_fails = 1; /* its second vCPU cannot go: the first comes back */
    assert_int_equal(POOL(MOVEDOMAIN, 1, 0, OTHER), -XEN_EBUSY);
    assert_true(world[OTHER]->sched.cpupool == 0 && followed[0] == 0);
    who_fails = 0;
    next_error = 0;
    assert_int_equal(POOL(RMCPU, 1, 1, 0), 0);
    assert_int_equal(POOL(ADDCPU, 0, 1, 0), 0);
    next_error = -XEN_EBUSY;
    assert_int_equal(POOL(RMCPU, 0, 1, 0), -XEN_EBUSY); /* who has a reservation stays */
    next_error = 0;
    assert_int_equal(POOL(ADDCPU, 0, 1, 0), 0);
    assert_int_equal(POOL(DESTROY, 1, 0, 0), 0);
    assert_int_equal(rights_drop(world[TOOLS], "schedule"), 0);
    assert_int_equal(POOL(CREATE, ANY, 0, 0), -XEN_EPERM);
}

static void good_ratelimit(void **state)
{
    struct xen_sysctl op = {
        .u.scheduler_op = {.sched_id = XEN_SCHEDULER_CREDIT2, .cmd = XEN_SYSCTL_SCHEDOP_getinfo}};
    assert_int_equal(sysctl_of(XEN_SYSCTL_scheduler_op, &op), 0);
    assert_int_equal(op.u.scheduler_op.u.sched_credit2.ratelimit_us, 200);
    op.u.scheduler_op.cmd = XEN_SYSCTL_SCHEDOP_putinfo;
    assert_int_equal(sysctl_of(XEN_SYSCTL_scheduler_op, &op), 0);
    op.u.scheduler_op.u.sched_credit2.ratelimit_us = 1000;
    assert_int_equal(sysctl_of(XEN_SYSCTL_scheduler_op, &op), -XEN_EOPNOTSUPP);
    op.u.scheduler_op.cmd = 9;
    assert_int_equal(sysctl_of(XEN_SYSCTL_scheduler_op, &op), -XEN_EINVAL);
    op.u.scheduler_op.sched_id = XEN_SCHEDULER_CREDIT;
    assert_int_equal(sysctl_of(XEN_SYSCTL_scheduler_op, &op), -XEN_EINVAL);
    op.u.scheduler_op.cpupool_id = 3;
    assert_int_equal(sysctl_of(XEN_SYSCTL_scheduler_op, &op), -XEN_ESRCH);
    op.u.scheduler_op.cpupool_id = 99;
    assert_int_equal(sysctl_of(XEN_SYSCTL_scheduler_op, &op), -XEN_ESRCH);
    assert_int_equal(rights_drop(world[TOOLS], "schedule"), 0);
    op.u.scheduler_op = (struct xen_sysctl_scheduler_op){.sched_id = XEN_SCHEDULER_CREDIT2};
    assert_int_equal(sysctl_of(XEN_SYSCTL_scheduler_op, &op), -XEN_EPERM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY(good_device), STORY(bad_device),     STORY(good_pools),
        STORY(bad_pools),   STORY(good_ratelimit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
