/* The files that musl's resolver reads, as they are in the unikernel. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/resolver.h"
#include "tap/tap.h"

FILE *tap_resolver_open(const char *path)
{
    const char *root = getenv("APP_FILES");
    char name[PATH_MAX], text[RESOLVER_TEXT_MAX];
    FILE *file = NULL;
    errno = ENOENT;
    if (root != NULL && snprintf(name, sizeof(name), "%s%s", root, path) < (int)sizeof(name)) {
        file = fopen(name, "re");
    }
    if (file != NULL || strcmp(path, "/etc/resolv.conf") != 0) {
        return file;
    }
    tap_start();
    tap_lock();
    resolver_check();
    size_t length = resolver_text(text);
    tap_unlock();
    file = fmemopen(NULL, sizeof(text) + 1, "w+");
    if (file != NULL) {
        fwrite(text, 1, length, file);
        rewind(file);
    }
    return file;
}
