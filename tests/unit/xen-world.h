/*
 * Domains with memory and the Xen interface, on the model machine: what tests
 * of hypercalls stand on. Guests' addresses are physical; each domain has
 * WORLD_FRAMES frames of RAM from WORLD_BASE on, the last of which is scratch
 * for arguments.
 */
#ifndef XEN_WORLD_H
#define XEN_WORLD_H

#include "../../hyp/core/xen/xen-internal.h"
#include <fake.h>
#include <hyp/evtchn.h>
#include <hyp/grant.h>
#include <hyp/hypercall.h>
#include <hyp/xen.h>
#include <xen/memory.h>

#define WORLD_BASE 0x40000ull /* gfn */
#define WORLD_FRAMES 64u
#define WORLD_SCRATCH (WORLD_BASE + WORLD_FRAMES - 1)
#define WORLD_HOLE 0x80000ull /* gfn; nothing is there */
#define WORLD_DOMAINS 3

extern struct domain *world[WORLD_DOMAINS + 1]; /* by number, from 1 */
extern unsigned world_injected;                 /* event interrupts made pending, all vCPUs */
extern unsigned world_restarts;                 /* hypercalls made again */
extern char world_console[4096];
extern size_t world_console_length, world_console_room;

/* A machine with domains 1..count, two vCPUs each, started as enhanced. */
void world_begin(unsigned count);
/* As JOB_UNLINK, xen_domain_stop() to its end; then stage 2. The checker must be silent between the two. */
void world_empty(struct domain *d);
/* xen_domain_stop() to its end: once more after world_empty(), as JOB_EMPTY does. */
void world_stop_calls(struct domain *d);
/* A domain goes: all of these. Checks that it leaves nothing behind once others let go. */
void world_kill(unsigned id);
/* Kill what is left and check that every frame, lock and reference is back. */
void world_end(void);

/* vCPU 0 of domain `id` makes a hypercall; made again as often as it asks for. */
int64_t call(unsigned id, uint64_t number, uint64_t a0, uint64_t a1, uint64_t a2);
/* The same with a structure copied to scratch memory before and back afterwards; its address is the argument `at`. */
int64_t call_with(unsigned id, uint64_t number, uint64_t cmd, void *argument, size_t size,
                  uint64_t count);

/* The guest's own view of its memory. */
void *guest(unsigned id, uint64_t gfn_number);

#define EVENT(id, op, s) \
    call_with(id, __HYPERVISOR_event_channel_op, EVTCHNOP_##op, s, sizeof(*(s)), 0)
#define GRANT(id, op, s) \
    call_with(id, __HYPERVISOR_grant_table_op, GNTTABOP_##op, s, sizeof(*(s)), 1)
#define MEMORY(id, op, s) call_with(id, __HYPERVISOR_memory_op, XENMEM_##op, s, sizeof(*(s)), 0)

#endif
