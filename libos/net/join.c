#include "net/join.h"

#include <string.h>

enum { IP_LENGTH = 16, IP_SUM = 24, TCP_SEQUENCE = 38, TCP_FLAGS = 47, TCP_SUM = 50 };
enum { FLAG_PUSH = 8, FLAG_ACK = 16 };

static uint32_t big32(const uint8_t *at)
{
    uint32_t value;
    memcpy(&value, at, sizeof(value));
    return __builtin_bswap32(value);
}

/* Data and nothing but data, no options, no fragment. */
static bool plain(const uint8_t *frame, size_t size)
{
    return size > JOIN_HEADERS && frame[12] == 0x08 && frame[13] == 0 && frame[14] == 0x45 &&
           ((frame[20] & 0x3f) | frame[21]) == 0 && frame[23] == 6 && frame[46] == 0x50 &&
           (frame[TCP_FLAGS] & ~FLAG_PUSH) == FLAG_ACK;
}

void join_begin(struct join *join, uint8_t *frame, size_t size)
{
    join->head = NULL;
    if (plain(frame, size)) {
        uint16_t payload = (uint16_t)(size - JOIN_HEADERS);
        *join = (struct join){frame, size, payload, big32(frame + TCP_SEQUENCE) + payload};
    }
}

bool join_follows(const struct join *join, const uint8_t *frame, size_t size)
{
    static const uint8_t same[][2] = {{0, 16}, {20, 4}, {26, 12}, {42, 4}, {48, 2}};
    bool follows = join->head != NULL && plain(frame, size) &&
                   size - JOIN_HEADERS <= join->segment &&
                   (join->size - JOIN_HEADERS) % join->segment == 0 &&
                   big32(frame + TCP_SEQUENCE) == join->next;
    for (unsigned int i = 0; follows && i < sizeof(same) / sizeof(same[0]); i++) {
        follows = memcmp(join->head + same[i][0], frame + same[i][0], same[i][1]) == 0;
    }
    return follows;
}

/* Sums of 16 bits with end-around carry (RFC 1071) do not mind the order of bytes. */
static void add16(uint8_t *at, uint16_t by, bool inverted)
{
    uint16_t value;
    memcpy(&value, at, sizeof(value));
    uint32_t sum = (uint32_t)(uint16_t)(inverted ? ~value : value) + __builtin_bswap16(by);
    sum = (sum & 0xffff) + (sum >> 16);
    value = (uint16_t)(inverted ? ~sum : sum);
    memcpy(at, &value, sizeof(value));
}

void join_add(struct join *join, const uint8_t *frame, size_t size)
{
    uint16_t more = (uint16_t)(size - JOIN_HEADERS);
    join->size += more;
    join->next += more;
    uint16_t length = __builtin_bswap16((uint16_t)(join->size - 14));
    memcpy(join->head + IP_LENGTH, &length, sizeof(length));
    add16(join->head + IP_SUM, more, true);
    add16(join->head + TCP_SUM, more, false); /* the pseudo-header's, which has the length too */
    join->head[TCP_FLAGS] |= frame[TCP_FLAGS];
}
