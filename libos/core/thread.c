#include "libos/thread.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "arch/arm64/frame.h"
#include "libos/mmu.h"
#include "libos/page.h"
#include "libos/platform.h"
#include "libos/time.h"

enum thread_state { THREAD_READY, THREAD_WAIT_EVENT, THREAD_WAIT_KEY, THREAD_DEAD };

struct thread {
    struct context context;
    struct thread *next; /* ring of all threads, in order of creation */
    enum thread_state state;
    bool woken;
    int id;
    uintptr_t key;
    uint64_t deadline_ns;
    uint64_t wait_order; /* futex wake-ups are first come, first served */
    int *clear_id;
    uintptr_t doomed_stack; /* unmapped by its own owner: freed after the last switch */
    size_t doomed_size;
};

static struct thread first;
static struct thread *running = &first;
static int last_id = 1;
static uint64_t wait_count;

#define THREADS_PER_PAGE (PAGE_SIZE / sizeof(struct thread))

void thread_init(void)
{
    first.next = &first;
    first.id = 1;
}

int thread_id(void)
{
    return running->id;
}

void thread_set_clear_id(int *address)
{
    running->clear_id = address;
}

/* Unlink dead threads; never the running one. */
static void reap(void)
{
    struct thread *t = running;
    while (t->next != running) {
        struct thread *dead = t->next;
        if (dead->state != THREAD_DEAD) {
            t = dead;
            continue;
        }
        t->next = dead->next;
        if (dead->doomed_size != 0) {
            CHECK(mmu_protect(dead->doomed_stack, dead->doomed_size, MMU_WRITE) == 0);
            page_free((void *)dead->doomed_stack, dead->doomed_size >> PAGE_SHIFT);
        }
        if (dead != &first) {
            page_free(dead, 1);
        }
    }
}

static void run(struct thread *next)
{
    struct thread *previous = running;
    if (next == previous) {
        return;
    }
    running = next;
    context_switch(&previous->context, &next->context);
    /* Back again, perhaps long after: somebody may have died meanwhile. */
    reap();
}

/* Make ready whom an event or a deadline concerns; the next ready thread after `from`, or NULL. */
static struct thread *find_ready(struct thread *from, uint64_t now, bool event)
{
    struct thread *found = NULL;
    struct thread *t = from;
    do {
        t = t->next;
        if ((t->state == THREAD_WAIT_EVENT && event) ||
            ((t->state == THREAD_WAIT_EVENT || t->state == THREAD_WAIT_KEY) &&
             t->deadline_ns <= now)) {
            t->state = THREAD_READY;
        }
        if (t->state == THREAD_READY && found == NULL) {
            found = t;
        }
    } while (t != from);
    return found;
}

static uint64_t earliest_deadline(void)
{
    uint64_t earliest = pollers_deadline_ns();
    struct thread *t = running;
    do {
        if (t->state == THREAD_WAIT_EVENT || t->state == THREAD_WAIT_KEY) {
            earliest = MIN(earliest, t->deadline_ns);
        }
        t = t->next;
    } while (t != running);
    return earliest;
}

static bool inner_event;

void thread_event(void)
{
    inner_event = true;
}

static bool take_events(void)
{
    bool event = pollers_run() || inner_event;
    inner_event = false;
    return event;
}

/* Switch to whoever can run; sleeps in the platform while nobody can. */
static void schedule(bool looked)
{
    bool event = looked ? inner_event : take_events();
    for (;;) {
        struct thread *next = find_ready(running, time_monotonic_ns(), event);
        if (next != NULL) {
            run(next);
            return;
        }
        platform_sleep(earliest_deadline());
        event = take_events();
    }
}

void thread_wait_event(uint64_t deadline_ns)
{
    running->deadline_ns = deadline_ns;
    running->state = THREAD_WAIT_EVENT;
    schedule(false);
}

void thread_wait_next_event(uint64_t deadline_ns)
{
    running->deadline_ns = deadline_ns;
    running->state = THREAD_WAIT_EVENT;
    schedule(true);
}

bool thread_wait_key(uintptr_t key, uint64_t deadline_ns)
{
    running->key = key;
    running->deadline_ns = deadline_ns;
    running->woken = false;
    running->wait_order = ++wait_count;
    running->state = THREAD_WAIT_KEY;
    schedule(false);
    return running->woken;
}

/* The thread that has waited longest for key, or NULL. */
static struct thread *longest_waiter(uintptr_t key)
{
    struct thread *found = NULL;
    struct thread *t = running;
    do {
        if (t->state == THREAD_WAIT_KEY && t->key == key &&
            (found == NULL || t->wait_order < found->wait_order)) {
            found = t;
        }
        t = t->next;
    } while (t != running);
    return found;
}

int thread_wake(uintptr_t key, int count)
{
    int woken = 0;
    struct thread *t;
    while (woken < count && (t = longest_waiter(key)) != NULL) {
        t->state = THREAD_READY;
        t->woken = true;
        woken++;
    }
    return woken;
}

int thread_requeue(uintptr_t from, uintptr_t to, int count)
{
    int moved = 0;
    struct thread *t;
    while (moved < count && (t = longest_waiter(from)) != NULL) {
        t->key = to;
        moved++;
    }
    return moved;
}

void thread_yield(void)
{
    if (running->next != running) {
        struct thread *next = find_ready(running, time_monotonic_ns(), take_events());
        if (next != NULL) {
            run(next);
        }
    }
}

long thread_create(const struct syscall_frame *frame, uintptr_t stack, uintptr_t tls,
                   int *clear_id_on_exit)
{
    static_assert(THREADS_PER_PAGE >= 1, "a thread fits a page");
    struct thread *thread = page_alloc(1);
    if (thread == NULL) {
        return -ENOMEM;
    }
    struct syscall_frame *child = (struct syscall_frame *)(stack & ~15UL) - 1;
    *child = *frame;
    child->x[0] = 0;
    thread->context.sp = (uintptr_t)child;
    thread->context.x19_x30[11] = (uintptr_t)syscall_return;
    thread->context.tpidr = tls;
    thread->id = ++last_id;
    thread->clear_id = clear_id_on_exit;
    thread->next = running->next;
    running->next = thread;
    return thread->id;
}

bool thread_frees_own_stack(uintptr_t start, size_t size)
{
    uintptr_t here = (uintptr_t)__builtin_frame_address(0);
    if (here < start || here >= start + size) {
        return false;
    }
    running->doomed_stack = start;
    running->doomed_size = size;
    return true;
}

void thread_exit(void)
{
    if (running->next == running) {
        platform_exit(0);
    }
    if (running->clear_id != NULL) {
        *running->clear_id = 0;
        thread_wake((uintptr_t)running->clear_id, 1);
    }
    running->state = THREAD_DEAD;
    schedule(false);
    __builtin_unreachable();
}
