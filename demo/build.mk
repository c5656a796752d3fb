# `make run`: the demos. Each folder here holds domain files, about.txt (shown
# before the start) and perhaps `board`, options for `bulkhead run`, and
# `qemu`, options for QEMU, where @PORT@ and @SSH@ stand for ports of the host;
# demo.mk says what else it needs in demo-files-NAME.
#
#   make run [DEMO=two] [HYPERVISOR=FILE | HYPERVISOR=xen] [RUN="--cpus 4"]

DEMO ?= two
HYPERVISOR ?= $(B)/arm64/bulkhead
RUN ?=
PORT ?= 8080
SSH ?= 2222

# Debian's kernels and a small root file system, kept in the cache.
$(B)/guest/%/Image: tools/debian.py
	@mkdir -p $(@D)
	$(Q)image=$$($(PYTHON) tools/debian.py kernel $* --print image) && cp --remove-destination "$$image" $@

$(B)/guest/initramfs.cpio.gz: tools/initramfs.py tools/debian.py $(wildcard tools/guest/*)
	@mkdir -p $(@D)
	$(Q)$(PYTHON) tools/initramfs.py -o $@

# DEMO=control: Debian's xen-utils, a guest for xl, and the disk that it gets (kept between runs).
$(B)/guest/control.cpio.gz: tools/control.py tools/initramfs.py tools/debian.py \
        $(wildcard tools/control/* tools/guest/* demo/control/inside/* demo/control/guest/*)
	@mkdir -p $(@D)
	$(Q)$(PYTHON) tools/control.py --file demo/control/inside=/tests \
	    --guest-program dropbear-bin:dropbear --guest-file demo/control/guest=/tests -o $@

$(B)/guest/web.img: $(wildcard demo/control/disk/*)
	@mkdir -p $(@D)
	$(Q)rm -f $@ && PATH=$$PATH:/sbin:/usr/sbin mke2fs -q -t ext4 -d demo/control/disk $@ 32M

demo-files-control := $(B)/guest/control.cpio.gz $(B)/guest/web.img
demo-files := $(B)/host/bulkhead $(B)/guest/arm64/Image $(B)/guest/initramfs.cpio.gz

include $(sort $(wildcard demo/*/demo.mk))

.PHONY: demo-ready run
demo-ready: $(demo-files) $(demo-files-$(DEMO)) $(if $(filter xen,$(HYPERVISOR)),,$(HYPERVISOR))

run: setup
	$(Q)test -d demo/$(DEMO) || { echo "run: no demo/$(DEMO); there are:" \
	    $(notdir $(patsubst %/,%,$(wildcard demo/*/))) >&2; exit 2; }
	$(Q)$(MAKE) --no-print-directory -j$$(nproc) demo-ready
	@cat demo/$(DEMO)/about.txt
	@hypervisor=$(HYPERVISOR); \
	test "$$hypervisor" != xen || hypervisor=$$($(PYTHON) tools/debian.py xen); \
	exec $(B)/host/bulkhead run --quiet --hypervisor "$$hypervisor" \
	    $$(cat demo/$(DEMO)/board 2>/dev/null) $(RUN) demo/$(DEMO)/*.cfg \
	    -- $$(sed 's/@PORT@/$(PORT)/g; s/@SSH@/$(SSH)/g' demo/$(DEMO)/qemu 2>/dev/null)
