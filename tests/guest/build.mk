# Test guests: one .c file each; see README.md.
include tests/guest/kit/rules.mk

GUEST_SOURCES := $(wildcard tests/guest/*.c tests/guest/conform/*.c tests/guest/hostile/*.c)
$(foreach s,$(GUEST_SOURCES),$(eval $(call guest,$(basename $(notdir $s)),$s)))

.PHONY: guests
guests: $(GUESTS)
ALL += $(GUESTS)
TEST_SUITES += $(PYTHON) tests/guest/restarts.py;
NIGHTLY_SUITES += $(PYTHON) tests/guest/restarts.py --lives 1000 --timeout 1800;
TEST_DEPS += $(GUESTS)
TEST_SUITES += $(PYTHON) tests/guest/run.py --conform;
TEST_SUITES += $(PYTHON) tests/guest/run.py --hostile;
NIGHTLY_SUITES += $(PYTHON) tests/guest/run.py --hostile --full --timeout 900;
NIGHTLY_SUITES += $(PYTHON) tests/guest/run.py --hostile --seed $$RANDOM --timeout 300;
NIGHTLY_SUITES += $(PYTHON) tests/guest/run.py --hostile --gic 2 --timeout 300;
NIGHTLY_SUITES += $(PYTHON) tests/guest/run.py --hostile --cpu max --timeout 300;
NIGHTLY_SUITES += $(PYTHON) tests/guest/run.py --conform --cpu max;

# The same guests on stock Xen, for comparison: not a test of ours.
.PHONY: guests-on-xen
guests-on-xen: $(GUESTS)
	$(Q)$(PYTHON) tests/guest/run.py --conform --on xen
	$(Q)$(PYTHON) tests/guest/run.py --hostile --on xen
