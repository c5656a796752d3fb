#include "files/slate.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "files/slate-internal.h"
#include "libos/heap.h"
#include "libos/time.h"

_Static_assert(sizeof(struct slate_record) == 256, "slate.h: on disk");
_Static_assert(sizeof(struct slate_header) + SLATE_FILES_MAX * sizeof(struct slate_record) <=
                   SLATE_TABLE_BLOCKS * SLATE_BLOCK,
               "slate.h: the table fits");

/* The table as it is written: header and records, one buffer. */
struct table {
    struct slate_header header;
    struct slate_record records[SLATE_FILES_MAX];
    char pad[SLATE_TABLE_BLOCKS * SLATE_BLOCK - sizeof(struct slate_header) -
             SLATE_FILES_MAX * sizeof(struct slate_record)];
};

/* A file removed while it was open: without a name, and on the disk only until it is closed. */
struct orphan {
    struct slate_record record;
    unsigned int opens;
    struct orphan *next;
};

struct slate_file {
    struct file file;
    int index;             /* of the record; several opens share it */
    struct orphan *orphan; /* has the record instead, if not NULL */
    off_t offset;
    struct slate_file *next_open;
};

static struct blkdev *device;
static struct table *table;
static uint64_t *used; /* bitmap: in the live table, or an orphan's */
static uint64_t *held; /* bitmap: in the committed table */
static uint32_t block_count;
static bool dirty;
static struct slate_file *open_files;
static struct orphan *orphans;

static uint32_t crc32(const void *data, size_t size)
{
    const uint8_t *at = data;
    uint32_t crc = ~0U;
    while (size-- > 0) {
        crc ^= *at++;
        for (int bit = 0; bit < 8; bit++) {
            crc = crc >> 1 ^ (0xedb88320 & -(crc & 1));
        }
    }
    return ~crc;
}

static bool bit_get(const uint64_t *map, uint32_t bit)
{
    return map[bit / 64] >> bit % 64 & 1;
}

static void bit_set(uint64_t *map, uint32_t bit, bool value)
{
    map[bit / 64] = value ? map[bit / 64] | 1UL << bit % 64 : map[bit / 64] & ~(1UL << bit % 64);
}

static size_t table_bytes(const struct slate_header *header)
{
    return sizeof(*header) + header->records * sizeof(struct slate_record);
}

/* --- mounting --- */

static bool read_table(uint32_t block, struct table *to)
{
    if (device->read((uint64_t)block * (SLATE_BLOCK / SECTOR_SIZE), to,
                     sizeof(*to) / SECTOR_SIZE) != 0) {
        return false;
    }
    if (to->header.magic != SLATE_MAGIC || to->header.version != SLATE_VERSION ||
        to->header.records > SLATE_FILES_MAX || to->header.blocks > block_count) {
        return false;
    }
    uint32_t crc = to->header.crc;
    to->header.crc = 0;
    return crc32(to, table_bytes(&to->header)) == crc;
}

/* Mark a record's blocks as used; what is wrong, or NULL. */
static const char *claim_record(const struct slate_record *record)
{
    uint64_t blocks = 0;
    if (record->extent_count > SLATE_EXTENTS ||
        memchr(record->name, '\0', SLATE_NAME_SIZE) == NULL) {
        return "a record is malformed";
    }
    for (uint32_t e = 0; e < record->extent_count; e++) {
        struct slate_extent extent = record->extents[e];
        if (extent.start >= block_count || extent.count > block_count - extent.start) {
            return "an extent lies outside the device";
        }
        blocks += extent.count;
        for (uint32_t b = extent.start; b < extent.start + extent.count; b++) {
            if (bit_get(used, b)) {
                return "a block belongs to two files";
            }
            bit_set(used, b, true);
        }
    }
    return record->size > blocks * SLATE_BLOCK ? "a file is longer than its blocks" : NULL;
}

/* Fill `used` from all records; what is wrong, or NULL. */
static const char *claim_blocks(void)
{
    const char *wrong = NULL;
    memset(used, 0, (block_count + 63) / 64 * 8);
    for (uint32_t b = 0; b < SLATE_FIRST_DATA; b++) {
        bit_set(used, b, true);
    }
    for (uint32_t i = 0; wrong == NULL && i < table->header.records; i++) {
        wrong = claim_record(&table->records[i]);
    }
    for (const struct orphan *o = orphans; wrong == NULL && o != NULL; o = o->next) {
        wrong = claim_record(&o->record);
    }
    return wrong;
}

static bool all_zero(const struct table *t)
{
    const uint64_t *words = (const uint64_t *)t;
    for (size_t i = 0; i < sizeof(*t) / 8; i++) {
        if (words[i] != 0) {
            return false;
        }
    }
    return true;
}

static bool load(void)
{
    struct table *other = heap_alloc(sizeof(*other));
    if (other == NULL) {
        return false;
    }
    bool a = read_table(0, table);
    bool blank = !a && all_zero(table);
    bool b = read_table(SLATE_TABLE_BLOCKS, other);
    if (b && (!a || other->header.sequence > table->header.sequence)) {
        memcpy(table, other, sizeof(*table));
    }
    heap_free(other);
    if (a || b) {
        const char *wrong = claim_blocks();
        if (wrong != NULL) {
            libos_log("disk: damaged: %s", wrong);
        }
        return wrong == NULL;
    }
    if (!blank) {
        libos_log("disk: holds something that is not ours; will not overwrite it "
                  "(zero its first 36 KiB to use it)");
        return false;
    }
    memset(table, 0, sizeof(*table));
    table->header = (struct slate_header){SLATE_MAGIC, SLATE_VERSION, 0, 0, block_count, 0};
    libos_log("disk: empty; made a file system of %u MiB", block_count / 256);
    dirty = true;
    return claim_blocks() == NULL && slate_commit() == 0;
}

/* --- committing --- */

int slate_commit(void)
{
    int error = device->flush(); /* the data first, then what points to it */
    if (error != 0 || !dirty) {
        return error;
    }
    table->header.sequence++;
    table->header.crc = 0;
    table->header.crc = crc32(table, table_bytes(&table->header));
    uint32_t where = table->header.sequence % 2 == 0 ? 0 : SLATE_TABLE_BLOCKS;
    size_t sectors = (table_bytes(&table->header) + SECTOR_SIZE - 1) / SECTOR_SIZE;
    error = device->write((uint64_t)where * (SLATE_BLOCK / SECTOR_SIZE), table, sectors);
    table->header.crc = 0;
    if (error == 0) {
        error = device->flush();
    }
    if (error == 0) {
        memcpy(held, used, (block_count + 63) / 64 * 8);
        dirty = false;
    }
    return error;
}

/* --- records --- */

const struct slate_record *slate_record_at(uint32_t number)
{
    return number < table->header.records ? &table->records[number] : NULL;
}

static int find_record(const char *path)
{
    for (uint32_t i = 0; i < table->header.records; i++) {
        if (strcmp(table->records[i].name, path) == 0) {
            return (int)i;
        }
    }
    return -1;
}

static bool is_directory(const char *path)
{
    int index = find_record(path);
    return path[1] == '\0' || (index >= 0 && S_ISDIR(table->records[index].mode));
}

static bool parent_exists(const char *path)
{
    char parent[SLATE_NAME_SIZE];
    size_t length = (size_t)(strrchr(path, '/') - path);
    if (length == 0) {
        return true;
    }
    memcpy(parent, path, length);
    parent[length] = '\0';
    return is_directory(parent);
}

static int create_record(const char *path, uint32_t mode)
{
    if (strlen(path) >= SLATE_NAME_SIZE) {
        return -ENAMETOOLONG;
    }
    if (!parent_exists(path)) {
        return -ENOENT;
    }
    if (device->read_only) {
        return -EROFS;
    }
    if (table->header.records == SLATE_FILES_MAX) {
        return -ENOSPC;
    }
    int index = (int)table->header.records++;
    struct slate_record *record = &table->records[index];
    memset(record, 0, sizeof(*record));
    strcpy(record->name, path);
    record->mode = mode;
    record->time = (uint32_t)(time_wall_ns() / NS_PER_SECOND);
    dirty = true;
    return index;
}

static void free_blocks_from(struct slate_record *record, uint64_t keep)
{
    uint64_t before = 0;
    for (uint32_t e = 0; e < record->extent_count; e++) {
        struct slate_extent *extent = &record->extents[e];
        uint64_t end = before + extent->count;
        uint32_t stay = keep >= end ? extent->count : keep > before ? (uint32_t)(keep - before) : 0;
        for (uint32_t b = extent->start + stay; b < extent->start + extent->count; b++) {
            bit_set(used, b, false);
        }
        extent->count = stay;
        before = end;
    }
    while (record->extent_count > 0 && record->extents[record->extent_count - 1].count == 0) {
        record->extent_count--;
    }
    dirty = true;
}

/* Whoever has the file open keeps it; 0, or -ENOMEM with nothing changed. */
static int orphan_record(int index)
{
    struct orphan *orphan = NULL;
    for (struct slate_file *f = open_files; f != NULL; f = f->next_open) {
        if (f->orphan != NULL || f->index != index) {
            continue;
        }
        if (orphan == NULL) {
            orphan = heap_alloc(sizeof(*orphan));
            if (orphan == NULL) {
                return -ENOMEM;
            }
            *orphan = (struct orphan){table->records[index], 0, orphans};
            orphans = orphan;
        }
        f->orphan = orphan;
        orphan->opens++;
    }
    if (orphan == NULL) {
        free_blocks_from(&table->records[index], 0);
    }
    return 0;
}

/* The last record takes its place, and open files follow their records. 0 or -ENOMEM. */
static int remove_record(int index)
{
    int error = orphan_record(index);
    if (error != 0) {
        return error;
    }
    int last = (int)--table->header.records;
    for (struct slate_file *f = open_files; f != NULL; f = f->next_open) {
        if (f->index == last && f->orphan == NULL) {
            f->index = index;
        }
    }
    if (index != last) {
        table->records[index] = table->records[last];
    }
    memset(&table->records[last], 0, sizeof(table->records[last]));
    dirty = true;
    return 0;
}

static bool block_free(uint32_t block)
{
    return block < block_count && !bit_get(used, block) && !bit_get(held, block);
}

/* One more block for a file: behind its last one if that is free, else wherever. */
static int grow(struct slate_record *record)
{
    static uint32_t cursor = SLATE_FIRST_DATA;
    struct slate_extent *last =
        record->extent_count > 0 ? &record->extents[record->extent_count - 1] : NULL;
    if (last != NULL && block_free(last->start + last->count)) {
        bit_set(used, last->start + last->count++, true);
        dirty = true;
        return 0;
    }
    if (record->extent_count == SLATE_EXTENTS) {
        return -EFBIG; /* too many pieces: docs/libos-posix.md */
    }
    for (uint32_t tried = 0; tried < block_count; tried++) {
        uint32_t block = cursor;
        cursor = cursor + 1 >= block_count ? SLATE_FIRST_DATA : cursor + 1;
        if (block_free(block)) {
            record->extents[record->extent_count++] = (struct slate_extent){block, 1};
            bit_set(used, block, true);
            dirty = true;
            return 0;
        }
    }
    return -ENOSPC;
}

static uint64_t blocks_of(const struct slate_record *record)
{
    uint64_t blocks = 0;
    for (uint32_t e = 0; e < record->extent_count; e++) {
        blocks += record->extents[e].count;
    }
    return blocks;
}

/* Device sector of byte `at`, and how many bytes follow it in one piece. */
static uint64_t locate(const struct slate_record *record, uint64_t at, uint64_t *run)
{
    uint64_t block = at / SLATE_BLOCK;
    for (uint32_t e = 0; e < record->extent_count; e++) {
        if (block < record->extents[e].count) {
            *run = (record->extents[e].count - block) * SLATE_BLOCK - at % SLATE_BLOCK;
            return (record->extents[e].start + block) * (SLATE_BLOCK / SECTOR_SIZE) +
                   at % SLATE_BLOCK / SECTOR_SIZE;
        }
        block -= record->extents[e].count;
    }
    libos_panic("disk: byte %lu lies beyond the file's blocks", at);
}

/* --- data --- */

/* Part of one sector, by way of a copy of it. */
static int partial(uint64_t sector, size_t offset, void *data, size_t size, bool writing)
{
    char whole[SECTOR_SIZE];
    int error = device->read(sector, whole, 1);
    if (error == 0 && writing) {
        memcpy(whole + offset, data, size);
        error = device->write(sector, whole, 1);
    } else if (error == 0) {
        memcpy(data, whole + offset, size);
    }
    return error;
}

static int transfer(const struct slate_record *record, uint64_t at, char *data, size_t size,
                    bool writing)
{
    while (size > 0) {
        uint64_t run;
        uint64_t sector = locate(record, at, &run);
        size_t offset = at % SECTOR_SIZE;
        size_t part = MIN(size, run);
        int error;
        if (offset != 0 || part < SECTOR_SIZE) {
            part = MIN(part, SECTOR_SIZE - offset);
            error = partial(sector, offset, data, part, writing);
        } else {
            part &= ~(size_t)(SECTOR_SIZE - 1);
            error = writing ? device->write(sector, data, part / SECTOR_SIZE)
                            : device->read(sector, data, part / SECTOR_SIZE);
        }
        if (error != 0) {
            return error;
        }
        at += part;
        data += part;
        size -= part;
    }
    return 0;
}

/* Bytes between the old end and `to` must read as zero. */
static int fill_zero(struct slate_record *record, uint64_t from, uint64_t to)
{
    static char zeros[SLATE_BLOCK];
    while (from < to) {
        size_t part = MIN(to - from, SLATE_BLOCK - from % SLATE_BLOCK);
        int error = transfer(record, from, zeros, part, true);
        if (error != 0) {
            return error;
        }
        from += part;
    }
    return 0;
}

static int make_room(struct slate_record *record, uint64_t size)
{
    while (blocks_of(record) * SLATE_BLOCK < size) {
        int error = grow(record);
        if (error != 0) {
            return error;
        }
    }
    return 0;
}

static struct slate_record *record_of(struct file *file)
{
    struct slate_file *self = (struct slate_file *)file;
    return self->orphan != NULL ? &self->orphan->record : &table->records[self->index];
}

static ssize_t slate_pread(struct file *file, void *to, size_t size, off_t at)
{
    const struct slate_record *record = record_of(file);
    if (at < 0) {
        return -EINVAL;
    }
    if (S_ISDIR(record->mode)) {
        return -EISDIR;
    }
    if ((uint64_t)at >= record->size) {
        return 0;
    }
    size = MIN(size, record->size - (uint64_t)at);
    int error = transfer(record, (uint64_t)at, to, size, false);
    return error != 0 ? error : (ssize_t)size;
}

static ssize_t slate_pwrite(struct file *file, const void *from, size_t size, off_t at)
{
    struct slate_record *record = record_of(file);
    if (at < 0) {
        return -EINVAL;
    }
    if ((file->flags & O_ACCMODE) == O_RDONLY) {
        return -EBADF;
    }
    uint64_t end = (uint64_t)at + size;
    uint64_t old = record->size;
    int error = make_room(record, end);
    if (error == 0 && (uint64_t)at > old) {
        error = fill_zero(record, old, (uint64_t)at);
    }
    if (error == 0) {
        error = transfer(record, (uint64_t)at, (char *)(uintptr_t)from, size, true);
    }
    if (error != 0) {
        free_blocks_from(record, (old + SLATE_BLOCK - 1) / SLATE_BLOCK);
        return error;
    }
    if (end > old) {
        record->size = end;
        dirty = true;
    }
    return (ssize_t)size;
}

static ssize_t slate_read(struct file *file, void *to, size_t size)
{
    struct slate_file *self = (struct slate_file *)file;
    ssize_t got = slate_pread(file, to, size, self->offset);
    self->offset += got > 0 ? got : 0;
    return got;
}

static ssize_t slate_write(struct file *file, const void *from, size_t size)
{
    struct slate_file *self = (struct slate_file *)file;
    if (file->flags & O_APPEND) {
        self->offset = (off_t)record_of(file)->size;
    }
    ssize_t done = slate_pwrite(file, from, size, self->offset);
    self->offset += done > 0 ? done : 0;
    return done;
}

static off_t slate_seek(struct file *file, off_t offset, int whence)
{
    struct slate_file *self = (struct slate_file *)file;
    off_t base = whence == SEEK_SET   ? 0
                 : whence == SEEK_CUR ? self->offset
                                      : (off_t)record_of(file)->size;
    if (whence < 0 || whence > 2 || base + offset < 0) {
        return -EINVAL;
    }
    return self->offset = base + offset;
}

static void fill_stat(const struct slate_record *record, struct stat *to)
{
    to->st_dev = 2;
    to->st_ino = (ino_t)crc32(record->name, strlen(record->name)) + 16;
    to->st_mode = record->mode;
    to->st_size = (off_t)record->size;
    to->st_blksize = SLATE_BLOCK;
    to->st_blocks = (blkcnt_t)(blocks_of(record) * (SLATE_BLOCK / SECTOR_SIZE));
    to->st_mtim.tv_sec = record->time;
}

static int slate_fstat(struct file *file, struct stat *to)
{
    fill_stat(record_of(file), to);
    to->st_nlink = ((struct slate_file *)file)->orphan == NULL;
    return 0;
}

static int slate_sync(struct file *file)
{
    return slate_commit();
}

static int slate_truncate(struct file *file, off_t size)
{
    struct slate_record *record = record_of(file);
    if (size < 0) {
        return -EINVAL;
    }
    if ((uint64_t)size > record->size) {
        int error = make_room(record, (uint64_t)size);
        return error != 0 ? error
                          : ((error = fill_zero(record, record->size, (uint64_t)size)) != 0
                                 ? error
                                 : (record->size = (uint64_t)size, dirty = true, 0));
    }
    record->size = (uint64_t)size;
    free_blocks_from(record, ((uint64_t)size + SLATE_BLOCK - 1) / SLATE_BLOCK);
    return 0;
}

/* The last of those who had it open has closed it. */
static void drop_orphan(struct orphan *orphan)
{
    struct orphan **at = &orphans;
    while (*at != orphan) {
        at = &(*at)->next;
    }
    *at = orphan->next;
    free_blocks_from(&orphan->record, 0);
    heap_free(orphan);
}

static void slate_close(struct file *file)
{
    struct orphan *orphan = ((struct slate_file *)file)->orphan;
    struct slate_file **at = &open_files;
    while (*at != (struct slate_file *)file) {
        at = &(*at)->next_open;
    }
    *at = (*at)->next_open;
    heap_free(file);
    if (orphan != NULL && --orphan->opens == 0) {
        drop_orphan(orphan);
    }
}

static const struct file_ops slate_ops = {
    .read = slate_read,
    .write = slate_write,
    .pread = slate_pread,
    .pwrite = slate_pwrite,
    .seek = slate_seek,
    .stat = slate_fstat,
    .sync = slate_sync,
    .truncate = slate_truncate,
    .close = slate_close,
};

/* --- names --- */

static int slate_open(const char *path, int flags, mode_t mode, struct file **file)
{
    if (is_directory(path)) {
        return slate_open_directory(path, flags, file);
    }
    int index = find_record(path);
    if (flags & O_DIRECTORY) {
        return index < 0 ? -ENOENT : -ENOTDIR;
    }
    if (index >= 0 && flags & O_CREAT && flags & O_EXCL) {
        return -EEXIST;
    }
    if (index < 0) {
        index = flags & O_CREAT ? create_record(path, S_IFREG | (mode & 0777)) : -ENOENT;
        if (index < 0) {
            return index;
        }
    }
    if (device->read_only && (flags & O_ACCMODE) != O_RDONLY) {
        return -EROFS;
    }
    struct slate_file *opened = heap_zalloc(sizeof(*opened));
    if (opened == NULL) {
        return -ENOMEM;
    }
    opened->file.ops = &slate_ops;
    opened->index = index;
    opened->next_open = open_files;
    open_files = opened;
    if (flags & O_TRUNC) {
        (void)slate_truncate(&opened->file, 0);
    }
    *file = &opened->file;
    return 0;
}

static int slate_path_stat(const char *path, struct stat *to)
{
    int index = find_record(path);
    if (index >= 0) {
        fill_stat(&table->records[index], to);
        return 0;
    }
    if (path[1] != '\0') {
        return -ENOENT;
    }
    to->st_mode = S_IFDIR | 0755;
    to->st_dev = 2;
    to->st_ino = 2;
    return 0;
}

static int slate_unlink(const char *path, bool directory)
{
    int index = find_record(path);
    if (index < 0) {
        return -ENOENT;
    }
    bool found = S_ISDIR(table->records[index].mode);
    if (found != directory) {
        return found ? -EISDIR : -ENOTDIR;
    }
    size_t length = strlen(path);
    for (uint32_t i = 0; directory && i < table->header.records; i++) {
        if (strncmp(table->records[i].name, path, length) == 0 &&
            table->records[i].name[length] == '/') {
            return -ENOTEMPTY;
        }
    }
    return remove_record(index);
}

static int slate_mkdir(const char *path, mode_t mode)
{
    if (find_record(path) >= 0 || path[1] == '\0') {
        return -EEXIST;
    }
    int index = create_record(path, S_IFDIR | (mode & 0777));
    return index < 0 ? index : 0;
}

static int slate_rename(const char *from, const char *to)
{
    int index = find_record(from);
    if (index < 0) {
        return -ENOENT;
    }
    if (S_ISDIR(table->records[index].mode)) {
        return -EOPNOTSUPP; /* its children's names begin with its own */
    }
    if (strlen(to) >= SLATE_NAME_SIZE || !parent_exists(to)) {
        return strlen(to) >= SLATE_NAME_SIZE ? -ENAMETOOLONG : -ENOENT;
    }
    if (strcmp(from, to) == 0) {
        return 0;
    }
    int old = find_record(to);
    if (old >= 0) {
        if (S_ISDIR(table->records[old].mode)) {
            return -EISDIR;
        }
        int error = remove_record(old);
        if (error != 0) {
            return error;
        }
        index = find_record(from);
    }
    strcpy(table->records[index].name, to);
    dirty = true;
    return 0;
}

static struct file_system slate = {
    .open = slate_open,
    .stat = slate_path_stat,
    .unlink = slate_unlink,
    .mkdir = slate_mkdir,
    .rename = slate_rename,
};

const char *slate_check(void)
{
    uint64_t *copy = heap_alloc((block_count + 63) / 64 * 8);
    memcpy(copy, used, (block_count + 63) / 64 * 8);
    const char *wrong = claim_blocks();
    if (wrong == NULL && memcmp(copy, used, (block_count + 63) / 64 * 8) != 0) {
        wrong = "blocks are marked used that no file has, or the reverse";
    }
    heap_free(copy);
    return wrong;
}

struct file_system *slate_mount(struct blkdev *on, const char *path)
{
    device = on;
    block_count = (uint32_t)MIN(on->sectors / (SLATE_BLOCK / SECTOR_SIZE), (uint64_t)1 << 28);
    open_files = NULL;
    orphans = NULL;
    dirty = false;
    if (block_count <= SLATE_FIRST_DATA) {
        libos_log("disk: too small");
        return NULL;
    }
    size_t map_bytes = (block_count + 63) / 64 * 8;
    heap_free(table); /* of an earlier mount */
    heap_free(used);
    heap_free(held);
    table = heap_zalloc(sizeof(*table));
    used = heap_zalloc(map_bytes);
    held = heap_zalloc(map_bytes);
    if (table == NULL || used == NULL || held == NULL || !load()) {
        return NULL;
    }
    memcpy(held, used, map_bytes);
    slate.mount = path;
    return &slate;
}
