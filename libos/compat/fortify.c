/*
 * Symbols that Debian's archives (compiled against glibc with _FORTIFY_SOURCE) want beyond musl.
 * The sizes they carry are ignored: musl's functions of the same types do the work.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void *__memcpy_chk(void *to, const void *from, size_t size, size_t room);
void *__memcpy_chk(void *to, const void *from, size_t size, size_t room)
{
    if (size > room) {
        abort();
    }
    return memcpy(to, from, size);
}

void *__memset_chk(void *to, int value, size_t size, size_t room);
void *__memset_chk(void *to, int value, size_t size, size_t room)
{
    if (size > room) {
        abort();
    }
    return memset(to, value, size);
}

void *__memmove_chk(void *to, const void *from, size_t size, size_t room);
void *__memmove_chk(void *to, const void *from, size_t size, size_t room)
{
    if (size > room) {
        abort();
    }
    return memmove(to, from, size);
}

char *__strcpy_chk(char *to, const char *from, size_t room);
char *__strcpy_chk(char *to, const char *from, size_t room)
{
    return __memcpy_chk(to, from, strlen(from) + 1, room);
}

char *__strncpy_chk(char *to, const char *from, size_t size, size_t room);
char *__strncpy_chk(char *to, const char *from, size_t size, size_t room)
{
    if (size > room) {
        abort();
    }
    return strncpy(to, from, size);
}

int __snprintf_chk(char *to, size_t size, int flag, size_t room, const char *format, ...);
int __snprintf_chk(char *to, size_t size, int flag, size_t room, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(to, size, format, arguments);
    va_end(arguments);
    return length;
}

int __vsnprintf_chk(char *to, size_t size, int flag, size_t room, const char *format, va_list a);
int __vsnprintf_chk(char *to, size_t size, int flag, size_t room, const char *format, va_list a)
{
    return vsnprintf(to, size, format, a);
}

int __printf_chk(int flag, const char *format, ...);
int __printf_chk(int flag, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vprintf(format, arguments);
    va_end(arguments);
    return length;
}

int __fprintf_chk(FILE *file, int flag, const char *format, ...);
int __fprintf_chk(FILE *file, int flag, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vfprintf(file, format, arguments);
    va_end(arguments);
    return length;
}

ssize_t __read_chk(int fd, void *to, size_t size, size_t room);
ssize_t __read_chk(int fd, void *to, size_t size, size_t room)
{
    if (size > room) {
        abort();
    }
    return read(fd, to, size);
}

ssize_t __readlink_chk(const char *path, char *to, size_t size, size_t room);
ssize_t __readlink_chk(const char *path, char *to, size_t size, size_t room)
{
    return readlink(path, to, size);
}

char *__getcwd_chk(char *to, size_t size, size_t room);
char *__getcwd_chk(char *to, size_t size, size_t room)
{
    return getcwd(to, size);
}

int __open64_2(const char *path, int flags);
int __open64_2(const char *path, int flags)
{
    return open(path, flags);
}

int fcntl64(int fd, int command, ...);
int fcntl64(int fd, int command, ...)
{
    va_list arguments;
    va_start(arguments, command);
    void *argument = va_arg(arguments, void *);
    va_end(arguments);
    return fcntl(fd, command, argument);
}

void __explicit_bzero_chk(void *to, size_t size, size_t room);
void __explicit_bzero_chk(void *to, size_t size, size_t room)
{
    explicit_bzero(to, size);
}
