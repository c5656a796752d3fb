# Test guests: one .c file each; see README.md.
include tests/guest/kit/rules.mk

GUEST_SOURCES := $(wildcard tests/guest/*.c tests/guest/conform/*.c tests/guest/hostile/*.c)
$(foreach s,$(GUEST_SOURCES),$(eval $(call guest,$(basename $(notdir $s)),$s)))

.PHONY: guests
guests: $(GUESTS)
ALL += $(GUESTS)
