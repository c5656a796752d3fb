/*
 * What a vCPU or a domain asks of the scheduler. Source: Xen 4.17 public/sched.h.
 */
#ifndef ABI_XEN_SCHED_H
#define ABI_XEN_SCHED_H

#include <xen/xen.h>

#define SCHEDOP_yield 0
#define SCHEDOP_block 1
#define SCHEDOP_shutdown 2
#define SCHEDOP_poll 3
#define SCHEDOP_remote_shutdown 4
#define SCHEDOP_shutdown_code 5
#define SCHEDOP_watchdog 6
#define SCHEDOP_pin_override 7

struct sched_shutdown {
    unsigned int reason;
};
struct sched_poll {
    xen_handle_t ports; /* evtchn_port_t[nr_ports] */
    unsigned int nr_ports;
    uint64_t timeout; /* absolute system time in ns; 0: none */
};
struct sched_remote_shutdown {
    domid_t domain_id;
    unsigned int reason;
};
struct sched_watchdog {
    uint32_t id;      /* 0: a new one */
    uint32_t timeout; /* seconds; 0: stop it */
};

/* Why a domain went down. */
enum shutdown_reason {
    SHUTDOWN_poweroff = 0,
    SHUTDOWN_reboot = 1,
    SHUTDOWN_suspend = 2,
    SHUTDOWN_crash = 3,
    SHUTDOWN_watchdog = 4,
    SHUTDOWN_soft_reset = 5,
};
#define SHUTDOWN_MAX 5

#endif
