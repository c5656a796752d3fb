/* For tests: a board's device tree with domains, from source text, and modules in the model machine's RAM. */
#ifndef TESTS_HOST_TREE_H
#define TESTS_HOST_TREE_H

#include <stddef.h>
#include <stdint.h>
#include <hyp/tree.h>

/* Compile device tree source with dtc; aborts if it does not compile. malloc()ed. */
void *host_tree_compile(const char *source, size_t *size);
/* Likewise, after replacing every `from` in it by `to`; aborts if there is none. */
void *host_tree_compile_with(const char *source, const char *from, const char *to, size_t *size);

/* Modules in RAM of the model machine. */
void host_put_image(uint64_t at, uint64_t module_size, uint64_t image_size); /* arm64 Image */
void host_put_zimage(uint64_t at, uint64_t module_size);
void host_put(uint64_t at, const void *data, size_t size);

/* A board with 1 GiB of RAM at 0x40000000, two domains, modules at 0x50000000 (kernel) and up. */
extern const char host_board[];
#define HOST_KERNEL 0x50000000ull
#define HOST_KERNEL_SIZE 0x100000ull
#define HOST_RAMDISK 0x51000000ull
#define HOST_RAMDISK_SIZE 0x12345ull
#define HOST_PARTIAL 0x52000000ull
/* A machine with that RAM, the modules in it, and a GICv3. `version`: of the GIC. */
void host_boot(unsigned cpu_count, unsigned gic_version);

/* Open the board's tree, into host_tree, and read it: config_parse(); 0 if it is no tree. */
extern struct tree host_tree;
struct domain_config;
int host_parse(const void *fdt, const struct domain_config **out);

#endif
