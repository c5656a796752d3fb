#include <errno.h>
#include <unistd.h>

#include "libos/file.h"
#include "libos/heap.h"
#include "libos/syscall.h"

#define CHUNK 4080 /* one page of the heap with its header */

/* From the file's own memory if it has any (the archive has), else through a page. */
SYSCALL(sendfile)
{
    struct file *out = file_get(ARG_INT(0));
    struct file *in = file_get(ARG_INT(1));
    off_t *position = ARG_POINTER(2, off_t);
    size_t left = ARG_SIZE(3);
    if (out == NULL || in == NULL) {
        return -EBADF;
    }
    if (out->ops->write == NULL || in->ops->pread == NULL || in->ops->seek == NULL) {
        return -EINVAL;
    }
    off_t at = position != NULL ? *position : in->ops->seek(in, 0, SEEK_CUR);
    struct stat st;
    if (in->ops->stat(in, &st) != 0 || at >= st.st_size) {
        return 0;
    }
    left = MIN(left, (size_t)(st.st_size - at));
    const void *mapped = in->ops->map == NULL ? NULL : in->ops->map(in, at, left);
    ssize_t done = 0;
    if (mapped != NULL) {
        done = out->ops->write(out, mapped, left);
    } else {
        char *page = heap_alloc(CHUNK);
        if (page == NULL) {
            return -ENOMEM;
        }
        ssize_t got = in->ops->pread(in, page, MIN(left, (size_t)CHUNK), at);
        done = got <= 0 ? got : out->ops->write(out, page, (size_t)got);
        heap_free(page);
    }
    if (done > 0 && position != NULL) {
        *position = at + done;
    } else if (done > 0) {
        in->ops->seek(in, at + done, SEEK_SET);
    }
    return done;
}
