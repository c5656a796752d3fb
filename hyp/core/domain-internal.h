/* Between the table of domains (domain-table.c) and their life (domain.c). */
#ifndef CORE_DOMAIN_INTERNAL_H
#define CORE_DOMAIN_INTERNAL_H

#include <hyp/domain.h>

/* From here on it can be found. -XEN_EEXIST: its number or its name is taken, or there is no such number. */
must_check int domain_table_insert(struct domain *d);
void domain_table_remove(struct domain *d);

/* A number that is neither configured nor in use, as far from the last one as can be. */
domid_t domain_choose_number(void);

/* Its vCPUs are off, so all registers are in memory. `why` is kept as a pointer. */
void domain_remember_crash(struct domain *d, const char *why);

#endif
