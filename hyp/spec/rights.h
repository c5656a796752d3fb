/*
 * Executable specification of rights (hyp/rights.h, docs/configuration.md): who may do what to
 * whom, said as plainly as can be, over a handful of domains.
 *
 * S1  what a domain may do is what its words say, from the moment it is built.
 * S2  until it is built anew, it can only become less (T2).
 * S3  a domain that was made at run time is its maker's to control, while that holds `build`; its
 *     memory is the maker's until it first runs. Its number gives nobody else anything, whoever had
 *     it before (T3): `*` alone reaches it.
 */
#ifndef HYP_SPEC_RIGHTS_H
#define HYP_SPEC_RIGHTS_H

#include <hyp/rights.h>

#define SPEC_RIGHTS_DOMAINS 5 /* 1 to 3 are configured as a, b and c; 4 is made, again and again */
#define SPEC_RIGHTS_MADE 4

struct spec_rights {
    struct {
        uint8_t over[RIGHT_COUNT]; /* bit n: domain n, as named */
        bool all[RIGHT_COUNT];     /* `*`, or a right that is over nothing */
    } holder[SPEC_RIGHTS_DOMAINS];
    uint8_t maker; /* of SPEC_RIGHTS_MADE; 0: nobody, or he is gone */
    bool ran;      /* it has */
};

/* Domain `id` is built with these words, each string ended by a zero; a domain is named by a, b, c or *. */
void spec_rights_build(struct spec_rights *s, unsigned id, const char *words, size_t length);
/* It drops a right, over one domain or (over 0) as a whole. False: it has it over everybody, and keeps it. */
bool spec_rights_drop(struct spec_rights *s, unsigned id, enum right right, unsigned over);
/* It is gone: what it made is nobody's. */
void spec_rights_end(struct spec_rights *s, unsigned id);
/* May `caller` do `right` to `target` (0: to anybody at all)? */
bool spec_rights_allow(const struct spec_rights *s, unsigned caller, enum right right,
                       unsigned target);

#endif
