/*
 * Event channels. Source: Xen 4.17 public/event_channel.h.
 */
#ifndef ABI_XEN_EVENT_CHANNEL_H
#define ABI_XEN_EVENT_CHANNEL_H

#include <xen/xen.h>

#define EVTCHNOP_bind_interdomain 0
#define EVTCHNOP_bind_virq 1
#define EVTCHNOP_bind_pirq 2
#define EVTCHNOP_close 3
#define EVTCHNOP_send 4
#define EVTCHNOP_status 5
#define EVTCHNOP_alloc_unbound 6
#define EVTCHNOP_bind_ipi 7
#define EVTCHNOP_bind_vcpu 8
#define EVTCHNOP_unmask 9
#define EVTCHNOP_reset 10
#define EVTCHNOP_init_control 11
#define EVTCHNOP_expand_array 12
#define EVTCHNOP_set_priority 13

typedef uint32_t evtchn_port_t;

struct evtchn_alloc_unbound {
    domid_t dom, remote_dom; /* in */
    evtchn_port_t port;      /* out */
};
struct evtchn_bind_interdomain {
    domid_t remote_dom;        /* in */
    evtchn_port_t remote_port; /* in */
    evtchn_port_t local_port;  /* out */
};
struct evtchn_bind_virq {
    uint32_t virq, vcpu; /* in */
    evtchn_port_t port;  /* out */
};
struct evtchn_bind_ipi {
    uint32_t vcpu;      /* in */
    evtchn_port_t port; /* out */
};
struct evtchn_close {
    evtchn_port_t port;
};
struct evtchn_send {
    evtchn_port_t port;
};

#define EVTCHNSTAT_closed 0
#define EVTCHNSTAT_unbound 1
#define EVTCHNSTAT_interdomain 2
#define EVTCHNSTAT_virq 4
#define EVTCHNSTAT_ipi 5
struct evtchn_status {
    domid_t dom;        /* in */
    evtchn_port_t port; /* in */
    uint32_t status;    /* out, and all below */
    uint32_t vcpu;
    union {
        struct {
            domid_t dom;
        } unbound;
        struct {
            domid_t dom;
            evtchn_port_t port;
        } interdomain;
        uint32_t virq;
    } u;
};
struct evtchn_bind_vcpu {
    evtchn_port_t port;
    uint32_t vcpu;
};
struct evtchn_unmask {
    evtchn_port_t port;
};
struct evtchn_reset {
    domid_t dom;
};
struct evtchn_init_control {
    uint64_t control_gfn; /* in */
    uint32_t offset;      /* in: of the control block in that page */
    uint32_t vcpu;        /* in */
    uint8_t link_bits;    /* out */
    uint8_t _pad[7];
};
struct evtchn_expand_array {
    uint64_t array_gfn;
};
struct evtchn_set_priority {
    evtchn_port_t port;
    uint32_t priority;
};

/* Two-level ABI: one bit per port in shared_info, one per word of it in vcpu_info. */
#define EVTCHN_2L_NR_CHANNELS 4096

/* FIFO ABI: one event word per port, and per vCPU 16 queues linked through those words. */
#define EVTCHN_FIFO_PRIORITY_DEFAULT 7
#define EVTCHN_FIFO_PRIORITY_MIN 15
#define EVTCHN_FIFO_MAX_QUEUES 16
#define EVTCHN_FIFO_PENDING 31 /* bit numbers in an event word */
#define EVTCHN_FIFO_MASKED 30
#define EVTCHN_FIFO_LINKED 29
#define EVTCHN_FIFO_BUSY 28
#define EVTCHN_FIFO_LINK_BITS 17
#define EVTCHN_FIFO_LINK_MASK 0x1ffff
#define EVTCHN_FIFO_NR_CHANNELS 0x20000

struct evtchn_fifo_control_block {
    uint32_t ready; /* bit n: queue n has something */
    uint32_t _rsvd;
    uint32_t head[EVTCHN_FIFO_MAX_QUEUES];
};

#endif
