UNIT_TESTS += psci
UNIT_SRCS_psci := hyp/core/psci.c
