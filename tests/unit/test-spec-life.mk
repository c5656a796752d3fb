UNIT_TESTS += spec-life
UNIT_SRCS_spec-life := hyp/spec/life.c hyp/core/mem/frame.c hyp/core/mem/frame-boot.c
