# The unit and property tests again, built to count what they run:
#   make coverage      build, run, print the table (mk/coverage.py); part of `make report`

COV_CFLAGS := -std=gnu11 -g -O1 --coverage $(WARN) -Wno-error -DCONFIG_DEBUG=1 -Ihyp/include -Ihyp/arch/fake/include \
              -Ihyp/arch/fake -Ilib/include -Iabi -Itests/unit -Itests/prop -Ihyp/spec -MMD -MP
COV_TESTS  :=

$(B)/cov/obj/%.o: %.c
	$(call say,COVCC,$<)
	@mkdir -p $(@D)
	$(Q)$(HOSTCC) $(COV_CFLAGS) -c $< -o $@

define cov_program
$(B)/cov/$1: $$(patsubst %.c,$(B)/cov/obj/%.o,$2)
	$$(Q)$$(HOSTCC) --coverage -o $$@ $$^ $3
COV_TESTS += $(B)/cov/$1
endef
$(foreach t,$(UNIT_TESTS),$(eval $(call cov_program,test-$t,tests/unit/test-$t.c $(UNIT_SRCS_$t) $(UNIT_MODEL),-lcmocka $(UNIT_LIBS_$t))))
$(foreach p,$(PROPS),$(eval $(call cov_program,prop-$p,tests/prop/prop-$p.c tests/prop/engine-all.c $(PROP_SRCS_$p) $(PROP_MODEL),)))

.PHONY: coverage coverage-run
coverage-run: $(COV_TESTS)
	@mkdir -p $(B)/unit # where they leave files
	$(Q)find $(B)/cov -name '*.gcda' -delete; for test in $^; do \
	    echo "  RUN     $$test"; $$test > $$test.log 2>&1 || { tail $$test.log; exit 1; }; done

coverage: setup
	$(SUBMAKE) coverage-run
	$(Q)$(PYTHON) mk/coverage.py $(B)/cov/obj --lines 95 --branches 90 hyp/core
	$(Q)$(PYTHON) mk/coverage.py $(B)/cov/obj --lines 95 --branches 90 hyp/vdev

NIGHTLY_SUITES += echo 1..1 && $(MAKE) -s coverage >&2 && echo 'ok - coverage of unit tests' || echo 'not ok - coverage of unit tests';
