/* The page behind d->rights; rights.c and rights-device.c only. */
#ifndef CORE_RIGHTS_INTERNAL_H
#define CORE_RIGHTS_INTERNAL_H

#include <hyp/rights.h>

#define RIGHTS_OVER_DOMAINS (RIGHT_EMULATE + 1) /* the first ones are over domains */
#define RIGHTS_RANGES 64
#define RIGHTS_IRQS 1024

struct rights {
    uint32_t held;      /* [atomic] bit n: enum right n, over somebody at least */
    uint32_t everybody; /* [atomic] likewise: over all domains there are and will be */
    uint64_t over[RIGHTS_OVER_DOMAINS][MAX_DOMAINS / 64]; /* [atomic] by number */
    /* Devices of the board: [domain lock] of whose rights they are. */
    uint64_t irq[RIGHTS_IRQS / 64];
    struct rights_range {
        uint64_t first, count; /* frames; count 0: free */
    } range[RIGHTS_RANGES];
};

/* `right` with its one target, a node of the board's tree or a number of an interrupt. */
void rights_grant_device(struct rights *x, enum right right, const char *what);
/* The page, made if need be. NULL: no memory. */
struct rights *rights_page(struct domain *d);

#endif
