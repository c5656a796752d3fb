/*
 * A web server for static files: HTTP/1.1 with keep-alive and pipelining, GET and HEAD, one
 * thread, poll(). Plain POSIX: the same source is a Linux process and a unikernel.
 *
 *   web [PORT [ROOT [TLS]]]   serves the tree below ROOT (default: $APP_FILES, else /);
 *                             TLS: directory with cert.pem and key.pem
 *
 * $WEB_IDLE: seconds after which a connection is closed on which nothing happens (default: 60).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "transport.h"

#define CONNECTIONS_MAX 900
#define REQUEST_MAX 3600 /* a connection is one page */
#define PATH_ROOM 256
#define IDLE_SECONDS 60

/*
 *   READING --whole request--> SENDING --body sent--> READING (keep-alive)
 *                                  \--else--> FINISHING: what still comes is read and thrown away
 *                                             until the client closes, or a close with unread bytes
 *                                             would reset the connection and lose the response
 */
struct connection {
    int fd;
    struct transport *transport;
    int file; /* being sent, or -1 */
    off_t offset;
    off_t size;
    size_t used;      /* bytes in request[] */
    size_t head_size; /* bytes in head[], from head_sent on still to go */
    size_t head_sent;
    time_t last;
    int keep;
    int finishing;
    char request[REQUEST_MAX];
    char head[320];
};

_Static_assert(sizeof(struct connection) <= 4096, "a page each, without an allocator");

static struct pollfd polls[CONNECTIONS_MAX + 1];
static struct connection *connections[CONNECTIONS_MAX + 1]; /* beside polls; [0] is the listener */
static nfds_t count = 1;
static const char *root = "";

static const struct {
    const char *suffix;
    const char *type;
} TYPES[] = {
    {".html", "text/html; charset=utf-8"},
    {".css", "text/css"},
    {".js", "text/javascript"},
    {".txt", "text/plain; charset=utf-8"},
    {".json", "application/json"},
    {".png", "image/png"},
    {".svg", "image/svg+xml"},
    {".ico", "image/x-icon"},
};

static const char *type_of(const char *path)
{
    const char *dot = strrchr(path, '.');
    for (size_t i = 0; dot != NULL && i < sizeof(TYPES) / sizeof(TYPES[0]); i++) {
        if (strcmp(dot, TYPES[i].suffix) == 0) {
            return TYPES[i].type;
        }
    }
    return "application/octet-stream";
}

/* The next `what` in [at, end), or NULL: two bytes or four; no library's search fits in less. */
static char *find(char *at, const char *end, const char *what)
{
    size_t size = strlen(what);
    for (; at != NULL && (size_t)(end - at) >= size; at++) {
        if (*at == *what && memcmp(at, what, size) == 0) {
            return at;
        }
    }
    return NULL;
}

/* Append text; the buffer is large enough for all heads we make. */
static void put(struct connection *c, const char *text)
{
    size_t size = strlen(text);
    if (c->head_size + size <= sizeof(c->head)) {
        memcpy(c->head + c->head_size, text, size);
        c->head_size += size;
    }
}

static void put_number(struct connection *c, unsigned long value)
{
    char digits[24];
    char *at = digits + sizeof(digits) - 1;
    *at = '\0';
    do {
        *--at = (char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    put(c, at);
}

static void begin(struct connection *c, const char *status, const char *type, off_t size)
{
    c->head_size = c->head_sent = 0;
    put(c, "HTTP/1.1 ");
    put(c, status);
    put(c, "\r\nServer: bulkhead-web\r\nContent-Type: ");
    put(c, type);
    put(c, "\r\nContent-Length: ");
    put_number(c, (unsigned long)size);
    put(c, c->keep ? "\r\n\r\n" : "\r\nConnection: close\r\n\r\n");
}

static void refuse(struct connection *c, const char *status, int with_body)
{
    begin(c, status, "text/plain", (off_t)strlen(status) + 1);
    if (with_body) {
        put(c, status);
        put(c, "\n");
    }
}

static int hex(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* Decode %xx, cut the query; refuse dot-dot and zero bytes. 0 if the path cannot be served. */
static int decode_path(const char *from, size_t size, char *to)
{
    size_t used = strlen(root);
    memcpy(to, root, used);
    for (size_t i = 0; i < size && from[i] != '?'; i++) {
        int c = (unsigned char)from[i];
        if (c == '%') {
            if (i + 2 >= size || hex(from[i + 1]) < 0 || hex(from[i + 2]) < 0) {
                return 0;
            }
            c = hex(from[i + 1]) * 16 + hex(from[i + 2]);
            i += 2;
        }
        if (c == 0 || used + 12 >= PATH_ROOM) {
            return 0;
        }
        to[used++] = (char)c;
    }
    if (to[used - 1] == '/') {
        memcpy(to + used, "index.html", 10);
        used += 10;
    }
    to[used] = '\0';
    return from[0] == '/' && find(to, to + used, "/../") == NULL &&
           (used < 3 || strcmp(to + used - 3, "/..") != 0);
}

static void open_file(struct connection *c, const char *path, int with_body)
{
    struct stat st;
    int fd = open(path, O_RDONLY);
    if (fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        if (fd >= 0) {
            close(fd);
        }
        refuse(c, "404 Not Found", with_body);
        return;
    }
    begin(c, "200 OK", type_of(path), st.st_size);
    if (!with_body) {
        close(fd);
        return;
    }
    c->file = fd;
    c->offset = 0;
    c->size = st.st_size;
}

/* Case-insensitive search for a header's line in the request's head. */
static const char *header(char *head, const char *end, const char *name)
{
    size_t length = strlen(name);
    for (char *line = head; (line = find(line, end, "\r\n")) != NULL;) {
        line += 2;
        if (strncasecmp(line, name, length) == 0 && line[length] == ':') {
            line += length + 1;
            while (*line == ' ' || *line == '\t') {
                line++;
            }
            return line;
        }
    }
    return NULL;
}

/* The first request in the buffer, `size` bytes with its empty line; answers it. */
static void answer(struct connection *c, size_t size)
{
    char path[PATH_ROOM];
    c->request[size - 2] = '\0'; /* the empty line ends the head's last line */
    int is_get = strncmp(c->request, "GET ", 4) == 0;
    int is_head = strncmp(c->request, "HEAD ", 5) == 0;
    char *target = c->request + (is_get ? 4 : 5);
    char *end = c->request + size - 2;
    size_t target_size = 0;
    while (target[target_size] != ' ' && target[target_size] != '\r' &&
           target[target_size] != '\0') {
        target_size++;
    }
    int is_11 = strncmp(target + target_size, " HTTP/1.1\r", 10) == 0;
    int is_10 = strncmp(target + target_size, " HTTP/1.0\r", 10) == 0;
    const char *wish = header(c->request, end, "Connection");
    c->keep = is_11 ? wish == NULL || strncasecmp(wish, "close", 5) != 0
                    : wish != NULL && strncasecmp(wish, "keep-alive", 10) == 0;
    if (!is_get && !is_head) {
        c->keep = 0; /* there may be a body that we do not parse */
        refuse(c, "405 Method Not Allowed", 1);
    } else if (!is_11 && !is_10) {
        c->keep = 0;
        refuse(c, "505 HTTP Version Not Supported", 1);
    } else if (is_11 && header(c->request, end, "Host") == NULL) {
        refuse(c, "400 Bad Request", is_get);
    } else if (!decode_path(target, target_size, path)) {
        refuse(c, "400 Bad Request", is_get);
    } else {
        open_file(c, path, is_get);
    }
    c->used -= size;
    memmove(c->request, c->request + size, c->used);
}

/* 1 if the response is out, 0 if the socket is full, -1 if the connection is lost. */
static int send_some(struct connection *c)
{
    while (c->head_sent < c->head_size) {
        ssize_t sent = transport_send(c->transport, c->head + c->head_sent,
                                      c->head_size - c->head_sent, c->file >= 0);
        if (sent < 0) {
            return errno == EAGAIN ? 0 : -1;
        }
        c->head_sent += (size_t)sent;
    }
    while (c->file >= 0 && c->offset < c->size) {
        ssize_t sent =
            transport_send_file(c->transport, c->file, &c->offset, (size_t)(c->size - c->offset));
        if (sent < 0) {
            return errno == EAGAIN ? 0 : -1;
        }
        if (sent == 0) {
            return -1; /* the file has shrunk: the length we promised cannot be kept */
        }
    }
    if (c->file >= 0) {
        close(c->file);
        c->file = -1;
    }
    c->head_size = c->head_sent = 0;
    return 1;
}

static char *end_of_head(struct connection *c)
{
    return find(c->request, c->request + c->used, "\r\n\r\n");
}

/* Read, answer, send, as far as it goes without waiting. 0 to close. */
static int serve(struct connection *c)
{
    for (;;) {
        if (c->finishing) {
            ssize_t got = recv(c->fd, c->request, sizeof(c->request), 0);
            return got > 0 || (got < 0 && errno == EAGAIN); /* one read per turn: others wait too */
        }
        if (c->head_size != 0 || c->file >= 0) {
            int done = send_some(c);
            if (done <= 0) {
                return done == 0;
            }
            if (!c->keep) {
                transport_finish(c->transport);
                c->finishing = 1;
                continue;
            }
        }
        char *end = end_of_head(c);
        if (end != NULL) {
            answer(c, (size_t)(end + 4 - c->request));
            continue;
        }
        if (c->used == sizeof(c->request)) {
            c->keep = 0;
            c->used = 0;
            refuse(c, "431 Request Header Fields Too Large", 1);
            continue;
        }
        ssize_t got =
            transport_receive(c->transport, c->request + c->used, sizeof(c->request) - c->used);
        if (got <= 0) {
            return got < 0 && errno == EAGAIN;
        }
        c->used += (size_t)got;
    }
}

static short waits_for(const struct connection *c)
{
    return c->head_size != 0 || c->file >= 0 ? POLLOUT : POLLIN;
}

static void drop(nfds_t i)
{
    if (connections[i]->file >= 0) {
        close(connections[i]->file);
    }
    transport_close(connections[i]->transport);
    close(connections[i]->fd);
    munmap(connections[i], sizeof(struct connection));
    count--;
    polls[i] = polls[count];
    connections[i] = connections[count];
}

static void accept_all(time_t now)
{
    int fd;
    while (count <= CONNECTIONS_MAX &&
           (fd = accept4(polls[0].fd, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        struct connection *c =
            mmap(NULL, sizeof(*c), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        struct transport *transport = c == MAP_FAILED ? NULL : transport_open(fd);
        if (transport == NULL) {
            if (c != MAP_FAILED) {
                munmap(c, sizeof(*c));
            }
            close(fd); /* out of memory: this one is refused, the others live */
            return;
        }
        c->transport = transport;
        c->fd = fd;
        c->file = -1;
        c->used = c->head_size = c->head_sent = 0;
        c->keep = 1;
        c->finishing = 0;
        c->last = now;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
        connections[count] = c;
        polls[count++] = (struct pollfd){fd, POLLIN, 0};
        if (!serve(c)) {
            drop(count - 1);
        } else {
            polls[count - 1].events = waits_for(c);
        }
    }
}

/* The program's end; stdio and strerror() would be a tenth of the image. */
static void fail(const char *what)
{
    char line[64] = "web: cannot ", *end = line + sizeof(line);
    char *at = stpcpy(stpcpy(line, "web: cannot "), what);
    at = stpcpy(at, ", errno ");
    for (int divisor = 100; at + 2 < end && divisor > 0; divisor /= 10) {
        *at++ = (char)('0' + errno / divisor % 10);
    }
    *at++ = '\n';
    (void)!write(STDERR_FILENO, line, (size_t)(at - line));
    _exit(1);
}

/* Both families where there are two. */
static int listen_on(unsigned int port)
{
    struct sockaddr_in6 address6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
    struct sockaddr_in address4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    const void *address = &address6;
    socklen_t size = sizeof(address6);
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        address = &address4;
        size = sizeof(address4);
        fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    }
    if (fd < 0) {
        fail("make a socket");
    }
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
    if (bind(fd, address, size) != 0 || listen(fd, 255) != 0) {
        fail("listen");
    }
    return fd;
}

/* 0 if it is no port. */
static unsigned int port_of(const char *text)
{
    unsigned int port = 0;
    for (; *text >= '0' && *text <= '9' && port < 65536; text++) {
        port = port * 10 + (unsigned int)(*text - '0');
    }
    return *text == '\0' && port < 65536 ? port : 0;
}

int main(int argc, char **argv)
{
    unsigned int port = argc > 1 ? port_of(argv[1]) : 80;
    const char *given = argc > 2 ? argv[2] : getenv("APP_FILES");
    root = given != NULL && strcmp(given, "/") != 0 ? given : "";
    if (transport_init(argc > 3 ? argv[3] : NULL) != 0) {
        return 1;
    }
    const char *patience = getenv("WEB_IDLE");
    int idle = patience != NULL ? (int)port_of(patience) : 0;
    idle = idle != 0 ? idle : IDLE_SECONDS;
    signal(SIGPIPE, SIG_IGN);
    polls[0] = (struct pollfd){listen_on(port), POLLIN, 0};
    for (;;) {
        if (poll(polls, count, count > 1 ? idle * 1000 : -1) < 0 && errno != EINTR) {
            fail("wait");
        }
        time_t now = time(NULL);
        for (nfds_t i = count - 1; i > 0; i--) {
            struct connection *c = connections[i];
            int alive = 1;
            if (polls[i].revents != 0) {
                c->last = now;
                alive = serve(c);
                polls[i].events = waits_for(c);
            } else if (now - c->last > idle) {
                alive = 0;
            }
            if (!alive) {
                drop(i);
            }
        }
        if (polls[0].revents != 0) {
            accept_all(now);
        }
    }
}
