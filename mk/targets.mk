# Targets. Each that needs tools begins with mk/setup.sh, which installs what
# is missing (Debian packages by name) and is silent when nothing is.

.PHONY: all setup setup-check test check check-quick bench nightly clean help build-all test-deps

RUN_SUITES = $(PYTHON) tests/run.py --lane '$(SYSTEM_SUITES)' --lane '$(TEST_SUITES)' --alone '$(ALONE_SUITES) $1'
SUBMAKE    = $(Q)$(MAKE) --no-print-directory -j$$(nproc)

all: setup
	$(SUBMAKE) build-all

build-all: $(ALL)

setup:
	$(Q)mk/setup.sh
setup-check: setup
	$(Q)mk/setup.sh mk/packages mk/packages-check

test: setup
	$(SUBMAKE) build-all test-deps
	$(Q)$(call RUN_SUITES)
test-deps: $(TEST_DEPS)

check: check-quick
	$(SUBMAKE) check-static
check-quick: setup-check
	$(SUBMAKE) build-all test-deps
	$(SUBMAKE) $(CHECKS)

bench: setup
	$(SUBMAKE) build-all test-deps
	$(Q)$(MAKE) --no-print-directory $(BENCHES)

nightly: setup-check
	$(SUBMAKE) build-all test-deps
	$(Q)$(call RUN_SUITES,$(NIGHTLY_SUITES))

clean:
	rm -rf build

help:
	@echo 'make            build everything (build/arm64/bulkhead, build/host/bulkhead)'
	@echo 'make run        boot two Debian systems side by side; DEMO=name for another demo'
	@echo 'make test       unit, guest and system tests: what CI runs'
	@echo 'make check      format, headers, purity, locks, stack, and static analysis (minutes; check-quick: without)'
	@echo 'make format     bring all C into the layout that make check asks for'
	@echo 'make bench      instructions per operation, beside stock Xen'
	@echo 'make nightly    make test and all that takes longer: fuzzing, soak, full matrix'
	@echo 'make report     size and shape: lines by component, image, largest functions and files, stack, coverage'
	@echo 'Options: V=1 DEBUG=1 CLANG=1 (mk/config.mk)'
