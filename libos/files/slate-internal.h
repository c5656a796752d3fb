/* What slate.c and slate-directory.c have of each other. */
#ifndef LIBOS_FILES_SLATE_INTERNAL_H
#define LIBOS_FILES_SLATE_INTERNAL_H

#include "files/slate.h"

/** The record of that number, NULL behind the last. A removal puts the last one in its place. */
const struct slate_record *slate_record_at(uint32_t number);

/** Write the table, after the data it points to. 0 or -errno. */
int slate_commit(void);

/** An open directory, to be listed. 0 or -errno. */
int slate_open_directory(const char *path, int flags, struct file **file);

#endif
