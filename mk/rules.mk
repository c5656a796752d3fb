# Pattern rules and the lists that components add to.
#
#   ALL          files that `make` builds
#   TEST_SUITES  commands whose output is TAP, run by `make test` in this order;
#                each ends with a semicolon: TEST_SUITES += program argument;
#   SYSTEM_SUITES  likewise, what boots whole systems: run beside TEST_SUITES
#   ALONE_SUITES   likewise, what judges time: run after both, with nothing beside it
#   TEST_DEPS    files those commands need
#   CHECKS       targets of `make check`, but for the analyses
#   BENCHES, NIGHTLY_SUITES  likewise for `make bench` and `make nightly`

ALL :=
TEST_SUITES :=
SYSTEM_SUITES :=
ALONE_SUITES :=
TEST_DEPS :=
CHECKS :=
BENCHES :=
NIGHTLY_SUITES :=

# Host programs: plain, and with sanitizers for tests.
HOST_CFLAGS := -std=gnu11 -g -O2 $(WARN) -Ilib/include -Iabi -MMD -MP
SAN_CFLAGS  := -std=gnu11 -g -O1 -fno-omit-frame-pointer -fsanitize=address,undefined \
               -fno-sanitize-recover=all $(WARN) -MMD -MP

$(B)/host/obj/%.o: %.c
	$(call say,HOSTCC,$<)
	@mkdir -p $(@D)
	$(Q)$(HOSTCC) $(HOST_CFLAGS) $(CFLAGS_$(subst /,_,$(dir $<))) -c $< -o $@

$(B)/san/obj/%.o: %.c
	$(call say,SANCC,$<)
	@mkdir -p $(@D)
	$(Q)$(HOSTCC) $(SAN_CFLAGS) -Ilib/include -Iabi -Ihyp/include $(CFLAGS_$(subst /,_,$(dir $<))) -c $< -o $@

ifneq ($(wildcard $(B)),)
-include $(shell find $(B) -type f -name '*.d' 2>/dev/null)
endif
