/* Building a guest: its memory, images and tree as the guest finds them; again and again; and when it fails. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "host-tree.h"

#include <fake.h>
#include <hyp/config.h>
#include <hyp/frame.h>
#include <hyp/irq.h>
#include <hyp/random.h>
#include <hyp/vgic.h>
#include <hyp/xen.h>
#include <lib/chacha20.h>
#include <libfdt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xen/errno.h>

#define GOLDEN "tests/unit/golden/"

static const struct domain_config *configs;
static struct domain *d;
static void *board;
static unsigned irqs_assigned;
static uint8_t assigned[1024];
static int irq_error;

bool vuart_output(struct domain *who, uint8_t byte)
{
    return true;
}

void vgic_set_level(struct vcpu *v, uint32_t intid, bool high)
{
}

int irq_assign(uint32_t intid, bool edge, struct domain *who, uint32_t virq)
{
    assert_int_equal(intid, virq);
    irqs_assigned += intid == 72 && edge;
    assigned[intid]++;
    return irq_error;
}

bool irq_owner(uint32_t intid, struct domain **who, uint32_t *virq)
{
    return false;
}

int xen_domain_start(struct domain *who)
{
    return 0;
}

static int boot_count = 2; /* domains that the tree has */

static void boot_with(const char *from, const char *to, const char *partial)
{
    size_t size;

    host_boot(4, strstr(to, "gic-version = <2>") != NULL ? 2 : 3);
    if (partial != NULL) {
        void *blob = host_tree_compile(partial, &size);
        host_put(HOST_PARTIAL, blob, size);
        free(blob);
    }
    free(board);
    board = host_tree_compile_with(host_board, from, to, &size);
    assert_int_equal(host_parse(board, &configs), boot_count);
    d = fake_domain(1, configs[0].name, configs[0].vcpu_count);
    d->config = &configs[0];
    d->vgic.version = (uint8_t)configs[0].vgic.version;
    d->vgic.dist_base = configs[0].vgic.dist;
    d->vgic.redist_base = configs[0].vgic.redist;
    d->vgic.cpu_base = configs[0].vgic.cpu;
    assert_int_equal(p2m_init(d), 0);
}

static int build(void)
{
    int error, steps = 0;

    while ((error = domain_build(d)) == -XEN_ERESTART) {
        assert_true(++steps < 100000);
    }
    assert_int_equal(fake_locks_held(), 0);
    return error;
}

static void empty(void)
{
    int error;

    while ((error = p2m_teardown(d)) == -XEN_ERESTART) {
    }
    assert_int_equal(error, 0);
    assert_int_equal(frame_owned_count(d->id), 0);
}

static int teardown(void **state)
{
    if (d != NULL) {
        empty();
        p2m_destroy(d);
        assert_int_equal(d->hyp_frames, 0);
        d = NULL;
    }
    free(board);
    board = NULL;
    return 0;
}

/* What the guest reads there. */
static void *guest_copy(uint64_t at, size_t size)
{
    void *copy = malloc(size);

    assert_int_equal(guest_read(d, copy, gpa(at), size), 0);
    return copy;
}

static void *guest_tree(uint64_t at)
{
    struct fdt_header *header = guest_copy(at, sizeof(*header));
    void *tree = guest_copy(at, fdt_totalsize(header));

    free(header);
    assert_int_equal(fdt_check_full(tree, fdt_totalsize(tree)), 0);
    return tree;
}

static uint64_t prop(const void *tree, const char *path, const char *name)
{
    int size;
    const void *p = fdt_getprop(tree, fdt_path_offset(tree, path), name, &size);

    assert_non_null(p);
    return size == 8 ? fdt64_ld(p) : fdt32_ld(p);
}

static void same_bytes(uint64_t guest, uint64_t host, size_t size)
{
    void *copy = guest_copy(guest, size);

    assert_memory_equal(copy, fake_ram(mpa(host)), size);
    free(copy);
}

static void test_happy_path(void **state)
{
    boot_with("vpl011;", "vpl011; xen,enhanced;", NULL);
    assert_int_equal(build(), 0);
    assert_null(d->build);
    assert_int_equal(d->vcpu[0]->arch.pc, 0x40000000);
    uint64_t at = d->vcpu[0]->arch.x[0];
    assert_in_range(at, 0x40000000, 0x48000000);
    void *tree = guest_tree(at);
    same_bytes(0x40000000, HOST_KERNEL, HOST_KERNEL_SIZE);
    uint64_t ramdisk = prop(tree, "/chosen", "linux,initrd-start");
    assert_int_equal(prop(tree, "/chosen", "linux,initrd-end") - ramdisk, HOST_RAMDISK_SIZE);
    same_bytes(ramdisk, HOST_RAMDISK, HOST_RAMDISK_SIZE);
    assert_true(ramdisk >= at + fdt_totalsize(tree) || at >= ramdisk + HOST_RAMDISK_SIZE);
    assert_true(at >= 0x40000000 + HOST_KERNEL_SIZE + 0x40000); /* behind the kernel's bss */
    /* Everything that was copied is clean, and code is fetchable. */
    assert_true(fake_cleaned_bytes >= HOST_KERNEL_SIZE + HOST_RAMDISK_SIZE + fdt_totalsize(tree));
    assert_true(fake_synced_bytes >= HOST_KERNEL_SIZE);
    assert_int_equal(frame_owned_count(1), 128 << 8);
    assert_true(d->vuart.present);
    free(tree);
}

static void test_rebuild_from_pristine_modules(void **state)
{
    uint8_t seeds[2][64];

    boot_with("vpl011;", "vpl011;", NULL);
    for (unsigned i = 0; i < 100; i++) {
        struct frame_stats before, after;
        frame_stats(&before);
        assert_int_equal(build(), 0);
        same_bytes(0x40000000, HOST_KERNEL, HOST_KERNEL_SIZE);
        void *tree = guest_tree(d->vcpu[0]->arch.x[0]);
        const uint8_t *seed = fdt_getprop(tree, fdt_path_offset(tree, "/chosen"), "rng-seed", NULL);
        memcpy(seeds[i % 2], seed, 64);
        assert_memory_not_equal(seeds[0], seeds[1], 64);
        free(tree);
        assert_null(strstr(fake_calls.log, "is not started")); /* scrubbing takes steps */
        /* The guest spoils what it can reach. */
        assert_int_equal(guest_zero(d, gpa(0x40000000), HOST_KERNEL_SIZE), 0);
        empty();
        frame_stats(&after);
        assert_int_equal(before.free, after.free);
    }
}

static void test_steps_are_bounded(void **state)
{
    boot_with("vpl011;", "vpl011;", NULL);
    int error;
    do {
        uint64_t before = fake_cleaned_bytes;
        error = domain_build(d);
        assert_true(fake_cleaned_bytes - before <= 128 << 10);
    } while (error == -XEN_ERESTART);
    assert_int_equal(error, 0);
}

static void test_two_banks(void **state)
{
    /* 3.5 GiB of guest in 1 GiB of board: it says so; nothing leaks. */
    boot_with("vpl011;", "vpl011;", NULL);
    struct domain_config big = configs[0];
    big.memory_bytes = 3584ull << 20;
    d->config = &big;
    assert_int_equal(build(), -XEN_ENOMEM);
    assert_null(d->build);
    assert_non_null(strstr(fake_calls.log, "memory: its RAM cannot be given (out of memory)"));
    empty();
}

static void test_static_memory(void **state)
{
    boot_with("vpl011;",
              "vpl011; xen,static-mem = <0 0x60000000 0 0x3001000 0 0x70000000 0 0x4fff000>;",
              NULL);
    assert_int_equal(build(), 0);
    mpa_t at;
    assert_true(fake_guest_translate(d, gpa(0x40000000), true, &at));
    assert_int_equal(at.v, 0x60000000);
    assert_true(fake_guest_translate(d, gpa(0x43000fff), true, &at));
    assert_int_equal(at.v, 0x63000fff);
    assert_true(fake_guest_translate(d, gpa(0x43001000), true, &at));
    assert_int_equal(at.v, 0x70000000);
    assert_true(fake_guest_translate(d, gpa(0x47ffffff), true, &at));
    assert_false(fake_guest_translate(d, gpa(0x48000000), true, &at));
    empty();
    assert_int_equal(build(), 0); /* the same memory again */
}

static void test_direct_map(void **state)
{
    boot_with("vpl011;", "vpl011; direct-map;", NULL);
    assert_int_equal(build(), 0);
    void *tree = guest_tree(d->vcpu[0]->arch.x[0]);
    int node = fdt_node_offset_by_prop_value(tree, -1, "device_type", "memory", 7), size;
    const fdt64_t *reg = fdt_getprop(tree, node, "reg", &size);
    uint64_t sum = 0;
    for (int i = 0; i < size / 16; i++) {
        mpa_t at;
        uint64_t start = fdt64_ld(reg + 2 * i);
        assert_true(fake_guest_translate(d, gpa(start), true, &at));
        assert_int_equal(at.v, start);
        sum += fdt64_ld(reg + 2 * i + 1);
    }
    assert_int_equal(sum, 128 << 20);
    assert_true(fdt_path_offset(tree, "/serial@9000000") > 0);
    assert_true(fdt_path_offset(tree, "/interrupt-controller@8000000") > 0);
    free(tree);
}

#define PARTIAL                                                                                    \
    "/dts-v1/; / { #address-cells = <2>; #size-cells = <2>; aliases { net = "                      \
    "\"/passthrough/net@a003000\"; };"                                                             \
    "passthrough { compatible = \"simple-bus\"; ranges; #address-cells = <2>; #size-cells = <2>;"  \
    "clk: clock { compatible = \"fixed-clock\"; #clock-cells = <0>; clock-frequency = <1>; "       \
    "phandle = <65001>; };"                                                                        \
    "net@a003000 { compatible = \"virtio,mmio\"; interrupt-parent = <0x1234>; reg = <0 0xa003000 " \
    "0 0x200>;"                                                                                    \
    "clocks = <&clk>; xen,reg = <0 0xa003000 0 0x1000 0 0xa003000>; xen,path = \"/net@a003000\";"  \
    "interrupts = <0 40 1>; xen,force-assign-without-iommu; }; }; };"

static void boot_with_device(const char *more)
{
    char to[200];

    snprintf(
        to, sizeof(to),
        "vpl011; %s module@52000000 { compatible = \"multiboot,device-tree\", \"multiboot,module\";"
        " reg = <0 0x52000000 0 0x800>; };",
        more);
    irqs_assigned = 0;
    boot_with("vpl011;\n            bulkhead,name = \"home\";", to, PARTIAL);
}

static void test_device(void **state)
{
    boot_with_device("direct-map;");
    assert_int_equal(build(), 0);
    struct p2m_entry e;
    assert_true(p2m_lookup(d, gfn(0xa003), &e));
    assert_int_equal(e.type, P2M_MMIO);
    assert_int_equal(e.mfn.v, 0xa003);
    assert_int_equal(irqs_assigned, 1);
    assert_non_null(strstr(fake_calls.log, "No IOMMU confines it"));
    void *tree = guest_tree(d->vcpu[0]->arch.x[0]);
    const char *net = "/passthrough/net@a003000";
    assert_int_equal(prop(tree, net, "interrupt-parent"), 65000);
    assert_int_equal(prop(tree, net, "clocks"), 65001);
    assert_null(fdt_getprop(tree, fdt_path_offset(tree, net), "xen,reg", NULL));
    assert_null(fdt_getprop(tree, fdt_path_offset(tree, net), "xen,path", NULL));
    assert_null(
        fdt_getprop(tree, fdt_path_offset(tree, net), "xen,force-assign-without-iommu", NULL));
    assert_int_not_equal(prop(tree, "/apb-pclk", "phandle"), 65001);
    assert_string_equal(fdt_get_alias(tree, "net"), net);
    assert_string_equal(fdt_get_alias(tree, "serial0"), "/serial@9000000");
    free(tree);
}

/* A virtio device that is left behind is reset: it leaves the memory alone that others get. */
static void test_device_goes_quiet(void **state)
{
    static uint32_t regs[0x1000 / 4];

    boot_with_device("direct-map;");
    fake_mmio_add(mpa(0xa003000), sizeof(regs), regs);
    assert_int_equal(build(), 0);
    regs[0x000 / 4] = regs[0x200 / 4] = 0x74726976;
    regs[0x070 / 4] = regs[0x270 / 4] = regs[0x470 / 4] = 0xf; /* the third slot has none */
    domain_quiet_devices(d);
    assert_int_equal(regs[0x070 / 4], 0);
    assert_int_equal(regs[0x270 / 4], 0);
    assert_int_equal(regs[0x470 / 4], 0xf);
}

static void test_aarch32(void **state)
{
    boot_with("vpl011;", "vpl011;", NULL);
    host_put_zimage(HOST_KERNEL, HOST_KERNEL_SIZE);
    assert_int_equal(host_parse(board, &configs), 2);
    d->config = &configs[0];
    assert_int_equal(build(), 0);
    assert_int_equal(d->vcpu[0]->arch.x[0], 0);
    assert_int_equal(d->vcpu[0]->arch.x[1], 0xffffffff);
    void *tree = guest_tree(d->vcpu[0]->arch.x[2]);
    free(tree);
    uint64_t pc = d->vcpu[0]->arch.pc;
    assert_in_range(pc, 0x40000000 + (32 << 20), 0x48000000 - HOST_KERNEL_SIZE);
    same_bytes(pc, HOST_KERNEL, HOST_KERNEL_SIZE);
}

/* Every allocation fails once: one line, and nothing is left behind. */
static void test_out_of_memory(void **state)
{
    boot_with("vpl011;", "vpl011;", NULL);
    int error = -1;
    for (uint64_t allowance = 0; error != 0; allowance++) {
        struct frame_stats before, after;
        assert_true(allowance < 1000);
        frame_stats(&before);
        d->hyp_frames_max = d->hyp_frames + allowance;
        fake_calls.log[0] = 0;
        error = build();
        assert_true(error == 0 || error == -XEN_ENOMEM);
        assert_true(error == 0 || strstr(fake_calls.log, "is not started") != NULL);
        assert_null(d->build);
        d->hyp_frames_max = ~0ull;
        empty();
        frame_stats(&after);
        assert_int_equal(before.free, after.free);
    }
}

/* The guest's tree, as text, equals the one in golden/NAME.dts but for its seeds. */
static void golden(const char *name)
{
    char path[96], command[256];
    void *tree = guest_tree(d->config->aarch32 ? d->vcpu[0]->arch.x[2] : d->vcpu[0]->arch.x[0]);
    int chosen = fdt_path_offset(tree, "/chosen");

    assert_int_equal(fdt_setprop_inplace(tree, chosen, "rng-seed", (uint8_t[64]){0}, 64), 0);
    assert_int_equal(fdt_setprop_inplace(tree, chosen, "kaslr-seed", (uint8_t[8]){0}, 8), 0);
    snprintf(path, sizeof(path), "build/unit/%s.dtb", name);
    FILE *out = fopen(path, "wb");
    assert_non_null(out);
    assert_int_equal(fwrite(tree, fdt_totalsize(tree), 1, out), 1);
    fclose(out);
    free(tree);
    /* dtc's own checks find nothing either, but for a name of Xen's and a clock on a bus of ours. */
    snprintf(
        command, sizeof(command),
        "dtc -W no-unit_address_vs_reg -W no-simple_bus_reg -I dtb -O dts -o build/unit/%s.dts "
        "%s 2>&1",
        name, path);
    FILE *words = popen(command, "r");
    char line[256] = "";
    assert_non_null(words);
    if (fgets(line, sizeof(line), words) != NULL) {
        fail_msg("dtc says of %s: %s", path, line);
    }
    assert_int_equal(pclose(words), 0);
    snprintf(command, sizeof(command), "diff -u " GOLDEN "%s.dts build/unit/%s.dts", name, name);
    assert_int_equal(system(command), 0);
}

static void test_golden_gicv3(void **state)
{
    boot_with("vpl011;", "vpl011; xen,enhanced;", NULL);
    assert_int_equal(build(), 0);
    golden("gicv3");
}

static void test_golden_gicv2(void **state)
{
    boot_with("cpus = <2>;", "cpus = <8>; bulkhead,gic-version = <2>;", NULL);
    assert_int_equal(build(), 0);
    golden("gicv2");
}

static void test_golden_device(void **state)
{
    boot_with_device("");
    assert_int_equal(build(), 0);
    golden("device");
}

/* RFC 8439, A.1, test vector 1. */
static void test_chacha20(void **state)
{
    static const uint8_t expected[] = {0x76, 0xb8, 0xe0, 0xad, 0xa0, 0xf1, 0x3d, 0x90,
                                       0x40, 0x5d, 0x6a, 0xe5, 0x53, 0x86, 0xbd, 0x28,
                                       0xbd, 0xd2, 0x19, 0xb8, 0xa0, 0x8d, 0xed, 0x1a,
                                       0xa8, 0x36, 0xef, 0xcc, 0x8b, 0x77, 0x0d, 0xc7};
    uint32_t key[8] = {0}, out[16];

    chacha20_block(key, 0, out);
    assert_memory_equal(out, expected, sizeof(expected));
}

static void test_random(void **state)
{
    uint8_t a[100], b[100];

    random_bytes(a, sizeof(a));
    random_bytes(b, sizeof(b)); /* time stands still */
    assert_memory_not_equal(a, b, sizeof(a));
    random_mix("x", 1);
    memset(b, 0, sizeof(b));
    random_bytes(b, 33);
    assert_int_equal(b[33] | b[99], 0);
}

/* Two devices on one page, a bus that is switched off, a PCI host, and one that counts to nonsense. */
#define DOM0_DEVICES                                                                           \
    "rtc@a003200 { reg = <0 0xa003200 0 0x200>; interrupts = <0 41 4>; };\n"                   \
    "timer { interrupts = <1 13 4>; };\n"                                                      \
    "soc { #address-cells = <1>; #size-cells = <1>; ranges = <0 0 0xb000000 0x1000000>;\n"     \
    "    off@1000 { reg = <0x1000 0x1000>; status = \"disabled\"; };\n"                        \
    "    kept@2000 { reg = <0x2000 0x1000>; xen,passthrough; };\n"                             \
    "    mine@3000 { reg = <0x3000 0x1000>; interrupts-extended = <&gic 0 60 1>; }; };\n"      \
    "pcie@10000000 { device_type = \"pci\"; #address-cells = <3>; #size-cells = <2>;\n"        \
    "    #interrupt-cells = <1>; reg = <0 0x3f000000 0 0x1000000>;\n"                          \
    "    ranges = <0x2000000 0 0x10000000 0 0x10000000 0 0x2eff0000>;\n"                       \
    "    interrupt-map = <0 0 0 1 &gic 0 3 4 0x800 0 0 1 &gic 0 3 4>; };\n"                    \
    "pcie@2 { device_type = \"pci\"; #address-cells = <0xfffffffe>; #interrupt-cells = <1>;\n" \
    "    interrupt-map = <0 0>; };\n"                                                          \
    "chosen { #address-cells = <2>; #size-cells = <2>; xen,xen-bootargs = \"dom0_mem=96M\";\n" \
    "module@0 { compatible = \"multiboot,kernel\"; bootargs = \"console=hvc0\";\n"             \
    "    reg = <0 0x50000000 0 0x100000>; };"

/* What a board may say as well: regions of nothing, beyond everything, of RAM; interrupts of other controllers. */
#define DOM0_ODD                                                                             \
    "none@1 { reg = <0 0xc000000 0 0>; };\n"                                                 \
    "wraps@2 { reg = <0xffffffff 0xfffff000 0 0x2000>; };\n"                                 \
    "ram@3 { reg = <0 0x41000000 0 0x1000>; };\n"                                            \
    "tail@4 { reg = <0 0x3ffff000 0 0x2000>; };\n"                                           \
    "high@5 { reg = <0x1000 0 0 0x2000>; };\n"                                               \
    "other: intc@6 { phandle = <77>; #interrupt-cells = <2>; interrupt-controller; };\n"     \
    "wide: intc@7 { phandle = <78>; #interrupt-cells = <9>; interrupt-controller; };\n"      \
    "two@8 { interrupts-extended = <77 1 2 &gic 0 62 4>; };\n"                               \
    "mixed@9 { interrupts-extended = <&gic 0 61 4 &gic 1 3 4 &gic 0 900 4 &gic 7 7 7>; };\n" \
    "stray@a { interrupts-extended = <0x7777 9 &gic 0 63 4>; };\n"                           \
    "long@b { interrupts-extended = <78 1 2 3 4 5 6 7 8 9 &gic 0 64 4>; };\n"                \
    "cut@c { interrupts-extended = <&gic 0 65>; };\n"                                        \
    "theirs@d { interrupt-parent = <77>; interrupts = <0 66 4>; };\n"                        \
    "short@e { interrupts = <0 67>; };\n"                                                    \
    "ours@f { interrupts = <0 68 4>, <0 69 4>; reg = <0 0xa010000 0 0x1000>; };\n"

static void test_dom0_odd(void **state)
{
    struct p2m_entry e;
    boot_count = 3;
    memset(assigned, 0, sizeof(assigned));
    boot_with("    chosen {\n        #address-cells = <2>; #size-cells = <2>;\n"
              "        xen,xen-bootargs = \"console=dtuart\";\n",
              DOM0_ODD DOM0_DEVICES, NULL);
    boot_count = 2;
    assert_int_equal(build(), 0);
    static const unsigned given[] = {62, 61, 63, 68, 69}, kept[] = {64, 65, 66, 67, 900};
    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(assigned[32 + given[i]], 1);
        assert_int_equal(assigned[32 + kept[i]], 0);
    }
    assert_false(p2m_lookup(d, gfn(0xc000), &e));
    assert_true(p2m_lookup(d, gfn(0xa010), &e));
    assert_non_null(strstr(fake_calls.log, "reaches beyond this CPU's guest addresses"));
    empty();
    irq_error = -XEN_EBUSY; /* somebody has them: said, and the rest is there */
    assert_int_equal(build(), 0);
    irq_error = 0;
    assert_non_null(strstr(fake_calls.log, "it does without that part of"));
    assert_true(p2m_lookup(d, gfn(0xa010), &e));
}

/* A dom0: RAM and devices at the machine's addresses, the hypervisor's own hidden. */
static void test_dom0(void **state)
{
    static const uint64_t given[] = {0xa003000, 0xb003000, 0x10000000, 0x3ef00000, 0x3f000000};
    static const uint64_t kept[] = {0x9000000, 0x8000000, 0xb001000, 0xb002000};
    static const char *const hidden[] = {"/pl011@9000000", "/intc@8000000", "/chosen/module@0",
                                         "/chosen/domU1"};
    struct p2m_entry e;
    boot_count = 3;
    boot_with("    chosen {\n        #address-cells = <2>; #size-cells = <2>;\n"
              "        xen,xen-bootargs = \"console=dtuart\";\n",
              DOM0_DEVICES, NULL);
    boot_count = 2;
    irqs_assigned = 0;
    assert_int_equal(build(), 0);
    assert_int_equal(irqs_assigned, 1);
    for (unsigned i = 0; i < sizeof(given) / sizeof(given[0]); i++) {
        assert_true(p2m_lookup(d, gfn(given[i] >> 12), &e));
        assert_true(e.type == P2M_MMIO && e.mfn.v == given[i] >> 12);
    }
    for (unsigned i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
        assert_false(p2m_lookup(d, gfn(kept[i] >> 12), &e));
    }
    void *tree = guest_tree(d->vcpu[0]->arch.x[0]);
    for (unsigned i = 0; i < sizeof(hidden) / sizeof(hidden[0]); i++) {
        assert_true(fdt_path_offset(tree, hidden[i]) < 0);
    }
    int node = fdt_path_offset(tree, "/soc/kept@2000");
    assert_string_equal(fdt_getprop(tree, node, "status", NULL), "disabled");
    assert_null(fdt_getprop(tree, node, "xen,passthrough", NULL));
    assert_true(fdt_path_offset(tree, "/rtc@a003200") > 0);
    assert_string_equal(fdt_getprop(tree, fdt_path_offset(tree, "/chosen"), "bootargs", NULL),
                        "console=hvc0");
    assert_true(fdt_path_offset(tree, "/hypervisor") > 0);
    assert_non_null(strstr(fake_calls.log, "all devices of the board: "));
    free(tree);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_happy_path, teardown),
        cmocka_unit_test_teardown(test_rebuild_from_pristine_modules, teardown),
        cmocka_unit_test_teardown(test_steps_are_bounded, teardown),
        cmocka_unit_test_teardown(test_two_banks, teardown),
        cmocka_unit_test_teardown(test_static_memory, teardown),
        cmocka_unit_test_teardown(test_direct_map, teardown),
        cmocka_unit_test_teardown(test_device, teardown),
        cmocka_unit_test_teardown(test_device_goes_quiet, teardown),
        cmocka_unit_test_teardown(test_dom0, teardown),
        cmocka_unit_test_teardown(test_dom0_odd, teardown),
        cmocka_unit_test_teardown(test_aarch32, teardown),
        cmocka_unit_test_teardown(test_out_of_memory, teardown),
        cmocka_unit_test_teardown(test_golden_gicv3, teardown),
        cmocka_unit_test_teardown(test_golden_gicv2, teardown),
        cmocka_unit_test_teardown(test_golden_device, teardown),
        cmocka_unit_test(test_chacha20),
        cmocka_unit_test(test_random),
    };

    return cmocka_run_group_tests_name("build", tests, NULL, NULL);
}
