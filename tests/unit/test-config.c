/* Reading the board's tree: good ones as meant, bad ones in words, hostile ones without harm. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "host-tree.h"

#include <fake.h>
#include <hyp/cpu.h>
#include <hyp/config.h>
#include <hyp/domain.h>
#include <hyp/frame.h>
#include <hyp/gic.h>
#include <hyp/rights.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xen/errno.h>

static const struct domain_config *configs;
static void *blob;
static size_t blob_size;

static int parse(void)
{
    int count = host_parse(blob, &configs);

    if (getenv("SHOW_LOG") != NULL) {
        print_message("%s", fake_calls.log);
    }
    return count;
}

static int parse_with(const char *from, const char *to)
{
    free(blob);
    blob = host_tree_compile_with(host_board, from, to, &blob_size);
    return parse();
}

static int setup(void **state)
{
    host_boot(4, 3);
    free(blob);
    blob = host_tree_compile(host_board, &blob_size);
    fake_aarch32 = true;
    return 0;
}

static int teardown(void **state)
{
    free(blob);
    blob = NULL;
    return 0;
}

static void test_good_board(void **state)
{
    assert_int_equal(parse(), 2);
    assert_string_equal(fake_calls.log, "");
    const struct domain_config *c = &configs[0];
    assert_string_equal(c->name, "home");
    assert_string_equal(c->node, "/chosen/domU1");
    assert_int_equal(c->id, 1);
    assert_int_equal(c->memory_bytes, 128 << 20);
    assert_int_equal(c->max_memory_bytes, 128 << 20);
    assert_int_equal(c->vcpu_count, 2);
    assert_true(c->vuart && !c->enhanced && !c->direct_map && !c->aarch32);
    assert_int_equal(c->vgic.nr_spis, 32);
    assert_int_equal(c->vgic.version, 3);
    assert_int_equal(c->module[MODULE_KERNEL].start.v, HOST_KERNEL);
    assert_int_equal(c->module[MODULE_RAMDISK].size_bytes, HOST_RAMDISK_SIZE);
    assert_int_equal(c->module[MODULE_TREE].size_bytes, 0);
    assert_string_equal(c->bootargs, "console=ttyAMA0");
    assert_int_equal(c->sched.class, SCHED_SHARE);
    assert_int_equal(c->sched.weight, SCHED_WEIGHT_DEFAULT);
    assert_int_equal(c->on_reboot, POLICY_RESTART);
    assert_int_equal(c->on_crash, POLICY_DESTROY);
    c = &configs[1];
    assert_string_equal(c->name, "work");
    assert_int_equal(c->id, 2);
    assert_string_equal(c->bootargs, "");
    assert_false(c->vuart);
    assert_int_equal(c->module[MODULE_KERNEL].size_bytes, HOST_KERNEL_SIZE);
}

/* One property more in the first domain's node. */
#define WITH(property) parse_with("bulkhead,name = \"home\";", property)

static void test_our_properties(void **state)
{
    assert_int_equal(
        WITH("bulkhead,max-memory = <0 262144>; bulkhead,weight = <512>; bulkhead,cap = <150>;"
             "bulkhead,pin = <0 3 0 12>; bulkhead,on-crash = \"preserve\";"
             "bulkhead,on-reboot = \"destroy\"; bulkhead,on-poweroff = \"restart\";"
             "bulkhead,rights = \"control work\", \"inspect *\", \"build\";"
             "xen,domain-p2m-mem-mb = <4>; nr_spis = <100>; xen,enhanced = \"no-xenstore\";"
             "bootargs = \"quiet\";"),
        2);
    const struct domain_config *c = &configs[0];
    assert_string_equal(fake_calls.log, "");
    assert_string_equal(c->name, "domU1");
    assert_int_equal(c->max_memory_bytes, 256 << 20);
    assert_int_equal(c->sched.weight, 512);
    assert_int_equal(c->sched.cap_percent, 150);
    assert_int_equal(c->affinity[0], 3);
    assert_int_equal(c->affinity[1], 12);
    assert_int_equal(c->on_crash, POLICY_PRESERVE);
    assert_int_equal(c->on_reboot, POLICY_DESTROY);
    assert_int_equal(c->on_poweroff, POLICY_RESTART);
    assert_memory_equal(c->rights, "control work\0inspect *\0build", c->rights_len);
    assert_int_equal(c->hyp_memory_bytes, 4 << 20);
    assert_int_equal(c->vgic.nr_spis, 128);
    assert_true(c->enhanced && c->enhanced_no_xenstore);
    assert_string_equal(c->bootargs, "console=ttyAMA0"); /* the module's wins */
}

/* Devices that a domain may hand on: registers in whole frames, interrupts. */
static void test_device_rights(void **state)
{
    assert_int_equal(WITH("bulkhead,rights = \"device /net@a003000\", \"irq 77\";"), 2);
    struct domain *d = fake_domain(1, "home", 1);
    d->config = &configs[0];
    assert_int_equal(rights_grant(d), 0);
    assert_true(rights_iomem(d, mfn(0xa003), 1) && rights_irq(d, 72));
    assert_false(rights_iomem(d, mfn(0xa003), 2));
    assert_false(rights_iomem(d, mfn(0xa002), 2));
    assert_false(rights_iomem(d, mfn(0x9000), 1));
    assert_true(rights_irq(d, 77) && !rights_irq(d, 78) && !rights_irq(d, 5000));
    /* A right that is dropped takes along what it gave, and no more. */
    assert_int_equal(rights_drop(d, "device"), 0);
    assert_false(rights_iomem(d, mfn(0xa003), 1) || rights_irq(d, 72));
    assert_true(rights_irq(d, 77));
    assert_int_equal(rights_drop(d, "irq"), 0);
    assert_false(rights_irq(d, 77));
    rights_destroy(d);
    fake_domain_free(d);
}

static void test_enhanced_forms(void **state)
{
    static const struct {
        const char *text;
        bool enhanced, no_xenstore;
    } forms[] = {{"xen,enhanced;", true, false},
                 {"xen,enhanced = \"\";", true, false},
                 {"xen,enhanced = \"enabled\";", true, false},
                 {"xen,enhanced = \"no-xenstore\";", true, true},
                 {"xen,enhanced = \"disabled\";", false, false}};

    for (unsigned i = 0; i < ARRAY_LEN(forms); i++) {
        assert_int_equal(WITH(forms[i].text), 2);
        assert_int_equal(configs[0].enhanced, forms[i].enhanced);
        assert_int_equal(configs[0].enhanced_no_xenstore, forms[i].no_xenstore);
    }
}

static void test_scheduling(void **state)
{
    assert_int_equal(WITH("bulkhead,budget-us = <2000>; bulkhead,period-us = <10000>;"), 2);
    assert_int_equal(configs[0].sched.class, SCHED_REALTIME);
    assert_int_equal(configs[0].sched.budget_ticks, 2000 * 1000 / 16);
    assert_int_equal(configs[0].sched.period_ticks, 10000 * 1000 / 16);
    assert_int_equal(WITH("bulkhead,dedicated; bulkhead,pin = <0 2 0 4>;"), 2);
    assert_int_equal(configs[0].sched.class, SCHED_DEDICATED);
    assert_int_equal(configs[1].affinity[0], 9); /* keeps off CPUs 1 and 2 */
}

static void test_static_mem(void **state)
{
    assert_int_equal(WITH("xen,static-mem = <0 0x60000000 0 0x4000000 0 0x70000000 0 0x4000000>;"),
                     2);
    assert_int_equal(configs[0].static_range_count, 2);
    assert_int_equal(configs[0].static_range[1].start.v, 0x70000000);
    /* Xen 4.16's own cells. */
    assert_int_equal(WITH("#xen,static-mem-address-cells = <1>; #xen,static-mem-size-cells = <1>;"
                          "xen,static-mem = <0x60000000 0x8000000>; direct-map;"),
                     2);
    assert_int_equal(configs[0].static_range[0].start.v, 0x60000000);
    assert_true(configs[0].direct_map);
    assert_int_equal(configs[0].places.uart.v, 0x9000000);
    assert_int_equal(configs[0].places.uart_spi, 33);
    assert_int_equal(configs[0].vgic.dist.v, 0x8000000);
}

static void test_old_names_and_cells(void **state)
{
    assert_int_equal(parse_with("\"multiboot,kernel\", \"multiboot,module\"",
                                "\"xen,linux-zimage\", \"xen,multiboot-module\""),
                     2);
    /* Cells of the modules are inherited, memory may be one cell. */
    assert_int_equal(
        parse_with("#address-cells = <2>; #size-cells = <2>;\n            memory = <0 131072>",
                   "memory = <131072>"),
        2);
    assert_int_equal(configs[0].memory_bytes, 128 << 20);
}

static void test_aarch32(void **state)
{
    host_put_zimage(HOST_KERNEL, HOST_KERNEL_SIZE);
    assert_int_equal(parse(), 2);
    assert_true(configs[0].aarch32);
    fake_aarch32 = false;
    assert_int_equal(parse(), 0);
    assert_non_null(strstr(fake_calls.log, "32-bit kernel"));
}

#define PARTIAL(device)                                                                           \
    "/dts-v1/; / { #address-cells = <2>; #size-cells = <2>; gic: gic { phandle = <0xfde8>; };"    \
    "passthrough { compatible = \"simple-bus\"; ranges; #address-cells = <2>; #size-cells = <2>;" \
    "net@a003000 { compatible = \"virtio,mmio\"; interrupt-parent = <0xfde8>; " device " }; }; };"
#define NET                                                                                       \
    "xen,reg = <0 0xa003000 0 0x1000 0 0xa003000>; xen,path = \"/net@a003000\"; interrupts = <0 " \
    "40 1>; "

static int parse_with_partial(const char *source)
{
    size_t size;
    char module[160];
    void *partial = host_tree_compile(source, &size);

    memset(fake_ram(mpa(HOST_PARTIAL)), 0, 8192);
    host_put(HOST_PARTIAL, partial, size);
    free(partial);
    snprintf(module, sizeof(module),
             "module@52000000 { compatible = \"multiboot,device-tree\", \"multiboot,module\";\n"
             "  reg = <0 0x52000000 0 %#zx>; };\n module@51000000",
             size);
    return parse_with("module@51000000", module);
}

static void test_passthrough(void **state)
{
    assert_int_equal(parse_with_partial(PARTIAL(NET "xen,force-assign-without-iommu;")), 2);
    assert_string_equal(fake_calls.log, "");
    assert_int_equal(configs[0].vgic.nr_spis, 64); /* interrupt 72 */
}

/* Each mistake costs the first domain its start, in one line with these words; the second starts. */
static const struct mistake {
    const char *from, *to, *words;
} mistakes[] = {
    {"memory = <0 131072>;", "", "/chosen/domU1: memory is missing"},
    {"memory = <0 131072>;", "memory = <0 0>;", "memory must be two cells: 1 to 1073741824 KiB"},
    {"memory = <0 131072>;", "memory = <0 1 2>;", "memory must be two cells: 1 to 1073741824 KiB"},
    {"memory = <0 131072>;", "memory = <0x80000000 0>;",
     "memory must be two cells: 1 to 1073741824 KiB"},
    {"memory = <0 131072>;", "memory = <0 2097152>;", "memory is 2048 MiB, but"},
    {"memory = <0 131072>;", "memory = <0 1024>;", "memory of 1024 KiB is too little"},
    {"cpus = <2>;", "", "cpus must be one cell: 1 to 64"},
    {"cpus = <2>;", "cpus = <0>;", "cpus must be one cell"},
    {"cpus = <2>;", "cpus = <65>;", "cpus must be one cell"},
    {"cpus = <2>;", "cpus = <2>; bulkhead,gic-version = <2>;",
     "bulkhead,gic-version is 2, but this board has a GICv3"},
    {"cpus = <2>;", "cpus = <2>; nr_spis = <961>;", "nr_spis must be one cell"},
    {"cpus = <2>;", "cpus = <2>; xen,enhanced = \"maybe\";", "xen,enhanced must be"},
    {"cpus = <2>;", "cpus = <2>; bulkhead,colour = <3>;", "bulkhead,colour is not a property"},
    {"cpus = <2>;", "cpus = <2>; xen,colour = <3>;", "xen,colour is not a property"},
    {"cpus = <2>;", "cpus = <2>; colour = <3>; xen,b = <3>; hue;", "xen,b is not a property"},
    {"cpus = <2>;", "cpus = <2>; bulkhead,gic-version = <4>;",
     "bulkhead,gic-version must be 2 or 3"},
    {"cpus = <2>;", "cpus = <2>; bulkhead,max-memory = <0 1024>;", "bulkhead,max-memory is less"},
    {"cpus = <2>;", "cpus = <2>; bulkhead,weight = <0>;", "bulkhead,weight must be"},
    {"cpus = <2>;", "cpus = <2>; bulkhead,weight = <65536>;", "bulkhead,weight must be"},
    {"cpus = <2>;", "cpus = <2>; bulkhead,cap = \"x\";", "bulkhead,cap must be"},
    {"cpus = <2>;", "cpus = <2>; bulkhead,pin = <0 1 0 1 0 1>;", "bulkhead,pin must have"},
    {"cpus = <2>;", "cpus = <2>; bulkhead,pin = <0 16>;", "has none of this board's 4 CPUs"},
    {"cpus = <2>;", "cpus = <2>; bulkhead,dedicated;", "bulkhead,dedicated needs"},
    {"cpus = <2>;", "cpus = <2>; bulkhead,dedicated; bulkhead,pin = <0 1 0 1>;",
     "bulkhead,dedicated needs"},
    {"cpus = <2>;", "cpus = <2>; bulkhead,budget-us = <5>;", "bulkhead,budget-us and"},
    {"cpus = <2>;", "cpus = <2>; bulkhead,budget-us = <200>; bulkhead,period-us = <100>;",
     "not exceed the period"},
    {"cpus = <2>;", "cpus = <2>; bulkhead,budget-us = <5>; bulkhead,period-us = <10>;",
     "bulkhead,period-us must be one cell, 100 to 1000000"},
    {"cpus = <2>;",
     "cpus = <2>; bulkhead,budget-us = <50>; bulkhead,period-us = <100>; bulkhead,cap = <9>;",
     "excludes"},
    {"cpus = <2>;", "cpus = <2>; bulkhead,on-crash = \"explode\";", "bulkhead,on-crash must be"},
    {"cpus = <2>;", "cpus = <2>; bulkhead,rights = \"rule\";", "entry \"rule\" is not a right"},
    {"cpus = <2>;", "cpus = <2>; bulkhead,rights = \"control nobody\";", "names \"nobody\""},
    {"cpus = <2>;", "cpus = <2>; bulkhead,rights = [61 62];", "must be a list of strings"},
    {"cpus = <2>;", "cpus = <2>; bulkhead,rights = \"device /nowhere\";", "has no such node"},
    {"cpus = <2>;", "cpus = <2>; bulkhead,rights = \"device\";", "has no such node"},
    {"cpus = <2>;", "cpus = <2>; bulkhead,rights = \"irq\";", "names irq \"\"; SPIs are 32 to"},
    {"cpus = <2>;", "cpus = <2>; bulkhead,rights = \"irq 31\";", "names irq \"31\""},
    {"cpus = <2>;", "cpus = <2>; bulkhead,rights = \"irq 99999\";", "names irq \"99999\""},
    {"cpus = <2>;", "cpus = <2>; bootargs = <1>;", "bootargs must be one string"},
    {"cpus = <2>;", "cpus = <2>; xen,static-mem = <0 0x60000000 0 0x1000000>;",
     "adds up to 16384 KiB"},
    {"cpus = <2>;", "cpus = <2>; xen,static-mem = <0 0x60000000 0>;", "xen,static-mem must be"},
    {"cpus = <2>;", "cpus = <2>; xen,static-mem = <0 0x60000800 0 0x8000000>;", "multiples"},
    {"cpus = <2>;", "cpus = <2>; xen,static-mem = <0 0x90000000 0 0x8000000>;",
     "is not in the board's RAM"},
    {"cpus = <2>;", "cpus = <2>; xen,static-mem = <0 0x40000000 0 0x8000000>;",
     "overlaps the hypervisor"},
    {"cpus = <2>;", "cpus = <2>; xen,static-mem = <0 0x50000000 0 0x8000000>;",
     "overlaps multiboot,kernel"},
    {"bulkhead,name = \"home\"", "bulkhead,name = \"my home\"", "bulkhead,name must be 1 to 31"},
    {"bulkhead,name = \"home\"", "bulkhead,name = \"\"", "bulkhead,name must be 1 to 31"},
    {"bulkhead,name = \"home\"", "bulkhead,name = <1>", "bulkhead,name must be 1 to 31"},
    {"bulkhead,name = \"home\"", "bulkhead,name = \"0123456789012345678901234567890X\"",
     "bulkhead,name must"},
    {"compatible = \"multiboot,kernel\", \"multiboot,module\";\n                reg = <0 "
     "0x50000000 0 0x100000>;",
     "compatible = \"multiboot,module\"; reg = <0 0x50000000 0 0x100000>;",
     "does not say what it is"},
    {"compatible = \"multiboot,kernel\", \"multiboot,module\";\n                reg = <0 "
     "0x50000000 0 0x100000>;",
     "reg = <0 0x50000000 0 0x100000>;", "finds no child node with \"multiboot,kernel\""},
    {"reg = <0 0x50000000 0 0x100000>;", "", "module@50000000 needs a reg"},
    {"reg = <0 0x50000000 0 0x100000>;", "reg = <0x50000000 0x100000>;",
     "module@50000000 needs a reg of 2"},
    {"reg = <0 0x50000000 0 0x100000>;", "reg = <0 0x50000000 0 0>;", "has a reg of 0 bytes"},
    {"reg = <0 0x50000000 0 0x100000>;", "reg = <0xffffffff 0xfffff000 0 0x100000>;",
     "has a reg of"},
    {"reg = <0 0x50000000 0 0x100000>;", "reg = <0 0x30000000 0 0x100000>;",
     "is not in the board's RAM"},
    {"reg = <0 0x50000000 0 0x100000>;", "reg = <0 0x7ff80000 0 0x100000>;",
     "is not in the board's RAM"},
    {"reg = <0 0x50000000 0 0x100000>;", "reg = <0 0x40080000 0 0x100000>;",
     "overlaps the hypervisor"},
    {"reg = <0 0x50000000 0 0x100000>;", "reg = <0 0x51000000 0 0x100000>;", "overlaps"},
    {"reg = <0 0x50000000 0 0x100000>;", "reg = <0 0x60000000 0 0x100000>;", "begins with zeros"},
    {"reg = <0 0x50000000 0 0x100000>;", "reg = <0 0x50000000 0 3>;",
     "is neither an arm64 Image nor"},
    {"bootargs = \"console=ttyAMA0\"", "bootargs = <1>", "has bootargs that are not one string"},
    {"\"multiboot,ramdisk\"", "\"multiboot,kernel\"", "is the second module of its kind"},
    {"\"multiboot,ramdisk\"", "\"multiboot,device-tree\"", "is not a device tree"},
    {"\"multiboot,ramdisk\", \"multiboot,module\"", "\"xen,evtchn-v1\"", "static event channel"},
    {"#address-cells = <2>; #size-cells = <2>;\n            memory", "#address-cells = <5>; memory",
     "#address-cells must be"},
};

static void test_mistakes(void **state)
{
    for (unsigned i = 0; i < ARRAY_LEN(mistakes); i++) {
        assert_int_equal(setup(NULL), 0);
        fake_calls.log[0] = 0;
        int count = parse_with(mistakes[i].from, mistakes[i].to);
        const char *hit = strstr(fake_calls.log, mistakes[i].words);
        if (count != 1 || hit == NULL || strstr(hit, "This domain is not started.\n") == NULL ||
            strcmp(configs[0].name, "work") != 0 || configs[0].id != 2) {
            fail_msg("\"%s\" instead of \"%s\": %d domains, log:\n%s", mistakes[i].to,
                     mistakes[i].from, count, fake_calls.log);
        }
        /* One line, not more. */
        assert_ptr_equal(strchr(fake_calls.log, '\n'), fake_calls.log + strlen(fake_calls.log) - 1);
    }
}

static const struct mistake device_mistakes[] = {
    {NULL, PARTIAL(NET), "no IOMMU confines this device"},
    {NULL, PARTIAL("xen,path = \"/net@a003000\";"), "has xen,path but no xen,reg"},
    {NULL, PARTIAL("xen,force-assign-without-iommu; xen,reg = <0 0xa003000>;"), "xen,reg must be"},
    {NULL, PARTIAL("xen,force-assign-without-iommu; xen,reg = <0 0xa003200 0 0x1000 0 0xa003000>;"),
     "multiples of 4 KiB"},
    {NULL,
     PARTIAL("xen,force-assign-without-iommu; xen,reg = <0 0x60000000 0 0x1000 0 0xa003000>;"),
     "which is RAM"},
    {NULL, PARTIAL("xen,force-assign-without-iommu; xen,reg = <0 0x8000000 0 0x1000 0 0xa003000>;"),
     "a device of the hypervisor's own"},
    {NULL, PARTIAL("xen,force-assign-without-iommu; xen,reg = <0 0x9000000 0 0x1000 0 0xa003000>;"),
     "a device of the hypervisor's own"},
    {NULL,
     PARTIAL("xen,force-assign-without-iommu; xen,path = \"/nothing\";"
             "xen,reg = <0 0xa003000 0 0x1000 0 0xa003000>;"),
     "which is not in the board's tree"},
};

static void test_device_mistakes(void **state)
{
    for (unsigned i = 0; i < ARRAY_LEN(device_mistakes); i++) {
        assert_int_equal(setup(NULL), 0);
        fake_calls.log[0] = 0;
        int count = parse_with_partial(device_mistakes[i].to);
        if (count != 1 || strstr(fake_calls.log, device_mistakes[i].words) == NULL) {
            fail_msg("%s: %d domains, log:\n%s", device_mistakes[i].to, count, fake_calls.log);
        }
    }
}

static void test_duplicate_name(void **state)
{
    assert_int_equal(WITH("bulkhead,name = \"work\";"), 1);
    assert_non_null(strstr(
        fake_calls.log, "/chosen/work: bulkhead,name work is already the name of /chosen/domU1"));
}

static void test_harmless_unknown_property(void **state)
{
    assert_int_equal(WITH("colour = <3>;"), 2);
    assert_non_null(strstr(fake_calls.log, "colour is not a property that domains have; ignored"));
}

#define LINE "xen,xen-bootargs = \"console=dtuart\";"
#define DOM0_KERNEL(compatible) \
    "module@0 { compatible = " compatible "; reg = <0 0x50000000 0 0x100000>; };"
#define DOM0_RAMDISK(compatible) \
    "module@1 { compatible = " compatible "; reg = <0 0x51000000 0 0x12345>; };"

/* With the names of today, those of Xen 4.4, and none but the order. */
static void test_classic_dom0(void **state)
{
    static const char *const modules[] = {
        DOM0_RAMDISK("\"multiboot,ramdisk\", \"multiboot,module\"")
            DOM0_KERNEL("\"multiboot,kernel\", \"multiboot,module\""),
        DOM0_KERNEL("\"xen,linux-zimage\", \"xen,multiboot-module\"")
            DOM0_RAMDISK("\"xen,linux-initrd\", \"xen,multiboot-module\""),
        DOM0_KERNEL("\"multiboot,module\"") DOM0_RAMDISK("\"multiboot,module\""),
    };
    cpu_count = 4;
    for (unsigned i = 0; i < 3; i++) {
        char text[1024];
        snprintf(text, sizeof(text),
                 "xen,xen-bootargs = \"console=dtuart dom0_mem=96M,max:1G dom0_max_vcpus=3 "
                 "dom0_vcpus_pin\"; bootargs = \"quiet\"; %s",
                 modules[i]);
        setup(state);
        assert_int_equal(parse_with(LINE, text), 3);
        const struct domain_config *c = &configs[0];
        assert_string_equal(fake_calls.log, "");
        assert_string_equal(c->name, "Domain-0");
        assert_true(c->dom0 && c->direct_map && c->enhanced && c->id == 0);
        assert_int_equal(c->memory_bytes, 96 << 20);
        assert_int_equal(c->vcpu_count, 3);
        assert_int_equal(c->affinity[2], 4);
        assert_int_equal(c->module[MODULE_KERNEL].start.v, HOST_KERNEL);
        assert_int_equal(c->module[MODULE_RAMDISK].size_bytes, HOST_RAMDISK_SIZE);
        assert_int_equal(c->vgic.nr_spis, 256);
        assert_string_equal(c->bootargs, "quiet");
        assert_true(configs[1].id == 1 && configs[2].id == 2);
        assert_int_equal(c->vgic.dist.v, gic_host.dist.base.v);
        assert_true(frame_is_ram(mfn(c->places.grants.v >> 12)) && c->places.grants_size != 0);
    }
}

/* It holds every right, over every device that is not the hypervisor's own. */
static void test_classic_rights(void **state)
{
    assert_int_equal(
        parse_with(LINE, "bootargs = \"dom0_mem=96M\";" DOM0_KERNEL("\"multiboot,kernel\"")), 3);
    struct domain *d = fake_domain(0, "Domain-0", 1), *other = fake_domain(7, "made", 1);
    d->config = &configs[0];
    assert_int_equal(rights_grant(d), 0);
    for (unsigned r = 0; r < RIGHT_COUNT; r++) {
        assert_true(rights_allow(d, (enum right)r, NULL));
        assert_true(r == RIGHT_BUILD || rights_allow(d, (enum right)r, other));
    }
    assert_true(rights_iomem(d, mfn(0xa003), 1) && rights_irq(d, 72));
    assert_false(rights_iomem(d, mfn(0x9000), 1) || rights_iomem(d, mfn(0x8000), 1));
    assert_false(rights_iomem(d, mfn(0x40000), 1) || rights_iomem(d, mfn(~0ull), 2));
    assert_false(rights_irq(d, 27));
    rights_destroy(d);
}

static void test_classic_mistakes(void **state)
{
    static const char *const bad[][2] = {
        {"dom0_mem=lots", "/chosen: dom0_mem must begin with a size"},
        {"dom0_mem=0", "/chosen: dom0_mem must begin with a size"},
        {"dom0_max_vcpus=none", "/chosen: dom0_max_vcpus must be 1 to"},
        {"dom0_max_vcpus=0", "/chosen: dom0_max_vcpus must be 1 to"},
        {"dom0_mem=1T", "/chosen: memory is 1048576 MiB, but"},
    };
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char text[512];
        snprintf(text, sizeof(text), "xen,xen-bootargs = \"%s\"; %s", bad[i][0],
                 DOM0_KERNEL("\"multiboot,kernel\""));
        setup(state);
        assert_int_equal(parse_with(LINE, text), 2); /* the others start */
        assert_non_null(strstr(fake_calls.log, bad[i][1]));
    }
    assert_int_equal(parse_with(LINE, DOM0_RAMDISK("\"multiboot,ramdisk\"")), 2);
    assert_non_null(strstr(fake_calls.log, "finds no child node with \"multiboot,kernel\""));
}

static void test_not_a_tree(void **state)
{
    memset(blob, 0, 4);
    assert_int_equal(parse(), 0);
}

struct kept {
    unsigned count;
    uint64_t start[16], size[16];
};

static struct kept kept;

static void keep(mpa_t start, uint64_t size_bytes)
{
    if (kept.count < 16) {
        kept.start[kept.count] = start.v;
        kept.size[kept.count] = size_bytes;
    }
    kept.count++;
}

static void test_kept_ranges(void **state)
{
    kept.count = 0;
    free(blob);
    blob = host_tree_compile_with(host_board, "vpl011;",
                                  "xen,static-mem = <0 0x60000000 0 0x8000000>;", &blob_size);
    assert_int_equal(tree_open(&host_tree, blob, blob_size), TREE_GOOD);
    config_keep_ranges(&host_tree, keep);
    assert_int_equal(kept.count, 4);
    assert_int_equal(kept.start[0], 0x60000000);
    assert_int_equal(kept.size[0], 0x8000000);
    assert_int_equal(kept.start[1], HOST_KERNEL);
    assert_int_equal(kept.size[1], HOST_KERNEL_SIZE);
    assert_int_equal(kept.start[2], HOST_RAMDISK);
    assert_int_equal(kept.start[3], HOST_KERNEL);
}

/* Bytes changed, words swapped, ends cut: nothing read outside the tree, every good domain still sane. */
static void mutate(uint8_t *at, size_t size)
{
    unsigned changes = 1 + (unsigned)rand() % 4;

    while (changes-- > 0) {
        size_t where = (size_t)rand() % size;
        switch (rand() % 4) {
        case 0:
            at[where] = (uint8_t)rand();
            break;
        case 1:
            at[where] ^= (uint8_t)(1u << rand() % 8);
            break;
        case 2: /* a token or a length */
            memcpy(at + (where & ~3ul), (uint8_t[]){0, 0, 0, (uint8_t)(rand() % 10)},
                   where + 4 <= size ? 4 : 0);
            break;
        default:
            memmove(at + where, at + (size_t)rand() % (where + 1), (size - where) / 4);
        }
    }
}

static void judge(const struct domain_config *c)
{
    assert_true(c->memory_bytes > 0 && c->memory_bytes % FRAME_SIZE == 0);
    assert_true(c->vcpu_count >= 1 && c->vcpu_count <= MAX_VCPUS);
    assert_true(strlen(c->name) > 0 && strlen(c->name) < DOMAIN_NAME_LEN);
    assert_true(c->module[MODULE_KERNEL].size_bytes > 0 &&
                c->image.file_bytes <= c->module[MODULE_KERNEL].size_bytes);
    assert_true(c->module[MODULE_KERNEL].start.v >= FAKE_RAM_BASE &&
                c->module[MODULE_KERNEL].start.v + c->module[MODULE_KERNEL].size_bytes <=
                    fake_ram_end());
    assert_true(c->sched.weight <= SCHED_WEIGHT_MAX);
    assert_true(strlen(c->bootargs) < blob_size);
}

static void test_hostile_trees(void **state)
{
    enum { TREES = 50000 };
    size_t partial_size, good = 0;
    void *original = malloc(blob_size),
         *partial =
             host_tree_compile(PARTIAL(NET "xen,force-assign-without-iommu;"), &partial_size);

    assert_int_equal(parse_with_partial(PARTIAL(NET "xen,force-assign-without-iommu;")), 2);
    original = realloc(original, blob_size);
    memcpy(original, blob, blob_size);
    srand(17);
    for (unsigned i = 0; i < TREES; i++) {
        struct frame_stats before, after;
        memcpy(blob, original, blob_size);
        host_put(HOST_PARTIAL, partial, partial_size);
        if (i % 4 == 0) {
            mutate(fake_ram(mpa(HOST_PARTIAL)), partial_size);
        } else {
            mutate((uint8_t *)blob + (i % 16 == 1 ? 0 : 40), blob_size - (i % 16 == 1 ? 0 : 40));
        }
        if ((((uint8_t *)blob)[4] | ((uint8_t *)blob)[5]) != 0 ||
            (size_t)(((uint8_t *)blob)[6] << 8 | ((uint8_t *)blob)[7]) > blob_size) {
            continue; /* totalsize is what boot maps: it is not wrong here */
        }
        frame_stats(&before);
        fake_calls.log[0] = 0;
        if (tree_open(&host_tree, blob, blob_size) != TREE_NONE) {
            config_keep_ranges(&host_tree, keep);
        }
        int count = parse();
        for (int j = 0; j < count; j++) {
            judge(&configs[j]);
        }
        good += (size_t)count;
        frame_stats(&after);
        assert_true(before.free - after.free <= 8); /* the list, nothing else */
        if (configs != NULL) {
            unsigned order = 0;
            while (FRAME_SIZE << order < (size_t)count * sizeof(*configs)) {
                order++;
            }
            frame_free_hyp(NULL, (void *)configs, order);
        }
    }
    assert_true(good > TREES / 4); /* most mutations leave something to read */
    free(original);
    free(partial);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_good_board, setup),
        cmocka_unit_test_setup(test_our_properties, setup),
        cmocka_unit_test_setup(test_device_rights, setup),
        cmocka_unit_test_setup(test_enhanced_forms, setup),
        cmocka_unit_test_setup(test_scheduling, setup),
        cmocka_unit_test_setup(test_static_mem, setup),
        cmocka_unit_test_setup(test_old_names_and_cells, setup),
        cmocka_unit_test_setup(test_aarch32, setup),
        cmocka_unit_test_setup(test_passthrough, setup),
        cmocka_unit_test_setup(test_mistakes, setup),
        cmocka_unit_test_setup(test_device_mistakes, setup),
        cmocka_unit_test_setup(test_duplicate_name, setup),
        cmocka_unit_test_setup(test_harmless_unknown_property, setup),
        cmocka_unit_test_setup(test_classic_dom0, setup),
        cmocka_unit_test_setup(test_classic_rights, setup),
        cmocka_unit_test_setup(test_classic_mistakes, setup),
        cmocka_unit_test_setup(test_not_a_tree, setup),
        cmocka_unit_test_setup(test_kept_ranges, setup),
        cmocka_unit_test_setup(test_hostile_trees, setup),
    };

    return cmocka_run_group_tests_name("config", tests, NULL, teardown);
}
