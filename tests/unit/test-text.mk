UNIT_TESTS += text
UNIT_SRCS_text := hyp/core/fmt.c lib/text.c
