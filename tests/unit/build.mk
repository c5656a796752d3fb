# Unit tests of the pure parts, on the host, under address and undefined-
# behaviour sanitizers, against the model machine (hyp/arch/fake). A test X is
# tests/unit/test-X.c and a fragment tests/unit/test-X.mk that says
#
#   UNIT_TESTS += X
#   UNIT_SRCS_X := hyp/core/X.c ...        sources under test, besides the model
#   UNIT_LIBS_X := -lfdt                   libraries, besides cmocka
#
# cmocka prints TAP.

UNIT_TESTS :=
UNIT_MODEL := $(wildcard hyp/arch/fake/*.c)
include $(sort $(wildcard tests/unit/test-*.mk))

UNIT_CFLAGS := $(SAN_CFLAGS) -DCONFIG_DEBUG=1 -Ihyp/include -Ihyp/arch/fake/include -Ihyp/arch/fake -Ilib/include \
               -Iabi -Itests/unit

$(B)/unit/obj/%.o: %.c
	$(call say,SANCC,$<)
	@mkdir -p $(@D)
	$(Q)$(HOSTCC) $(UNIT_CFLAGS) -c $< -o $@

define unit_test
$(B)/unit/test-$1: $$(patsubst %.c,$(B)/unit/obj/%.o,tests/unit/test-$1.c $$(UNIT_SRCS_$1) $$(UNIT_MODEL))
	$$(call say,LINK,$$@)
	$$(Q)$$(HOSTCC) -fsanitize=address,undefined -o $$@ $$^ -lcmocka $$(UNIT_LIBS_$1)
TEST_DEPS += $(B)/unit/test-$1
TEST_SUITES += CMOCKA_MESSAGE_OUTPUT=TAP $(B)/unit/test-$1;
endef
$(foreach t,$(UNIT_TESTS),$(eval $(call unit_test,$t)))
