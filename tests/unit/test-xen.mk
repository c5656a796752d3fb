# What every test of the Xen interface links.
XEN_UNIT_SRCS := tests/unit/xen-world.c tests/unit/guest-copy.c \
    $(addprefix hyp/core/,hypercall.c version-op.c evtchn.c evtchn-fifo.c grant.c grant-map.c grant-copy.c \
    memory-op.c foreign.c ioreq.c domctl.c domctl-life.c domctl-vcpu.c domctl-device.c sysctl.c sysctl-sched.c rights.c seal.c sched-op.c vcpu-op.c \
    xen-domain.c xen-console.c guest-va.c p2m.c p2m-teardown.c frame.c frame-pool.c frame-boot.c)

UNIT_TESTS += xen
UNIT_SRCS_xen := $(XEN_UNIT_SRCS)
