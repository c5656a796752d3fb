PROPS += life
PROP_SRCS_life := hyp/spec/life.c $(addprefix hyp/core/,domain.c domain-table.c mem/frame.c mem/frame-pool.c mem/frame-boot.c mem/p2m.c mem/p2m-teardown.c \
                  mem/checker.c control/rights.c) lib/text.c
