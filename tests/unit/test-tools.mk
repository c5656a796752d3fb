# Both ends of what the tools ask for: domctl, sysctl, platform_op, memory of others.
UNIT_TESTS += tools
UNIT_SRCS_tools = $(XEN_UNIT_SRCS) hyp/core/control/rights-device.c hyp/core/config/tree.c hyp/core/config/tree-board.c lib/text.c
UNIT_LIBS_tools := -lfdt
