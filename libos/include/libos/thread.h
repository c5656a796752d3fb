/*
 * Cooperative threads: one CPU, no preemption; a thread runs until it waits in a system call.
 *
 *            thread_create            wait                    event, wake or deadline
 *   (none) ----------------> READY ---------> WAITING ------------------------------> READY
 *                              ^  schedule: READY <-> running                 exit -> (none)
 *
 * When no thread is ready the scheduler polls the devices, then sleeps in the
 * platform until the earliest deadline. Waiting is level-triggered: the caller
 * tests its condition again after each return.
 */
#ifndef LIBOS_THREAD_H
#define LIBOS_THREAD_H

#include "libos/base.h"

struct syscall_frame;

/** Make the running flow of control the first thread. */
void thread_init(void);

/** Let others run; returns when an event arrived, a wake was meant for us, or the deadline passed. */
void thread_wait_event(uint64_t deadline_ns);

/** The same of a caller for whom pollers_run() has just returned false: the devices need no other look. */
void thread_wait_next_event(uint64_t deadline_ns);

/** Something changed inside the program (a pipe, a local socket): those who wait for events look again. */
void thread_event(void);

/** Wait for thread_wake(key); true if woken, false if the deadline came first. */
bool thread_wait_key(uintptr_t key, uint64_t deadline_ns);

/** Wake at most `count` threads waiting on key, oldest first; returns how many. */
int thread_wake(uintptr_t key, int count);

/** Move up to `count` waiters from one key to another; returns how many. */
int thread_requeue(uintptr_t from, uintptr_t to, int count);

/** Give way to other ready threads, if any; returns at once otherwise. */
void thread_yield(void);

/** A thread that resumes from `frame` with x0 = 0 on `stack`. Returns its id or -ENOMEM. */
long thread_create(const struct syscall_frame *frame, uintptr_t stack, uintptr_t tls,
                   int *clear_id_on_exit);

/** End the running thread. Ends the program with status 0 if it was the last. */
void thread_exit(void) __attribute__((noreturn));

int thread_id(void);
void thread_set_clear_id(int *address);

/** True if `address` lies in [start, start + size) and is the running thread's stack pointer's. */
bool thread_frees_own_stack(uintptr_t start, size_t size);

#endif
