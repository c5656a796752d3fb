UNIT_TESTS += control
UNIT_SRCS_control = hyp/core/domain.c hyp/core/control/vuart-ring.c hyp/vdev/vuart.c $(filter-out tests/unit/xen-world.c,$(XEN_UNIT_SRCS))
