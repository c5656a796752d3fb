/* One test for each system call that needs no device and that posix.c does not reach by a function of C. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "check.h"

#ifdef BULKHEAD_LIBOS
#define LIBOS 1
#else
#define LIBOS 0
#endif

static void pipes(void)
{
    int ends[2];
    char got[8] = "";
    struct iovec iov[2] = {{got, 2}, {got + 2, 4}};
    check(pipe2(ends, O_NONBLOCK) == 0, "pipe2: made");
    check(write(ends[1], "abcdef", 6) == 6, "write: six bytes into a pipe");
    check(readv(ends[0], iov, 2) == 6 && memcmp(got, "abcdef", 6) == 0, "readv: into two pieces");
    check(read(ends[0], got, 1) == -1 && errno == EAGAIN, "read: of an empty pipe is EAGAIN");
    check(lseek(ends[0], 0, SEEK_SET) == -1 && errno == ESPIPE, "lseek: of a pipe is ESPIPE");
    close(ends[1]);
    check(read(ends[0], got, 1) == 0, "read: of a pipe without writers is the end");
    check(close(ends[0]) == 0, "close: of a pipe");
    uint64_t value = 3;
    int event = eventfd(4, EFD_NONBLOCK);
    check(write(event, &value, 8) == 8 && read(event, &value, 8) == 8 && value == 7,
          "eventfd2: adds up, and reading takes all");
    check(read(event, &value, 8) == -1 && errno == EAGAIN, "eventfd2: empty is EAGAIN");
    close(event);
}

static void descriptors(void)
{
    int on = 1;
    int null = open("/dev/null", O_RDWR);
    char byte = 7;
    check(null > 2 && read(null, &byte, 1) == 0 && write(null, &byte, 1) == 1,
          "openat: /dev/null is empty and takes all");
    check(open("/no/such", O_RDONLY) == -1 && errno == ENOENT, "openat: ENOENT");
    check(dup3(null, null, 0) == -1 && errno == EINVAL, "dup3: onto itself is EINVAL");
    check(fcntl(null, F_SETFL, O_NONBLOCK) == 0 && fcntl(null, F_GETFL) & O_NONBLOCK,
          "fcntl: F_SETFL is kept");
    check(ioctl(null, 0x5413 /* TIOCGWINSZ */, &on) == -1 && errno == ENOTTY,
          "ioctl: not a terminal is ENOTTY");
    check(flock(null, LOCK_EX) == 0 && flock(77, LOCK_EX) == -1 && errno == EBADF,
          "flock: of what is open");
    check(faccessat(AT_FDCWD, "/dev/null", R_OK, 0) == 0, "faccessat: /dev/null can be read");
    check(chdir("/") == 0 && chdir("/no/such") == -1 && errno == ENOENT, "chdir: to / and nowhere");
    close(null);
}

static void *quick(void *argument)
{
    return argument;
}

static void processes(void)
{
    gid_t groups[64];
    struct rlimit limit;
    struct sched_param priority = {0};
    check(syscall(SYS_gettid) > 0, "gettid: positive");
    check(syscall(SYS_getrlimit, RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur > 0,
          "getrlimit: files");
    check(getppid() >= 0, "getppid: not negative");
    check(geteuid() == getuid(), "geteuid: as getuid");
    check(getegid() == getgid(), "getegid: as getgid");
    check(setuid(getuid()) == 0, "setuid: to what it is");
    check(setgid(getgid()) == 0, "setgid: to what it is");
    check(getgroups(64, groups) >= 0, "getgroups: answers");
    check(prctl(-1) == -1 && errno == EINVAL, "prctl: an unknown operation is EINVAL");
    check(syscall(SYS_sched_setscheduler, 0, SCHED_OTHER, &priority) == (LIBOS ? -1 : 0),
          "sched_setscheduler: there is one scheduler");
    check(kill(getpid(), 0) == 0, "kill: signal 0 to oneself");
    check(LIBOS ? kill(4711, SIGTERM) == -1 && errno == ESRCH : 1, "kill: nobody else is there");
    check(syscall(SYS_tkill, syscall(SYS_gettid), 0) == 0, "tkill: signal 0 to oneself");
    check(syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), 0) == 0,
          "tgkill: signal 0 to oneself");
    check((intptr_t)syscall(SYS_brk, 0) >= 0, "brk: answers");
    check(syscall(SYS_membarrier, 0, 0, 0) >= 0, "membarrier: answers");
    check(syscall(SYS_set_robust_list, NULL, 24L) == 0 || errno == EINVAL,
          "set_robust_list: answers");
    int id = 0;
    check(syscall(SYS_set_tid_address, &id) > 0, "set_tid_address: the thread's number");
    pthread_t thread;
    void *result = NULL;
    check(pthread_create(&thread, NULL, quick, &id) == 0 && pthread_join(thread, &result) == 0 &&
              result == &id,
          "exit: a thread ends, the program goes on");
    check(syscall(SYS_futex, &id, 9999, 0, NULL, NULL, 0) == -1 && errno == ENOSYS,
          "futex: an unknown operation is ENOSYS");
    check(syscall(SYS_futex, &id, 0 /* FUTEX_WAIT */, id + 1, NULL, NULL, 0) == -1 &&
              errno == EAGAIN,
          "futex: another value is EAGAIN");
}

static void nothing(int signal)
{
}

static void signals(void)
{
    struct sigaction new = {.sa_handler = nothing}, old = {.sa_handler = SIG_DFL};
    sigset_t set;
    check(sigaction(SIGUSR1, &new, NULL) == 0 && sigaction(SIGUSR1, NULL, &old) == 0 &&
              old.sa_handler == nothing,
          "rt_sigaction: what was set is told");
    check(sigaction(SIGKILL, &new, NULL) == -1 && errno == EINVAL,
          "rt_sigaction: SIGKILL is EINVAL");
    sigemptyset(&set);
    check(sigprocmask(SIG_BLOCK, &set, NULL) == 0, "rt_sigprocmask: accepted");
    signal(SIGUSR1, SIG_IGN);
    check(raise(SIGUSR1) == 0, "tkill: an ignored signal does nothing");
}

void other_calls(void)
{
    pipes();
    descriptors();
    processes();
    signals();
}
