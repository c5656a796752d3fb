UNIT_TESTS += config
UNIT_SRCS_config := $(wildcard hyp/core/config*.c) hyp/core/tree.c hyp/core/tree-board.c hyp/core/image.c hyp/core/passthrough.c hyp/core/board.c \
                    lib/text.c hyp/core/frame.c hyp/core/frame-pool.c hyp/core/frame-boot.c hyp/core/rights.c hyp/core/rights-device.c \
                    tests/unit/host-tree.c
UNIT_LIBS_config := -lfdt
