UNIT_TESTS += xen-spec
UNIT_SRCS_xen-spec = $(XEN_UNIT_SRCS) hyp/spec/xen-spec.c
