/* Writing the files a system is started from, and running other programs. */
#ifndef TOOLS_BULKHEAD_FILES_H
#define TOOLS_BULKHEAD_FILES_H

#include "system.h"

/* Write a whole file. Returns 0, or -1 after reporting. */
int file_write(struct report *report, const char *path, const void *bytes, size_t length);

/* Copy a file. Returns 0, or -1 after reporting. */
int file_copy(struct report *report, const char *from, const char *to);

/*
 * Write the tree as `folder`/tree.dtb, and the modules of our own making beside
 * it; their paths are set. Returns 0, or -1 after reporting.
 */
int system_write(struct system *system, const char *folder);

/* Start QEMU and wait for it. Returns the tool's exit status. */
int run_qemu(struct system *system, const struct machine *machine, const char *folder,
             char *const *extra, bool icount, bool dry_run);

/* Write what U-Boot loads on a board. Returns 0, or -1 after reporting. */
int deploy_uboot(struct system *system, const char *folder);

#endif
