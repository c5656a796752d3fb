/*
 * What hostile guests share: rounds of abuse with a heartbeat between them.
 *
 * Every hostile guest does `rounds` rounds (bootarg, default per guest), beats
 * after each, and ends by itself: "survived" means that the guest got answers
 * such as hardware gives and could go on. A guest that is rightly stopped by
 * the hypervisor says so in its header; the runner knows those.
 */
#ifndef TESTS_GUEST_HOSTILE_H
#define TESTS_GUEST_HOSTILE_H

#include "kit.h"

/* Exceptions that came, by class; filled while hostile_catch() is on. */
extern u64 hostile_class[64];
/* Skip every faulting instruction and count its class. */
void hostile_catch(void);
/* "# class 0x18: 123" for each class seen. */
void hostile_report(void);
u64 hostile_seed(void);

#endif
