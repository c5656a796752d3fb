PROPS += stage2
PROP_SRCS_stage2 := hyp/spec/memory.c $(addprefix hyp/core/,mem/frame.c mem/frame-boot.c \
                    mem/p2m.c mem/p2m-teardown.c mem/checker.c mem/checker-frames.c xen/seal.c mem/guest-va.c)
