#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>

#include "libos/file.h"
#include "libos/page.h"
#include "libos/random.h"
#include "libos/syscall.h"
#include "libos/time.h"

extern const char config_name[];
extern const size_t config_stack_size;

SYSCALL(getrandom)
{
    random_bytes(ARG_POINTER(0, void), ARG_SIZE(1));
    return ARG_LONG(1);
}

SYSCALL(uname)
{
    struct utsname *to = ARG_POINTER(0, struct utsname);
    memset(to, 0, sizeof(*to));
    strcpy(to->sysname, "Bulkhead");
    libos_format(to->nodename, sizeof(to->nodename), "%s", config_name);
    strcpy(to->release, "1.0");
    strcpy(to->version, "libos");
    strcpy(to->machine, "aarch64");
    return 0;
}

SYSCALL(prlimit64)
{
    struct rlimit *old = ARG_POINTER(3, struct rlimit);
    if (old != NULL) {
        rlim_t limit = RLIM_INFINITY;
        if (ARG_INT(1) == RLIMIT_NOFILE) {
            limit = FILE_MAX;
        } else if (ARG_INT(1) == RLIMIT_STACK) {
            limit = config_stack_size;
        } else if (ARG_INT(1) == RLIMIT_CORE) {
            limit = 0;
        }
        old->rlim_cur = limit;
        old->rlim_max = limit;
    }
    return 0; /* a new limit is accepted and not enforced */
}

SYSCALL(getrlimit)
{
    f->x[3] = f->x[1];
    f->x[1] = f->x[0];
    return sys_prlimit64(f);
}

SYSCALL(getrusage)
{
    struct rusage *to = ARG_POINTER(1, struct rusage);
    uint64_t ns = time_monotonic_ns();
    memset(to, 0, sizeof(*to));
    to->ru_utime.tv_sec = (time_t)(ns / NS_PER_SECOND);
    to->ru_utime.tv_usec = (suseconds_t)(ns % NS_PER_SECOND / 1000);
    to->ru_maxrss = (long)(page_usage().peak * PAGE_SIZE / 1024);
    return 0;
}

SYSCALL(sysinfo)
{
    struct sysinfo *to = ARG_POINTER(0, struct sysinfo);
    struct page_usage usage = page_usage();
    memset(to, 0, sizeof(*to));
    to->uptime = time_monotonic_ns() / NS_PER_SECOND;
    to->totalram = usage.total * PAGE_SIZE;
    to->freeram = (usage.total - usage.used) * PAGE_SIZE;
    to->procs = 1;
    to->mem_unit = 1;
    return 0;
}

SYSCALL(getcwd)
{
    if (ARG_SIZE(1) < 2) {
        return -ERANGE;
    }
    strcpy(ARG_POINTER(0, char), "/");
    return 2;
}

SYSCALL(chdir)
{
    const char *path = ARG_POINTER(0, char);
    return strcmp(path, "/") == 0 ? 0 : -ENOENT;
}

SYSCALL(prctl)
{
    return -EINVAL;
}

/* Owners, modes and times of files: accepted, because one program owns everything; not kept. */
SYSCALL(ignored)
{
    return 0;
}

/* What needs a second process. Quiet, because programs ask and go on. */
SYSCALL(refused)
{
    return -ENOSYS;
}

static uint64_t reported[8]; /* one bit per system call number below 512 */

long syscall_missing(long number)
{
    if (number < 0 || number >= 512 || !(reported[number / 64] >> number % 64 & 1)) {
        if (number >= 0 && number < 512) {
            reported[number / 64] |= 1UL << number % 64;
        }
        libos_log("system call %ld is not in this image; it returned ENOSYS", number);
    }
    return -ENOSYS;
}
