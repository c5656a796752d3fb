/*
 * lwIP (Debian's source, unmodified) as the library OS uses it: raw API on one flow of control,
 * our own socket layer above, memory from the library OS's heap.
 */
#ifndef LWIPOPTS_H
#define LWIPOPTS_H

#define NO_SYS 1
#define SYS_LIGHTWEIGHT_PROT 0
#define LWIP_SOCKET 0
#define LWIP_NETCONN 0
#define LWIP_NETIF_API 0
#define LWIP_STATS 0
#define LWIP_NO_CTYPE_H 0

#define MEM_LIBC_MALLOC 1
#define MEMP_MEM_MALLOC 1
#define MEM_ALIGNMENT 16
#define mem_clib_malloc heap_alloc
#define mem_clib_calloc libos_calloc
#define mem_clib_free heap_free
#define MEMCPY copy_bulk

/* The manifest's choice: each of the two is an archive of its own (libos/build.mk). */
#ifndef LIBOS_IPV6
#define LIBOS_IPV6 1
#endif
#define LWIP_IPV4 1
#define LWIP_IPV6 LIBOS_IPV6
#define LWIP_ARP 1
#define LWIP_ETHERNET 1
#define LWIP_ICMP 1
#define LWIP_ICMP6 LIBOS_IPV6
#define LWIP_IPV6_AUTOCONFIG LIBOS_IPV6
#define LWIP_IPV6_DHCP6 0
#define LWIP_IPV6_MLD LIBOS_IPV6
#define LWIP_IPV6_SCOPES 0
#define LWIP_IPV6_NUM_ADDRESSES 3
#define LWIP_RAW 0
#define LWIP_DHCP 1
#define DHCP_DOES_ARP_CHECK 0
/* Names are the C library's business (net/resolver.h). Where they are, dhcp.c is compiled to ask for servers. */
#ifndef LWIP_DNS
#define LWIP_DNS 0
#endif
#define LWIP_DHCP_MAX_DNS_SERVERS 2
#define LWIP_IGMP 0
#define LWIP_UDP 1
#define LWIP_TCP 1
#define IP_REASSEMBLY 1
#define IP_FRAG 1
#define IP_REASS_MAX_PBUFS 32
#define LWIP_IPV6_REASS LIBOS_IPV6
#define IPV6_FRAG_COPYHEADER 1 /* pointers of 64 bits do not fit a fragment header */
#define ARP_QUEUEING 1
#define LWIP_NETIF_HOSTNAME 1
#define LWIP_NETIF_STATUS_CALLBACK 1
#define LWIP_NETIF_LOOPBACK 1
#define LWIP_HAVE_LOOPIF 1
#define LWIP_NETIF_TX_SINGLE_PBUF 0
#define LWIP_BROADCAST_PING 0
#define LWIP_MULTICAST_PING 0

#define TCP_MSS 1460
#define TCP_WND (16 * TCP_MSS)
#define TCP_SND_BUF (22 * TCP_MSS)
#define TCP_SND_QUEUELEN 128
#define TCP_LISTEN_BACKLOG 1
#define TCP_DEFAULT_LISTEN_BACKLOG 255
#define TCP_OVERSIZE TCP_MSS
#define TCP_MSL 1000UL /* short: TIME_WAIT entries cost memory here */
#define LWIP_TCP_KEEPALIVE 1
#define LWIP_TCP_TIMESTAMPS 0
#define LWIP_WND_SCALE 0
#define LWIP_TCP_SACK_OUT 0
#define TCP_QUEUE_OOSEQ 1
#define TCP_OOSEQ_MAX_PBUFS 16
#define SO_REUSE 1
#define PBUF_POOL_BUFSIZE 1536
#define MEMP_NUM_TCP_PCB 1024

/* Which checksums to make and to verify is set per packet, by what the device did already. */
#define LWIP_CHECKSUM_CTRL_PER_NETIF 1
#define LWIP_CHKSUM_ALGORITHM 3
#define LWIP_CHKSUM net_checksum

#define LWIP_TIMERS 1
#define LWIP_TIMERS_CUSTOM 1 /* net/timers.c */
#define LWIP_ASSERT_CORE_LOCKED()
#define LWIP_RAND() ((u32_t)random_u32())

/* Initial sequence numbers: RFC 6528, keyed hash; see net/stack.c. */
#define LWIP_HOOK_TCP_ISN net_initial_sequence
/* Not for options: the one place that sees each segment with its connection. */
#define LWIP_HOOK_TCP_OUT_ADD_TCPOPTS(p, hdr, pcb, opts) \
    ((p)->tot_len > TCP_MSS + TCP_HLEN ? net_begin_uncut(pcb) : (void)0, (opts))
#define LWIP_HOOK_FILENAME "net/lwip/hooks.h"

#endif
