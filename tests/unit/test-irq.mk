UNIT_TESTS += irq
UNIT_SRCS_irq := hyp/core/irq.c
