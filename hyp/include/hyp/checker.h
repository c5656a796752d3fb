/*
 * The checker: walks every stage-2 table against the frame records and says
 * each contradiction in a line. For tests, debug builds and the console; it
 * takes its time (an instruction or two per mapped frame) and the locks of the
 * domain it looks at.
 *
 * K1  a table page is HYP, charged to its domain, in one place of one tree, and
 *     counts its valid entries right; none but the root is empty (P5).
 * K2  a RAM entry maps frames OWNED by that domain, each in one place of all
 *     tables (F4).
 * K3  a grant or foreign entry maps an OWNED frame that is referred to for it.
 * K4  a shared entry maps a SHARED frame charged to that domain.
 * K5  a device entry maps nothing that the frame allocator knows as RAM in use.
 * K6  the p2m's own counts are what the tables hold.
 * K7  the allocator's lists, records and counts agree (machine at rest only).
 */
#ifndef HYP_CHECKER_H
#define HYP_CHECKER_H

#include <hyp/types.h>

/* K1 to K6 for all domains. Returns how many contradictions there are; the first ten are told. */
unsigned checker_run(void);
/* K7. Only while no other CPU allocates or frees. */
unsigned checker_frames(void);

#endif
