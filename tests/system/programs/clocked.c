/*
 * The clock never goes back, on whichever CPU it is read: one process hops over all CPUs and compares
 * what the system call and the bare counter say with the last of each. A mark every half second is for the harness.
 *
 *   clocked SECONDS
 */
#define _GNU_SOURCE
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static uint64_t counter(void)
{
    uint64_t now;

    __asm__ volatile("isb\n\tmrs %0, cntvct_el0" : "=r"(now) : : "memory");
    return now;
}

static uint64_t monotonic(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void not_before(const char *what, uint64_t last, uint64_t now)
{
    if (now < last) {
        printf("clock: %s went back from %llu to %llu\n", what, (unsigned long long)last,
               (unsigned long long)now);
        exit(1);
    }
}

static void hop(unsigned cpu)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    if (sched_setaffinity(0, sizeof(set), &set) != 0) {
        printf("clock: CPU %u is not there\n", cpu);
        exit(1);
    }
}

int main(int argc, char **argv)
{
    unsigned cpus = (unsigned)sysconf(_SC_NPROCESSORS_ONLN), hops = 0;
    uint64_t ns = monotonic(), ticks = counter(), mark = ns;
    uint64_t end = ns + 1000000000ull * (argc > 1 ? (unsigned)atoi(argv[1]) : 4);

    for (; ns < end; hops++) {
        hop(hops % cpus);
        for (unsigned i = 0; i < 50; i++) {
            uint64_t now_ns = monotonic(), now_ticks = counter();
            not_before("CLOCK_MONOTONIC", ns, now_ns);
            not_before("the counter", ticks, now_ticks);
            ns = now_ns;
            ticks = now_ticks;
        }
        if (ns >= mark) {
            printf("clock: uptime %.3f\n", (double)ns / 1e9);
            fflush(stdout);
            mark = ns + 500000000u;
        }
    }
    printf("clock: %u hops over %u CPUs, never back\n", hops, cpus);
    return 0;
}
