# Property files (tests/prop/prop.h says what they are). prop-X.mk says
#
#   PROPS += X
#   PROP_SRCS_X := hyp/spec/X.c hyp/core/X.c ...
#
# Each is run with every combination of its values by `make test`, and as a
# libFuzzer program for FUZZ_SECONDS by `make nightly`, corpus in $(CACHE).

PROPS :=
include $(sort $(wildcard tests/prop/prop-*.mk))
PROP_MODEL := $(wildcard hyp/arch/fake/*.c)
PROP_INC := -Itests/prop -Ihyp/spec -Ihyp/include -Ihyp/arch/fake/include -Ihyp/arch/fake -Ilib/include -Iabi
# Enumeration is about cases per second: the undefined-behaviour sanitizer stays, the address sanitizer's
# checks are the unit tests' and the fuzzer's.
PROP_CFLAGS := -std=gnu11 -g -O2 -fsanitize=undefined -fno-sanitize-recover=all $(WARN) -DCONFIG_DEBUG=1 $(PROP_INC)
FUZZ_CFLAGS := -std=gnu11 -g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined \
               -Wall -Wextra -Wno-unused-parameter -DCONFIG_DEBUG=1 $(PROP_INC)
FUZZ_SECONDS ?= 120

$(B)/prop/obj/%.o: %.c
	$(call say,PROPCC,$<)
	@mkdir -p $(@D)
	$(Q)$(HOSTCC) $(PROP_CFLAGS) -MMD -MP -c $< -o $@

define property
$(B)/prop/prop-$1: $$(patsubst %.c,$(B)/prop/obj/%.o,tests/prop/prop-$1.c tests/prop/engine-all.c $$(PROP_SRCS_$1) $$(PROP_MODEL))
	$$(call say,LINK,$$@)
	$$(Q)$$(HOSTCC) -fsanitize=undefined -o $$@ $$^
TEST_DEPS += $(B)/prop/prop-$1
TEST_SUITES += $(B)/prop/prop-$1;

$(B)/prop/fuzz-$1: tests/prop/prop-$1.c tests/prop/engine-fuzz.c $$(PROP_SRCS_$1) $$(PROP_MODEL)
	$$(call say,FUZZCC,$$@)
	@mkdir -p $$(@D)
	$$(Q)clang-14 $$(FUZZ_CFLAGS) -o $$@ $$^

NIGHTLY_SUITES += tests/prop/fuzz.sh $1 $(CACHE)/corpus/$1 -max_total_time=$(FUZZ_SECONDS);
endef
$(foreach p,$(PROPS),$(eval $(call property,$p)))
