/* lwIP's clocks: which of them have something to count, and when. */
#ifndef LIBOS_NET_TIMERS_H
#define LIBOS_NET_TIMERS_H

#include "libos/base.h"

/** Make the ARP table as old as it is at `now`; before the frames that may use it. */
void timers_age(uint64_t now_ns);

/** Run the clocks that are due; true if one was. */
bool timers_run(uint64_t now_ns);

/** When the first clock that has something to count is due, or TIME_NEVER. */
uint64_t timers_next_ns(void);

/** A fragment was received: its others are waited for. */
void timers_note_fragment(void);

/** A neighbour's address is asked for, and will be again if nobody answers. */
void timers_note_question(void);

#endif
