UNIT_TESTS += vtimer
UNIT_SRCS_vtimer := tests/unit/vgic-model.c $(wildcard hyp/vdev/vgic*.c) hyp/vdev/vtimer.c \
                  hyp/core/timer.c hyp/core/mem/frame.c hyp/core/mem/frame-boot.c
