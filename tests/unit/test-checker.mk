UNIT_TESTS += checker
UNIT_SRCS_checker := $(addprefix hyp/core/,checker.c checker-frames.c p2m.c p2m-teardown.c \
                     frame.c frame-pool.c frame-boot.c)
