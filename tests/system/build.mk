# Whole systems: Debian's kernels on QEMU's board, started by the host tool.
#
#   make test-linux [SYSTEM="--hypervisor xen boot-1"]   by hand, any case

SYSTEM ?=

TEST_SUITES += $(PYTHON) tests/system/mistakes.py;
TEST_SUITES += $(PYTHON) tests/system/linux.py --set short;
TEST_SUITES += $(PYTHON) tests/system/schedule.py;
NIGHTLY_SUITES += $(PYTHON) tests/system/linux.py --set full;
TEST_DEPS += $(B)/host/bulkhead $(B)/arm64/bulkhead

.PHONY: test-linux
test-linux: setup
	$(Q)$(MAKE) --no-print-directory $(B)/host/bulkhead $(B)/arm64/bulkhead
	$(Q)$(PYTHON) tests/system/linux.py $(SYSTEM)
