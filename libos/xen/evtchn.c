#include "libos/xen.h"

enum { EVTCHNOP_close = 3, EVTCHNOP_send = 4, EVTCHNOP_alloc_unbound = 6 };

void evtchn_notify(uint32_t port)
{
    (void)hypercall(HYPERCALL_event_channel_op, EVTCHNOP_send, (unsigned long)&port, 0);
}

long evtchn_alloc(uint16_t domain)
{
    struct { /* struct evtchn_alloc_unbound */
        uint16_t dom;
        uint16_t remote_dom;
        uint32_t port;
    } request = {DOMID_SELF, domain, 0};
    long error =
        hypercall(HYPERCALL_event_channel_op, EVTCHNOP_alloc_unbound, (unsigned long)&request, 0);
    if (error != 0) {
        return error;
    }
    evtchn_watch(request.port);
    return request.port;
}

void evtchn_close(uint32_t port)
{
    (void)hypercall(HYPERCALL_event_channel_op, EVTCHNOP_close, (unsigned long)&port, 0);
}
