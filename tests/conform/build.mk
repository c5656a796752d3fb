# Conformance: the same question asked of us and of stock Xen.

TEST_SUITES += $(PYTHON) tests/conform/abi.py --cc $(CROSS)gcc;
TEST_SUITES += $(PYTHON) tests/conform/coverage.py;

TEST_SUITES += $(PYTHON) tests/conform/xen.py;
TEST_DEPS += $(B)/arm64/bulkhead $(B)/arm64/tests/guest/xencalls
