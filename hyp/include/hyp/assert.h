/*
 * CHECK stays in every build and guards isolation; ASSERT is for debug builds
 * and still type-checks its argument in release. Neither is ever used on
 * input from a guest, a device tree or a service.
 */
#ifndef HYP_ASSERT_H
#define HYP_ASSERT_H

#include <hyp/types.h>

/* Print where and what, dump this CPU, stop the machine. Supplied by core, and by the test harness. */
noreturn_fn cold void assert_failed(const char *what, const char *file, int line);

#define CHECK(x) ((x) ? (void)0 : assert_failed(#x, __FILE__, __LINE__))

#ifdef CONFIG_DEBUG
#define ASSERT(x) CHECK(x)
#else
#define ASSERT(x) ((void)sizeof((x) ? 1 : 0))
#endif

#endif
