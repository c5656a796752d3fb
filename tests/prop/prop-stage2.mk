PROPS += stage2
PROP_SRCS_stage2 := hyp/spec/memory.c $(addprefix hyp/core/,frame.c frame-pool.c frame-boot.c \
                    p2m.c p2m-teardown.c checker.c checker-frames.c seal.c guest-va.c)
