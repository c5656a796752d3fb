/* freeaddrinfo() may free lists of one answer in several threads. */
#include <sched.h>

static inline void libos_tap_lock(volatile int *lock)
{
    while (__atomic_exchange_n(lock, 1, __ATOMIC_ACQUIRE) != 0) {
        sched_yield();
    }
}

#define LOCK(lock) libos_tap_lock(lock)
#define UNLOCK(lock) __atomic_store_n(lock, 0, __ATOMIC_RELEASE)
