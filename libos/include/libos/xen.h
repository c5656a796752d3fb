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

/**
 * Read a node; returns a heap string (heap_free) or NULL if it does not exist.
 * Waits for the store, at most STORE_TIMEOUT_NS.
 */
char *store_read(const char *path, uint32_t transaction);
int store_write(const char *path, const char *value, uint32_t transaction);

/** Printf-like path and value, outside a transaction. Return 0 or -errno. */
int store_printf(const char *path, const char *format, ...) printf_like(2, 3);

/** A number below `path`/`name`, or `otherwise` if absent or malformed. */
long store_read_number(const char *path, const char *name, long otherwise);

/** Space-separated... names below path; heap block of `size` bytes of terminated strings, or NULL. */
char *store_list(const char *path, size_t *size);

int store_watch(const char *path, const char *token);

/** True once per watch event that arrived since the last call (token compared). */
bool store_watch_fired(const char *token);

/** True if this domain has a store at all. */
bool store_present(void);

#endif
