PROPS += frames
PROP_SRCS_frames := hyp/spec/memory.c $(addprefix hyp/core/,frame.c frame-pool.c frame-boot.c \
                    p2m.c p2m-teardown.c checker.c checker-frames.c)
