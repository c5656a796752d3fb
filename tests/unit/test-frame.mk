UNIT_TESTS += frame
UNIT_SRCS_frame := hyp/core/mem/frame.c hyp/core/mem/frame-boot.c
