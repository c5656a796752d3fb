UNIT_TESTS += xen-seal
UNIT_SRCS_xen-seal = $(XEN_UNIT_SRCS)
