UNIT_TESTS += build
UNIT_SRCS_build := $(wildcard hyp/core/config*.c) hyp/core/tree.c hyp/core/tree-board.c hyp/core/image.c hyp/core/passthrough.c hyp/core/board.c \
                   lib/text.c hyp/core/frame.c hyp/core/frame-pool.c hyp/core/frame-boot.c hyp/core/rights.c \
                   hyp/core/p2m.c hyp/core/p2m-teardown.c hyp/core/guest-copy.c hyp/core/build.c hyp/drivers/virtio-mmio.c \
                   hyp/core/guest-tree.c hyp/core/random.c lib/chacha20.c \
                   hyp/vdev/vuart.c tests/unit/host-tree.c
UNIT_LIBS_build := -lfdt
