/* TLS 1.2 by mbedTLS: certificate and key are cert.pem and key.pem in the directory given. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/pk.h>
#include <mbedtls/ssl.h>
#include <mbedtls/x509_crt.h>

#include "transport.h"

#define PEM_MAX 8192

struct transport {
    mbedtls_ssl_context ssl;
    int fd;
    /* A record that did not fit the socket: mbedTLS must be called again with the same bytes. */
    size_t pending;
    char chunk[4096];
};

static mbedtls_ssl_config config;
static mbedtls_x509_crt certificate;
static mbedtls_pk_context key;
static mbedtls_entropy_context entropy;
static mbedtls_ctr_drbg_context generator;

/* A whole file, terminated, as the PEM parsers want it. Its size with the terminator, or 0. */
static size_t read_file(const char *directory, const char *name, unsigned char text[PEM_MAX])
{
    char path[256];
    snprintf(path, sizeof(path), "%s/%s", directory, name);
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        perror(path);
        return 0;
    }
    size_t size = fread(text, 1, PEM_MAX - 1, file);
    fclose(file);
    text[size] = '\0';
    return size + 1;
}

int transport_init(const char *argument)
{
    static unsigned char text[PEM_MAX];
    const char *directory = argument != NULL ? argument : "/tls";
    mbedtls_entropy_init(&entropy);
    mbedtls_ctr_drbg_init(&generator);
    mbedtls_x509_crt_init(&certificate);
    mbedtls_pk_init(&key);
    mbedtls_ssl_config_init(&config);
    size_t size = read_file(directory, "cert.pem", text);
    int error = mbedtls_ctr_drbg_seed(&generator, mbedtls_entropy_func, &entropy, NULL, 0);
    if (error == 0) {
        error = mbedtls_x509_crt_parse(&certificate, text, size);
    }
    if (error == 0) {
        size = read_file(directory, "key.pem", text);
        error = mbedtls_pk_parse_key(&key, text, size, NULL, 0);
    }
    if (error == 0) {
        error =
            mbedtls_ssl_config_defaults(&config, MBEDTLS_SSL_IS_SERVER,
                                        MBEDTLS_SSL_TRANSPORT_STREAM, MBEDTLS_SSL_PRESET_DEFAULT);
    }
    if (error == 0) {
        mbedtls_ssl_conf_rng(&config, mbedtls_ctr_drbg_random, &generator);
        mbedtls_ssl_conf_min_version(&config, MBEDTLS_SSL_MAJOR_VERSION_3,
                                     MBEDTLS_SSL_MINOR_VERSION_3);
        error = mbedtls_ssl_conf_own_cert(&config, &certificate, &key);
    }
    if (error != 0) {
        fprintf(stderr, "web: TLS with %s/cert.pem and key.pem: error -0x%04x\n", directory,
                (unsigned int)-error);
    }
    return error == 0 ? 0 : -1;
}

static int push(void *context, const unsigned char *from, size_t size)
{
    ssize_t done = send(((struct transport *)context)->fd, from, size, MSG_NOSIGNAL);
    return done >= 0         ? (int)done
           : errno == EAGAIN ? MBEDTLS_ERR_SSL_WANT_WRITE
                             : MBEDTLS_ERR_SSL_CONN_EOF;
}

static int pull(void *context, unsigned char *to, size_t size)
{
    ssize_t got = recv(((struct transport *)context)->fd, to, size, 0);
    return got > 0                      ? (int)got
           : got < 0 && errno == EAGAIN ? MBEDTLS_ERR_SSL_WANT_READ
                                        : MBEDTLS_ERR_SSL_CONN_EOF;
}

struct transport *transport_open(int fd)
{
    struct transport *transport = calloc(1, sizeof(*transport));
    if (transport == NULL) {
        return NULL;
    }
    transport->fd = fd;
    mbedtls_ssl_init(&transport->ssl);
    if (mbedtls_ssl_setup(&transport->ssl, &config) != 0) {
        free(transport);
        return NULL;
    }
    mbedtls_ssl_set_bio(&transport->ssl, transport, push, pull, NULL);
    return transport;
}

void transport_close(struct transport *transport)
{
    mbedtls_ssl_free(&transport->ssl);
    free(transport);
}

void transport_finish(struct transport *transport)
{
    mbedtls_ssl_close_notify(&transport->ssl);
    shutdown(transport->fd, SHUT_WR);
}

static ssize_t result(int code)
{
    if (code >= 0) {
        return code;
    }
    if (code == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY) {
        return 0;
    }
    errno = code == MBEDTLS_ERR_SSL_WANT_READ || code == MBEDTLS_ERR_SSL_WANT_WRITE ? EAGAIN
                                                                                    : ECONNRESET;
    return -1;
}

ssize_t transport_receive(struct transport *transport, void *to, size_t size)
{
    return result(mbedtls_ssl_read(&transport->ssl, to, size));
}

ssize_t transport_send(struct transport *transport, const void *from, size_t size, int more)
{
    return result(mbedtls_ssl_write(&transport->ssl, from, size));
}

ssize_t transport_send_file(struct transport *transport, int file, off_t *offset, size_t size)
{
    if (transport->pending == 0) {
        ssize_t got =
            pread(file, transport->chunk,
                  size < sizeof(transport->chunk) ? size : sizeof(transport->chunk), *offset);
        if (got <= 0) {
            return got;
        }
        transport->pending = (size_t)got;
    }
    ssize_t sent = transport_send(transport, transport->chunk, transport->pending, 0);
    if (sent > 0) {
        *offset += sent;
        transport->pending = 0; /* what was not sent is read again */
    }
    return sent;
}
