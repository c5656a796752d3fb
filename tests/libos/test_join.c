/* Joined TCP segments: headers as if the frame had been built whole. TAP; argument: rounds. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/join.h"

static uint16_t fold(const uint8_t *data, size_t size, uint32_t sum)
{
    for (size_t i = 0; i < size; i++) {
        sum += (uint32_t)data[i] << (i % 2 == 0 ? 8 : 0);
    }
    sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)((sum & 0xffff) + (sum >> 16));
}

static void put16(uint8_t *at, uint16_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

/* Headers of a segment as our stack makes them: IP sum whole, TCP sum only begun. */
static void build(uint8_t *frame, uint32_t sequence, size_t payload, uint8_t flags)
{
    for (int i = 0; i < 12; i++) {
        frame[i] = (uint8_t)(i * 7);
        frame[26 + i] = (uint8_t)(i * 37 + 201);
    }
    put16(frame + 12, 0x0800);
    frame[14] = 0x45;
    put16(frame + 16, (uint16_t)(40 + payload));
    put16(frame + 18, (uint16_t)sequence); /* the identification differs */
    frame[22] = 64;
    frame[23] = 6;
    put16(frame + 38, (uint16_t)(sequence >> 16));
    put16(frame + 40, (uint16_t)sequence);
    frame[46] = 0x50;
    frame[47] = flags;
    put16(frame + 48, 4000);
    put16(frame + 24, 0);
    put16(frame + 24, (uint16_t)~fold(frame + 14, 20, 0));
    put16(frame + 50, fold(frame + 26, 8, (uint32_t)(6 + 20 + payload)));
}

int main(int argc, char **argv)
{
    unsigned long rounds = argc > 1 ? strtoul(argv[1], NULL, 10) : 1000, wrong = 0, joined = 0,
                  refused = 0;
    srand(1);
    for (unsigned long n = 0; n < rounds; n++) {
        uint8_t first[1514] = {0}, more[1514] = {0}, whole[1514] = {0};
        size_t segment = (size_t)(rand() % 1460 + 1), total = segment, last = segment;
        uint32_t sequence = (uint32_t)rand() * 2U;
        struct join join;
        build(first, sequence, segment, 0x10);
        join_begin(&join, first, JOIN_HEADERS + segment);
        for (int i = rand() % 16; i > 0 && last == segment; i--) {
            uint8_t flags = rand() % 4 == 0 ? 0x18 : 0x10;
            last = rand() % 8 == 0 ? (size_t)rand() % segment + 1 : segment;
            build(more, sequence + (uint32_t)total, last, flags);
            if (rand() % 16 == 0) { /* one that must not be joined */
                static const struct {
                    uint8_t at, change;
                } other[] = {{47, 1}, {37, 1},    {41, 1}, {45, 1},
                             {49, 1}, {46, 0x30}, {21, 1}, {5, 1}};
                int which = rand() % 8;
                more[other[which].at] ^= other[which].change;
                wrong += join_follows(&join, more, JOIN_HEADERS + last);
                refused++;
                last = segment;
                break;
            }
            wrong += !join_follows(&join, more, JOIN_HEADERS + last);
            join_add(&join, more, JOIN_HEADERS + last);
            total += last;
            joined++;
        }
        build(whole, sequence, total, first[47]);
        wrong += fold(first + 14, 20, 0) != 0xffff || memcmp(first + 16, whole + 16, 2) != 0 ||
                 (memcmp(first + 50, whole + 50, 2) != 0 &&
                  fold(first + 50, 2, 0) % 0xffff != fold(whole + 50, 2, 0) % 0xffff);
        wrong += last < segment &&
                 (build(more, sequence + (uint32_t)total, 1, 0x10), join_follows(&join, more, 55));
    }
    printf("1..1\n%s 1 - %lu segments joined, %lu refused, %lu mistakes\n",
           wrong == 0 && joined > rounds && refused > rounds / 20 ? "ok" : "not ok", joined,
           refused, wrong);
    return wrong != 0;
}
