UNIT_TESTS += xen-grant
UNIT_SRCS_xen-grant = $(XEN_UNIT_SRCS) hyp/spec/xen-spec.c
