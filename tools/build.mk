# The host tool, and what fetches and makes guests.

CFLAGS_tools_bulkhead_ := -D_GNU_SOURCE
CFLAGS_tools_bulkhead_tests_ := -D_GNU_SOURCE -Itools/bulkhead

tool-srcs := $(wildcard tools/bulkhead/*.c)
tool-objs := $(tool-srcs:%.c=$(B)/host/obj/%.o)
tool-san-objs := $(tool-srcs:%.c=$(B)/san/obj/%.o)

$(B)/host/bulkhead: $(tool-objs)
	$(call say,HOSTLD,$@)
	$(Q)$(HOSTCC) $^ -lfdt -o $@

$(B)/san/bulkhead: $(tool-san-objs)
	$(call say,SANLD,$@)
	$(Q)$(HOSTCC) -fsanitize=address,undefined $^ -lfdt -o $@

ALL += $(B)/host/bulkhead

tool-test-objs := $(B)/san/obj/tools/bulkhead/tests/test_tool.o \
                  $(filter-out %/main.o,$(tool-san-objs))

$(B)/san/test-tool: $(tool-test-objs)
	$(call say,SANLD,$@)
	$(Q)$(HOSTCC) -fsanitize=address,undefined $^ -lfdt -lcmocka -o $@

TEST_SUITES += $(B)/san/test-tool;
TEST_SUITES += $(PYTHON) tools/bulkhead/tests/mistakes.py $(B)/san/bulkhead;
TEST_DEPS += $(B)/san/bulkhead $(B)/san/test-tool
