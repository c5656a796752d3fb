UNIT_TESTS += sched
UNIT_SRCS_sched := tests/unit/sched-world.c hyp/core/sched.c hyp/core/sched-place.c hyp/core/sched-budget.c \
                   hyp/core/sched-config.c hyp/core/timer.c hyp/core/lock.c
