/*
 * Every hypercall there is: HYPERCALL(name, handler). The number is
 * __HYPERVISOR_<name>; a name that is not here answers -XEN_ENOSYS. From this
 * list come the dispatch table, the prototypes, the names in traces, and, by
 * tests/conform/coverage.py, the check that docs/abi-coverage.md has a row for each.
 */
HYPERCALL(memory_op, memory_op)
HYPERCALL(multicall, multicall)
HYPERCALL(xen_version, xen_version)
HYPERCALL(console_io, console_io)
HYPERCALL(grant_table_op, grant_table_op)
HYPERCALL(vm_assist, vm_assist)
HYPERCALL(vcpu_op, vcpu_op)
HYPERCALL(sched_op, sched_op)
HYPERCALL(event_channel_op, evtchn_op)
HYPERCALL(physdev_op, physdev_op)
HYPERCALL(hvm_op, hvm_op)
HYPERCALL(platform_op, platform_op)
HYPERCALL(sysctl, sysctl)
HYPERCALL(domctl, domctl)
HYPERCALL(dm_op, dm_op)
HYPERCALL(hypfs_op, hypfs_op)
