# Both ends of what the tools ask for: domctl, sysctl, platform_op, memory of others.
UNIT_TESTS += tools
UNIT_SRCS_tools = $(XEN_UNIT_SRCS) hyp/core/rights-device.c hyp/core/tree.c hyp/core/tree-board.c lib/text.c
UNIT_LIBS_tools := -lfdt
