UNIT_TESTS += spec-life
UNIT_SRCS_spec-life := hyp/spec/life.c hyp/core/frame.c hyp/core/frame-pool.c hyp/core/frame-boot.c
