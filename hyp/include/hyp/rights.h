/*
 * What a domain may do beyond itself.
 *
 * Rights come from the configuration (docs/configuration.md, bulkhead,rights)
 * each time the domain is built, and can be dropped, never raised, until then.
 * Every call that reaches beyond the caller asks here, and nowhere else.
 *
 *   right          over     lets the domain
 *   control        domains  pause, unpause, destroy them; their memory limit, CPUs, scheduling
 *   inspect        domains  know their state and registers, and map their memory to read it
 *   emulate        domains  be their device model: answer accesses to what is not there, raise their
 *                           interrupts, and map their memory, as a device's DMA would reach it
 *   build          -        make domains; touch the memory of those it made until they first run;
 *                           control those it made
 *   store          -        be the store: know which domains there are, share their store ring
 *   console        -        consoles of all domains and the hypervisor's log; share their console ring
 *   device, irq    devices  hand this device of the board, this interrupt on to domains it controls;
 *                           that gives them the device, and not the right
 *   schedule       -        CPU pools and host-wide scheduling
 *   shutdown-host  -        switch the machine off, and set its clock
 *
 * T1  a domain that was never given a right has none (d->rights is NULL).
 * T2  between two builds of a domain its rights only shrink.
 * T3  who is named by configuration is known by number, and those numbers are nobody else's; a domain
 *     that was made at run time is its maker's (d->builder), or everybody's.
 */
#ifndef HYP_RIGHTS_H
#define HYP_RIGHTS_H

#include <hyp/types.h>

struct domain;

enum right {
    RIGHT_CONTROL, /* these three are over domains */
    RIGHT_INSPECT,
    RIGHT_EMULATE,
    RIGHT_BUILD,
    RIGHT_STORE,
    RIGHT_CONSOLE,
    RIGHT_DEVICE, /* these two are over devices */
    RIGHT_IRQ,
    RIGHT_SCHEDULE,
    RIGHT_SHUTDOWN_HOST,
    RIGHT_COUNT
};

/* The right that these words of the configuration begin with, or RIGHT_COUNT. */
enum right rights_named(const char *words);

#define RIGHT_BIT(r) (1u << (r))
#define RIGHTS_LOOK (RIGHT_BIT(RIGHT_INSPECT) | RIGHT_BIT(RIGHT_CONTROL)) /* to know how one is */

/*
 * May `caller` do to `target` what one of these RIGHT_BIT()s stands for? With target NULL: to anybody
 * at all, or, for rights that are over nothing, simply whether it holds the right. RIGHT_BUILD over a
 * target: it made it, and that has not run yet. Takes no lock.
 */
bool rights_any(const struct domain *caller, uint32_t any_of, const struct domain *target);
static inline bool rights_allow(const struct domain *caller, enum right right,
                                const struct domain *target)
{
    return rights_any(caller, RIGHT_BIT(right), target);
}
/* The same; if none allows it, one line in the log (rate-limited) and -XEN_EPERM. */
must_check int rights_require(struct domain *caller, uint32_t any_of, const struct domain *target,
                              const char *what);

/* Give `d` what its configuration says; at each build, before it runs. 0, -XEN_ENOMEM. */
must_check int rights_grant(struct domain *d);
/*
 * `d` has one less, until it is built anew: in words as abi/bulkhead/seal.h has them, struct
 * bulkhead_drop_right; errors too. Who holds it over everybody keeps it: "all but one" is not a right.
 */
must_check int rights_drop(struct domain *d, const char *words);
/* The end of `d`: it is nobody's maker any more; and the page that holds its rights. */
void rights_forget(const struct domain *d);
void rights_destroy(struct domain *d);

/* May `d` hand on these frames of device registers, this interrupt? */
bool rights_iomem(const struct domain *d, mfn_t first, uint64_t count);
bool rights_irq(const struct domain *d, uint32_t intid);

/* Words for this right as `d` holds it now, as in the configuration; false: it does not. */
bool rights_describe(const struct domain *d, enum right right, char *words, size_t size);

#endif
