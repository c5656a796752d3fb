UNIT_TESTS += p2m
UNIT_SRCS_p2m := tests/unit/guest-copy.c $(addprefix hyp/core/,p2m.c p2m-teardown.c frame.c frame-pool.c frame-boot.c)
