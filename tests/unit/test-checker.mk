UNIT_TESTS += checker
UNIT_SRCS_checker := $(addprefix hyp/core/,mem/checker.c mem/checker-frames.c mem/p2m.c mem/p2m-teardown.c \
                     mem/frame.c mem/frame-boot.c)
