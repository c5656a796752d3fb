UNIT_TESTS += frame
UNIT_SRCS_frame := hyp/core/frame.c hyp/core/frame-pool.c hyp/core/frame-boot.c
