UNIT_TESTS += vgic
UNIT_SRCS_vgic := tests/unit/vgic-model.c $(wildcard hyp/vdev/vgic*.c) hyp/vdev/vtimer.c \
                  hyp/core/timer.c hyp/core/frame.c hyp/core/frame-pool.c hyp/core/frame-boot.c
