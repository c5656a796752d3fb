/* Reads the few things we need from a flattened device tree (DTSpec v0.4, chapter 5). */
#ifndef LIBOS_CORE_FDT_H
#define LIBOS_CORE_FDT_H

#include "libos/boot.h"

/**
 * Fill in RAM, UART, seeds and arguments from the tree at `dtb`.
 * Runs with the MMU off: aligned accesses, no calls outside its file. A damaged tree
 * (the loader's fault) leaves the fields it would have given at zero.
 */
void fdt_read_boot_info(const void *dtb, struct boot_info *info);

#endif
