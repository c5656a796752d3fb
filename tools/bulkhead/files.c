#include "files.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int file_write(struct report *report, const char *path, const void *bytes, size_t length)
{
    FILE *stream = fopen(path, "wb");
    bool good = stream && fwrite(bytes, 1, length, stream) == length;

    if (stream && fclose(stream) != 0) {
        good = false;
    }
    if (!good) {
        report_error(report, (struct place){path, 0}, "cannot be written: %s", strerror(errno));
        return -1;
    }
    return 0;
}

int file_copy(struct report *report, const char *from, const char *to)
{
    FILE *in = fopen(from, "rb"), *out = in ? fopen(to, "wb") : NULL;
    size_t room = 1u << 20, got;
    char *buffer = must_allocate(room);
    bool good = out != NULL;

    while (good && (got = fread(buffer, 1, room, in)) > 0) {
        good = fwrite(buffer, 1, got, out) == got;
    }
    good = good && !ferror(in);
    if (out && fclose(out) != 0) {
        good = false;
    }
    if (in) {
        fclose(in);
    }
    free(buffer);
    if (!good) {
        report_error(report, (struct place){to, 0}, "cannot be copied from %s: %s", from,
                     strerror(errno));
        return -1;
    }
    return 0;
}

int system_write(struct system *system, const char *folder)
{
    size_t length;
    void *tree = system_tree(system, &length);
    char *path = must_print("%s/tree.dtb", folder);
    int result = tree ? file_write(system->report, path, tree, length) : -1;

    free(tree);
    free(path);
    for (unsigned i = 0; i < system->module_count && result == 0; i++) {
        struct module *module = &system->modules[i];

        if (module->bytes) {
            free(module->path);
            module->path = must_print("%s/%s", folder, module->file_name);
            result = file_write(system->report, module->path, module->bytes, module->length);
        }
    }
    return result;
}
