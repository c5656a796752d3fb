/*
 * Rights, and domains made by another domain: the real domain life, hypercalls,
 * stage 2 and frames on the model machine; devices and the boot-time builder
 * are stand-ins. Domain 1 (ctl) is the controller, 2 (home) and 3 (work) are guests.
 */
#ifndef CONTROL_WORLD_H
#define CONTROL_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../hyp/core/control/control-internal.h"
#include <fake.h>
#include <hyp/config.h>
#include <hyp/domain.h>
#include <hyp/xen.h>
#include <string.h>
#include <xen/dm_op.h>
#include <xen/memory.h>

#define BASE 0x40000ull /* gfn of a guest's memory ... */
#define FRAMES 64u
#define SCRATCH (BASE + FRAMES - 1)
#define MADE 4 /* the first number that a domain gets at run time */

extern struct domain_config configs[];
extern unsigned restarts;  /* calls that had to go on later */
extern unsigned lines;     /* said about domains */
extern bool nothing_there; /* where vgic_mmio() is asked */
extern uint32_t level_of;  /* the interrupt last raised, 0: lowered */

/* Boot; `rights` of ctl, as in the tree: strings, one after the other. */
void begin_with(const char *rights, size_t length);
#define BEGIN(rights) begin_with(rights, sizeof(rights))
/* Destroy all; no memory may be left with anybody. */
void end(void);
/* The worker of `id` goes on until it has nothing to do. */
void work(domid_t id);

struct domain *of(domid_t id);
/* A guest's memory, at a gfn. */
void *ram(domid_t id, uint64_t at);

/* Domain `id` makes a call with a structure in its scratch page, again as often as it must. */
int64_t call(domid_t id, uint64_t number, uint64_t cmd, void *argument, size_t size, bool first);
/* The controller's. */
int64_t domctl_of(uint32_t cmd, domid_t target, struct xen_domctl *op);
int64_t simple(uint32_t cmd, domid_t id);
int64_t sysctl_of(uint32_t cmd, struct xen_sysctl *op);
#define MEMORY(op, s) call(1, __HYPERVISOR_memory_op, XENMEM_##op, s, sizeof(*(s)), false)
/* A frame of `from` put at `at` of the controller: its error, 0 if it is there. */
int64_t map_foreign(domid_t from, uint64_t index, uint64_t at);
int64_t unmap(uint64_t at);
int64_t event(domid_t id, uint32_t cmd, evtchn_port_t port);

/* A domain of `frames` frames at BASE, with registers, as the tools make it; not yet let go. */
domid_t make(unsigned frames);

#endif
