# Whole systems: Debian's kernels on QEMU's board, started by the host tool.
#
#   make test-linux [SYSTEM="--hypervisor xen boot-1"]   by hand, any case

SYSTEM ?=

TEST_SUITES += $(PYTHON) tests/system/mistakes.py;
TEST_SUITES += $(PYTHON) tests/system/el2.py;
TEST_SUITES += $(PYTHON) tests/system/serror.py;
TEST_SUITES += $(PYTHON) tests/system/dom0less.py;
SYSTEM_SUITES += $(PYTHON) tests/system/classic.py;
NIGHTLY_SUITES += $(PYTHON) tests/system/classic.py --emulate;
NIGHTLY_SUITES += $(PYTHON) tests/system/classic.py --emulate --gic 2;
NIGHTLY_SUITES += $(PYTHON) tests/system/classic.py --peer --legacy;
NIGHTLY_SUITES += $(PYTHON) tests/system/classic.py --peer --gic 2;
SYSTEM_SUITES += $(PYTHON) tests/system/linux.py --set short;
ALONE_SUITES += $(PYTHON) tests/system/schedule.py;
SYSTEM_SUITES += $(PYTHON) tests/system/pvio.py --kills 1 kills;
NIGHTLY_SUITES += $(PYTHON) tests/system/pvio.py io-fifo io-two-level speed console kernels;
NIGHTLY_SUITES += $(PYTHON) tests/system/pvio.py --kills 100 --seed $$RANDOM kills;
NIGHTLY_SUITES += $(PYTHON) tests/system/linux.py --set full;
SYSTEM_SUITES += $(PYTHON) tests/system/console.py;
SYSTEM_SUITES += $(PYTHON) tests/system/hostile.py;
NIGHTLY_SUITES += $(PYTHON) tests/system/console.py --gic 2;
NIGHTLY_SUITES += $(PYTHON) tests/system/hostile.py --each --seconds 20;
NIGHTLY_SUITES += $(PYTHON) tests/system/hostile.py --gic 2;
TEST_DEPS += $(B)/host/bulkhead $(B)/arm64/bulkhead

# Small programs that run inside Debian guests.
SYSTEM_PROGRAMS := $(patsubst tests/system/programs/%.c,$(B)/arm64/tests/system/%,$(wildcard tests/system/programs/*.c))
TEST_DEPS += $(SYSTEM_PROGRAMS)
$(B)/arm64/tests/system/%: tests/system/programs/%.c
	$(call say,GUESTCC,$<)
	@mkdir -p $(@D)
	$(Q)$(CROSS)gcc -std=gnu11 -static -O2 $(WARN) -o $@ $<

.PHONY: test-linux
test-linux: setup
	$(Q)$(MAKE) --no-print-directory $(B)/host/bulkhead $(B)/arm64/bulkhead
	$(Q)$(PYTHON) tests/system/linux.py $(SYSTEM)
