#include "host-tree.h"

#include <fake.h>
#include <hyp/config.h>
#include <hyp/frame.h>
#include <hyp/gic.h>
#include <hyp/uart.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char host_board[] =
    "/dts-v1/;\n"
    "/ {\n"
    "    #address-cells = <2>; #size-cells = <2>;\n"
    "    interrupt-parent = <&gic>;\n"
    "    aliases { serial0 = \"/pl011@9000000\"; };\n"
    "    memory@40000000 { device_type = \"memory\"; reg = <0 0x40000000 0 0x40000000>; };\n"
    "    gic: intc@8000000 { #interrupt-cells = <3>; interrupt-controller; reg = <0 0x8000000 0 "
    "0x10000>; };\n"
    "    pl011@9000000 { compatible = \"arm,pl011\"; reg = <0 0x9000000 0 0x1000>; interrupts = <0 "
    "1 4>; };\n"
    "    net@a003000 { compatible = \"virtio,mmio\"; reg = <0 0xa003000 0 0x200>; interrupts = <0 "
    "40 1>; };\n"
    "    chosen {\n"
    "        #address-cells = <2>; #size-cells = <2>;\n"
    "        xen,xen-bootargs = \"console=dtuart\";\n"
    "        domU1 {\n"
    "            compatible = \"xen,domain\"; #address-cells = <2>; #size-cells = <2>;\n"
    "            memory = <0 131072>; cpus = <2>; vpl011;\n"
    "            bulkhead,name = \"home\";\n"
    "            module@50000000 { compatible = \"multiboot,kernel\", \"multiboot,module\";\n"
    "                reg = <0 0x50000000 0 0x100000>; bootargs = \"console=ttyAMA0\"; };\n"
    "            module@51000000 { compatible = \"multiboot,ramdisk\", \"multiboot,module\";\n"
    "                reg = <0 0x51000000 0 0x12345>; };\n"
    "        };\n"
    "        work {\n"
    "            compatible = \"xen,domain\"; #address-cells = <2>; #size-cells = <1>;\n"
    "            memory = <0 65536>; cpus = <1>;\n"
    "            module@50000000 { compatible = \"multiboot,kernel\", \"multiboot,module\";\n"
    "                reg = <0 0x50000000 0x100000>; };\n"
    "        };\n"
    "    };\n"
    "};\n";

__attribute__((weak)) struct gic_host gic_host; /* the drivers have one */
struct tree host_tree;

int host_parse(const void *fdt, const struct domain_config **out)
{
    *out = NULL;
    return tree_open(&host_tree, fdt, 0) != TREE_NONE ? config_parse(&host_tree, out) : 0;
}

__attribute__((weak)) bool uart_place(mpa_t *base, uint32_t *intid)
{
    *base = mpa(0x9000000);
    *intid = 33;
    return true;
}

__attribute__((weak)) bool uart_overlaps(mpa_t base, uint64_t size_bytes)
{
    return base.v < 0x9001000 && 0x9000000 < base.v + size_bytes;
}

static void *run_dtc(const char *source, size_t *size)
{
    char in[] = "/tmp/bulkhead-test-XXXXXX", command[128];
    int file = mkstemp(in);
    void *blob = malloc(1 << 20);

    if (file < 0 || blob == NULL ||
        write(file, source, strlen(source)) != (ssize_t)strlen(source)) {
        abort();
    }
    close(file);
    snprintf(command, sizeof(command), "dtc -q -I dts -O dtb %s", in);
    FILE *out = popen(command, "r");
    *size = out != NULL ? fread(blob, 1, 1 << 20, out) : 0;
    if (out == NULL || pclose(out) != 0 || *size == 0) {
        fprintf(stderr, "dtc does not compile:\n%s", source);
        abort();
    }
    unlink(in);
    return realloc(blob, *size); /* so that the sanitizer sees its end */
}

void *host_tree_compile(const char *source, size_t *size)
{
    return run_dtc(source, size);
}

void *host_tree_compile_with(const char *source, const char *from, const char *to, size_t *size)
{
    size_t room = strlen(source) * 2 + strlen(to) * 16 + 1;
    char *text = calloc(1, room);
    const char *rest = source;

    if (text == NULL || strstr(source, from) == NULL) {
        fprintf(stderr, "there is no \"%s\" in the tree's source\n", from);
        abort();
    }
    for (const char *hit; (hit = strstr(rest, from)) != NULL; rest = hit + strlen(from)) {
        strncat(text, rest, (size_t)(hit - rest));
        strcat(text, to);
    }
    strcat(text, rest);
    void *blob = run_dtc(text, size);
    free(text);
    return blob;
}

void host_put(uint64_t at, const void *data, size_t size)
{
    memcpy(fake_ram(mpa(at)), data, size);
}

static void put_little(uint64_t at, uint64_t v, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++) {
        *(uint8_t *)fake_ram(mpa(at + i)) = (uint8_t)(v >> 8 * i);
    }
}

static void pattern(uint64_t at, uint64_t size)
{
    uint8_t *to = fake_ram(mpa(at));

    for (uint64_t i = 0; i < size; i++) {
        to[i] = (uint8_t)(i * 2654435761u >> 16);
    }
}

void host_put_image(uint64_t at, uint64_t module_size, uint64_t image_size)
{
    pattern(at, module_size);
    put_little(at + 8, 0, 8);
    put_little(at + 16, image_size, 8);
    put_little(at + 24, 10, 8);
    host_put(at + 56, "ARM\x64", 4);
}

void host_put_zimage(uint64_t at, uint64_t module_size)
{
    pattern(at, module_size);
    put_little(at + 0x24, 0x016f2818, 4);
    put_little(at + 0x28, 0, 4);
    put_little(at + 0x2c, module_size, 4);
}

void host_boot(unsigned cpu_count_wanted, unsigned gic_version)
{
    fake_boot(cpu_count_wanted, 1ull << 30);
    struct frame_range ram = {mpa(FAKE_RAM_BASE), mpa(fake_ram_end())};
    struct frame_range kept[] = {{mpa(0x50000000), mpa(0x53000000)},
                                 {mpa(0x60000000), mpa(0x78000000)}};
    if (frame_init(&ram, 1, kept, ARRAY_LEN(kept)) != 0) {
        abort();
    }
    gic_host = (struct gic_host){.version = gic_version,
                                 .dist = {mpa(0x8000000), 0x10000},
                                 .redist = {{mpa(0x80a0000), 0xf60000}},
                                 .redist_count = 1,
                                 .cpu = {mpa(0x8010000), 0x10000},
                                 .intid_count = 288};
    host_put_image(HOST_KERNEL, HOST_KERNEL_SIZE, HOST_KERNEL_SIZE + 0x40000);
    pattern(HOST_RAMDISK, HOST_RAMDISK_SIZE);
}
