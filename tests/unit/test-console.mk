CONSOLE_UNIT_SRCS := tests/unit/console-world.c $(wildcard hyp/core/console/*.c) \
                     $(addprefix hyp/core/,log.c fmt.c control/rights.c) lib/text.c

UNIT_TESTS += console
UNIT_SRCS_console := $(CONSOLE_UNIT_SRCS)
