UNIT_TESTS += p2m
UNIT_SRCS_p2m := tests/unit/guest-copy.c $(addprefix hyp/core/,mem/p2m.c mem/p2m-teardown.c mem/frame.c mem/frame-boot.c)
