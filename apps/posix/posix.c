/*
 * One test per system call that the library OS answers (docs/libos-posix.md). The same source runs
 * as a Linux process, so that what it expects is what Linux does; where the library OS differs by
 * design (no fork, no signals), the test says what it must do instead.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "check.h"

#define PAGES ((size_t)4096)

static void memory(void)
{
    char *p = mmap(NULL, 3 * PAGES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int zero = p != MAP_FAILED;
    for (size_t i = 0; zero && i < 3 * PAGES; i++) {
        zero = p[i] == 0;
    }
    check(zero, "mmap: gives zeroed pages");
    memset(p, 7, 3 * PAGES);
    check(mprotect(p, PAGES, PROT_READ) == 0 && p[0] == 7, "mprotect: to read-only keeps content");
    check(mprotect(p, PAGES, PROT_READ | PROT_WRITE) == 0 && (p[0] = 8) == 8, "mprotect: back");
    char *q = mremap(p, 3 * PAGES, 40 * PAGES, MREMAP_MAYMOVE);
    check(q != MAP_FAILED && q[0] == 8 && q[PAGES] == 7 && q[39 * PAGES] == 0, "mremap: grows");
    check(madvise(q, PAGES, MADV_DONTNEED) == 0 && q[0] == 0, "madvise: MADV_DONTNEED zeroes");
    check(munmap(q, 40 * PAGES) == 0, "munmap: all of it");
    check(mmap(NULL, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED &&
              errno == EINVAL,
          "mmap: of nothing is EINVAL");
    int flags = MAP_PRIVATE | MAP_ANONYMOUS;
#ifdef MAP_POPULATE
    flags |= MAP_POPULATE;
#endif
    void *much = mmap(NULL, (size_t)1 << 50, PROT_READ | PROT_WRITE, flags, -1, 0);
    check(much == MAP_FAILED && errno == ENOMEM, "mmap: of too much is ENOMEM");
    void *block = malloc(100000);
    check(block != NULL && (block = realloc(block, 300000)) != NULL, "malloc and realloc");
    free(block);
}

static void clocks(void)
{
    struct timespec a, b, res;
    struct timeval tv;
    check(clock_gettime(CLOCK_MONOTONIC, &a) == 0, "clock_gettime: answers");
    check(clock_getres(CLOCK_MONOTONIC, &res) == 0 && res.tv_sec == 0,
          "clock_getres: below a second");
    struct timespec nap = {0, 20000000};
    check(nanosleep(&nap, NULL) == 0, "nanosleep: sleeps");
    clock_gettime(CLOCK_MONOTONIC, &b);
    long ns = (b.tv_sec - a.tv_sec) * 1000000000L + (b.tv_nsec - a.tv_nsec);
    check(ns >= 20000000, "nanosleep: lasts as long as asked");
    b.tv_nsec += 5000000;
    if (b.tv_nsec >= 1000000000) {
        b.tv_nsec -= 1000000000;
        b.tv_sec++;
    }
    check(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &b, NULL) == 0,
          "clock_nanosleep: until a time");
    clock_gettime(CLOCK_MONOTONIC, &a);
    check(a.tv_sec > b.tv_sec || (a.tv_sec == b.tv_sec && a.tv_nsec >= b.tv_nsec),
          "clock_nanosleep: reaches its time");
    check(gettimeofday(&tv, NULL) == 0, "gettimeofday: answers");
    nap.tv_nsec = 1000000000;
    check(nanosleep(&nap, NULL) == -1 && errno == EINVAL, "nanosleep: refuses 10^9 ns");
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static int turn;
static __thread int mine = 5;

static void *player(void *argument)
{
    int me = (int)(long)argument;
    mine += me;
    for (int round = 0; round < 100; round++) {
        pthread_mutex_lock(&mutex);
        while (turn % 4 != me) {
            pthread_cond_wait(&condition, &mutex);
        }
        turn++;
        pthread_cond_broadcast(&condition);
        pthread_mutex_unlock(&mutex);
    }
    return (void *)(long)mine;
}

static void *detached(void *argument)
{
    pthread_mutex_lock(&mutex);
    turn = 1000;
    pthread_cond_signal(&condition);
    pthread_mutex_unlock(&mutex);
    return NULL;
}

static void threads(void)
{
    pthread_t thread[4];
    int created = 1, joined = 1;
    for (long i = 0; i < 4; i++) {
        created &= pthread_create(&thread[i], NULL, player, (void *)i) == 0;
    }
    check(created, "clone: pthread_create");
    for (long i = 0; i < 4; i++) {
        void *result;
        joined &= pthread_join(thread[i], &result) == 0 && (long)result == 5 + i;
    }
    check(joined, "clone: pthread_join, thread-local storage");
    check(turn == 400, "futex: mutex and condition, 400 turns in order");
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 0;
    until.tv_nsec = until.tv_nsec > 900000000 ? until.tv_nsec : until.tv_nsec + 10000000;
    pthread_mutex_lock(&mutex);
    check(pthread_cond_timedwait(&condition, &mutex, &until) == ETIMEDOUT, "futex: time-out");
    pthread_mutex_unlock(&mutex);
    int passed = 1;
    for (int i = 0; i < 20; i++) { /* each unmaps its own stack when it ends */
        pthread_attr_t attributes;
        pthread_attr_init(&attributes);
        pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
        passed &= pthread_create(&thread[0], &attributes, detached, NULL) == 0;
        pthread_mutex_lock(&mutex);
        while (turn != 1000) {
            pthread_cond_wait(&condition, &mutex);
        }
        turn = 0;
        pthread_mutex_unlock(&mutex);
        sched_yield();
    }
    check(passed, "munmap: detached threads unmap their stacks");
    check(sched_yield() == 0, "sched_yield: returns");
}

static void identity(void)
{
    struct utsname name;
    struct rlimit limit;
    struct rusage usage;
    struct sysinfo info;
    char text[64];
    cpu_set_t cpus;
    unsigned char a[32] = {0}, b[32] = {0};
    check(uname(&name) == 0 && strcmp(name.machine, "") != 0, "uname: names the machine");
    check(getpid() > 0 && getppid() >= 0, "getpid: positive");
    check(getuid() == geteuid() && getgid() == getegid(),
          "getuid: one identity; getgid: one group");
    check(getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur >= 64,
          "prlimit64: 64 files or more");
    check(getrusage(RUSAGE_SELF, &usage) == 0, "getrusage: answers");
    check(sysinfo(&info) == 0 && info.totalram > 0, "sysinfo: there is memory");
    check(getcwd(text, sizeof(text)) != NULL && text[0] == '/', "getcwd: absolute");
    check(sched_getaffinity(0, sizeof(cpus), &cpus) == 0, "sched_getaffinity: answers");
    check(getrandom(a, 32, 0) == 32 && getrandom(b, 32, 0) == 32 && memcmp(a, b, 32) != 0,
          "getrandom: never the same");
    umask(022);
    check(umask(022) == 022, "umask: tells the old one");
}

static void console(void)
{
    struct stat st;
    struct iovec iov[2] = {{"ok %", 0}, {"", 0}};
    check(fstat(1, &st) == 0, "fstat: of the console");
    check(writev(1, iov, 2) == 0, "writev: of nothing");
    int copy = dup(1);
    check(copy > 2, "dup: a new number");
    check(dup2(1, 9) == 9 && fcntl(9, F_GETFL) >= 0, "dup3: to a number of choice");
    check(fcntl(9, F_DUPFD, 20) == 20, "fcntl: F_DUPFD");
    check(close(copy) == 0 && close(9) == 0 && close(20) == 0, "close: three");
    check(close(9) == -1 && errno == EBADF, "close: of a closed descriptor is EBADF");
    check(write(77, "x", 1) == -1 && errno == EBADF, "write: to a closed descriptor is EBADF");
}

static void refused(void)
{
    signal(SIGPIPE, SIG_IGN);
    check(raise(SIGPIPE) == 0, "tkill: an ignored SIGPIPE is ignored");
#ifdef BULKHEAD_LIBOS
    check(fork() == -1 && errno == ENOSYS, "clone: fork is ENOSYS");
    char *const none[] = {NULL};
    check(execve("/x", none, none) == -1 && errno == ENOSYS, "execve: is ENOSYS");
    check(wait(NULL) == -1 && errno == ENOSYS, "wait4: is ENOSYS");
#endif
}

int main(void)
{
    memory();
    clocks();
    threads();
    identity();
    console();
    other_calls();
    refused();
    return check_end();
}
