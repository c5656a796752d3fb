/*
 * A network device as the stack sees it: frames out, frames in. One device per program.
 */
#ifndef LIBOS_NETDEV_H
#define LIBOS_NETDEV_H

#include "libos/base.h"

#define NET_FRAME_MAX 1514
/* Segments of TCP that may leave as one frame, for the device to cut: the initial window of RFC 6928. */
#define NET_SEGMENTS 10
#define NET_UNCUT_MAX (54 + NET_SEGMENTS * 1460) /* bytes of such a frame */
#define NET_PIECES_MAX 130

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
     * @segment: 0, or the bytes of payload of each segment that the device is to cut this
     * frame of TCP over IPv4 into; partial then, and cuts() has said yes.
     * Returns 0, -EAGAIN if the ring is full, -EIO if the device is gone.
     */
    int (*transmit)(struct netdev *device, const struct net_piece *pieces, unsigned int count,
                    size_t size, bool partial, uint16_t segment);

    /** Does it take frames of up to NET_UNCUT_MAX bytes? NULL: never. May wait for the store. */
    bool (*cuts)(struct netdev *device);

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
