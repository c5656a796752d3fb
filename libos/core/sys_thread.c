/* Threads, futexes, process identity, signals as far as one cooperative process has them. */
#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include "libos/platform.h"
#include "libos/syscall.h"
#include "libos/thread.h"
#include "libos/time.h"

enum { FUTEX_WAIT, FUTEX_WAKE, FUTEX_REQUEUE = 3, FUTEX_CMP_REQUEUE = 4, FUTEX_WAIT_BITSET = 9 };
#define FUTEX_OPERATION 0x7f
#define FUTEX_REALTIME 0x100

#define CLONE_THREAD_FLAGS (CLONE_VM | CLONE_THREAD)

SYSCALL(clone)
{
    unsigned long flags = f->x[0];
    if ((flags & CLONE_THREAD_FLAGS) != CLONE_THREAD_FLAGS) {
        return -ENOSYS; /* fork: there is only this process */
    }
    int *clear_id = flags & CLONE_CHILD_CLEARTID ? ARG_POINTER(4, int) : NULL;
    long id = thread_create(f, f->x[1], f->x[3], clear_id);
    if (id > 0 && flags & CLONE_PARENT_SETTID) {
        *ARG_POINTER(2, int) = (int)id;
    }
    return id;
}

SYSCALL(set_tid_address)
{
    thread_set_clear_id(ARG_POINTER(0, int));
    return thread_id();
}

SYSCALL(gettid)
{
    return thread_id();
}

SYSCALL(exit)
{
    thread_exit();
}

SYSCALL(exit_group)
{
    platform_exit(ARG_INT(0) & 0xff);
}

SYSCALL(sched_yield)
{
    thread_yield();
    return 0;
}

static uint64_t futex_deadline(const struct timespec *timeout, int operation)
{
    if (timeout == NULL) {
        return TIME_NEVER;
    }
    uint64_t ns = (uint64_t)timeout->tv_sec * NS_PER_SECOND + (uint64_t)timeout->tv_nsec;
    if ((operation & FUTEX_OPERATION) == FUTEX_WAIT) {
        return time_monotonic_ns() + ns;
    }
    uint64_t offset = operation & FUTEX_REALTIME ? platform_wall_offset_ns() : 0;
    return ns > offset ? ns - offset : 0;
}

SYSCALL(futex)
{
    int *word = ARG_POINTER(0, int);
    int operation = ARG_INT(1);
    switch (operation & FUTEX_OPERATION) {
    case FUTEX_WAIT:
    case FUTEX_WAIT_BITSET: {
        if (*(volatile int *)word != ARG_INT(2)) {
            return -EAGAIN;
        }
        uint64_t deadline = futex_deadline(ARG_POINTER(3, struct timespec), operation);
        return thread_wait_key((uintptr_t)word, deadline) ? 0 : -ETIMEDOUT;
    }
    case FUTEX_WAKE:
        return thread_wake((uintptr_t)word, ARG_INT(2));
    case FUTEX_CMP_REQUEUE:
        if (*(volatile int *)word != ARG_INT(5)) {
            return -EAGAIN;
        }
        /* fallthrough */
    case FUTEX_REQUEUE: {
        int woken = thread_wake((uintptr_t)word, ARG_INT(2));
        return woken + thread_requeue((uintptr_t)word, f->x[4], ARG_INT(3));
    }
    default:
        return -ENOSYS;
    }
}

SYSCALL(set_robust_list)
{
    return 0; /* a thread cannot die without running its exit code */
}

SYSCALL(getpid)
{
    return 1;
}

SYSCALL(getppid)
{
    return 0;
}

/* getuid, geteuid, getgid, getegid: we are everything there is. */
SYSCALL(getuid)
{
    return 0;
}

SYSCALL(setuid)
{
    return ARG_INT(0) == 0 ? 0 : -EPERM;
}

SYSCALL(getgroups)
{
    return 0;
}

SYSCALL(umask)
{
    return 022;
}

/*
 * Signals: dispositions are accepted and remembered so that SIGPIPE can be ignored as
 * programs expect, but nothing is ever delivered; a signal to oneself that is not
 * ignored ends the program as its default action would.
 */
static struct {
    void (*handler)(int);
    unsigned long flags;
    void (*restorer)(void);
    unsigned long mask;
} action[_NSIG];

SYSCALL(rt_sigaction)
{
    int number = ARG_INT(0);
    if (number <= 0 || number >= _NSIG || number == SIGKILL || number == SIGSTOP) {
        return -EINVAL;
    }
    if (f->x[2] != 0) {
        memcpy(ARG_POINTER(2, void), &action[number], sizeof(action[number]));
    }
    if (f->x[1] != 0) {
        memcpy(&action[number], ARG_POINTER(1, void), sizeof(action[number]));
    }
    return 0;
}

SYSCALL(rt_sigprocmask)
{
    if (f->x[2] != 0) {
        memset(ARG_POINTER(2, void), 0, ARG_SIZE(3));
    }
    return 0;
}

static long raise_signal(int number)
{
    if (number == 0) {
        return 0;
    }
    if (number < 0 || number >= _NSIG) {
        return -EINVAL;
    }
    if (action[number].handler == SIG_DFL) {
        libos_log("ended by its own signal %d", number);
        platform_exit(128 + number);
    }
    return action[number].handler == SIG_IGN ? 0 : -ENOSYS;
}

SYSCALL(kill)
{
    return ARG_INT(0) > 1 ? -ESRCH : raise_signal(ARG_INT(1));
}

SYSCALL(tkill)
{
    return raise_signal(ARG_INT(1));
}

SYSCALL(tgkill)
{
    return raise_signal(ARG_INT(2));
}

SYSCALL(sched_getaffinity)
{
    if (ARG_SIZE(1) < 8) {
        return -EINVAL;
    }
    *ARG_POINTER(2, unsigned long) = 1;
    return 8;
}
