UNIT_TESTS += build
UNIT_SRCS_build := $(wildcard hyp/core/config/config*.c) hyp/core/config/tree.c hyp/core/config/tree-board.c hyp/core/config/image.c hyp/core/config/devices.c \
                   lib/text.c hyp/core/mem/frame.c hyp/core/mem/frame-pool.c hyp/core/mem/frame-boot.c hyp/core/control/rights.c \
                   hyp/core/mem/p2m.c hyp/core/mem/p2m-teardown.c tests/unit/guest-copy.c hyp/core/config/build.c hyp/drivers/virtio-mmio.c \
                   hyp/core/config/guest-tree.c hyp/core/random.c lib/chacha20.c \
                   hyp/vdev/vuart.c tests/unit/host-tree.c
UNIT_LIBS_build := -lfdt
