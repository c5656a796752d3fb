# The bench guest, the counting plugin, and `make bench`. See docs/bench.md.
include tests/guest/kit/rules.mk

$(eval $(call guest,bench,$(wildcard bench/guest/*.c)))
BENCH_VECTORS := $(GUEST_OUT)/obj/bench/guest/vectors.o
$(BENCH_VECTORS): bench/guest/vectors.S
	$(call say,GUESTAS,$<)
	@mkdir -p $(@D)
	$(Q)$(TCC) $(GUEST_CFLAGS) -c $< -o $@
$(GUEST_OUT)/bench.elf: $(BENCH_VECTORS)
$(GUEST_OUT)/obj/bench/guest/%.o: bench/guest/bench.h

$(B)/host/count.so: bench/plugin/count.c bench/plugin/qemu-plugin-api.h
	$(call say,HOSTCC,$<)
	@mkdir -p $(@D)
	$(Q)$(HOSTCC) -std=gnu11 -O2 -g $(WARN) -fPIC -shared -fvisibility=hidden -o $@ $<

$(B)/host/share.so: bench/plugin/share.c bench/plugin/qemu-plugin-api.h
	$(call say,HOSTCC,$<)
	@mkdir -p $(@D)
	$(Q)$(HOSTCC) -std=gnu11 -O2 -g $(WARN) -fPIC -shared -fvisibility=hidden -o $@ $<

ALL += $(GUEST_OUT)/bench $(B)/host/count.so $(B)/host/share.so
TEST_DEPS += $(GUEST_OUT)/bench $(B)/host/count.so
TEST_SUITES += $(PYTHON) bench/run.py --quick --tap;

.PHONY: bench-all bench-quick
BENCHES += bench-all
bench-all:
	$(Q)$(PYTHON) bench/run.py
bench-quick: $(B)/arm64/bulkhead $(GUEST_OUT)/bench $(GUEST_OUT)/smoke $(GUEST_OUT)/idle $(B)/host/count.so
	$(Q)$(PYTHON) bench/run.py --quick
