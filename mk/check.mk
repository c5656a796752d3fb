# `make check`: what needs no emulator. Each target says one line if all is well.

# Layout is clang-format's (.clang-format); `make format` brings it about.
C_FILES = $(shell git ls-files '*.[ch]' 2>/dev/null || find $(sort $(dir $(wildcard */build.mk))) abi -name '*.[ch]')

.PHONY: check-format format
check-format:
	$(Q)clang-format-14 --dry-run -Werror $(C_FILES) || { \
	    echo 'check-format: the lines above are not in the house layout: make format, and look at the diff' >&2; \
	    exit 1; }; echo 'check-format: ok'

format: setup-check
	$(Q)clang-format-14 -i $(C_FILES)

# Every header compiles alone, on the model machine, with both compilers.
.PHONY: check-headers
check-headers:
	$(Q)for header in $(wildcard hyp/include/hyp/*.h lib/include/lib/*.h); do \
	    for compiler in gcc 'clang-14 -Wthread-safety'; do \
	        $$compiler -std=gnu11 $(WARN) -Wno-unused-function -Ihyp/include -Ihyp/arch/fake/include \
	            -Ilib/include -Iabi -fsyntax-only -x c $$header -include $$header \
	            || { echo "check-headers: $$header does not compile alone" >&2; exit 1; }; \
	    done; \
	done; echo 'check-headers: ok'

# Policy and emulated devices know no machine: undefined symbols are others' of hyp/core, hyp/vdev and lib,
# the arch_ contract and memory functions; nothing of hyp/arch by any other name.
.PHONY: check-purity
check-purity: $(B)/$(ARCH)/bulkhead.elf
	$(Q)$(TNM) --defined-only -j $(wildcard $(B)/$(ARCH)/obj/hyp/arch/$(ARCH)/*.o) 2>/dev/null \
	    | grep -E '^[a-z_0-9]+$$' | sort -u > $(B)/$(ARCH)/gen/arch-symbols
	$(Q)$(TNM) --undefined-only -j $(B)/$(ARCH)/obj/hyp/core/*.o $(B)/$(ARCH)/obj/hyp/core/*/*.o $(B)/$(ARCH)/obj/hyp/vdev/*.o \
	    | grep -E '^[a-z_0-9]+$$' | sort -u | comm -12 - $(B)/$(ARCH)/gen/arch-symbols \
	    | grep -vE '^(arch_|cpus$$|cpu_count$$)' > $(B)/$(ARCH)/gen/impure || true
	$(Q)if [ -s $(B)/$(ARCH)/gen/impure ]; then \
	    echo "check-purity: hyp/core or hyp/vdev use the machine's own: $$(tr '\n' ' ' < $(B)/$(ARCH)/gen/impure)" >&2; \
	    exit 1; \
	fi; echo 'check-purity: ok'

# Assembly and C hold no system register name outside hyp/arch and hyp/drivers.
.PHONY: check-machine-words
check-machine-words:
	$(Q)if grep -nE '__asm__|sysreg_(read|write)' hyp/core/*.c hyp/core/*/*.c hyp/vdev/*.c lib/*.c; then \
	    echo 'check-machine-words: the lines above belong into hyp/arch' >&2; exit 1; \
	fi; echo 'check-machine-words: ok'

# What the analyses see is what is built for the board.
CHECK_FLAGS = --target=aarch64-linux-gnu $(filter-out -flto% -ffat-lto-objects -ftrivial-auto% -g,$(HYP_CFLAGS)) \
              $(HYP_INC)
CHECK_SRCS  = $(filter hyp/%.c lib/%.c,$(HYP_SRCS))

# Each function holds what it says it REQUIRES, and releases what it took (hyp/lock.h).
.PHONY: check-locks
check-locks: $(HYP_GEN)/asm-offsets.h
	$(Q)for source in $(CHECK_SRCS); do \
	    clang-14 $(filter-out -W%,$(CHECK_FLAGS)) -Wno-everything -Wthread-safety -Werror -fsyntax-only $$source || exit 1; \
	done; echo 'check-locks: ok'

# No chain of calls is deeper than EL2's stack (mk/stack.py).
STACK_BYTES = $$((4 * 4096))
.PHONY: check-stack
check-stack: $(B)/$(ARCH)/bulkhead.elf
	$(Q)grep -q '^#define STACK_SIZE .*0x4000' hyp/arch/$(ARCH)/include/arch/layout.h || \
	    { echo 'check-stack: STACK_SIZE is not what mk/check.mk has' >&2; exit 1; }
	$(Q)$(PYTHON) mk/stack.py --quiet $< $(STACK_BYTES)

# gcc's and clang's analysers, clang-tidy, cppcheck (mk/static.py): a minute and a half on two idle CPUs.
.PHONY: check-static
check-static: $(HYP_GEN)/asm-offsets.h
	$(Q)$(PYTHON) mk/static.py --cc $(CROSS)gcc --flags '$(HYP_CFLAGS) -DCONFIG_DEBUG=1 $(HYP_INC)' $(CHECK_SRCS)
NIGHTLY_SUITES += echo 1..1 && $(MAKE) -s check-static >&2 && echo 'ok - static analyses' || echo 'not ok - static analyses';

# Documents and comments name only functions and files that there are.
.PHONY: check-docs
check-docs:
	$(Q)$(PYTHON) mk/docs.py

CHECKS += check-docs check-locks check-stack check-format check-headers check-purity check-machine-words

# `make report`: size and shape of what runs at EL2.
.PHONY: report
report: setup-check
	$(SUBMAKE) $(B)/$(ARCH)/bulkhead
	@echo '== lines of code at EL2, by component (cloc)'
	@for part in hyp/core hyp/vdev hyp/drivers hyp/arch/$(ARCH) hyp/include lib abi; do \
	    printf '%8d  %s\n' "$$(cloc --quiet --csv --include-lang='C,C/C++ Header,Assembly' $$part \
	        | awk -F, '$$2 == "SUM" { print $$5 }')" $$part; \
	done
	@echo '== image, and its map'
	@$(CROSS)size $(B)/$(ARCH)/bulkhead.elf
	@$(CROSS)objdump -h $(B)/$(ARCH)/bulkhead.elf | awk '$$1 ~ /^[0-9]+$$/ && $$4 !~ /^0+$$/ { printf "0x%s  %-12s at %s\n", $$3, $$2, $$4 }'
	@echo '== what policy and devices ask of the machine (undefined symbols of pure objects)'
	@$(TNM) --undefined-only -j $(B)/$(ARCH)/obj/hyp/core/*.o $(B)/$(ARCH)/obj/hyp/core/*/*.o $(B)/$(ARCH)/obj/hyp/vdev/*.o | grep '^arch_' | sort -u | fmt -w 110
	@echo '== largest functions (bytes)'
	@$(TNM) -S --size-sort -t d $(B)/$(ARCH)/bulkhead.elf | awk 'tolower($$3) == "t" { print $$2 + 0, $$4 }' | tail -10
	@echo '== largest files (lines)'
	@wc -l hyp/core/*.c hyp/core/*/*.c hyp/vdev/*.c hyp/drivers/*.c hyp/arch/$(ARCH)/*.[cS] | sort -n | tail -11 | head -10
	@echo '== stack of EL2, worst case'
	@$(PYTHON) mk/stack.py $(B)/$(ARCH)/bulkhead.elf $(STACK_BYTES)
	@printf '== #if CONFIG in functions and files: %s; CHECKs: %s; ASSERTs: %s\n' \
	    "$$(grep -rhE '^ *#if.*CONFIG_' hyp lib | wc -l)" "$$(grep -rhoE '\bCHECK\(' hyp/core hyp/vdev hyp/arch/$(ARCH) | wc -l)" \
	    "$$(grep -rhoE '\bASSERT\(' hyp/core hyp/vdev hyp/arch/$(ARCH) | wc -l)"
	@echo '== coverage of the unit tests (make coverage: by file, and whether it suffices)'
	@$(MAKE) -s coverage 2>&1 | grep ', all$$' || true
