UNIT_TESTS += xen-fuzz
UNIT_SRCS_xen-fuzz = $(XEN_UNIT_SRCS) hyp/spec/xen-spec.c
NIGHTLY_SUITES += XEN_FUZZ_CALLS=10000000 CMOCKA_MESSAGE_OUTPUT=TAP $(B)/unit/test-xen-fuzz;
