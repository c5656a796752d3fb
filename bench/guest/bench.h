/* Shared by the files of the bench guest: how a row is measured, and the state rows share. */
#ifndef BENCH_GUEST_BENCH_H
#define BENCH_GUEST_BENCH_H

#include "kit.h"
#include "xen.h"

/*
 * Run op(count) between two readings of the counter and print
 * "row KEY COUNT TICKS". A warm-up op(4) comes first; if that returns non-zero
 * the row is "absent KEY CODE". The loop is bracketed for the counting plugin.
 */
void measure(const char *key, u32 count, s64 (*op)(u32 count));
/* Print a row measured otherwise: `ticks` in all for `count` operations. */
void report(const char *key, u32 count, u64 ticks);
void absent(const char *key, s64 code);
void mark_begin(void);
void mark_end(void);

/* Interrupts taken by the handler in force; waits for them give the other CPU its turn. */
extern volatile u32 bench_taken;
extern u64 bench_kit_vectors;
extern u64 bench_pong_sgir;
extern u64 bench_shared, bench_info0, bench_info1;
extern struct evtchn_port bench_pong_port;
extern volatile u64 bench_first_tick;
extern char bench_vectors_ack[], bench_vectors_timer[], bench_vectors_event[];
extern char bench_vectors_pong[], bench_vectors_epong[], bench_vectors_far[];
void bench_cpu_on_entry(void);
void use_vectors(const void *table);
/* Interrupts not taken within a second mean that the row does not work. */
bool wait_taken(u32 wanted);

void rows_trap(void);
void rows_interrupt(void);
void rows_event(void);
void rows_memory(void);
void rows_grant(void);
void rows_cpu(void);
void rows_switch(void);
void rows_far(void);
bool event_setup(void);

#endif
