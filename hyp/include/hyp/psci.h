/*
 * Calls a guest makes to its firmware: PSCI and the SMC calling convention.
 *
 * Sources: PSCI DEN 0022F (1.1), SMCCC DEN 0028E (1.2).
 */
#ifndef HYP_PSCI_H
#define HYP_PSCI_H

#include <hyp/types.h>

struct vcpu;

/*
 * Carry out the call in x0-x3 of the current vCPU, by HVC or SMC; the result
 * goes to x0 (x1-x3 are kept: SMCCC 1.1). Any register content is valid input;
 * what is not known returns NOT_SUPPORTED. Not inline: the trap's way to it needs no frame of its own.
 */
__attribute__((noinline)) void smccc_call(struct vcpu *v);

#endif
