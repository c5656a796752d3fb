/*
 * Every hypercall there is: HYPERCALL(name). The number is
 * __HYPERVISOR_<name>; a name that is not here answers -XEN_ENOSYS. From this
 * list come the dispatch table, the prototypes, the names in traces, and, by
 * tests/conform/coverage.py, the check that docs/abi-coverage.md has a row for each.
 */
HYPERCALL(memory_op)
HYPERCALL(multicall)
HYPERCALL(xen_version)
HYPERCALL(console_io)
HYPERCALL(grant_table_op)
HYPERCALL(vm_assist)
HYPERCALL(vcpu_op)
HYPERCALL(sched_op)
HYPERCALL(event_channel_op)
HYPERCALL(hvm_op)
HYPERCALL(platform_op)
HYPERCALL(sysctl)
HYPERCALL(domctl)
HYPERCALL(dm_op)
HYPERCALL(hypfs_op)
