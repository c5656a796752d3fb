/*
 * What the manifest says, compiled into the image by the tool (tools/app/app.py generates the
 * definitions), and what the boot arguments may override.
 */
#ifndef LIBOS_CONFIG_H
#define LIBOS_CONFIG_H

#include "libos/base.h"

extern const char config_name[];
extern const char *const config_arguments[]; /* NULL-terminated, the program's name first */
extern const size_t config_stack_size;       /* bytes, whole pages */
extern const bool config_seal;

/** NAME=VALUE from the boot arguments; unknown names are reported and ignored. */
void config_override(const char *word);

/** Attach the devices that the program needs; generated, so that others are not in the image. */
void config_start_devices(void);

/** The value of `name` among the overrides, or the manifest's, or NULL. */
const char *config_value(const char *name);

#endif
