PROPS += rights
PROP_SRCS_rights := hyp/spec/rights.c $(addprefix hyp/core/,control/rights.c mem/frame.c mem/frame-pool.c mem/frame-boot.c) lib/text.c
