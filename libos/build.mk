# The library OS: one archive for the unikernel images (arm64, freestanding); the tool
# tools/app links applications against it. See libos/README.md.

LIBOS_B     = $(B)/arm64/libos
LIBOS_MUSL := $(LIBOS_B)/musl
LIBOS_SRCS := $(sort $(wildcard libos/core/*.c libos/arch/arm64/*.c libos/arch/arm64/*.S \
                libos/xen/*.c libos/xen/*.S libos/ring/*.c libos/files/*.c))
LIBOS_OBJS := $(patsubst libos/%,$(LIBOS_B)/%.o,$(LIBOS_SRCS)) $(LIBOS_B)/lib/chacha20.c.o

# Boot code runs with the MMU off, on device memory: its accesses must be aligned.
LIBOS_FLAGS_boot.c := -mstrict-align
LIBOS_FLAGS_fdt.c  := -mstrict-align
# What every byte of traffic goes through.
LIBOS_FLAGS_string.c := -O2 -fno-tree-vectorize
LIBOS_FLAGS_pbuf.o   := -O2

LIBOS_CFLAGS := -std=gnu11 -g -Os -fPIE -mgeneral-regs-only \
    -fno-omit-frame-pointer -momit-leaf-frame-pointer -ffunction-sections -fdata-sections -fno-common \
    -fno-delete-null-pointer-checks -fno-asynchronous-unwind-tables -fno-stack-protector -mno-outline-atomics \
    -ffile-prefix-map=$(CURDIR)=. -fno-ident -D_GNU_SOURCE $(WARN) -Wno-sign-compare \
    -nostdinc -isystem $(LIBOS_MUSL)/usr/include/aarch64-linux-musl \
    -Ilibos -Ilibos/include -Iabi -Ilib/include -include libos/include/libos/prelude.h -MMD -MP
# No frame pointers in TCP/IP and the devices below it: a backtrace passes over their functions, and
# images are 2 KiB smaller. x29 stays the frame of who called them.
LIBOS_NET_FLAGS := -fomit-frame-pointer -ffixed-x29
$(LIBOS_B)/xen/%.c.o $(LIBOS_B)/ring/%.c.o: LIBOS_CFLAGS += $(LIBOS_NET_FLAGS)
LIBOS_GCC_INCLUDE = -isystem $$($(CROSS)gcc -print-file-name=include)

# Debian's musl for arm64, unpacked once in the cache.
$(LIBOS_MUSL):
	$(call say,FETCH,musl-dev (arm64))
	@mkdir -p $(@D)
	$(Q)d=$$($(PYTHON) tools/debian.py fetch musl-dev) && ln -sfn "$$d" $@

# musl's source, whose resolver stage tap compiles for the host; tests run without a network.
LIBOS_MUSL_SRC := $(LIBOS_B)/musl-src
$(LIBOS_MUSL_SRC):
	$(call say,FETCH,musl (source))
	@mkdir -p $(@D)
	$(Q)d=$$($(PYTHON) tools/debian.py source musl) && ln -sfn "$$d" $@
TEST_DEPS += $(LIBOS_MUSL_SRC)

$(LIBOS_B)/%.c.o: libos/%.c libos/build.mk | $(LIBOS_MUSL)
	$(call say,TCC,$<)
	@mkdir -p $(@D)
	$(Q)$(CROSS)gcc $(LIBOS_CFLAGS) $(LIBOS_FLAGS_$(notdir $<)) $(LIBOS_GCC_INCLUDE) -c $< -o $@

$(LIBOS_B)/lib/%.c.o: lib/%.c libos/build.mk | $(LIBOS_MUSL)
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

# Our sockets and lwIP from Debian's source package, unmodified: net.a has both IP versions, net4.a
# only the old one; a manifest's `ipv6` chooses. names.o beside them is the DHCP client that also asks
# for name servers, for programs that look names up.
LIBOS_LWIP := $(LIBOS_B)/lwip-src
LWIP_FILES := $(addprefix core/,def inet_chksum init ip mem memp netif pbuf tcp tcp_in tcp_out \
                udp ipv4/dhcp ipv4/etharp ipv4/icmp ipv4/ip4 ipv4/ip4_addr ipv4/ip4_frag \
                ipv6/ethip6 ipv6/icmp6 ipv6/inet6 ipv6/ip6 ipv6/ip6_addr ipv6/ip6_frag ipv6/mld6 \
                ipv6/nd6) netif/ethernet
LWIP_CFLAGS := -Ilibos/net/lwip -isystem $(LIBOS_LWIP)/src/include

$(LIBOS_LWIP):
	$(call say,FETCH,lwip (source))
	@mkdir -p $(@D)
	$(Q)d=$$($(PYTHON) tools/debian.py source lwip) && ln -sfn "$$d" $@

# $1: net or net4, $2: LIBOS_IPV6
define LIBOS_NET
$(LIBOS_B)/$1/lwip/%.o: libos/build.mk libos/net/lwip/lwipopts.h libos/net/lwip/arch/cc.h | $(LIBOS_MUSL) $(LIBOS_LWIP)
	$$(call say,TCC,lwip/$$* ($1))
	@mkdir -p $$(@D)
	$$(Q)$(CROSS)gcc $$(LIBOS_CFLAGS) $$(LIBOS_GCC_INCLUDE) -Wno-error -w $(LWIP_CFLAGS) -DLIBOS_IPV6=$2 $(LIBOS_NET_FLAGS) \
	    $$(LIBOS_FLAGS_$$(@F)) \
	    -ffile-prefix-map=$$(realpath $(LIBOS_LWIP))=lwip -c $(LIBOS_LWIP)/src/$$*.c -o $$@

$(LIBOS_B)/$1/names.o: libos/build.mk libos/net/lwip/lwipopts.h libos/net/lwip/arch/cc.h | $(LIBOS_MUSL) $(LIBOS_LWIP)
	$$(call say,TCC,lwip/core/ipv4/dhcp ($1, names))
	@mkdir -p $$(@D)
	$$(Q)$(CROSS)gcc $$(LIBOS_CFLAGS) $$(LIBOS_GCC_INCLUDE) -Wno-error -w $(LWIP_CFLAGS) -DLIBOS_IPV6=$2 -DLWIP_DNS=1 \
	    -ffile-prefix-map=$$(realpath $(LIBOS_LWIP))=lwip -c $(LIBOS_LWIP)/src/core/ipv4/dhcp.c -o $$@

$(LIBOS_B)/$1/%.c.o: libos/net/%.c libos/build.mk | $(LIBOS_MUSL) $(LIBOS_LWIP)
	$$(call say,TCC,$$< ($1))
	@mkdir -p $$(@D)
	$$(Q)$(CROSS)gcc $$(LIBOS_CFLAGS) $$(LIBOS_GCC_INCLUDE) $(LWIP_CFLAGS) -DLIBOS_IPV6=$2 \
	    $(LIBOS_NET_FLAGS) $$(LIBOS_FLAGS_$$(<F)) -c $$< -o $$@

$(LIBOS_B)/$1.a: $(patsubst libos/net/%,$(LIBOS_B)/$1/%.o,$(sort $(wildcard libos/net/*.c))) \
        $(patsubst %,$(LIBOS_B)/$1/lwip/%.o,$(LWIP_FILES)) | $(LIBOS_B)/$1/names.o
	$$(call say,AR,$$@)
	@rm -f $$@
	$$(Q)$(CROSS)ar rcsD $$@ $$^
ALL += $(LIBOS_B)/$1.a
endef
$(eval $(call LIBOS_NET,net,1))
$(eval $(call LIBOS_NET,net4,0))

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

# The rings and the front ends on the host, against a peer that lies.
LIBOS_FUZZ_SRCS := tests/libos/fuzz_ring.c libos/ring/ring.c libos/xen/netfront.c libos/xen/blkfront.c
LIBOS_FUZZ_FLAGS := -std=gnu11 -g -O1 -fno-omit-frame-pointer -fno-sanitize-recover=all -Ilibos -Ilibos/include
$(B)/san/libos-fuzz: $(LIBOS_FUZZ_SRCS) libos/ring/ring.h
	$(call say,SANCC,$@)
	@mkdir -p $(@D)
	$(Q)$(HOSTCC) $(LIBOS_FUZZ_FLAGS) -fsanitize=address,undefined $(LIBOS_FUZZ_SRCS) -o $@
TEST_DEPS      += $(B)/san/libos-fuzz
TEST_SUITES    += $(B)/san/libos-fuzz 500000;
NIGHTLY_SUITES += $(B)/san/libos-fuzz 10000000 $$RANDOM;

# TCP above a device that cuts segments, or stops to, on the host.
SEGMENTS_SRCS := tests/libos/test_segments.c $(addprefix libos/net/,socket.c stack.c tcp.c timers.c udp.c)
SEGMENTS_LWIP := $(addprefix core/,def inet_chksum init ip mem memp netif pbuf tcp tcp_in tcp_out udp ipv4/dhcp \
                   ipv4/etharp ipv4/icmp ipv4/ip4 ipv4/ip4_addr ipv4/ip4_frag) netif/ethernet
$(B)/san/libos-segments: $(SEGMENTS_SRCS) tests/libos/host.h libos/net/lwip/lwipopts.h libos/build.mk | $(LIBOS_LWIP)
	$(call say,SANCC,$@)
	@mkdir -p $(@D)
	$(Q)$(HOSTCC) $(LIBOS_FUZZ_FLAGS) -w $(LWIP_CFLAGS) -D_GNU_SOURCE -DLIBOS_TAP_STAGE -DLIBOS_IPV6=0 -fsanitize=address,undefined \
	    $(SEGMENTS_SRCS) $(SEGMENTS_LWIP:%=$(LIBOS_LWIP)/src/%.c) -o $@
TEST_DEPS   += $(B)/san/libos-segments
TEST_SUITES += $(B)/san/libos-segments;

# The file system against power cuts, on the host.
$(B)/san/libos-slate: tests/libos/test_slate.c tests/libos/host.h libos/files/slate.c libos/files/slate-directory.c libos/files/slate.h libos/files/slate-internal.h
	$(call say,SANCC,$@)
	@mkdir -p $(@D)
	$(Q)$(HOSTCC) $(LIBOS_FUZZ_FLAGS) -fsanitize=address,undefined $(filter %.c,$^) -o $@
TEST_DEPS      += $(B)/san/libos-slate
TEST_SUITES    += $(B)/san/libos-slate 150;
NIGHTLY_SUITES += $(B)/san/libos-slate 20000 $$RANDOM;

# mbedTLS from Debian's source package, unmodified, with our configuration; application code.
LIBOS_MBEDTLS := $(LIBOS_B)/mbedtls-src
MBEDTLS_FILES := aes asn1parse asn1write base64 bignum ccm chacha20 chachapoly cipher \
    cipher_wrap constant_time ctr_drbg ecdh ecdsa ecp ecp_curves entropy error gcm hmac_drbg md oid \
    pem pk pk_wrap pkparse platform platform_util poly1305 rsa rsa_internal sha256 sha512 ssl_ciphersuites \
    ssl_cli ssl_msg ssl_srv ssl_tls x509 x509_crt
MBEDTLS_OBJS  := $(patsubst %,$(LIBOS_B)/mbedtls/%.o,$(MBEDTLS_FILES)) $(LIBOS_B)/mbedtls/entropy_source.o
APP_CFLAGS = -std=gnu11 -Os -fPIE -ffunction-sections -fdata-sections -fno-ident \
    -fno-asynchronous-unwind-tables -fno-stack-protector -mno-outline-atomics -fno-omit-frame-pointer \
    -nostdinc -isystem $(LIBOS_MUSL)/usr/include/aarch64-linux-musl $(LIBOS_GCC_INCLUDE) \
    -Ilibos/mbedtls -isystem $(LIBOS_MBEDTLS)/include '-DMBEDTLS_CONFIG_FILE="mbedtls_config.h"' \
    -ffile-prefix-map=$(CURDIR)=. -ffile-prefix-map=$(realpath $(LIBOS_MBEDTLS))=mbedtls

$(LIBOS_MBEDTLS):
	$(call say,FETCH,mbedtls (source))
	@mkdir -p $(@D)
	$(Q)d=$$($(PYTHON) tools/debian.py source mbedtls) && ln -sfn "$$d" $@

$(LIBOS_B)/mbedtls/%.o: libos/build.mk libos/mbedtls/mbedtls_config.h | $(LIBOS_MUSL) $(LIBOS_MBEDTLS)
	$(call say,TCC,mbedtls/$*)
	@mkdir -p $(@D)
	$(Q)$(CROSS)gcc $(APP_CFLAGS) -w -c $(LIBOS_MBEDTLS)/library/$*.c -o $@

$(LIBOS_B)/mbedtls/entropy_source.o: libos/mbedtls/entropy.c | $(LIBOS_MUSL) $(LIBOS_MBEDTLS)
	$(call say,TCC,$<)
	@mkdir -p $(@D)
	$(Q)$(CROSS)gcc $(APP_CFLAGS) $(WARN) -c $< -o $@

$(LIBOS_B)/mbedtls.a: $(MBEDTLS_OBJS)
	$(call say,AR,$@)
	@rm -f $@
	$(Q)$(CROSS)ar rcsD $@ $^

.PHONY: bench-libos
bench-libos: $(APP_IMAGES) $(B)/host/bulkhead $(B)/arm64/bulkhead $(B)/host/share.so
	$(Q)$(APP_TOOL) build -t xen lighttpd >&2
	$(Q)$(PYTHON) tests/libos/images.py --sizes; sizes=$$?; \
	    $(PYTHON) tests/libos/instructions.py && exit $$sizes
BENCHES += bench-libos
