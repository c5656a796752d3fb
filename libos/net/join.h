/*
 * Segmentation offload: TCP segments that follow each other leave as one frame, and whoever has to
 * cuts it again. Pure functions on the headers of frames that our own stack has built.
 */
#ifndef LIBOS_NET_JOIN_H
#define LIBOS_NET_JOIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JOIN_HEADERS 54U /* Ethernet, IPv4 and TCP, the latter two without options */

struct join {
    uint8_t *head;    /* headers of the frame that others may follow; NULL: none */
    size_t size;      /* of the frame, with what was joined */
    uint16_t segment; /* payload of each segment but the last */
    uint32_t next;    /* sequence number behind it */
};

/** May others follow this frame of `size` bytes, whose checksum is only begun? Then *join is it. */
void join_begin(struct join *join, uint8_t *frame, size_t size);

/** Does this frame go on where *join ends, with the same headers otherwise? */
bool join_follows(const struct join *join, const uint8_t *frame, size_t size);

/** The payload of a frame that follows has been appended: bring the headers up to date. */
void join_add(struct join *join, const uint8_t *frame, size_t size);

#endif
