/*
 * Stage tap compiles musl's resolver (src/network of Debian's source package, unchanged) for the host: it is
 * the resolver of the unikernel. These few headers stand for musl's own internal ones (src/internal,
 * src/include), with what the resolver's files use of them.
 */
#ifndef LIBOS_TAP_MUSL_PRELUDE_H
#define LIBOS_TAP_MUSL_PRELUDE_H

#define hidden __attribute__((visibility("hidden")))
#define weak_alias(old, new) extern __typeof(old) old /* the new names are the host's */
#define __inet_aton inet_aton

#endif
