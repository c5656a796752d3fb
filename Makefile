# Bulkhead: the targets a person types. The rules live in mk/, and each
# component says in its own build.mk (a few lines) what it is made of.
#
#   make            build everything        make run    boot two Debian systems
#   make test       what CI runs            make help   all targets

.DEFAULT_GOAL := all
MAKEFLAGS += --no-builtin-rules --no-builtin-variables
SHELL := /bin/bash
.SHELLFLAGS := -e -o pipefail -c
.DELETE_ON_ERROR:

include mk/config.mk
include mk/rules.mk
# What is built on others comes after them.
ON_TOP := apps/build.mk services/build.mk
include $(filter-out $(ON_TOP),$(sort $(wildcard */build.mk)))
-include $(filter $(wildcard */build.mk),$(ON_TOP))
include mk/check.mk
include mk/targets.mk
