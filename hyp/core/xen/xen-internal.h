/*
 * State behind the Xen interface of one domain, shared by hypercall*.c,
 * evtchn*.c, grant*.c, memory-op.c and xen-domain.c only.
 *
 * One allocation of the domain's allowance holds struct xen_domain, in it event
 * and grant anchors and the vCPUs' parts; tables grow page by page besides it.
 */
#ifndef CORE_XEN_INTERNAL_H
#define CORE_XEN_INTERNAL_H

#include <bulkhead/seal.h>
#include <hyp/domain.h>
#include <hyp/evtchn.h>
#include <hyp/frame.h>
#include <hyp/guest-va.h>
#include <hyp/lock.h>
#include <hyp/timer.h>
#include <xen/errno.h>
#include <xen/event_channel.h>
#include <xen/grant_table.h>
#include <xen/hvm.h>
#include <xen/ring.h>
#include <xen/vcpu.h>
#include <xen/xen.h>

/* A guest's index, known to be below `count`, also when speculation thinks otherwise. */
static inline uint32_t array_index_clamp(uint32_t index, uint32_t count)
{
    uint64_t outside =
        (uint64_t)((int64_t)((uint64_t)index - count) >> 63); /* all ones if inside */
    return index & (uint32_t)outside;
}

/* Keep a domain that is known to be there now (D1): pairs with domain_put(). */
static inline struct domain *domain_hold(struct domain *d)
{
    __atomic_fetch_add(&d->refs, 1, __ATOMIC_RELAXED);
    return d;
}

/*
 * The domain a call is about: DOMID_SELF, the caller's own number, or another
 * one if the caller may control that. Counted. -XEN_ESRCH, -XEN_EPERM.
 */
must_check int xen_target(struct vcpu *v, domid_t id, struct domain **out);
/* The same with another choice of rights: RIGHT_BIT()s, one of which is enough (hyp/rights.h). */
must_check int xen_target_by(struct vcpu *v, domid_t id, uint32_t any_of, struct domain **out);

/* Not inlined: one operation must not save the registers that another needs. */
#define apart __attribute__((noinline))

/* --- Hypercalls (hypercall.c) --- */

#define HYPERCALL(name) int64_t name(struct vcpu *v, uint64_t *arg);
#include "hypercall-list.h"
#undef HYPERCALL
int64_t bulkhead_op(struct vcpu *v, uint64_t *arg);

/*
 * An operation whose argument is one structure in the guest's memory: a family is a table of them,
 * by command. The structure is copied in once (H2), the domain is found and the right to it looked
 * at, and only then the handler is called: `d` is whom it is about, the caller's or who was asked
 * for, `reg` the call's registers, `arg` the structure.
 */
struct xen_op {
    int64_t (*handler)(struct vcpu *v, struct domain *d, const uint64_t *reg, void *arg);
    uint8_t size;  /* of the structure, at most XEN_OP_MAX; 0: there is none */
    uint8_t flags; /* enum xen_op_flags */
    /*
     * Of these one is needed over the domain whose number the structure begins with; 0: it is
     * about the caller. RIGHT_BUILD: one that the caller builds, locked meanwhile (foreign.c, L1).
     */
    uint16_t rights;
    uint8_t error; /* without a handler: the answer; 0: -XEN_ENOSYS */
};
enum xen_op_flags {
    OP_OUT = 1,      /* the structure goes back on success */
    OP_PROGRESS = 2, /* and with -XEN_ERESTART, to be taken up where the handler left it */
    OP_LOCKED = 4,   /* with the lock of `d`'s event channels held */
};
#define XEN_OP_MAX 144u

int64_t xen_op_make(struct vcpu *v, uint64_t *reg, const struct xen_op *o, uint64_t at);

/* The operation reg[0], whose structure is at `at`; -XEN_ENOSYS if the table has none. */
static inline int64_t xen_op(struct vcpu *v, uint64_t *reg, const struct xen_op *ops,
                             uint32_t count, uint64_t at)
{
    uint32_t cmd = (uint32_t)reg[0];
    if (cmd >= count) {
        return -XEN_ENOSYS;
    }
    const struct xen_op *o = &ops[array_index_clamp(cmd, count)];
    return likely(o->handler != NULL) ? xen_op_make(v, reg, o, at)
           : o->error != 0            ? -(int64_t)o->error
                                      : -XEN_ENOSYS;
}

/* --- Event channels (evtchn.c) --- */

enum evtchn_state {
    EVTCHN_FREE,
    EVTCHN_UNBOUND,     /* waits for `remote_id` */
    EVTCHN_INTERDOMAIN, /* E1 */
    EVTCHN_VIRQ,
    EVTCHN_IPI,
    EVTCHN_XEN,    /* the other end is the hypervisor */
    EVTCHN_SERVED, /* this end is: `remote_id` may bind it, and the guest not touch it */
};

struct evtchn {            /* 32 bytes: a power of two, so that finding one is shifts */
    uint8_t state;         /* enum evtchn_state */
    uint8_t priority;      /* FIFO */
    uint8_t fifo_priority; /* [fifo lock] queue it was linked to last */
    uint8_t fifo_pending;  /* [fifo lock] raised before its event word existed */
    uint16_t vcpu;         /* [atomic] who is told */
    uint16_t fifo_vcpu;    /* [fifo lock] */
    uint32_t remote_port;  /* INTERDOMAIN, XEN, SERVED; IPI: its own */
    domid_t remote_id;     /* UNBOUND, INTERDOMAIN, XEN, SERVED */
    uint16_t virq;         /* VIRQ */
    union {
        struct domain
            *remote; /* INTERDOMAIN: alive as long as this is (E1); IPI: its own; or NULL */
        evtchn_notify_fn notify; /* XEN, SERVED */
    };
} __attribute__((aligned(32)));

#define EVTCHN_BUCKET (FRAME_SIZE / sizeof(struct evtchn))
#define EVTCHN_BUCKETS (FRAME_SIZE / sizeof(void *))
/* Ports a guest may have, 0 not counted; as Xen's dom0less domains. */
#define EVTCHN_PORTS_DEFAULT 1024u
#define EVTCHN_PORTS_MAX ((uint32_t)(EVTCHN_BUCKETS * EVTCHN_BUCKET)) /* who serves everybody */
#define FIFO_WORDS (FRAME_SIZE / sizeof(uint32_t))
#define FIFO_PAGES (EVTCHN_FIFO_NR_CHANNELS / FIFO_WORDS)

struct evtchn_domain {
    lock_t lock;
    struct evtchn **bucket;   /* [lock] EVTCHN_BUCKETS pointers, filled in order */
    uint32_t port_count;      /* [lock] ports that have a record */
    uint32_t port_limit;      /* [lock] 0 while the domain is stopped */
    uint32_t search_from;     /* [lock] no port below is free */
    uint32_t reset_at;        /* [atomic] how far close_all() is; a guest that races harms itself */
    uint64_t polling;         /* [atomic] bit n: vCPU n is in SCHEDOP_poll */
    lock_t fifo_lock;         /* queues of all vCPUs: links, tails */
    uint32_t **fifo_page;     /* [fifo lock] event words; NULL: two-level ABI */
    uint32_t fifo_page_count; /* [fifo lock] */
};

struct evtchn_vcpu {
    struct vcpu_info *info;   /* [const] once registered: shared page, or the guest's own */
    uint64_t ram_frame[4];    /* [cpu] frames that arguments were on last: they are RAM. 0: none */
    struct vcpu_info no_info; /* until then */
    uint32_t virq_port[NR_VIRQS];           /* [evtchn lock] 0: not bound */
    uint32_t poll_port;                     /* [atomic] the one port polled, 0: several or none */
    struct evtchn_fifo_control_block *fifo; /* [fifo lock] in a referenced frame; NULL: none */
    uint32_t fifo_tail[EVTCHN_FIFO_MAX_QUEUES]; /* [fifo lock] port linked last, 0: none */
    bool info_own; /* [lock] info is in memory of the guest's, whose frame is referenced */
    struct timer poll_timer;
    struct timer shot_timer; /* VCPUOP_set_singleshot_timer */
    struct vcpu *vcpu;       /* [const] back pointer */
    /* [lock] Runstate area in the guest's memory, maybe on two frames: see area_update(). */
    uint8_t *runstate[2];
    uint32_t runstate_split; /* bytes on the first frame; 0: none registered */
    uint32_t resume_at;      /* progress inside one element of a long call ... */
    uint64_t resume_key;     /* ... and which element that is; another one starts at 0 */
};

/* Record of a port that is known to have one. */
static inline struct evtchn *evtchn_at(const struct evtchn_domain *e, uint32_t port)
{
    return &e->bucket[port / EVTCHN_BUCKET][port % EVTCHN_BUCKET];
}

/* Record of a port, or NULL; the caller holds the table's lock, or knows that the port stays. */
static inline struct evtchn *evtchn_of(const struct evtchn_domain *e, uint32_t port)
{
    if (port >= e->port_count) {
        return NULL;
    }
    port = array_index_clamp(port, e->port_count);
    struct evtchn *c = evtchn_at(e, port);
    if (c == NULL) {
        __builtin_unreachable(); /* said once, so that callers need not look again */
    }
    return c;
}

/* Make an event pending and tell the vCPU or who polls. Needs E1's lock on either side. */
void evtchn_raise(struct domain *d, uint32_t port);
/* Tell `v` that something is pending: upcall_pending, and the interrupt on its edge (E4). */
void evtchn_upcall(struct vcpu *v);
/* Clear the pending bit of the two-level ABI; true if there is one and it was set. */
bool evtchn_clear_two_level(struct domain *d, evtchn_port_t port);
/*
 * FIFO ABI (evtchn-fifo.c). Raise: true if it was not pending before. Clear bits of an event word:
 * what it was before, 0 if there is none. Two operations (as in evtchn.c, [lock]), and the end.
 */
bool fifo_raise(struct domain *d, struct evtchn *c, uint32_t port);
uint32_t fifo_clear(struct domain *d, uint32_t port, uint32_t bits);
int64_t fifo_init_control(struct vcpu *v, struct domain *d, const uint64_t *reg, void *arg);
int64_t fifo_expand_array(struct vcpu *v, struct domain *d, const uint64_t *reg, void *arg);
void fifo_destroy(struct domain *d);
/*
 * Open a channel of `d` from outside. UNBOUND: for `remote` to bind to.
 * XEN: the other end is the hypervisor; a guest's send calls notify() with no lock held.
 * SERVED: the other way about, `remote` may bind to what is the hypervisor's end here, and `d` can
 * neither send on it nor close it. When the remote end sends, notify() is told `d` and the port;
 * evtchn_notify_served() raises it there. It stays until evtchn_close_served(), also over a reset.
 * Returns 0 or -XEN_ENOSPC, -XEN_ENOMEM.
 */
must_check int evtchn_open(struct domain *d, enum evtchn_state state, domid_t remote,
                           evtchn_notify_fn notify, evtchn_port_t *port);
void evtchn_close_served(struct domain *d, evtchn_port_t port);
void evtchn_notify_served(struct domain *d, evtchn_port_t port);
/* The hypervisor's end sends. Ignored unless the port is XEN. Locks up to RANK_DOMAIN. */
void evtchn_notify(struct domain *d, evtchn_port_t port);
/* True if `port` has an event pending; for SCHEDOP_poll. */
bool evtchn_is_pending(struct domain *d, evtchn_port_t port);
void evtchn_domain_init(struct domain *d);
/* Close every channel, give the table back; nobody opens any until a start sets port_limit. -XEN_ERESTART. */
must_check int evtchn_domain_stop(struct domain *d);

/* --- Grants (grant.c, grant-map.c, grant-copy.c) --- */

struct grant_active {
    uint64_t mfn;     /* [grant lock] valid while there are pins */
    uint32_t readers; /* [grant lock] pins */
    uint32_t writers;
    domid_t domid;              /* [grant lock] to whom */
} __attribute__((aligned(32))); /* likewise */

#define GRANT_FRAMES_MAX 64u
#define GRANT_SIZE(version) ((uint32_t)sizeof(struct grant_entry_v1) * (version)) /* of an entry */
#define GRANT_REFS_MAX (GRANT_FRAMES_MAX * FRAME_SIZE / GRANT_SIZE(1))
#define GRANT_STATUS_PER_FRAME (FRAME_SIZE / sizeof(grant_status_t))
#define SHARED_PER_STATUS ((uint32_t)(GRANT_SIZE(2) / sizeof(grant_status_t)))
#define GRANT_ACTIVE_PER_PAGE (FRAME_SIZE / sizeof(struct grant_active))
#define GRANT_ACTIVE_PAGES (GRANT_REFS_MAX / GRANT_ACTIVE_PER_PAGE)

enum { GRANT_SHARED, GRANT_STATUS }; /* kinds of frames that a guest maps */

/* What a domain grants. All [grant lock] of its owner. */
struct grant_table {
    struct domain
        *owner;    /* counted once it has left the table: who drops the last pin then frees it */
    uint32_t pins; /* all readers and writers of all entries */
    uint32_t ref_count; /* entries: follows from version and frame_count */
    uint8_t version;    /* 1 or 2 */
    uint32_t frame_count[2];
    void *frame[2][GRANT_FRAMES_MAX]; /* by kind */
    uint32_t active_seen; /* pages of those that grant_table_detach() has been through */
    struct grant_active *active[GRANT_ACTIVE_PAGES]; /* made when first needed */
};

enum { MAPTRACK_FREE, MAPTRACK_BUSY, MAPTRACK_MAPPED };

struct maptrack {
    union {
        struct grant_table *table; /* whose grant; its pin keeps it alive (R5) */
        struct maptrack *next;     /* FREE */
    };
    uint64_t gfn; /* where it is mapped */
    uint64_t mfn; /* what is mapped */
    grant_ref_t ref;
    uint16_t handle; /* [const] its own */
    uint8_t state;   /* [map lock] */
    uint8_t readonly;
};

#define MAPTRACK_PER_PAGE (FRAME_SIZE / sizeof(struct maptrack))
#define MAPTRACK_PAGES (FRAME_SIZE / sizeof(void *))
static_assert(MAPTRACK_PAGES * MAPTRACK_PER_PAGE <= UINT16_MAX + 1, "struct maptrack.handle");

struct grant_domain {
    lock_t lock;               /* this domain's grants */
    struct grant_table *table; /* [lock] */
    struct grant_table
        *leaving;    /* [lock] the one that grant_table_detach() is at: nothing new starts (R5) */
    lock_t map_lock; /* what this domain has mapped of others */
    struct maptrack **track;     /* [map lock] MAPTRACK_PAGES pointers */
    uint32_t track_count;        /* [map lock] handles that have a record */
    struct maptrack *track_free; /* [map lock] first free one */
    uint32_t track_used;         /* [map lock] */
};

/*
 * Pin the entry m->ref of `granter` for a mapping of `user`, m->readonly: fills in m->table and m->mfn.
 * GNTST_okay, or the reason; then nothing is held. Takes granter's grant lock, and below it its p2m
 * and frame locks. Sub-page grants are refused.
 */
must_check int grant_pin(struct domain *granter, domid_t user, struct maptrack *m);
void grant_unpin(const struct maptrack *m);
/*
 * Use an entry for as long as its grant lock is held: check it and tell the guest (R4). The frame
 * that it names, whose bytes [offset, offset + length), within a page, it has to show. On success
 * grant_unclaim() it before the lock is dropped. [grant lock]
 */
must_check int grant_claim(struct grant_table *t, grant_ref_t ref, domid_t user, bool readonly,
                           uint32_t offset, uint32_t length, gfn_t *out);
void grant_unclaim(struct grant_table *t, grant_ref_t ref);
void grant_domain_init(struct domain *d);
must_check int grant_table_detach(struct domain *d);

/* Clean bytes of a frame that `v`'s domain has mapped by a grant; -XEN_EPERM if it has not. */
int64_t grant_flush_mapped(struct vcpu *v, mfn_t frame, uint16_t offset, uint16_t length);
apart int64_t grant_map_op(struct vcpu *v, uint64_t *arg);
apart int64_t grant_unmap_op(struct vcpu *v, uint64_t *arg);
/* Operations on one element of their arrays. */
int64_t grant_copy_one(struct vcpu *v, void *element);
int64_t grant_cache_flush(struct vcpu *v, void *element);

/* --- Memory (memory-op.c) --- */

/*
 * Make `at` empty: own memory goes back to the allowance, a hypervisor's page
 * is only unmapped, a foreign frame is let go. -XEN_ENOENT: it was empty; -XEN_EACCES: a grant or a
 * device is there, and stays; -XEN_EBUSY: memory that others hold.
 */
must_check int physmap_clear(struct domain *d, gfn_t at);
/* Give `d` 2^order frames of memory of its own at `at`. On error nothing has changed. */
must_check int physmap_populate(struct domain *d, gfn_t at, unsigned order, enum p2m_type t);
/* Map one frame where something is, or may be. On error `at` is as it was, or empty. */
must_check int physmap_map_over(struct domain *d, gfn_t at, mfn_t m, enum p2m_type t);
static inline int physmap_replace(struct domain *d, gfn_t at, mfn_t m, enum p2m_type t)
{
    int error = p2m_map(d, at, m, 1, t);
    return unlikely(error == -XEN_EEXIST) ? physmap_map_over(d, at, m, t) : error;
}

/* --- Memory of other domains (foreign.c) --- */

/*
 * The domain whose memory a call changes: the caller, or one that it is building. The latter is
 * locked: its first run and its end wait (L1). Pairs with foreign_end().
 */
must_check int foreign_begin_other(struct vcpu *v, domid_t id, struct domain **out);
void foreign_end_other(struct domain *d);
static inline int foreign_begin(struct vcpu *v, domid_t id, struct domain **out)
{
    if (likely(id == DOMID_SELF || id == v->domain->id)) {
        *out = v->domain; /* is here as long as it calls */
        return 0;
    }
    return foreign_begin_other(v, id, out);
}
static inline void foreign_end(struct vcpu *v, struct domain *d)
{
    if (unlikely(d != v->domain)) {
        foreign_end_other(d);
    }
}
/* A frame of `id`, referenced, for `d`, which is the caller, to map as *type says. */
must_check int foreign_frame(struct vcpu *v, struct domain *d, domid_t id, gfn_t at, mfn_t *out,
                             enum p2m_type *type);
int64_t foreign_acquire(struct vcpu *v, struct domain *d, const uint64_t *reg, void *arg);

/* --- The rest (hypercall.c, sched-op.c, vcpu-op.c, version-op.c, xen-domain.c, xen-console.c) --- */

#define XEN_WATCHDOGS 2
#define IOREQ_SERVERS 8 /* as Xen's MAX_NR_IOREQ_SERVERS */

struct xen_watchdog {
    struct timer timer;
    struct domain *domain; /* [const] */
    bool on;               /* [lock] */
};

/* The serial line of a domain whose other end another domain has (vuart-ring.c). */
struct xen_vuart {
    struct xencons_interface *ring; /* [console lock] its frame is referenced; NULL: none */
    uint64_t gfn;                   /* [const] where the guest has it, 0: none */
    evtchn_port_t port;             /* [const] */
    uint32_t out_prod;              /* [vuart lock] */
    uint32_t in_cons;               /* [console lock] */
    bool untold; /* [atomic] characters were put that the daemon has not heard of */
};

struct xen_domain {
    struct shared_info *shared;    /* [const] a FRAME_SHARED page */
    lock_t lock;                   /* parameters, watchdogs, where vcpu_info and run states are */
    uint64_t param[HVM_NR_PARAMS]; /* [lock] */
    int64_t time_offset_s;         /* [atomic] its wall clock is ahead by this */
    uint32_t vm_assist;            /* [atomic] bit n: VMASST_TYPE n on */
    int32_t shutdown_code;         /* [lock] SCHEDOP_shutdown_code, -1: none */
    struct xen_watchdog watchdog[XEN_WATCHDOGS];
    lock_t console_lock;               /* the hypervisor's end of the ring */
    struct xencons_interface *console; /* [console lock] referenced; NULL: none */
    uint32_t console_in_prod;          /* [console lock] ours; the ring's is only told */
    uint32_t console_port;             /* [const] after start */
    bool console_used;                 /* [atomic] */
    struct xen_vuart vuart;
    char io_text[64];                          /* [console lock] keys for CONSOLEIO_read ... */
    uint32_t io_prod, io_cons;                 /* [console lock] ... and how many came and went */
    lock_t ioreq_lock;                         /* its device models, and vcpu.io of its vCPUs */
    struct ioreq_server *ioreq[IOREQ_SERVERS]; /* [ioreq lock] */
    bool serves;                               /* [atomic] it was a device model */
    struct evtchn_domain evtchn;
    struct grant_domain grant;
    struct evtchn_vcpu vcpu[]; /* domain.vcpu_max of them */
};

void sched_op_init(struct domain *d);
void sched_op_stop(struct domain *d);
void vcpu_op_init(struct vcpu *v);
void vcpu_op_stop(struct vcpu *v);
/* All device models of `d`, and all that it was for others, end: who waits for them finds nothing there. */
void ioreq_stop(struct domain *d);
/* A referenced page of the server `id` over `d`, for `caller`, who made it, to map. */
must_check int ioreq_frame(struct domain *d, const struct domain *caller, uint32_t id,
                           uint64_t frame, mfn_t *out);
/* Its serial line's ring goes; no vCPU of `d` runs any more. */
void vuart_ring_stop(struct domain *d);
/* Begin or go on sealing: 0, errors of abi/bulkhead/seal.h, or -XEN_ERESTART, then `r` is ignored. */
must_check int64_t seal_step(struct domain *d, const struct bulkhead_seal *r);
/* The hypervisor's end of the PV console, on a referenced page of the guest's; and the end of both. */
must_check int xen_console_create(struct domain *d, struct xencons_interface *ring);
void xen_console_stop(struct domain *d);

/* Take a reference to the domain's own RAM at `at`, for the hypervisor to write to. -XEN_EINVAL. */
must_check int xen_own_frame(struct domain *d, gfn_t at, mfn_t *out);

#endif
