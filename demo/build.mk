# `make run`: the demos. Each folder here holds domain files, about.txt (shown
# before the start) and perhaps `board`, options for `bulkhead run`, `qemu`, options for QEMU, and
# demo.mk, which names what else it needs in DEMO_FILES_<demo>.
#
#   make run [DEMO=two] [HYPERVISOR=FILE | HYPERVISOR=xen] [RUN="--cpus 4"]

DEMO ?= two
HYPERVISOR ?= $(B)/arm64/bulkhead
RUN ?=

# Debian's kernels and a small root file system, kept in the cache.
$(B)/guest/%/Image: tools/debian.py
	@mkdir -p $(@D)
	$(Q)image=$$($(PYTHON) tools/debian.py kernel $* --print image) && cp --remove-destination "$$image" $@

$(B)/guest/initramfs.cpio.gz: tools/initramfs.py tools/debian.py $(wildcard tools/guest/*)
	@mkdir -p $(@D)
	$(Q)$(PYTHON) tools/initramfs.py -o $@

include $(sort $(wildcard demo/*/demo.mk))
demo-files := $(B)/host/bulkhead $(B)/guest/arm64/Image \
    $(or $(DEMO_FILES_$(DEMO)),$(B)/guest/initramfs.cpio.gz)

.PHONY: demo-ready run
demo-ready: $(demo-files) $(if $(filter xen,$(HYPERVISOR)),,$(HYPERVISOR))

run: setup
	$(Q)test -d demo/$(DEMO) || { echo "run: no demo/$(DEMO); there are:" \
	    $(notdir $(patsubst %/,%,$(wildcard demo/*/))) >&2; exit 2; }
	$(Q)$(MAKE) --no-print-directory -j$$(nproc) demo-ready
	@cat demo/$(DEMO)/about.txt
	@hypervisor=$(HYPERVISOR); \
	test "$$hypervisor" != xen || hypervisor=$$($(PYTHON) tools/debian.py xen); \
	exec $(B)/host/bulkhead run --quiet --hypervisor "$$hypervisor" \
	    $$(cat demo/$(DEMO)/board 2>/dev/null) $(RUN) demo/$(DEMO)/*.cfg \
	    $$(test ! -f demo/$(DEMO)/qemu || echo -- $$(cat demo/$(DEMO)/qemu))
