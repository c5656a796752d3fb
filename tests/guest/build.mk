# Test guests: one .c file each; see README.md.
include tests/guest/kit/rules.mk
GUEST_CFLAGS_rights := -idirafter /usr/include

GUEST_SOURCES := $(wildcard tests/guest/*.c tests/guest/conform/*.c tests/guest/hostile/*.c)
$(foreach s,$(GUEST_SOURCES),$(eval $(call guest,$(basename $(notdir $s)),$s)))

.PHONY: guests
guests: $(GUESTS)
ALL += $(GUESTS)
TEST_SUITES += $(PYTHON) tests/guest/restarts.py;
TEST_SUITES += $(PYTHON) tests/guest/callfuzz.py;
NIGHTLY_SUITES += $(PYTHON) tests/guest/callfuzz.py --calls 10000000 --life 100000 --timeout 3000;
NIGHTLY_SUITES += $(PYTHON) tests/guest/callfuzz.py --calls 2000000 --guests 1 --timeout 3000;
NIGHTLY_SUITES += $(PYTHON) tests/guest/callfuzz.py --stays --calls 500000 --timeout 3000;
# The debug build checks lock ranks, assertions, and all stage-2 tables against the frame records.
NIGHTLY_SUITES += $(MAKE) -s DEBUG=1 build/debug/arm64/bulkhead && $(PYTHON) tests/guest/callfuzz.py --on build/debug/arm64/bulkhead --calls 10000000 --life 100000 --timeout 9000;
NIGHTLY_SUITES += $(PYTHON) tests/guest/run.py --hostile --on build/debug/arm64/bulkhead --timeout 600;
# The other compiler.
NIGHTLY_SUITES += $(MAKE) -s CLANG=1 build/clang/arm64/bulkhead >&2 && $(PYTHON) tests/guest/run.py --conform --on build/clang/arm64/bulkhead;
NIGHTLY_SUITES += $(PYTHON) tests/guest/run.py --hostile --on build/clang/arm64/bulkhead --timeout 300;
NIGHTLY_SUITES += $(PYTHON) tests/guest/restarts.py --lives 1000 --timeout 1800;
TEST_DEPS += $(GUESTS)
TEST_SUITES += $(PYTHON) tests/guest/run.py --conform;
TEST_SUITES += $(PYTHON) tests/guest/run.py --hostile;
TEST_SUITES += $(PYTHON) tests/guest/run.py --deadline;
TEST_SUITES += $(PYTHON) tests/guest/run.py --no-icount pollrace:vcpus=2;
TEST_SUITES += $(PYTHON) tests/guest/run.py --cpus 1 handover:vcpus=2+neighbour;
TEST_SUITES += $(PYTHON) tests/guest/below.py;
TEST_SUITES += $(PYTHON) tests/guest/rights.py;
NIGHTLY_SUITES += $(PYTHON) tests/guest/density.py;
NIGHTLY_SUITES += $(PYTHON) tests/guest/rights.py --gic 2;
NIGHTLY_SUITES += $(PYTHON) tests/guest/run.py --hostile --full --timeout 900;
NIGHTLY_SUITES += $(PYTHON) tests/guest/run.py --hostile --seed $$RANDOM --timeout 300;
NIGHTLY_SUITES += $(PYTHON) tests/guest/run.py --hostile --gic 2 --timeout 300;
NIGHTLY_SUITES += $(PYTHON) tests/guest/run.py --deadline --gic 2 --seed $$RANDOM --timeout 300;
NIGHTLY_SUITES += $(PYTHON) tests/guest/run.py --hostile --cpu max --timeout 300;
NIGHTLY_SUITES += $(PYTHON) tests/guest/run.py --conform --cpu max;

# The same guests on stock Xen, for comparison: not a test of ours.
.PHONY: guests-on-xen
guests-on-xen: $(GUESTS)
	$(Q)$(PYTHON) tests/guest/run.py --conform --on xen
	$(Q)$(PYTHON) tests/guest/run.py --hostile --on xen
