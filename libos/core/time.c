#include "libos/time.h"

#include "arch/arm64/counter.h"
#include "libos/platform.h"

/* ns = ticks * scale >> 32; exact to a nanosecond a day for any counter below 1 GHz. */
static uint64_t scale;

void time_init(void)
{
    uint64_t hz = counter_hz();
    CHECK(hz != 0);
    scale = (NS_PER_SECOND << 32) / hz;
}

uint64_t time_monotonic_ns(void)
{
    return (uint64_t)((unsigned __int128)counter_read() * scale >> 32);
}

uint64_t time_wall_ns(void)
{
    uint64_t offset = platform_wall_offset_ns();
    return offset == 0 ? 0 : offset + time_monotonic_ns();
}
