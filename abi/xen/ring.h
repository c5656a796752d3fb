/*
 * The two rings that every domain is born with: its console and its line to
 * the store.
 *
 * Source: Xen 4.17 public/io/console.h, public/io/xs_wire.h.
 */
#ifndef ABI_XEN_RING_H
#define ABI_XEN_RING_H

#include <stdint.h>

struct xencons_interface {
    char in[1024];
    char out[2048];
    uint32_t in_cons, in_prod; /* free-running */
    uint32_t out_cons, out_prod;
};

#define XENSTORE_RING_SIZE 1024
struct xenstore_domain_interface {
    char req[XENSTORE_RING_SIZE];
    char rsp[XENSTORE_RING_SIZE];
    uint32_t req_cons, req_prod;
    uint32_t rsp_cons, rsp_prod;
    uint32_t server_features;
    uint32_t connection; /* XENSTORE_CONNECTED or _RECONNECT */
    uint32_t error;
};
#define XENSTORE_CONNECTED 0
#define XENSTORE_RECONNECT 1

#endif
