/* The board's real-time clock. */
#ifndef HYP_RTC_H
#define HYP_RTC_H

#include <hyp/types.h>

/* Seconds since 1970, UTC, as the clock in the board's tree has them. -XEN_ENODEV: none that we drive; -XEN_ENOMEM. */
must_check int rtc_read(const void *fdt, uint64_t *seconds);

#endif
