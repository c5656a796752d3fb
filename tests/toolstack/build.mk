# Debian's xl in a control domain, beside stock Xen: minutes, so nightly.
NIGHTLY_SUITES += $(PYTHON) tests/toolstack/transcript.py;
NIGHTLY_SUITES += $(PYTHON) tests/toolstack/many.py;
