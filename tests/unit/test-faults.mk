# What every hypercall answers when its arguments cannot be read, its results not written, its frames not had.
UNIT_TESTS += faults
UNIT_SRCS_faults = $(XEN_UNIT_SRCS)
