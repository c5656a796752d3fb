# libfdt for the hypervisor: the sources of Debian's device-tree-compiler, built
# unchanged with the hypervisor's flags. u-boot carries the same library and is
# taken where a mirror lacks the first package's sources.
#
#   LIBFDT_DIR    directory with libfdt.h and the sources, once LIBFDT_STAMP is made
#   LIBFDT_OBJS   objects for the target
#   LIBFDT_FLAGS  what a source that includes <libfdt.h> is compiled with, besides its own flags

LIBFDT_DIR   := $(B)/libfdt
LIBFDT_STAMP := $(LIBFDT_DIR)/.fetched
LIBFDT_SRCS  := fdt fdt_sw
LIBFDT_OBJS  := $(B)/$(ARCH)/obj/libfdt.o
LIBFDT_FLAGS := -Ilib/include/libc -I$(LIBFDT_DIR)

$(LIBFDT_STAMP): hyp/libfdt.mk
	$(call say,FETCH,libfdt)
	@rm -rf $(LIBFDT_DIR) && mkdir -p $(LIBFDT_DIR)
	$(Q)from=$$($(PYTHON) tools/debian.py source device-tree-compiler u-boot); \
	    if [ -f $$from/libfdt/libfdt.h ]; then from=$$from/libfdt; else from=$$from/scripts/dtc/libfdt; fi; \
	    cp $$from/*.[ch] $(LIBFDT_DIR)/
	@touch $@

# It writes the trees of guests; reading is hyp/core/config/tree.c, which trusts no tree. Warnings are the
# third party's own business; HYP_CFLAGS is read when the rule runs.
$(LIBFDT_OBJS): $(LIBFDT_STAMP)
	$(call say,CC,libfdt)
	@mkdir -p $(@D)
	$(Q)printf '#include "%s.c"\n' $(LIBFDT_SRCS) > $(LIBFDT_DIR)/all.c
	$(Q)$(TCC) $(HYP_CFLAGS) $(LIBFDT_FLAGS) -Ilib/include -w -c $(LIBFDT_DIR)/all.c -o $@
