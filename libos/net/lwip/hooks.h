/* Functions of ours that lwIP calls. */
#ifndef LIBOS_NET_LWIP_HOOKS_H
#define LIBOS_NET_LWIP_HOOKS_H

#include "lwip/ip_addr.h"

struct tcp_pcb;

u32_t net_initial_sequence(const ip_addr_t *local_ip, u16_t local_port, const ip_addr_t *remote_ip,
                           u16_t remote_port);

/** A segment of this connection that is larger than a frame goes to IP now. */
void net_begin_uncut(const struct tcp_pcb *pcb);

#endif
