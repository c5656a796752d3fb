/*
 * Executable specification of event channels and grants: what each operation
 * may do to an abstract state of two domains, and what must always hold of the
 * real structures. Unit tests and the fuzzer compare the two; debug builds may
 * call the *_wrong() functions at any time no operation is under way.
 */
#ifndef SPEC_XEN_SPEC_H
#define SPEC_XEN_SPEC_H

#include <hyp/types.h>
#include <xen/event_channel.h>
#include <xen/grant_table.h>

struct domain;

/* What is wrong with a domain's structures, in words, or NULL. E1, E2 of hyp/evtchn.h; R1, R2 of hyp/grant.h. */
const char *spec_evtchn_wrong(struct domain *d);
const char *spec_grant_wrong(struct domain *d);

/* --- Event channels: two domains, numbered 0 and 1, a few ports each --- */

#define SPEC_PORTS 4 /* ports 1..SPEC_PORTS-1 are in the model */

struct spec_port {
    uint8_t status; /* EVTCHNSTAT_* */
    uint8_t remote; /* domain it waits for or is bound to */
    uint8_t port;   /* interdomain */
    uint8_t pending;
};
struct spec_events {
    struct spec_port port[2][SPEC_PORTS];
};

enum spec_event_op { SPEC_ALLOC, SPEC_BIND, SPEC_IPI, SPEC_CLOSE, SPEC_SEND, SPEC_TAKE };
struct spec_event_call {
    uint8_t op;     /* enum spec_event_op */
    uint8_t caller; /* 0 or 1 */
    uint8_t remote; /* ALLOC, BIND */
    uint8_t port;   /* BIND: the remote one; CLOSE, SEND, TAKE: own */
};

/* Do it to the abstract state. Returns what the hypercall must return; *port what it must hand out. */
int64_t spec_event_step(struct spec_events *s, const struct spec_event_call *c, uint32_t *port);
/* The abstract state of two real domains. */
void spec_event_abstract(struct spec_events *s, struct domain *const d[2]);

/* --- Grants: domain 0 grants one of SPEC_REFS frames per entry, domain 1 maps --- */

#define SPEC_REFS 2
#define SPEC_SLOTS 2 /* places where domain 1 maps */

struct spec_grants {
    struct {
        uint8_t granted;  /* the entry permits domain 1 */
        uint8_t readonly; /* ... to read */
        uint8_t readers, writers;
    } ref[SPEC_REFS];
    struct {
        uint8_t used, ref, readonly;
    } slot[SPEC_SLOTS];
    uint8_t granter_gone;
};

enum spec_grant_op {
    SPEC_GRANT_RW,
    SPEC_GRANT_RO,
    SPEC_REVOKE,
    SPEC_MAP_RW,
    SPEC_MAP_RO,
    SPEC_UNMAP,
    SPEC_GIVE_UP,
    SPEC_GRANTER_DIES
};
struct spec_grant_call {
    uint8_t op; /* enum spec_grant_op */
    uint8_t ref, slot;
};

/* What the operation must answer (GNTST_*, or for REVOKE and GIVE_UP 0 if it must succeed), and do. */
int spec_grant_step(struct spec_grants *s, const struct spec_grant_call *c);

#endif
