# Test guests: one .c file each; see README.md.
include tests/guest/kit/rules.mk

GUEST_SOURCES := $(wildcard tests/guest/*.c tests/guest/conform/*.c tests/guest/hostile/*.c)
$(foreach s,$(GUEST_SOURCES),$(eval $(call guest,$(basename $(notdir $s)),$s)))

.PHONY: guests
guests: $(GUESTS)
ALL += $(GUESTS)
TEST_SUITES += $(PYTHON) tests/guest/restarts.py;
NIGHTLY_SUITES += $(PYTHON) tests/guest/restarts.py --lives 1000 --timeout 1800;
