# Both ends of what the tools ask for: domctl, sysctl, platform_op, memory of others.
TOOLS_UNIT_SRCS = tests/unit/tools-world.c $(XEN_UNIT_SRCS) hyp/core/control/rights-device.c \
                  $(addprefix hyp/core/config/,tree.c tree-board.c) lib/text.c

UNIT_TESTS += tools
UNIT_SRCS_tools = $(TOOLS_UNIT_SRCS)
UNIT_LIBS_tools := -lfdt

UNIT_TESTS += assign
UNIT_SRCS_assign = $(TOOLS_UNIT_SRCS)
UNIT_LIBS_assign := -lfdt
