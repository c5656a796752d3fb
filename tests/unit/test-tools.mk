# Both ends of what the tools ask for: domctl, sysctl, platform_op, memory of others.
TOOLS_UNIT_SRCS = tests/unit/tools-world.c $(XEN_UNIT_SRCS)

UNIT_TESTS += tools
UNIT_SRCS_tools = $(TOOLS_UNIT_SRCS)

UNIT_TESTS += assign
UNIT_SRCS_assign = $(TOOLS_UNIT_SRCS)
