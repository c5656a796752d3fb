# Targets. Each that needs tools begins with mk/setup.sh, which installs what
# is missing (Debian packages by name) and is silent when nothing is.

.PHONY: all setup run test check bench nightly report clean help

all: setup
	$(Q)$(MAKE) --no-print-directory build-all

.PHONY: build-all
build-all: $(ALL)

setup:
	$(Q)mk/setup.sh

test: setup
	$(Q)$(MAKE) --no-print-directory -j$$(nproc) build-all test-deps
	$(Q)$(PYTHON) tests/run.py --suites '$(TEST_SUITES)'

.PHONY: test-deps
test-deps: $(TEST_DEPS)

clean:
	rm -rf $(B)
