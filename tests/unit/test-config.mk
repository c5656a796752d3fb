UNIT_TESTS += config
UNIT_SRCS_config := $(wildcard hyp/core/config/config*.c) hyp/core/config/tree.c hyp/core/config/tree-board.c hyp/core/config/image.c hyp/core/config/devices.c \
                    lib/text.c hyp/core/mem/frame.c hyp/core/mem/frame-pool.c hyp/core/mem/frame-boot.c hyp/core/control/rights.c \
                    tests/unit/host-tree.c
UNIT_LIBS_config := -lfdt
