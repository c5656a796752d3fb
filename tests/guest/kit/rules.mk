# How a guest is built: its sources and the kit, linked into a raw arm64 Image
# build/arm64/tests/guest/NAME. Included by whoever has guests, in any order.
ifndef GUEST_OUT

GUEST_OUT  := $(B)/arm64/tests/guest
GUEST_CFLAGS := -std=gnu11 -g -O2 -ffreestanding -nostdlib -fpie -fvisibility=hidden \
               -mgeneral-regs-only -mstrict-align -mno-outline-atomics -fno-common -fno-stack-protector \
               -fno-delete-null-pointer-checks -fno-tree-loop-distribute-patterns \
               $(WARN) -Itests/guest/kit -MMD -MP
KIT_OBJS   := $(patsubst tests/guest/kit/%,$(GUEST_OUT)/kit/%.o,\
                $(filter-out %/tap.c,$(wildcard tests/guest/kit/*.c tests/guest/kit/*.S)))

$(GUEST_OUT)/kit/%.o: tests/guest/kit/%
	$(call say,GUESTCC,$<)
	@mkdir -p $(@D)
	$(Q)$(TCC) $(GUEST_CFLAGS) -c $< -o $@

$(GUEST_OUT)/obj/%.o: %.c
	$(call say,GUESTCC,$<)
	@mkdir -p $(@D)
	$(Q)$(TCC) $(GUEST_CFLAGS) $(GUEST_CFLAGS_$(notdir $*)) -c $< -o $@

# $(call guest,NAME,SOURCES): what one guest is made of; appends to GUESTS.
define guest
$(GUEST_OUT)/obj/tap-$1.o: tests/guest/kit/tap.c
	$$(call say,GUESTCC,$$< ($1))
	@mkdir -p $$(@D)
	$$(Q)$$(TCC) $$(GUEST_CFLAGS) -DGUEST_NAME='"$1"' -c $$< -o $$@
$(GUEST_OUT)/$1.elf: $(patsubst %.c,$(GUEST_OUT)/obj/%.o,$2) $(GUEST_OUT)/obj/tap-$1.o $$(KIT_OBJS) \
                     tests/guest/kit/kit.ld
	@mkdir -p $$(@D)
	$$(Q)$$(TLD) -pie -static --no-dynamic-linker -z norelro -z noexecstack --no-warn-rwx-segments \
	    -T tests/guest/kit/kit.ld -o $$@ $$(filter %.o,$$^)
$(GUEST_OUT)/$1: $(GUEST_OUT)/$1.elf
	$$(call say,GUEST,$$@)
	$$(Q)$$(TOBJCOPY) -O binary $$< $$@
GUESTS += $(GUEST_OUT)/$1
endef

GUESTS :=
endif
