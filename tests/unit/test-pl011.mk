UNIT_TESTS += pl011
UNIT_SRCS_pl011 := hyp/drivers/pl011.c $(filter-out tests/unit/test-config.c,$(UNIT_SRCS_config))
UNIT_LIBS_pl011 := -lfdt
