/*
 * A network device as the stack sees it: frames out, frames in. One device per program.
 */
#ifndef LIBOS_NETDEV_H
#define LIBOS_NETDEV_H

#include "libos/base.h"

#define NET_FRAME_MAX 1514

struct net_piece {
    const void *data;
    size_t size;
};

struct netdev {
    uint8_t mac[6];
    uint16_t mtu;
    bool checksum_offload; /* takes frames whose TCP or UDP checksum is only begun */

    /**
     * Queue one frame made of pieces, `size` bytes in all; copies, so the pieces may be
     * reused at once. @partial: the transport checksum holds the pseudo-header's sum only.
     * Returns 0, -EAGAIN if the ring is full, -EIO if the device is gone.
     */
    int (*transmit)(struct netdev *device, const struct net_piece *pieces, unsigned int count,
                    size_t size, bool partial);

    /** Look for received frames and hand each to net_receive(); true if there was any. */
    bool (*poll)(struct netdev *device);

    /** Tell the back end about what was queued; called once per round. */
    void (*flush)(struct netdev *device);
};

/** Whether the stack above speaks IPv6. */
extern const bool net_has_ipv6;

/** Attach the first device; NULL if there is none (said in the log). */
struct netdev *netdev_open(void);

/** A frame has arrived. @verified: its checksums are known to be good, or were never made. */
void net_receive(const void *frame, size_t size, bool verified);

#endif
