/*
 * The machine the domains will run on: its device tree, and what we read from
 * it. Either QEMU's virt board, which prints its own tree, or a .dtb file.
 */
#ifndef TOOLS_BULKHEAD_BOARD_H
#define TOOLS_BULKHEAD_BOARD_H

#include <stdbool.h>
#include <stdint.h>

#include "domain.h"
#include "report.h"

#define MAX_RAM_RANGES 16

/* What the command line says about QEMU's board. */
struct machine {
    const char *options; /* after `virt,virtualization=on,`: gic-version=3 */
    const char *cpu;     /* QEMU's name of the CPU model */
    unsigned cpus;
    unsigned memory_mib;
};

struct board {
    void *tree; /* flattened, owned */
    char *description;
    struct range ram[MAX_RAM_RANGES];
    unsigned ram_count;
    unsigned cpus;
    unsigned gic_version; /* 2 or 3; 0: no GIC that we know */
};

/* The -M argument of a machine, to be freed. */
char *machine_argument(const struct machine *machine, const char *more);

/* Ask QEMU for its board's tree. Returns 0, or -1 after reporting. */
int board_from_qemu(struct report *report, const struct machine *machine, struct board *board);

/* Read a board's tree from a file. Returns 0, or -1 after reporting. */
int board_from_file(struct report *report, const char *path, struct board *board);

uint64_t board_ram(const struct board *board);

/* Is [base, base + size) RAM of the board? */
bool board_has(const struct board *board, uint64_t base, uint64_t size);

void board_free(struct board *board);

/* The value of a #address-cells-like property, or `otherwise` if absent or not 1 or 2. */
unsigned tree_cells(const void *tree, int node, const char *name, unsigned otherwise);

/* A number of `cells` cells at `*data`, which moves on. */
uint64_t tree_number(const void **data, unsigned cells);

#endif
