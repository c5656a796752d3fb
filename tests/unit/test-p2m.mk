UNIT_TESTS += p2m
UNIT_SRCS_p2m := $(addprefix hyp/core/,p2m.c p2m-teardown.c guest-copy.c frame.c frame-pool.c frame-boot.c)
