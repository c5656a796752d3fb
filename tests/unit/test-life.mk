# domain.c itself: what runs out, what is said when, who is woken; test-control.c has lives made by tools.
UNIT_TESTS += life
UNIT_SRCS_life = hyp/core/domain.c hyp/core/domain-table.c hyp/vdev/vuart.c $(filter-out tests/unit/xen-world.c,$(XEN_UNIT_SRCS))
