UNIT_TESTS += edit
UNIT_SRCS_edit := hyp/core/console/console-edit.c lib/text.c
