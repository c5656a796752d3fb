#include "app.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Below the directory of this program: build/host/.. in the source tree, bin/.. when installed. */
static const char *const places[] = {
    "../../tools/app/app.py",
    "../libexec/bulkhead/app/app.py",
};

void app_exec(char **argv)
{
    char self[PATH_MAX - 64];
    char path[PATH_MAX];
    const char *given = getenv("BULKHEAD_APP");
    if (given != NULL) {
        argv[1] = (char *)given;
        execv(given, argv + 1);
        fprintf(stderr, "bulkhead: cannot run BULKHEAD_APP=%s: %s\n", given, strerror(errno));
        return;
    }
    ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
    self[length > 0 ? length : 0] = '\0';
    char *slash = strrchr(self, '/');
    for (size_t i = 0; slash != NULL && i < sizeof(places) / sizeof(places[0]); i++) {
        slash[1] = '\0';
        snprintf(path, sizeof(path), "%s%s", self, places[i]);
        if (access(path, X_OK) == 0) {
            argv[1] = path;
            execv(path, argv + 1);
        }
    }
    fprintf(stderr, "bulkhead: the application tool app/app.py is not beside this program; "
                    "set BULKHEAD_APP to its path\n");
}
