PROPS += frames
PROP_SRCS_frames := hyp/spec/memory.c $(addprefix hyp/core/,mem/frame.c mem/frame-boot.c \
                    mem/p2m.c mem/p2m-teardown.c mem/checker.c mem/checker-frames.c)
