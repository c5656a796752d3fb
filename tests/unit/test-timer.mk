UNIT_TESTS += timer
UNIT_SRCS_timer := hyp/core/timer.c hyp/core/lock.c
