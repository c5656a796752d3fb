/* What the parts of the TAP stage share. */
#ifndef LIBOS_TAP_TAP_H
#define LIBOS_TAP_TAP_H

#include <stdbool.h>

/** The TAP device's descriptor, or -1 before the network is started. */
int tap_descriptor(void);

/** One lock around everything of ours: the library OS is written for one flow of control. */
void tap_lock(void);
void tap_unlock(void);

/** True if the program polls descriptors of the host's beside ours. */
bool tap_has_host_files(void);

#endif
