# Tests by kind; each kind's folder says what it has.
include $(sort $(wildcard tests/*/build.mk))
# Last: it reads what the others list.
include tests/unit/coverage.mk
