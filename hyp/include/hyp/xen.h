/*
 * The Xen interface of a domain: made with it, gone with it.
 *
 * Life, as called by the domain code:
 *   xen_domain_create   vCPUs exist, nothing is mapped yet
 *   xen_domain_start    stage 2 exists and the guest is announced the interface (config->enhanced)
 *   xen_domain_stop     down for good or for a reboot; vCPUs are off their CPUs; resumable
 *   xen_domain_destroy  memory back; after stop, p2m torn down
 *
 * Tearing stage 2 down between stop and destroy meets no P2M_GRANT_* entry any more; P2M_SHARED
 * entries carry no reference; a P2M_FOREIGN entry carries one to its frame: frame_put() each.
 */
#ifndef HYP_XEN_H
#define HYP_XEN_H

#include <hyp/types.h>

struct domain;
struct vcpu;

/* Guest frames that xen_domain_start() takes besides the configured memory. */
#define XEN_MAGIC_FRAMES 2

must_check int xen_domain_create(struct domain *d);
/* Its part of a vCPU that came later (domain_add_vcpu()). */
void xen_vcpu_create(struct vcpu *v);
/* Store and console page, their channels, parameters and grants. 0, -XEN_ENOMEM, -XEN_EEXIST (memory in the way). */
must_check int xen_domain_start(struct domain *d);
must_check int xen_domain_stop(struct domain *d);
void xen_domain_destroy(struct domain *d);

/* A domain went down or is gone: VIRQ_DOM_EXC for those who have the right to know. No lock is held. */
void xen_tell_domain_exception(void);

/* What ties a domain to others, counted for the console. */
struct xen_links {
    uint32_t channels, interdomain; /* event channels that are not free; those bound to a domain */
    uint32_t grants_used;           /* its grants that somebody uses now, each mapping counted */
    uint32_t grants_mapped;         /* grants of others that it has mapped */
};
struct xen_links xen_links(struct domain *d);

/* `v` has been given a CPU: bring its runstate area up to date. Cheap if there is none. */
void xen_runstate_update(struct vcpu *v);

/* Input typed at this domain's console, for its PV console. Returns how many bytes it took: 0 without one. */
size_t xen_console_input(struct domain *d, const char *text, size_t length);
/* The console has room again: show what waits in the domain's ring. No lock above RANK_DOMAIN is held. */
void xen_console_output_ready(struct domain *d);
/* True if the guest uses its PV console: it has written to it at least once. Keys go there then. */
bool xen_console_used(const struct domain *d);

/* The wall clock now, told to every domain there is and will be. */
void xen_set_wall_clock(uint64_t seconds, uint32_t nanoseconds);

/* That of one domain is ahead of it by this, until it is started anew. */
void xen_set_time_offset(struct domain *d, int64_t seconds);

/* System time of a domain in nanoseconds: what its virtual counter shows. */
uint64_t xen_system_time_ns(const struct domain *d);

#endif
