#include "files/slate.h"
#include "libos/devices.h"

void disk_start(const char *path)
{
    struct blkdev *device = blkdev_open();
    struct file_system *fs = device == NULL ? NULL : slate_mount(device, path);
    if (fs == NULL) {
        libos_panic("the program needs a disk at %s and has none it can use (see above)", path);
    }
    fs_mount(fs);
    libos_log("disk: %lu MiB at %s", device->sectors / 2048, path);
}
