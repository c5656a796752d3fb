/* The board's real-time clock. */
#ifndef HYP_RTC_H
#define HYP_RTC_H

#include <hyp/types.h>

struct tree;

/* Seconds since 1970, UTC, as the clock in the board's tree has them. -XEN_ENODEV: none that we drive; -XEN_ENOMEM. */
must_check int rtc_read(const struct tree *t, uint64_t *seconds);

#endif
