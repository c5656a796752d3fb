PROPS += life
PROP_SRCS_life := hyp/spec/life.c $(addprefix hyp/core/,domain.c frame.c frame-pool.c frame-boot.c p2m.c p2m-teardown.c \
                  checker.c rights.c)
