/*
 * What a debugger and a profiler use, and that nobody else's is seen: hardware breakpoints and
 * watchpoints by perf, single step by ptrace, the cycle counter. Runs in several guests that share
 * a CPU, at the same addresses, each with another number of hits: an odd instance watches, an even
 * one must not be disturbed. Exit 0 if all counts are exact.
 *
 *   debugged INSTANCE ROUNDS
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/hw_breakpoint.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile uint64_t watched;

__attribute__((noinline)) static void stop_here(void)
{
    __asm__ volatile("nop" ::: "memory");
}

static void fail(const char *what, uint64_t got, uint64_t want)
{
    printf("debugged: %s: %llu instead of %llu (%s)\n", what, (unsigned long long)got,
           (unsigned long long)want, strerror(errno));
    exit(1);
}

static int count(struct perf_event_attr *attr)
{
    attr->size = sizeof(*attr);
    attr->exclude_hv = 1;
    int fd = (int)syscall(SYS_perf_event_open, attr, 0, -1, -1, 0);

    if (fd < 0) {
        fail("perf_event_open", attr->type, 0);
    }
    return fd;
}

static uint64_t value(int fd)
{
    uint64_t n = 0;

    if (read(fd, &n, sizeof(n)) != sizeof(n)) {
        fail("read", 0, sizeof(n));
    }
    return n;
}

static int point(uint32_t type, uintptr_t at, uint64_t length)
{
    struct perf_event_attr attr = {.type = PERF_TYPE_BREAKPOINT,
                                   .bp_type = type,
                                   .bp_addr = at,
                                   .bp_len = length,
                                   .exclude_kernel = 1};
    return count(&attr);
}

static void move(unsigned n)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET(n % (unsigned)sysconf(_SC_NPROCESSORS_ONLN), &set);
    sched_setaffinity(0, sizeof(set), &set);
}

/* Hits of a function and of a word, exactly as often as they happen, on whatever CPU. */
static void points(unsigned instance, unsigned rounds)
{
    int code = -1, data = -1;

    if (instance & 1) {
        code = point(HW_BREAKPOINT_X, (uintptr_t)stop_here, sizeof(long));
        data = point(HW_BREAKPOINT_W, (uintptr_t)&watched, HW_BREAKPOINT_LEN_8);
    }
    for (unsigned i = 0; i < rounds; i++) {
        stop_here();
        watched = i;
        if (i % 50 == 0) {
            move(i / 50);
            usleep(1000);
        }
    }
    if (code >= 0 && value(code) != rounds) {
        fail("breakpoint", value(code), rounds);
    }
    if (data >= 0 && value(data) != rounds) {
        fail("watchpoint", value(data), rounds);
    }
}

/* A child is stepped from its stop to its next one: each step is one instruction further. */
static void steps(unsigned rounds)
{
    int status;
    unsigned n = 0;
    pid_t child = fork();

    if (child == 0) {
        ptrace(PTRACE_TRACEME, 0, 0, 0);
        raise(SIGSTOP);
        for (unsigned i = 0; i < rounds; i++) {
            stop_here();
        }
        _exit(7);
    }
    waitpid(child, &status, 0);
    while (!WIFEXITED(status) && n < 100000) {
        if (ptrace(PTRACE_SINGLESTEP, child, 0, 0) != 0) {
            fail("single step", n, 0);
        }
        waitpid(child, &status, 0);
        n++;
    }
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 7 || n < 2 * rounds) {
        fail("single steps", n, 2 * rounds);
    }
}

/* The cycle counter goes on while we compute, and not while others do. */
static void cycles(void)
{
    struct perf_event_attr attr = {
        .type = PERF_TYPE_HARDWARE, .config = PERF_COUNT_HW_CPU_CYCLES, .exclude_kernel = 1};
    int fd = count(&attr);
    uint64_t before = value(fd);

    for (volatile unsigned i = 0; i < 2000000; i++) {
    }
    uint64_t busy = value(fd) - before;
    before = value(fd);
    usleep(200000);
    uint64_t asleep = value(fd) - before;
    if (busy < 100000 || asleep > busy) {
        fail("cycles", busy, asleep);
    }
}

/* The counter's overflow interrupts us: what perf record lives on. Samples are of this loop, and many. */
static void samples(void)
{
    struct perf_event_attr attr = {.type = PERF_TYPE_HARDWARE,
                                   .config = PERF_COUNT_HW_CPU_CYCLES,
                                   .sample_period = 1000000,
                                   .sample_type = PERF_SAMPLE_IP,
                                   .exclude_kernel = 1};
    int fd = count(&attr);
    struct perf_event_mmap_page *page =
        mmap(NULL, 9ul * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    unsigned n = 0, elsewhere = 0;

    if (page == MAP_FAILED) {
        fail("mmap", 0, 0);
    }
    for (volatile unsigned i = 0;
         i < 30000000 && __atomic_load_n(&page->data_head, __ATOMIC_ACQUIRE) < 1600; i++) {
    }
    uint64_t counted = value(fd) / attr.sample_period;
    uint64_t head = __atomic_load_n(&page->data_head, __ATOMIC_ACQUIRE);
    for (uint64_t at = 0; at < head && at < 8 * 4096;) {
        const struct {
            struct perf_event_header header;
            uint64_t ip;
        } *record = (const void *)((const char *)page + page->data_offset + at);
        if (record->header.type == PERF_RECORD_SAMPLE) {
            n++;
            elsewhere += record->ip - (uintptr_t)samples > 4096;
        }
        at += record->header.size;
    }
    if (n < 20 || elsewhere > n / 2 || n > counted + 1) {
        fail("samples", n, counted);
    }
    printf("debugged: %u samples, %u elsewhere, %llu periods\n", n, elsewhere,
           (unsigned long long)counted);
}

int main(int argc, char **argv)
{
    unsigned instance = argc > 1 ? (unsigned)atoi(argv[1]) : 1;
    unsigned rounds = argc > 2 ? (unsigned)atoi(argv[2]) : 400;

    points(instance, rounds);
    steps(50);
    cycles();
    samples();
    printf("debugged: instance %u, %u hits each, exactly\n", instance, instance & 1 ? rounds : 0);
    return 0;
}
