# Debian's xl in a control domain, beside stock Xen: the core for every change, all of it nightly.
#
#   make bench-toolstack    EL2 instructions of xl create, a disk's request and a packet, beside stock Xen

SYSTEM_SUITES += $(PYTHON) tests/toolstack/transcript.py --script short;
NIGHTLY_SUITES += $(PYTHON) tests/toolstack/transcript.py;
NIGHTLY_SUITES += $(PYTHON) tests/toolstack/transcript.py --script virsh;
NIGHTLY_SUITES += $(PYTHON) tests/toolstack/many.py;
NIGHTLY_SUITES += $(PYTHON) tests/toolstack/readme.py;
NIGHTLY_SUITES += $(PYTHON) tests/toolstack/killed.py;
NIGHTLY_SUITES += $(PYTHON) tests/toolstack/driver.py;
NIGHTLY_SUITES += $(PYTHON) tests/toolstack/limited.py;
NIGHTLY_SUITES += $(PYTHON) tests/toolstack/load.py;
NIGHTLY_SUITES += $(PYTHON) tests/toolstack/kinds.py;
NIGHTLY_SUITES += $(PYTHON) tests/toolstack/kinds.py --gic 2;

.PHONY: bench-toolstack
bench-toolstack: $(B)/host/bulkhead $(B)/arm64/bulkhead $(B)/host/count.so
	$(Q)$(PYTHON) tests/toolstack/cost.py
