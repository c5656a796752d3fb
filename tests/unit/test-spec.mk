UNIT_TESTS += spec
UNIT_SRCS_spec := hyp/spec/memory.c $(addprefix hyp/core/,frame.c frame-pool.c frame-boot.c p2m.c p2m-teardown.c)
