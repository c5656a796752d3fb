# The back end's root file system: Debian's xenstored, Linux's netback and bridge, one script.
NETBACK := $(addprefix --program ,xen-utils-4.17:xenstored $(addprefix xenstore-utils:xenstore-,write read chmod \
             ls watch)) \
           --kernel arm64 $(addprefix --module ,virtio_mmio virtio_net bridge xen-evtchn xen-gntdev xen-privcmd \
             xenfs xen-netback) --file demo/web/netback=/tests/netback

$(B)/guest/netback.cpio.gz: tools/initramfs.py tools/debian.py demo/web/demo.mk demo/web/netback $(wildcard tools/guest/*)
	@mkdir -p $(@D)
	$(Q)$(PYTHON) tools/initramfs.py $(NETBACK) -o $@

demo-files-web := $(B)/arm64/apps/web/web $(B)/guest/netback.cpio.gz
