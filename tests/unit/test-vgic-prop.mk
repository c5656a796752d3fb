UNIT_TESTS += vgic-prop
UNIT_SRCS_vgic-prop := tests/unit/vgic-model.c $(wildcard hyp/vdev/vgic*.c) hyp/vdev/vtimer.c \
                       hyp/core/timer.c hyp/core/mem/frame.c hyp/core/mem/frame-boot.c
