/*
 * An authoritative DNS server for the records of one zone file, over UDP (RFC 1035). Unknown names
 * get NXDOMAIN, unknown types an empty answer, both with the zone's SOA; other zones REFUSED.
 *
 *   dns ZONEFILE [PORT]
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#define RECORDS_MAX 1024
#define NAME_MAX_ 256
#define MESSAGE_MAX 512 /* UDP without EDNS */

enum {
    TYPE_A = 1,
    TYPE_NS = 2,
    TYPE_CNAME = 5,
    TYPE_SOA = 6,
    TYPE_MX = 15,
    TYPE_TXT = 16,
    TYPE_AAAA = 28,
    TYPE_ANY = 255
};
enum { RCODE_OK = 0, RCODE_FORMAT = 1, RCODE_NXDOMAIN = 3, RCODE_NOTIMP = 4, RCODE_REFUSED = 5 };

struct record {
    char *name; /* lower case, no dot at the end */
    uint32_t ttl;
    uint16_t type;
    uint16_t size;
    uint8_t *data; /* as on the wire, names uncompressed */
};

static struct record records[RECORDS_MAX];
static size_t record_count;
static const struct record *soa;

/* printf() would bring the floating point of its conversions, a tenth of the image. */
static void put_number(size_t value, FILE *to)
{
    if (value >= 10) {
        put_number(value / 10, to);
    }
    fputc('0' + (int)(value % 10), to);
}

static void die(const char *what, unsigned int line)
{
    fputs("dns: zone file, line ", stderr);
    put_number(line, stderr);
    fputs(": ", stderr);
    fputs(what, stderr);
    fputs("\n", stderr);
    exit(1);
}

/* A name as labels; returns the bytes written, 0 if it is not a name. */
static size_t encode_name(const char *name, uint8_t *to, size_t room)
{
    size_t used = 0;
    while (*name != '\0') {
        size_t length = strcspn(name, ".");
        if (length == 0 || length > 63 || used + length + 2 > room) {
            return 0;
        }
        to[used++] = (uint8_t)length;
        memcpy(to + used, name, length);
        used += length;
        name += length + (name[length] == '.');
    }
    to[used++] = 0;
    return used;
}

static void put16(uint8_t *at, unsigned int value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static void put32(uint8_t *at, uint32_t value)
{
    put16(at, value >> 16);
    put16(at + 2, value & 0xffff);
}

static size_t encode_soa(char *text, uint8_t *to, size_t room)
{
    char *rest;
    size_t used = 0;
    for (int i = 0; i < 2; i++) {
        char *name = strtok_r(i == 0 ? text : NULL, " \t", &rest);
        size_t size = name == NULL ? 0 : encode_name(name, to + used, room - used);
        if (size == 0) {
            return 0;
        }
        used += size;
    }
    for (int i = 0; i < 5; i++) {
        char *number = strtok_r(NULL, " \t", &rest);
        if (number == NULL || used + 4 > room) {
            return 0;
        }
        put32(to + used, (uint32_t)strtoul(number, NULL, 10));
        used += 4;
    }
    return used;
}

/* Data of a record in wire form; 0 if the text does not fit the type. */
static size_t encode_data(const char *type, char *text, uint8_t *to, size_t room, uint16_t *number)
{
    if (strcmp(type, "A") == 0) {
        *number = TYPE_A;
        return inet_pton(AF_INET, text, to) == 1 ? 4 : 0;
    }
    if (strcmp(type, "AAAA") == 0) {
        *number = TYPE_AAAA;
        return inet_pton(AF_INET6, text, to) == 1 ? 16 : 0;
    }
    if (strcmp(type, "NS") == 0 || strcmp(type, "CNAME") == 0) {
        *number = type[0] == 'N' ? TYPE_NS : TYPE_CNAME;
        return encode_name(text, to, room);
    }
    if (strcmp(type, "SOA") == 0) {
        *number = TYPE_SOA;
        return encode_soa(text, to, room);
    }
    if (strcmp(type, "MX") == 0) {
        char *name;
        *number = TYPE_MX;
        put16(to, (unsigned int)strtoul(text, &name, 10));
        name += strspn(name, " \t");
        size_t size = encode_name(name, to + 2, room - 2);
        return size == 0 ? 0 : size + 2;
    }
    if (strcmp(type, "TXT") == 0 && strlen(text) < 256) {
        *number = TYPE_TXT;
        to[0] = (uint8_t)strlen(text);
        memcpy(to + 1, text, to[0]);
        return to[0] + 1U;
    }
    return 0;
}

static void load_line(char *line, unsigned int number)
{
    uint8_t data[600];
    char *rest;
    char *name = strtok_r(line, " \t\r\n", &rest);
    if (name == NULL || name[0] == '#') {
        return;
    }
    char *ttl = strtok_r(NULL, " \t\r\n", &rest);
    char *type = strtok_r(NULL, " \t\r\n", &rest);
    if (ttl == NULL || type == NULL || rest == NULL) {
        die("want: NAME TTL TYPE DATA", number);
    }
    rest += strspn(rest, " \t");
    rest[strcspn(rest, "\r\n")] = '\0';
    if (record_count == RECORDS_MAX) {
        die("too many records", number);
    }
    struct record *record = &records[record_count++];
    size_t size = encode_data(type, rest, data, sizeof(data), &record->type);
    if (size == 0) {
        die("the data does not fit the type (A AAAA NS CNAME MX TXT SOA)", number);
    }
    for (char *c = name; *c != '\0'; c++) {
        *c = (char)tolower((unsigned char)*c);
    }
    record->name = strdup(name);
    record->ttl = (uint32_t)strtoul(ttl, NULL, 10);
    record->size = (uint16_t)size;
    record->data = malloc(size);
    memcpy(record->data, data, size);
    if (record->type == TYPE_SOA) {
        soa = record;
    }
}

static void load_zone(const char *path)
{
    char line[700];
    unsigned int number = 0;
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        perror(path);
        exit(1);
    }
    while (fgets(line, sizeof(line), file) != NULL) {
        load_line(line, ++number);
    }
    fclose(file);
    if (soa == NULL) {
        die("the zone has no SOA record", number);
    }
}

/* The question's name as text in lower case; returns the bytes it takes, 0 if malformed. */
static size_t decode_name(const uint8_t *from, size_t size, char to[NAME_MAX_])
{
    size_t at = 0;
    size_t used = 0;
    while (at < size && from[at] != 0) {
        size_t length = from[at++];
        if (length > 63 || at + length >= size || used + length + 2 > NAME_MAX_) {
            return 0; /* a compressed or broken name has no place in a question */
        }
        if (used > 0) {
            to[used++] = '.';
        }
        for (size_t i = 0; i < length; i++) {
            to[used++] = (char)tolower(from[at++]);
        }
    }
    to[used] = '\0';
    return at < size ? at + 1 : 0;
}

static int in_zone(const char *name)
{
    size_t zone = strlen(soa->name);
    size_t length = strlen(name);
    return length >= zone && strcmp(name + length - zone, soa->name) == 0 &&
           (length == zone || name[length - zone - 1] == '.');
}

struct answer {
    uint8_t *message;
    size_t used;
    unsigned int answers, authority;
    int cut;
};

/* One record; `pointer` is a compressed name: the offset of an earlier copy. */
static void put_record(struct answer *a, const struct record *record, unsigned int pointer)
{
    if (a->used + 12 + record->size > MESSAGE_MAX) {
        a->cut = 1;
        return;
    }
    uint8_t *at = a->message + a->used;
    put16(at, 0xc000 | pointer);
    put16(at + 2, record->type);
    put16(at + 4, 1);
    put32(at + 6, record->ttl);
    put16(at + 10, record->size);
    memcpy(at + 12, record->data, record->size);
    a->used += 12U + record->size;
}

/* Records of `name`; a CNAME is followed once. Returns whether the name exists. */
static int find(struct answer *a, const char *name, unsigned int type, unsigned int pointer,
                int depth)
{
    int exists = 0;
    for (size_t i = 0; i < record_count; i++) {
        const struct record *record = &records[i];
        if (strcmp(record->name, name) != 0) {
            continue;
        }
        exists = 1;
        if (record->type == type || type == TYPE_ANY || record->type == TYPE_CNAME) {
            unsigned int data_at = (unsigned int)a->used + 12;
            put_record(a, record, pointer);
            a->answers++;
            if (record->type == TYPE_CNAME && type != TYPE_CNAME && depth < 8) {
                char target[NAME_MAX_];
                if (decode_name(record->data, record->size, target) != 0) {
                    find(a, target, type, data_at, depth + 1);
                }
            }
        }
    }
    return exists;
}

/* Turn a question into its answer, in place. Returns the size, 0 to say nothing. */
static size_t answer(uint8_t *message, size_t size)
{
    char name[NAME_MAX_];
    if (size < 12 || message[2] & 0x80) {
        return 0; /* too short, or itself an answer */
    }
    int rcode = RCODE_OK;
    unsigned int recursion = message[2] & 1U;
    size_t name_size = decode_name(message + 12, size - 12, name);
    struct answer a = {message, 12, 0, 0, 0};
    int has_question =
        message[4] == 0 && message[5] == 1 && name_size != 0 && 12 + name_size + 4 <= size;
    if ((message[2] & 0x78) != 0) {
        rcode = RCODE_NOTIMP;
        has_question = 0;
    } else if (!has_question) {
        rcode = RCODE_FORMAT;
    }
    if (has_question) {
        unsigned int type = message[12 + name_size] << 8U | message[13 + name_size];
        a.used = 12 + name_size + 4;
        if (!in_zone(name)) {
            rcode = RCODE_REFUSED;
        } else if (!find(&a, name, type, 12, 0)) {
            rcode = RCODE_NXDOMAIN;
        }
        if (a.answers == 0 && rcode != RCODE_REFUSED) {
            /* The SOA belongs to the zone's name, which ends the question's name. */
            put_record(&a, soa, (unsigned int)(12 + strlen(name) - strlen(soa->name)));
            a.authority = 1;
        }
    }
    message[2] = (uint8_t)(0x84 | (a.cut ? 2 : 0) | recursion);
    message[3] = (uint8_t)rcode;
    put16(message + 4, has_question ? 1 : 0);
    put16(message + 6, a.answers);
    put16(message + 8, a.authority);
    put16(message + 10, 0);
    return a.used;
}

int main(int argc, char **argv)
{
    struct sockaddr_in6 address = {.sin6_family = AF_INET6};
    if (argc < 2) {
        fputs("usage: dns ZONEFILE [PORT]\n", stderr);
        return 2;
    }
    load_zone(argv[1]);
    address.sin6_port = htons((uint16_t)(argc > 2 ? strtoul(argv[2], NULL, 10) : 53));
    int fd = socket(AF_INET6, SOCK_DGRAM, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
        perror("dns: cannot listen");
        return 1;
    }
    fputs("dns: ", stdout);
    put_number(record_count, stdout);
    fputs(" records of ", stdout);
    puts(soa->name);
    fflush(stdout);
    for (;;) {
        uint8_t message[MESSAGE_MAX];
        struct sockaddr_in6 from;
        socklen_t from_size = sizeof(from);
        ssize_t got =
            recvfrom(fd, message, sizeof(message), 0, (struct sockaddr *)&from, &from_size);
        if (got < 0) {
            if (errno == EINTR) {
                continue;
            }
            perror("dns: receive");
            return 1;
        }
        size_t size = answer(message, (size_t)got);
        if (size > 0) {
            (void)sendto(fd, message, size, 0, (struct sockaddr *)&from, from_size);
        }
    }
}
