# The hypervisor: one flat image and its ELF with symbols.
HYP_SRCS := $(wildcard hyp/core/*.c hyp/core/*/*.c hyp/vdev/*.c hyp/drivers/*.c hyp/arch/$(ARCH)/*.c lib/*.c) \
            $(wildcard hyp/arch/$(ARCH)/*.S)
HYP_SRCS := $(filter-out %/asm-offsets.c %/hyp.lds.S $(if $(filter 1,$(DEBUG)),,hyp/core/mem/checker%),$(HYP_SRCS))
HYP_OBJS := $(patsubst %,$(B)/$(ARCH)/obj/%.o,$(basename $(HYP_SRCS)))
HYP_GEN  := $(B)/$(ARCH)/gen

HYP_INC    := -Ihyp/include -Ihyp/arch/$(ARCH)/include -Ilib/include -I. -Iabi -I$(HYP_GEN)
# What runs at boot, for a person, or once per domain is built small; the paths that guests
# take thousands of times a second are built fast.
HYP_SMALL  := $(patsubst %.c,%.o,$(wildcard $(addprefix hyp/core/,config/*.c console/*.c control/*.c \
              mem/checker*.c mem/frame-boot.c mem/p2m-teardown.c xen/seal.c xen/sched-op.c xen/vcpu-op.c xen/version-op.c \
              xen/xen-console.c xen/xen-domain.c domain*.c fmt.c log.c panic.c random.c sched-budget.c sched-config.c)) \
              $(addprefix hyp/arch/$(ARCH)/,boot.c context.c debug.c inject.c mmu.c smp.c spsr32.c) \
              hyp/drivers/virtio-mmio.c $(wildcard hyp/drivers/pl*.c) hyp/vdev/vgic-domain.c hyp/vdev/vuart.c lib/text.c lib/chacha20.c)
HYP_CFLAGS := -std=gnu11 -O2 -g -ffreestanding -nostdlib -fno-pic -fno-pie -fno-common \
              -fno-stack-protector -fno-asynchronous-unwind-tables -fno-delete-null-pointer-checks \
              -fno-strict-aliasing -fomit-frame-pointer -mgeneral-regs-only -mstrict-align \
              -march=armv8-a -mno-outline-atomics -ffunction-sections -fdata-sections -falign-functions=4 \
              -falign-loops=4 $(WARN)
ifeq ($(DEBUG),1)
HYP_CFLAGS += -DCONFIG_DEBUG=1
endif
ifneq ($(CLANG),1)
HYP_CFLAGS += -ftrivial-auto-var-init=zero -falign-jumps=4 -Wframe-larger-than=1024
HYP_LTO    := -flto=2 -ffat-lto-objects
# What the compiler itself calls, after it has decided what is needed.
HYP_KEEP   := -Wl,-u,memcpy,-u,memmove,-u,memset,-u,memcmp
endif

$(addprefix $(B)/$(ARCH)/obj/,$(HYP_SMALL)): HYP_CFLAGS += -Os

$(B)/$(ARCH)/obj/%.o: %.c $(HYP_GEN)/asm-offsets.h hyp/build.mk
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(TCC) $(HYP_CFLAGS) $(HYP_LTO) $(HYP_INC) -MMD -MP -c $< -o $@

$(B)/$(ARCH)/obj/%.o: %.S $(HYP_GEN)/asm-offsets.h hyp/build.mk
	$(call say,AS,$<)
	@mkdir -p $(@D)
	$(Q)$(TCC) $(HYP_CFLAGS) $(HYP_INC) -D__ASSEMBLER__ -MMD -MP -c $< -o $@

$(HYP_GEN)/asm-offsets.h: hyp/arch/$(ARCH)/asm-offsets.c $(wildcard hyp/include/hyp/*.h hyp/arch/$(ARCH)/include/arch/*.h)
	$(call say,GEN,$@)
	@mkdir -p $(@D)
	$(Q)$(TCC) $(HYP_CFLAGS) $(HYP_INC) -S $< -o $(@:.h=.s)
	$(Q)sed -n 's/.*\.ascii[[:space:]]*"->\([A-Z_]*\) #\{0,1\}\([0-9]*\)".*/#define \1 \2/p' $(@:.h=.s) > $@

$(HYP_GEN)/hyp.lds: hyp/arch/$(ARCH)/hyp.lds.S hyp/arch/$(ARCH)/include/arch/layout.h
	@mkdir -p $(@D)
	$(Q)$(TCC) $(HYP_INC) -E -P -D__ASSEMBLER__ -x c $< -o $@

$(B)/$(ARCH)/bulkhead.elf: $(HYP_OBJS) $(HYP_GEN)/hyp.lds
	$(call say,LINK,$@)
	$(Q)$(TCC) $(HYP_CFLAGS) $(HYP_LTO) -static -Wl,--orphan-handling=error,--no-warn-rwx-segments \
	    -Wl,-O2,--gc-sections,--fix-cortex-a53-843419=adr,-z,max-page-size=4096,--build-id=none $(HYP_KEEP) -T $(HYP_GEN)/hyp.lds -o $@ $(HYP_OBJS)

$(B)/$(ARCH)/bulkhead: $(B)/$(ARCH)/bulkhead.elf
	$(call say,IMAGE,$@)
	$(Q)$(TOBJCOPY) -O binary $< $@

ALL += $(B)/$(ARCH)/bulkhead
