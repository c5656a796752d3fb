/*
 * What the tools ask for, operation by operation: each once as it is meant (good_*), and with every
 * argument that it must refuse (bad_*). control-world.h has the rights and the life of whole domains.
 *
 * Domain 1 holds every right; 2 is its own making and half built; 3 runs and is nobody's.
 */
#ifndef TOOLS_WORLD_H
#define TOOLS_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../hyp/core/control/control-internal.h"
#include "xen-world.h"
#include <hyp/config.h>
#include <hyp/gic.h>
#include <hyp/log.h>

enum { TOOLS = 1, HALF = 2, OTHER = 3 };
#define AT (WORLD_SCRATCH << FRAME_SHIFT)   /* the structure is here ... */
#define MORE (AT + 2048)                    /* ... what it points to here ... */
#define NOWHERE (WORLD_HOLE << FRAME_SHIFT) /* ... or where nothing is */
#define LAST (AT + FRAME_SIZE - 4)          /* the page ends within it, and a hole follows */
#define HANDLES ((uint8_t *)guest(TOOLS, WORLD_SCRATCH) + 2048)

/* Of Xen's interface, and not of ours. */
#define XEN_SCHEDULER_CREDIT 5
#define XEN_SCHEDULER_RTDS 8
#define XEN_DOMCTL_SCHEDOP_putvcpuinfo 2
#define XEN_VCPUAFFINITY_FORCE (1U << 2)

/* What the neighbours answer, and what they were asked. */
#define LOG_LINES 3
extern const char *const log_lines[LOG_LINES];
extern int next_error, pause_error, cpu_of_no_use;
/* Asked one by one, vCPUs follow their domain into a pool; next_error is for this one. */
extern uint32_t who_fails, followed[MAX_VCPUS];
extern struct domain_config half_built; /* what domain HALF was made like */
extern unsigned irqs, irqs_back, flushed;

int tools_begin(void **state);
int tools_end(void **state);
#define STORY(name) cmocka_unit_test_setup_teardown(name, tools_begin, tools_end)

/* A call of domain `caller` with `op` in its scratch page, said to be at `at`. */
int64_t at_address(unsigned caller, uint64_t number, void *op, size_t size, uint64_t at);
/* The tools'. */
int64_t domctl_of(uint32_t cmd, domid_t target, struct xen_domctl *op);
int64_t sysctl_of(uint32_t cmd, struct xen_sysctl *op);
#define DOMCTL_OF(op, target, field, ...)                   \
    ({                                                      \
        struct xen_domctl op_ = {.u.field = {__VA_ARGS__}}; \
        domctl_of(XEN_DOMCTL_##op, target, &op_);           \
    })
#define SYSCTL_OF(op, field, ...)                           \
    ({                                                      \
        struct xen_sysctl op_ = {.u.field = {__VA_ARGS__}}; \
        sysctl_of(XEN_SYSCTL_##op, &op_);                   \
    })
#define BITS(at, count)                    \
    {                                      \
        .bitmap = (at), .nr_bits = (count) \
    }

#endif
