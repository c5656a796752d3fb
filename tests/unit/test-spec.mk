UNIT_TESTS += spec
UNIT_SRCS_spec := hyp/spec/memory.c $(addprefix hyp/core/,mem/frame.c mem/frame-boot.c mem/p2m.c mem/p2m-teardown.c)
