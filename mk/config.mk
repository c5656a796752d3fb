# Build options: few, listed here, each one built nightly.
#   V=1          print commands
#   DEBUG=1      ASSERT on, lock ranks and the stage-2 checker at run time
#   CLANG=1      clang 14 instead of gcc 12 for the freestanding parts

V     ?= 0
DEBUG ?= 0
CLANG ?= 0
# Each variant of the build has a folder of its own.
B     := build$(if $(filter 1,$(DEBUG)),/debug)$(if $(filter 1,$(CLANG)),/clang)
ARCH  := arm64
Q     := $(if $(filter 1,$(V)),,@)
say    = @printf '  %-7s %s\n' '$1' '$2'

CROSS   := aarch64-linux-gnu-
ifeq ($(CLANG),1)
TCC     := clang-14 --target=aarch64-linux-gnu
else
TCC     := $(CROSS)gcc
endif
TLD     := $(CROSS)ld
TOBJCOPY := $(CROSS)objcopy
TNM     := $(CROSS)nm
HOSTCC  := gcc
PYTHON  := /usr/bin/python3

# What is fetched or built from Debian packages and kept between builds.
CACHE   := $(or $(BULKHEAD_CACHE),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/bulkhead)

WARN := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla \
        -Wpointer-arith -Wundef -Wno-unused-parameter
