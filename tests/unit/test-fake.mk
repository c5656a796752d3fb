UNIT_TESTS += fake
UNIT_SRCS_fake :=
