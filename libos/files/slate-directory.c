/* Directories of slate: a record's name is its whole path, so a directory is the names that begin with its own. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "files/slate-internal.h"
#include "libos/heap.h"

struct slate_directory {
    struct file file;
    char path[SLATE_NAME_SIZE];
    uint32_t next;
};

static ssize_t directory_list(struct file *file, void *to, size_t size)
{
    struct slate_directory *self = (struct slate_directory *)file;
    size_t length = self->path[1] == '\0' ? 0 : strlen(self->path);
    size_t done = 0;
    const struct slate_record *record;
    for (; (record = slate_record_at(self->next)) != NULL; self->next++) {
        const char *name = record->name + length + 1;
        if (strncmp(record->name, self->path, length) != 0 || record->name[length] != '/' ||
            *name == '\0' || strchr(name, '/') != NULL) {
            continue;
        }
        size_t more = fs_put_entry((char *)to + done, size - done, self->next + 16, self->next + 1,
                                   S_ISDIR(record->mode) ? DT_DIR : DT_REG, name, strlen(name));
        if (more == 0) {
            return done == 0 ? -EINVAL : (ssize_t)done;
        }
        done += more;
    }
    return (ssize_t)done;
}

static int directory_sync(struct file *file)
{
    return slate_commit();
}

static int directory_stat(struct file *file, struct stat *to)
{
    to->st_mode = S_IFDIR | 0755;
    to->st_dev = 2;
    return 0;
}

static void directory_close(struct file *file)
{
    heap_free(file);
}

static const struct file_ops directory_ops = {.list = directory_list,
                                              .stat = directory_stat,
                                              .sync = directory_sync,
                                              .close = directory_close};

int slate_open_directory(const char *path, int flags, struct file **file)
{
    if ((flags & O_ACCMODE) != O_RDONLY) {
        return -EISDIR;
    }
    struct slate_directory *opened = heap_zalloc(sizeof(*opened));
    if (opened == NULL) {
        return -ENOMEM;
    }
    opened->file.ops = &directory_ops;
    strcpy(opened->path, path);
    *file = &opened->file;
    return 0;
}
