UNIT_TESTS += console
UNIT_SRCS_console := $(wildcard hyp/core/console*.c hyp/core/command*.c) hyp/core/log.c hyp/core/fmt.c hyp/core/rights.c \
                     lib/text.c
