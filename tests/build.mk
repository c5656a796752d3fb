# Tests by kind; each kind's folder says what it has.
include $(sort $(wildcard tests/*/build.mk))
