UNIT_TESTS += console
UNIT_SRCS_console := $(wildcard hyp/core/console/console*.c hyp/core/console/command*.c) hyp/core/log.c hyp/core/fmt.c hyp/core/control/rights.c \
                     lib/text.c
