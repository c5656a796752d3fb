# The library OS: one archive for the unikernel images (arm64, freestanding); the tool
# tools/app links applications against it. See libos/README.md.

LIBOS_B     = $(B)/arm64/libos
LIBOS_MUSL := $(LIBOS_B)/musl
LIBOS_SRCS := $(sort $(wildcard libos/core/*.c libos/arch/arm64/*.c libos/arch/arm64/*.S \
                libos/xen/*.c libos/xen/*.S libos/ring/*.c libos/files/*.c libos/net/*.c))
LIBOS_OBJS := $(patsubst libos/%,$(LIBOS_B)/%.o,$(LIBOS_SRCS))

# Boot code runs with the MMU off, on device memory: its accesses must be aligned.
LIBOS_FLAGS_boot.c := -mstrict-align
LIBOS_FLAGS_fdt.c  := -mstrict-align

LIBOS_CFLAGS := -std=gnu11 -g -Os -fPIE -mgeneral-regs-only \
    -fno-omit-frame-pointer -ffunction-sections -fdata-sections -fno-common \
    -fno-delete-null-pointer-checks -fno-asynchronous-unwind-tables -fno-stack-protector \
    -ffile-prefix-map=$(CURDIR)=. -fno-ident -D_GNU_SOURCE $(WARN) -Wno-sign-compare \
    -nostdinc -isystem $(LIBOS_MUSL)/usr/include/aarch64-linux-musl \
    -Ilibos -Ilibos/include -include libos/include/libos/prelude.h -MMD -MP
LIBOS_GCC_INCLUDE = -isystem $$($(CROSS)gcc -print-file-name=include)

# Debian's musl for arm64, unpacked once in the cache.
$(LIBOS_MUSL):
	$(call say,FETCH,musl-dev (arm64))
	@mkdir -p $(@D)
	$(Q)d=$$($(PYTHON) tools/debian.py fetch musl-dev) && ln -sfn "$$d" $@

$(LIBOS_B)/%.c.o: libos/%.c libos/build.mk | $(LIBOS_MUSL)
	$(call say,TCC,$<)
	@mkdir -p $(@D)
	$(Q)$(CROSS)gcc $(LIBOS_CFLAGS) $(LIBOS_FLAGS_$(notdir $<)) $(LIBOS_GCC_INCLUDE) -c $< -o $@

$(LIBOS_B)/%.S.o: libos/%.S libos/build.mk | $(LIBOS_MUSL)
	$(call say,TAS,$<)
	@mkdir -p $(@D)
	$(Q)$(CROSS)gcc $(LIBOS_CFLAGS) -c $< -o $@

$(LIBOS_B)/libos.a: $(LIBOS_OBJS)
	$(call say,AR,$@)
	@rm -f $@
	$(Q)$(CROSS)ar rcsD $@ $(LIBOS_OBJS)

.PHONY: libos
libos: $(LIBOS_B)/libos.a
ALL += $(LIBOS_B)/libos.a

# What Debian's prebuilt archives want beyond musl; application code, so musl's own rules.
$(LIBOS_B)/compat/%.o: libos/compat/%.c | $(LIBOS_MUSL)
	$(call say,TCC,$<)
	@mkdir -p $(@D)
	$(Q)$(CROSS)gcc -std=gnu11 -g -Os -fPIE -ffunction-sections -fdata-sections -fno-ident \
	    -ffile-prefix-map=$(CURDIR)=. -nostdinc -isystem $(LIBOS_MUSL)/usr/include/aarch64-linux-musl \
	    $(LIBOS_GCC_INCLUDE) -MMD -MP -c $< -o $@

$(LIBOS_B)/compat.a: $(LIBOS_B)/compat/fortify.o
	$(call say,AR,$@)
	@rm -f $@
	$(Q)$(CROSS)ar rcsD $@ $^
ALL += $(LIBOS_B)/compat.a

# Quick: unikernels on stock Xen without a control domain (about 5 s per boot).
LIBOS_TEST_APPS := hello attacker posix
TEST_DEPS   += $(foreach a,$(LIBOS_TEST_APPS),$(B)/arm64/apps/$a/$a)
TEST_SUITES += tests/libos/xen_boot.py
