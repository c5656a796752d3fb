/* The one direct system call in the resolver: a cancelled query closes its socket, which is ours. */
#include <unistd.h>

#define SYS_close 0
#define __syscall(number, fd) close((int)(fd))
