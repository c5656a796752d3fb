# What every test of the Xen interface links.
XEN_UNIT_SRCS := tests/unit/xen-world.c tests/unit/guest-copy.c \
    $(addprefix hyp/core/,xen/hypercall.c xen/version-op.c xen/evtchn.c xen/evtchn-fifo.c xen/grant.c xen/grant-map.c xen/grant-copy.c \
    xen/memory-op.c control/foreign.c control/ioreq.c control/domctl.c control/sysctl.c control/rights.c xen/seal.c xen/sched-op.c xen/vcpu-op.c \
    xen/xen-domain.c xen/xen-console.c mem/guest-va.c mem/p2m.c mem/p2m-teardown.c mem/checker.c mem/frame.c mem/frame-pool.c mem/frame-boot.c) lib/text.c

UNIT_TESTS += xen
UNIT_SRCS_xen := $(XEN_UNIT_SRCS)
