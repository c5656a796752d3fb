/*
 * Grant tables: a domain names a frame of its own that another may map or copy.
 *
 * What a guest writes into its shared table is a wish; the truth is the active
 * entry, made when the grant is first used and gone when the last use ends.
 *
 * R1  an active entry with pins holds one reference to its frame, and the table one pin per mapping.
 * R2  a mapping is a maptrack entry of the mapper: MAPPED <=> its gfn is P2M_GRANT_RW or _RO in the
 *     mapper's stage 2. Nobody else makes or removes such an entry.
 * R3  the frame's reference is dropped after the mapper's TLBs have forgotten the mapping.
 * R4  GTF_reading and GTF_writing are set in the shared entry as long as there are such pins; so
 *     the granter can tell, and revocation by compare-and-swap of the flags is exact.
 * R5  a table outlives its domain's use of it until the last mapping is gone: both ends may die in any order.
 */
#ifndef HYP_GRANT_H
#define HYP_GRANT_H

#include <hyp/types.h>
#include <xen/grant_table.h>

struct domain;
struct vcpu;

/* An empty table of version 1, at each start of the domain. */
must_check int grant_domain_create(struct domain *d);
/* Drop all mappings this domain has, then detach its table. -XEN_ERESTART: call again. No vCPU of `d` runs. */
must_check int grant_domain_stop(struct domain *d);

/* Frame `index` of the shared (or status) table, made if need be. -XEN_EINVAL (beyond the limit), -XEN_ENOMEM. */
must_check int grant_frame(struct domain *d, uint32_t index, bool status, mfn_t *out);

/* Grant `frame` to `to` by entry `ref` (one of the reserved first eight), before the domain runs. */
void grant_seed(struct domain *d, grant_ref_t ref, domid_t to, gfn_t frame);

#endif
