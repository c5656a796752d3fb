/*
 * libFuzzer: the board's tree and a partial tree are whatever the fuzzer likes.
 *
 * An input is the board's tree; the bytes behind its end are the module at
 * HOST_PARTIAL, which a partial tree in the corpus refers to. What must hold
 * is that nothing is read or written outside either (sanitizers), that no check
 * fails, and that a guest's tree made from what was accepted is well formed.
 *
 * fuzz-tree --seed FOLDER writes the corpus to begin with.
 */
#include "../unit/host-tree.h"

#include "../../hyp/core/config/build-internal.h"

#include <fake.h>
#include <hyp/config.h>
#include <hyp/frame.h>
#include <hyp/tree.h>
#include <hyp/vgic.h>
#include <libfdt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INPUT_MAX 16384
#define PARTIAL_MAX 4096

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char partial_source[] =
    "/dts-v1/; / { #address-cells = <2>; #size-cells = <2>; gic: gic { phandle = <0xfde8>; };"
    "aliases { net = \"/passthrough/net@a003000\"; };"
    "passthrough { compatible = \"simple-bus\"; ranges; #address-cells = <2>; #size-cells = <2>;"
    "net@a003000 { compatible = \"virtio,mmio\"; interrupt-parent = <0xfde8>;"
    "xen,reg = <0 0xa003000 0 0x1000 0 0xa003000>; xen,path = \"/net@a003000\"; interrupts = <0 40 "
    "1>;"
    "xen,force-assign-without-iommu; }; }; };";

/* A dom0 that is given a board with a bus, a PCI host, and lines by all three ways of naming them. */
static const char dom0_devices[] =
    "rtc@a003200 { reg = <0 0xa003200 0 0x200>; interrupts = <0 41 4>; };"
    "timer { interrupts = <1 13 4>; };"
    "soc { #address-cells = <1>; #size-cells = <1>; ranges = <0 0 0xb000000 0x1000000>;"
    "off@1000 { reg = <0x1000 0x1000>; status = \"disabled\"; };"
    "kept@2000 { reg = <0x2000 0x1000>; xen,passthrough; };"
    "mine@3000 { reg = <0x3000 0x1000>; interrupts-extended = <&gic 0 60 1>; }; };"
    "pcie@10000000 { device_type = \"pci\"; #address-cells = <3>; #size-cells = <2>;"
    "#interrupt-cells = <1>; reg = <0 0x3f000000 0 0x1000000>;"
    "ranges = <0x2000000 0 0x10000000 0 0x10000000 0 0x2eff0000>;"
    "interrupt-map = <0 0 0 1 &gic 0 3 4 0x800 0 0 1 &gic 0 3 4>; };"
    "chosen { #address-cells = <2>; #size-cells = <2>; xen,xen-bootargs = \"dom0_mem=96M,max:1G "
    "dom0_max_vcpus=3 dom0_vcpus_pin\";"
    "module@0 { compatible = \"multiboot,kernel\"; bootargs = \"console=hvc0\";"
    "reg = <0 0x50000000 0 0x100000>; };"
    "module@1 { compatible = \"multiboot,ramdisk\"; reg = <0 0x51000000 0 0x12345>; };";

static void keep(mpa_t start, uint64_t size_bytes)
{
}

/* What the builder would write for it. */
static void make_tree(const struct domain_config *c)
{
    static struct domain d; /* zero but for what follows */
    static struct guest_memory memory = {.bank = {{{0x40000000}, 64 << 20}}, .count = 1};
    size_t room = guest_tree_room(c);
    void *tree = malloc(room);

    d.config = c;
    d.vcpu_count = (uint16_t)c->vcpu_count;
    d.vuart.present = c->vuart;
    d.vuart.base = c->places.uart;
    d.vuart.spi = c->places.uart_spi;
    d.vgic.version = (uint8_t)c->vgic.version;
    int size = guest_tree_write(tree, room, &d, &memory, gpa(0x42000000));
    if (size > 0 && fdt_check_full(tree, (size_t)size) != 0) {
        abort();
    }
    free(tree);
}

static void give_back(const struct domain_config *list, int count)
{
    unsigned order = 0;

    while (FRAME_SIZE << order < (size_t)count * sizeof(*list)) {
        order++;
    }
    if (count > 0) {
        frame_free_hyp(NULL, (void *)list, order);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct frame_stats at_boot;
    struct frame_stats now = {0};
    const struct domain_config *list;

    if (at_boot.total != 0) {
        frame_stats(&now);
    }
    if (now.total != at_boot.total || now.total == 0) {
        host_boot(4, 3); /* static memory that was accepted stays with its domain: a new board */
        frame_stats(&at_boot);
    }
    if (size < sizeof(struct fdt_header)) {
        return 0;
    }
    uint8_t *tree = malloc(size); /* its end is the sanitizer's to guard */
    memcpy(tree, data, size);
    uint64_t total = fdt_totalsize(tree);
    if (total <= size && total >= sizeof(struct fdt_header)) {
        size_t rest = size - total;
        memset(fake_ram(mpa(HOST_PARTIAL)), 0, PARTIAL_MAX);
        host_put(HOST_PARTIAL, tree + total, rest < PARTIAL_MAX ? rest : PARTIAL_MAX);
        fake_calls.log[0] = 0;
        struct tree t;
        bool open = tree_open(&t, tree, size) != TREE_NONE;
        if (open) {
            config_keep_ranges(&t, keep);
        }
        int count = open ? config_parse(&t, &list) : 0;
        for (int i = 0; i < count; i++) {
            make_tree(&list[i]);
        }
        give_back(list, count);
    }
    free(tree);
    return 0;
}

static void write_seed(const char *folder, const char *name, const void *tree, size_t tree_size,
                       const void *partial, size_t partial_size)
{
    char path[512];

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *f = fopen(path, "wb");
    if (f == NULL || fwrite(tree, tree_size, 1, f) != 1 ||
        (partial_size != 0 && fwrite(partial, partial_size, 1, f) != 1)) {
        perror(path);
        exit(1);
    }
    fclose(f);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    size_t plain_size, full_size, partial_size, dom0_size;

    if (*argc != 3 || strcmp((*argv)[1], "--seed") != 0) {
        return 0;
    }
    void *plain = host_tree_compile(host_board, &plain_size);
    void *partial = host_tree_compile(partial_source, &partial_size);
    void *full = host_tree_compile_with(
        host_board, "bulkhead,name = \"home\";",
        "bulkhead,max-memory = <0 262144>; bulkhead,weight = <512>; bulkhead,pin = <0 3>; nr_spis "
        "= <64>;"
        "bulkhead,on-crash = \"preserve\"; bulkhead,rights = \"control work\", \"build\", "
        "\"device /net@a003000\", \"irq 77\"; "
        "xen,enhanced;"
        "xen,static-mem = <0 0x60000000 0 0x8000000>; xen,domain-p2m-mem-mb = <4>;"
        "module@52000000 { compatible = \"multiboot,device-tree\", \"multiboot,module\";"
        "reg = <0 0x52000000 0 0x800>; };",
        &full_size);
    void *dom0 = host_tree_compile_with(host_board,
                                        "    chosen {\n"
                                        "        #address-cells = <2>; #size-cells = <2>;\n"
                                        "        xen,xen-bootargs = \"console=dtuart\";\n",
                                        dom0_devices, &dom0_size);
    write_seed((*argv)[2], "dom0", dom0, dom0_size, NULL, 0);
    write_seed((*argv)[2], "plain", plain, plain_size, NULL, 0);
    write_seed((*argv)[2], "full", full, full_size, partial, partial_size);
    exit(0);
}
