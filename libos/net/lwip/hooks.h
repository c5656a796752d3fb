/* Functions of ours that lwIP calls. */
#ifndef LIBOS_NET_LWIP_HOOKS_H
#define LIBOS_NET_LWIP_HOOKS_H

#include "lwip/ip_addr.h"

u32_t net_initial_sequence(const ip_addr_t *local_ip, u16_t local_port, const ip_addr_t *remote_ip,
                           u16_t remote_port);

#endif
