/* The system calls on files that need a writable file system, one test each at least; then those on sockets. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "../posix/check.h"
#include "sockets.h"

static const char *folder;

/* The path of a name in the folder: the library OS knows no working folder but the root. */
static const char *at(const char *name)
{
    static char paths[2][256];
    static int turn;
    turn = !turn;
    snprintf(paths[turn], sizeof(paths[turn]), "%s/%s", folder, name);
    return paths[turn];
}

static void content(void)
{
    char got[16] = {0}, more[4] = {0};
    struct stat st;
    struct iovec out[2] = {{"abcd", 4}, {"efgh", 4}}, in[2] = {{got, 6}, {more, 2}};
    int fd = open(at("file"), O_RDWR | O_CREAT | O_EXCL, 0644);
    check(fd > 2, "openat: makes a file");
    check(open(at("file"), O_RDWR | O_CREAT | O_EXCL, 0644) == -1 && errno == EEXIST,
          "openat: O_EXCL is EEXIST");
    check(pwrite(fd, "xyz", 3, 100) == 3 && lseek(fd, 0, SEEK_CUR) == 0, "pwrite64: does not move");
    check(pread(fd, got, 16, 99) == 4 && memcmp(got, "\0xyz", 4) == 0,
          "pread64: a hole reads as zeros");
    check(pwritev(fd, out, 2, 0) == 8 && preadv(fd, in, 2, 0) == 8 &&
              memcmp(got, "abcdef", 6) == 0 && memcmp(more, "gh", 2) == 0,
          "pwritev, preadv: pieces there and back");
    check(preadv(fd, in, 2, 0) == 8, "preadv: again from the same place");
    check(lseek(fd, -3, SEEK_END) == 100 && read(fd, got, 16) == 3 && read(fd, got, 16) == 0,
          "lseek: from the end");
    check(ftruncate(fd, 4) == 0 && fstat(fd, &st) == 0 && st.st_size == 4, "ftruncate: shorter");
    check(ftruncate(fd, 5000) == 0 && pread(fd, got, 2, 4) == 2 && got[0] == 0,
          "ftruncate: longer, with zeros");
    check(fsync(fd) == 0, "fsync: done");
    check(fdatasync(fd) == 0, "fdatasync: done");
    check(fsync(77) == -1 && errno == EBADF, "fsync: of a closed descriptor is EBADF");
    check(fchmod(fd, 0600) == 0, "fchmod: accepted");
    check(fchown(fd, geteuid(), getegid()) == 0, "fchown: accepted");
    check(fchmodat(AT_FDCWD, at("file"), 0600, 0) == 0, "fchmodat: accepted");
    check(fchownat(AT_FDCWD, at("file"), geteuid(), getegid(), 0) == 0, "fchownat: accepted");
    check(utimensat(AT_FDCWD, at("file"), NULL, 0) == 0, "utimensat: accepted");
    check(close(fd) == 0, "close: of a file");
    fd = open(at("file"), O_WRONLY | O_APPEND);
    check(write(fd, "end", 3) == 3 && lseek(fd, 0, SEEK_END) == 5003, "openat: O_APPEND");
    close(fd);
    fd = open(at("file"), O_RDWR | O_TRUNC);
    check(fstat(fd, &st) == 0 && st.st_size == 0, "openat: O_TRUNC");
    close(fd);
}

static bool unlinked_while_open(void)
{
    char got[8] = {0};
    struct stat st;
    int fd = open(at("gone"), O_RDWR | O_CREAT, 0644);
    bool good =
        write(fd, "kept", 4) == 4 && unlink(at("gone")) == 0 && access(at("gone"), F_OK) == -1;
    int other = open(at("gone"), O_RDWR | O_CREAT, 0644); /* another file of the same name */
    good &= write(other, "new", 3) == 3 && pwrite(fd, "!", 1, 4) == 1;
    good &= pread(fd, got, sizeof(got), 0) == 5 && memcmp(got, "kept!", 5) == 0;
    good &= fstat(fd, &st) == 0 && st.st_nlink == 0 && st.st_size == 5;
    good &= pread(other, got, sizeof(got), 0) == 3 && memcmp(got, "new", 3) == 0;
    return close(fd) == 0 && close(other) == 0 && unlink(at("gone")) == 0 && good;
}

static void names(void)
{
    char path[64];
    struct stat st;
    int seen = 0;
    check(mkdir(at("sub"), 0755) == 0, "mkdirat: makes a folder");
    check(mkdir(at("sub"), 0755) == -1 && errno == EEXIST, "mkdirat: EEXIST");
    close(open(at("sub/one"), O_CREAT | O_WRONLY, 0644));
    check(stat(at("sub/one"), &st) == 0 && S_ISREG(st.st_mode), "newfstatat: a file in a folder");
    check(access(at("sub/one"), R_OK | W_OK) == 0, "faccessat: may be read and written");
    check(rmdir(at("sub")) == -1 && errno == ENOTEMPTY, "unlinkat: ENOTEMPTY");
    check(rename(at("file"), at("other")) == 0 && access(at("file"), F_OK) == -1 &&
              errno == ENOENT && access(at("other"), F_OK) == 0,
          "renameat: a new name");
    close(open(at("third"), O_CREAT | O_WRONLY, 0644));
    check(syscall(SYS_renameat2, AT_FDCWD, at("third"), AT_FDCWD, at("other"), 0) == 0 &&
              access(at("third"), F_OK) == -1,
          "renameat2: over another file");
    DIR *list = opendir(folder);
    for (struct dirent *entry; list != NULL && (entry = readdir(list)) != NULL;) {
        seen += strcmp(entry->d_name, "other") == 0 || strcmp(entry->d_name, "sub") == 0;
    }
    check(list != NULL && seen == 2, "getdents64: lists both");
    closedir(list);
    check(readlink(at("other"), path, sizeof(path)) == -1 && errno == EINVAL,
          "readlinkat: of a file is EINVAL");
    check(unlink(at("other")) == 0 && unlink(at("other")) == -1 && errno == ENOENT,
          "unlinkat: once");
    check(unlinked_while_open(), "unlinkat: a file that is open keeps what it has");
    check(unlink(at("sub/one")) == 0 && rmdir(at("sub")) == 0, "unlinkat: a file, then its folder");
}

#ifdef BULKHEAD_LIBOS
/* Its disk has 16 MiB; a Linux process must not fill its user's. */
static void full(void)
{
    static char block[65536];
    int fd = open(at("large"), O_CREAT | O_WRONLY, 0644);
    long written = 0;
    ssize_t done;
    while ((done = write(fd, block, sizeof(block))) > 0) {
        written += done;
    }
    check(done == -1 && errno == ENOSPC, "write: to a full disk is ENOSPC");
    check(close(fd) == 0 && unlink(at("large")) == 0, "unlinkat: gives the room back");
    fd = open(at("large"), O_CREAT | O_WRONLY, 0644);
    check(fsync(fd) == 0 && write(fd, block, sizeof(block)) == sizeof(block),
          "write: there is room again");
    close(fd);
    unlink(at("large"));
    fd = open("/dev/null", O_RDONLY);
    check(ftruncate(fd, 0) == -1 && errno == EINVAL, "ftruncate: of a device is EINVAL");
    close(fd);
}
#endif

int main(int argc, char **argv)
{
    folder = argc > 1 ? argv[1] : "/data";
    content();
    names();
#ifdef BULKHEAD_LIBOS
    full();
#endif
    sockets(folder);
    return check_end();
}
