# libFuzzer programs that are not property files (tests/prop has those, and the script that runs
# both). Each makes its own first corpus; what it finds grows in $(CACHE)/corpus.
#   make fuzz-tree FUZZ_TREES=20000     a million of them in `make nightly`

FUZZ_TREE_SRCS := tests/fuzz/fuzz-tree.c tests/unit/host-tree.c $(wildcard hyp/core/config/config*.c hyp/arch/fake/*.c) \
                  $(addprefix hyp/core/,config/tree.c config/tree-board.c config/image.c config/devices.c config/guest-tree.c random.c \
                  mem/frame.c mem/frame-pool.c mem/frame-boot.c control/rights.c) lib/chacha20.c lib/text.c
FUZZ_TREES ?= 1000000
FUZZ_TREE := $(B)/prop/fuzz-tree

$(FUZZ_TREE): $(FUZZ_TREE_SRCS) $(wildcard hyp/include/hyp/*.h hyp/core/*.h hyp/core/*/*.h)
	$(call say,FUZZCC,$@)
	@mkdir -p $(@D)
	$(Q)clang-14 $(FUZZ_CFLAGS) -o $@ $(FUZZ_TREE_SRCS) -lfdt

.PHONY: fuzz-tree fuzz-tree-seed
fuzz-tree-seed: $(FUZZ_TREE)
	@mkdir -p $(CACHE)/corpus/tree
	$(Q)$< --seed $(CACHE)/corpus/tree

fuzz-tree: fuzz-tree-seed
	$(Q)tests/prop/fuzz.sh tree $(CACHE)/corpus/tree -runs=$(FUZZ_TREES)

NIGHTLY_SUITES += $(MAKE) -s fuzz-tree-seed >&2 && tests/prop/fuzz.sh tree $(CACHE)/corpus/tree -runs=$(FUZZ_TREES);
