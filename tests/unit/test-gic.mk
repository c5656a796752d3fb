# Both drivers and what routes interrupts above them, on a register model of each controller.
UNIT_TESTS += gic
UNIT_SRCS_gic := hyp/drivers/gic.c hyp/core/irq.c tests/unit/gic-model.c \
                 hyp/core/config/tree.c hyp/core/config/tree-board.c tests/unit/host-tree.c
UNIT_LIBS_gic := -lfdt
