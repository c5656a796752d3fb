/*
 * The Xen ABI as a guest on Arm uses it: hypercalls, events, grants, store.
 * Sources: Xen 4.17 public headers (names in the comments); facts only, no text taken.
 */
#ifndef LIBOS_XEN_H
#define LIBOS_XEN_H

#include "libos/base.h"

#define DOMID_SELF 0x7ff0

/* __HYPERVISOR_* */
enum {
    HYPERCALL_memory_op = 12,
    HYPERCALL_xen_version = 17,
    HYPERCALL_console_io = 18,
    HYPERCALL_vcpu_op = 24,
    HYPERCALL_sched_op = 29,
    HYPERCALL_event_channel_op = 32,
    HYPERCALL_hvm_op = 34,
};

long hypercall(unsigned long number, unsigned long a, unsigned long b, unsigned long c);

/* HVM_PARAM_*; value or 0 if there is none. */
enum {
    HVM_PARAM_STORE_PFN = 1,
    HVM_PARAM_STORE_EVTCHN = 2,
    HVM_PARAM_CONSOLE_PFN = 17,
    HVM_PARAM_CONSOLE_EVTCHN = 18
};
uint64_t hvm_param(uint32_t index);

/* --- events: ports are polled, never delivered as interrupts --- */

/** Listen to a port that exists already (console, store). */
void evtchn_watch(uint32_t port);

/** A new port that `domain` may bind to. Returns the port or -errno. */
long evtchn_alloc(uint16_t domain);

void evtchn_notify(uint32_t port);

/** Sleep until `port` alone has an event, and take it; false if there was none: deadline, or too early. */
bool evtchn_wait(uint32_t port, uint64_t deadline_ns);

void evtchn_close(uint32_t port);

/* --- grants: version 1 table, references allocated from a free list --- */

/** Let `domain` use the page that holds `page`; returns the reference or -ENOSPC. */
long grant_access(uint16_t domain, const void *page, bool read_only);

/**
 * Take the grant back. Returns false if the peer still has it mapped: the page must
 * then stay out of other use (the caller leaks it on purpose) and the reference is retired.
 */
bool grant_end(uint32_t reference);

/* --- store --- */

/* One request of a burst. */
struct store_request {
    enum { STORE_LIST = 1, STORE_READ = 2, STORE_WATCH = 4, STORE_WRITE = 11 } kind; /* XS_* */
    const char *path;
    const char *name;  /* appended to path behind a slash, or NULL */
    const char *value; /* to write; not terminated */
    size_t value_size;
    char *
        answer; /* out: of STORE_READ and STORE_LIST, heap (heap_free), terminated; NULL: no such node */
    size_t answer_size;
    bool failed; /* out: the store refused it */
    bool done;   /* the store client's own */
};

/**
 * Send all requests, then wait for all answers, at most STORE_TIMEOUT_NS. Each must fit the
 * ring (1 KiB). False if the store is not there or did not answer (said in the log); what
 * each request came to is in `failed` and `answer`, which the caller frees in both cases.
 */
bool store_burst(struct store_request *requests, unsigned int count);

/** Read `path`/`name`, or `path` if `name` is NULL; a heap string, or NULL if there is none. */
char *store_read(const char *path, const char *name);

/** Frees text and returns the number in it, or `otherwise` if it is NULL or malformed. */
long store_number(char *text, long otherwise);

/** A number below `path`/`name`, or `otherwise` if absent or malformed. */
long store_read_number(const char *path, const char *name, long otherwise);

/** Fill in a request that watches `path`/`name`; false if there are too many watches. */
bool store_watch_begin(struct store_request *request, const char *path, const char *name,
                       const char *token);

/** True once per watch event that arrived since the last call (token compared). */
bool store_watch_fired(const char *token);

/** Forget the events that have come with the answers to earlier requests. */
void store_watch_seen(const char *token);

/** True if this domain has a store at all. */
bool store_present(void);

#endif
