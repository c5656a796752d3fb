/* /etc/resolv.conf, made when it is opened: what is known of name servers then (net/resolver.h). */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "libos/devices.h"
#include "libos/fs.h"
#include "libos/heap.h"
#include "net/resolver.h"

struct text_file {
    struct file file;
    size_t offset, length;
    char text[RESOLVER_TEXT_MAX];
};

static ssize_t text_read(struct file *file, void *to, size_t size)
{
    struct text_file *self = (struct text_file *)file;
    size = MIN(size, self->length - self->offset);
    memcpy(to, self->text + self->offset, size);
    self->offset += size;
    return (ssize_t)size;
}

static int text_stat(struct file *file, struct stat *to)
{
    to->st_mode = S_IFREG | 0444;
    to->st_size = (off_t)((struct text_file *)file)->length;
    return 0;
}

static void text_close(struct file *file)
{
    heap_free(file);
}

static const struct file_ops text_ops = {.read = text_read, .stat = text_stat, .close = text_close};

static int text_open(const char *path, int flags, mode_t mode, struct file **file)
{
    if (path[1] != '\0') {
        return -ENOTDIR;
    }
    if ((flags & O_ACCMODE) != O_RDONLY) {
        return -EROFS;
    }
    struct text_file *opened = heap_zalloc(sizeof(*opened));
    if (opened == NULL) {
        return -ENOMEM;
    }
    opened->file.ops = &text_ops;
    opened->length = resolver_text(opened->text);
    *file = &opened->file;
    return 0;
}

static int text_path_stat(const char *path, struct stat *to)
{
    char text[RESOLVER_TEXT_MAX];
    if (path[1] != '\0') {
        return -ENOTDIR;
    }
    to->st_mode = S_IFREG | 0444;
    to->st_size = (off_t)resolver_text(text);
    return 0;
}

static struct file_system resolver_file = {
    .mount = "/etc/resolv.conf", .open = text_open, .stat = text_path_stat};

void resolver_start(void)
{
    resolver_check();
    fs_mount(&resolver_file);
}
