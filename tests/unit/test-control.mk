CONTROL_UNIT_SRCS = tests/unit/control-world.c hyp/core/domain.c hyp/core/domain-table.c hyp/core/control/vuart-ring.c hyp/vdev/vuart.c \
                    $(filter-out tests/unit/xen-world.c,$(XEN_UNIT_SRCS))

UNIT_TESTS += control
UNIT_SRCS_control = $(CONTROL_UNIT_SRCS)

UNIT_TESTS += offered
UNIT_SRCS_offered = $(CONTROL_UNIT_SRCS)
