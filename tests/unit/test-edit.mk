UNIT_TESTS += edit
UNIT_SRCS_edit := hyp/core/console-edit.c
