/*
 * The file system against power cuts, on the host with sanitizers.
 *
 * The device is a model of a disk with a volatile cache: a write is durable only after a flush; at a
 * power cut each sector written since may be the old or the new one, independently. Random
 * operations run on the file system and on a plain model of it; after each cut the disk is
 * mounted again, and must show exactly the state of the last successful sync in names and
 * sizes, and in each byte either that state's or one written later.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "files/slate.h"
#include "host.h"
#include "libos/time.h"

#define SECTORS 2048 /* 1 MiB: small, so that it fills up */
#define NAMES 6
#define SIZE 60000

static uint8_t durable[SECTORS * SECTOR_SIZE], cached[SECTORS * SECTOR_SIZE];
static uint64_t state = 1;
static unsigned long cut_after; /* writes until the power fails; 0: never */
static bool off;

static uint64_t generate(uint64_t below)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state % below;
}

/* --- what slate.c needs of the library OS --- */
uint64_t time_wall_ns(void)
{
    return 0;
}
size_t fs_put_entry(void *to, size_t room, uint64_t inode, uint64_t next, uint8_t type,
                    const char *name, size_t length)
{
    return 0;
}

static int disk_read(uint64_t sector, void *to, size_t count)
{
    memcpy(to, cached + sector * SECTOR_SIZE, count * SECTOR_SIZE);
    return off ? -5 : 0;
}

static int disk_write(uint64_t sector, const void *from, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (off || (cut_after != 0 && --cut_after == 0)) {
            off = true;
            return -5;
        }
        memcpy(cached + (sector + i) * SECTOR_SIZE, (const char *)from + i * SECTOR_SIZE,
               SECTOR_SIZE);
    }
    return 0;
}

static int disk_flush(void)
{
    if (off) {
        return -5;
    }
    memcpy(durable, cached, sizeof(durable));
    return 0;
}

static struct blkdev disk = {SECTORS, false, disk_read, disk_write, disk_flush};

/* Each sector not flushed is lost or kept, by chance. */
static void power_cut(void)
{
    for (size_t s = 0; s < SECTORS; s++) {
        if (generate(2)) {
            memcpy(durable + s * SECTOR_SIZE, cached + s * SECTOR_SIZE, SECTOR_SIZE);
        }
    }
    memcpy(cached, durable, sizeof(cached));
    off = false;
    cut_after = 0;
}

/* --- the model --- */
struct model {
    bool exists[NAMES];
    uint32_t size[NAMES];
    uint8_t data[NAMES][SIZE];
};
static struct model now, synced, entering; /* entering: what a sync under way would make true */
static bool changed[NAMES][SIZE];          /* bytes written since the last sync: either is right */
static bool sync_failed;

static const char *name(unsigned int i)
{
    static const char *const names[NAMES] = {"/a", "/b", "/c", "/d/e", "/d/f", "/journal"};
    return names[i];
}

static struct file *open_file(struct file_system *fs, unsigned int i, int flags)
{
    struct file *file;
    if (fs->open(name(i), flags, 0644, &file) != 0) {
        return NULL;
    }
    file->references = 1;
    file->flags = flags & O_ACCMODE;
    return file;
}

static void step_write(struct file_system *fs, unsigned int i)
{
    static uint8_t block[12000];
    uint32_t at = (uint32_t)generate(SIZE - sizeof(block));
    uint32_t size = (uint32_t)generate(generate(4) ? 600 : sizeof(block)) + 1;
    uint8_t value = (uint8_t)generate(256);
    memset(block, value, size);
    struct file *file = open_file(fs, i, O_RDWR | O_CREAT);
    if (file == NULL) {
        return;
    }
    if (!now.exists[i]) {
        now.exists[i] = true;
        now.size[i] = 0;
    }
    ssize_t done = file->ops->pwrite(file, block, size, at);
    if (done == (ssize_t)size) {
        if (at > now.size[i]) {
            memset(now.data[i] + now.size[i], 0, at - now.size[i]);
            memset(changed[i] + now.size[i], 1, at - now.size[i]);
        }
        memcpy(now.data[i] + at, block, size);
        now.size[i] = MAX(now.size[i], at + size);
    }
    memset(changed[i] + MIN(at, now.size[i]), 1, at + size - MIN(at, now.size[i]));
    memset(changed[i] + MIN(at, synced.size[i]), 1, at + size - MIN(at, synced.size[i]));
    file->ops->close(file);
}

static void step_truncate(struct file_system *fs, unsigned int i)
{
    struct file *file = now.exists[i] ? open_file(fs, i, O_RDWR) : NULL;
    uint32_t size = (uint32_t)generate(SIZE / 2);
    if (file != NULL && size < now.size[i] && file->ops->truncate(file, size) == 0) {
        now.size[i] = size;
    }
    if (file != NULL) {
        file->ops->close(file);
    }
}

/* A file without a name any more: somebody has it open. */
static struct {
    struct file *file;
    uint32_t size;
    uint8_t data[SIZE];
} nameless;
static unsigned long nameless_seen;
static const char *nameless_wrong;

static void close_nameless(void)
{
    if (nameless.file != NULL) {
        nameless.file->ops->close(nameless.file);
        nameless.file = NULL;
    }
}

static void step_unlink(struct file_system *fs, unsigned int i)
{
    struct file *file =
        now.exists[i] && nameless.file == NULL && generate(2) ? open_file(fs, i, O_RDWR) : NULL;
    if (file != NULL &&
        generate(4) == 0) { /* no memory for what it would become: nothing changes */
        host_no_memory = true;
        if (fs->unlink(name(i), false) != -ENOMEM) {
            nameless_wrong = "removed without memory for a file that is open";
        }
        host_no_memory = false;
    }
    if (now.exists[i] && fs->unlink(name(i), false) == 0) {
        now.exists[i] = false;
        if (file != NULL) {
            nameless.file = file;
            nameless.size = now.size[i];
            memcpy(nameless.data, now.data[i], SIZE);
            file = NULL;
        }
    }
    if (file != NULL) {
        file->ops->close(file);
    }
}

/* Read it, write to it, or let it go. Until the removal is committed its blocks are the old file's. */
static void step_nameless(void)
{
    static uint8_t data[SIZE];
    struct file *file = nameless.file;
    if (file == NULL) {
        return;
    }
    struct stat st = {0};
    ssize_t got = file->ops->pread(file, data, SIZE, 0);
    if (!off &&
        (got != (ssize_t)nameless.size || memcmp(data, nameless.data, (size_t)got) != 0 ||
         file->ops->stat(file, &st) != 0 || st.st_nlink != 0 || st.st_size != nameless.size)) {
        nameless_wrong = "a file removed while open has other content";
    }
    nameless_seen++;
    if (generate(3) == 0) {
        close_nameless();
        return;
    }
    uint32_t at = (uint32_t)generate(SIZE - 5000), size = (uint32_t)generate(5000) + 1;
    memset(data, (int)generate(256), size);
    memset(changed, 1, sizeof(changed));
    if (file->ops->pwrite(file, data, size, at) == (ssize_t)size) {
        if (at > nameless.size) {
            memset(nameless.data + nameless.size, 0, at - nameless.size);
        }
        memcpy(nameless.data + at, data, size);
        nameless.size = MAX(nameless.size, at + size);
    } else {
        close_nameless(); /* the disk is full or off: what it has now is anybody's guess */
    }
}

static void step(struct file_system *fs)
{
    unsigned int i = (unsigned int)generate(NAMES);
    switch (generate(8)) {
    case 0:
        step_unlink(fs, i);
        break;
    case 1:
        step_truncate(fs, i);
        break;
    case 2: {
        unsigned int to = (unsigned int)generate(NAMES);
        if (now.exists[i] && to != i && fs->rename(name(i), name(to)) == 0) {
            now.exists[to] = true;
            now.size[to] = now.size[i];
            memcpy(now.data[to], now.data[i], SIZE);
            now.exists[i] = false;
            /* Which bytes may differ after a cut follows the committed name, not this one. */
            memset(changed, 1, sizeof(changed));
        }
        break;
    }
    case 3: {
        struct file *directory;
        if (fs->open("/", O_RDONLY, 0, &directory) == 0) {
            entering = now;
            if (directory->ops->sync(directory) == 0) {
                synced = now;
                memset(changed, 0, sizeof(changed));
                sync_failed = false;
            } else {
                sync_failed = true;
            }
            directory->ops->close(directory);
        }
        break;
    }
    case 4:
        step_nameless();
        break;
    default:
        step_write(fs, i);
    }
}

static bool same_as(struct file_system *fs, const struct model *model, bool bytes)
{
    static uint8_t data[SIZE];
    for (unsigned int i = 0; i < NAMES; i++) {
        struct stat st = {0};
        bool exists = fs->stat(name(i), &st) == 0;
        if (exists != model->exists[i] || (exists && st.st_size != model->size[i])) {
            return false;
        }
        if (!exists || !bytes) {
            continue;
        }
        struct file *file = open_file(fs, i, O_RDONLY);
        ssize_t got = file->ops->pread(file, data, SIZE, 0);
        file->ops->close(file);
        if (got != (ssize_t)model->size[i]) {
            return false;
        }
        for (uint32_t b = 0; b < model->size[i]; b++) {
            if (data[b] != model->data[i][b] && !changed[i][b]) {
                return false;
            }
        }
    }
    return true;
}

static void read_back(struct file_system *fs, struct model *model)
{
    memset(model, 0, sizeof(*model));
    for (unsigned int i = 0; i < NAMES; i++) {
        struct stat st = {0};
        if (fs->stat(name(i), &st) == 0) {
            model->exists[i] = true;
            model->size[i] = (uint32_t)st.st_size;
            struct file *file = open_file(fs, i, O_RDONLY);
            (void)file->ops->pread(file, model->data[i], SIZE, 0);
            file->ops->close(file);
        }
    }
}

int main(int argc, char **argv)
{
    unsigned long rounds = argc > 1 ? strtoul(argv[1], NULL, 10) : 200;
    unsigned long lost = 0, kept = 0;
    const char *wrong = NULL;
    state = argc > 2 ? strtoull(argv[2], NULL, 10) | 1 : 1;
    for (unsigned long round = 0; round < rounds && wrong == NULL; round++) {
        struct file_system *fs = slate_mount(&disk, "/data");
        if (fs == NULL) {
            wrong = "does not mount";
            break;
        }
        (void)fs->mkdir("/d", 0755);
        if (round > 0) {
            bool old = same_as(fs, &synced, true);
            bool new = sync_failed &&same_as(fs, &entering, false);
            lost += !old && !new;
            kept += old;
            wrong = old || new ? slate_check() : "not the state of the last sync";
        }
        read_back(fs, &now);
        synced = now;
        sync_failed = false;
        memset(changed, 0, sizeof(changed));
        cut_after = generate(400) + 1;
        while (!off && wrong == NULL) {
            step(fs);
            wrong = nameless_wrong != NULL ? nameless_wrong : off ? NULL : slate_check();
        }
        close_nameless();
        power_cut();
    }
    puts("1..3");
    printf("%s 1 - %lu power cuts: names, sizes and bytes of the last sync%s%s\n",
           wrong == NULL ? "ok" : "not ok", rounds, wrong != NULL ? ": " : "",
           wrong != NULL ? wrong : "");
    printf("%s 2 - the old state was really seen (%lu times)\n",
           kept > rounds / 4 ? "ok" : "not ok", kept);
    printf("%s 3 - files removed while open keep what they have (%lu looks)\n",
           nameless_seen > rounds / 8 ? "ok" : "not ok", nameless_seen);
    return wrong != NULL || kept <= rounds / 4 || nameless_seen <= rounds / 8;
}
