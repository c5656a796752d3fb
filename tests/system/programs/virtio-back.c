/*
 * A disk for a guest that knows nothing of Xen: virtio-mmio (version 2), served from another domain.
 *
 *   virtio-back DOMAIN BASE SPI FILE RAM-BASE RAM-BYTES
 *
 * The hypervisor passes on the guest's accesses to the registers at BASE (an IOREQ server, dm_op);
 * queues and data are where the guest's driver says, in its own memory, mapped page by page. Runs in a
 * Linux domain with the right `emulate`, through /dev/xen/privcmd and /dev/xen/evtchn.
 *
 * Sources: virtio 1.1, 4.2 (MMIO) and 5.2 (block); Linux include/uapi/xen/{privcmd,evtchn}.h for the
 * numbers of calls; Xen 4.17 public/hvm/{dm_op,ioreq}.h.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE 4096ul
#define QUEUE_MAX 64u

static uint16_t domain;
static uint64_t base, ram_base, ram_bytes, sectors;
static uint32_t spi;
static int privcmd, evtchn, disk;
static uint8_t *ram;

static void check(int good, const char *what)
{
    if (!good) {
        perror(what);
        exit(1);
    }
}

/* --- The hypervisor --- */

struct request { /* struct ioreq */
    uint64_t addr, data;
    uint32_t count, size, port;
    uint16_t pad;
    volatile uint8_t state; /* 4 bits; direction in bit 5 */
    uint8_t type;
};
enum { READY = 1, ANSWERED = 3, IS_READ = 1 << 5 };

struct dm {
    uint32_t op, pad;
    union {
        uint8_t bytes[24];
        struct {
            uint8_t buffered, pad[3];
            uint16_t id;
        } create;
        struct {
            uint16_t id, pad;
            uint32_t type;
            uint64_t start, end;
        } range;
        struct {
            uint16_t id;
            uint8_t on;
        } state;
        struct {
            uint32_t irq;
            uint8_t level, pad[3];
        } irq;
        uint32_t vcpus;
    };
};
enum { CREATE = 1, MAP_RANGE = 3, SET_STATE = 5, SET_IRQ = 19, VCPUS = 20 };

/* By the general hypercall: its buffers are this process's, which the kernel's own dm_op call would pin. */
static void dm_op(uint32_t op, struct dm *d)
{
    static struct {
        uint64_t at, size;
    } buffer;
    struct {
        uint64_t op, arg[5];
    } call = {41, {domain, 1, (uint64_t)&buffer}};
    d->op = op;
    buffer.at = (uint64_t)d;
    buffer.size = sizeof(*d);
    check(ioctl(privcmd, _IOC(_IOC_NONE, 'P', 0, sizeof(call)), &call) == 0, "dm_op");
}

static void set_irq(int level)
{
    struct dm d = {.irq = {.irq = spi, .level = (uint8_t)level}};
    dm_op(SET_IRQ, &d);
}

static struct request *map_requests(uint16_t server)
{
    struct {
        uint16_t dom;
        uint32_t type, id, idx;
        uint64_t count, at;
    } m = {domain, 0, server, 1, 1, 0};
    void *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, privcmd, 0);
    check(p != MAP_FAILED, "mmap");
    m.at = (uint64_t)p;
    check(ioctl(privcmd, _IOC(_IOC_NONE, 'P', 7, sizeof(m)), &m) == 0, "the server's page");
    return p;
}

/* All of the guest's memory: its driver may put queues and data anywhere. */
static void map_ram(void)
{
    struct {
        uint32_t count;
        uint16_t dom;
        uint64_t at;
        const uint64_t *frames;
        int *errors;
    } m = {(uint32_t)(ram_bytes / PAGE), domain, 0, NULL, NULL};
    uint64_t *frames = calloc(m.count, sizeof(*frames));
    m.errors = calloc(m.count, sizeof(int));
    ram = mmap(NULL, ram_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, privcmd, 0);
    check(frames && m.errors && ram != MAP_FAILED, "mmap");
    for (uint32_t i = 0; i < m.count; i++) {
        frames[i] = ram_base / PAGE + i;
    }
    m.at = (uint64_t)ram;
    m.frames = frames;
    check(ioctl(privcmd, _IOC(_IOC_NONE, 'P', 4, sizeof(m)), &m) == 0, "the guest's memory");
}

/* The guest says where: nothing outside its memory is touched. */
static void *guest(uint64_t at, uint64_t size)
{
    uint64_t offset = at - ram_base;
    return offset < ram_bytes && size <= ram_bytes - offset ? ram + offset : NULL;
}

/* --- The device --- */

static struct {
    uint32_t status, features_page, driver_page, interrupt;
    uint32_t size, ready;
    uint64_t table, avail, used;
    uint16_t seen;
} dev;

struct descriptor {
    uint64_t at;
    uint32_t size;
    uint16_t flags, next;
};
enum { NEXT = 1, WRITE = 2 };

/* One request: header, data, status byte. Returns how many bytes were written to the guest. */
static uint32_t serve(const struct descriptor *table, uint16_t head)
{
    struct descriptor d[16];
    unsigned count = 0;
    uint32_t written = 1;
    do {
        if (head >= dev.size || count == 16) {
            return 0;
        }
        d[count] = table[head];
        head = d[count].next;
    } while ((d[count++].flags & NEXT) != 0);
    struct {
        uint32_t type, unused;
        uint64_t sector;
    } *header = guest(d[0].at, sizeof(*header));
    uint8_t *status = count > 1 ? guest(d[count - 1].at, 1) : NULL;
    if (header == NULL || status == NULL) {
        return 0;
    }
    uint64_t at = header->sector * 512;
    *status = header->type > 1 && header->type != 4 && header->type != 8 ? 2 : 0;
    for (unsigned i = 1; i + 1 < count && *status == 0; i++) {
        void *data = guest(d[i].at, d[i].size);
        ssize_t n = data == NULL        ? -1
                    : header->type == 0 ? pread(disk, data, d[i].size, (off_t)at)
                    : header->type == 1 ? pwrite(disk, data, d[i].size, (off_t)at)
                    : header->type == 8 ? snprintf(data, d[i].size, "bulkhead-virtio")
                                        : 0;
        *status = n < 0 || (header->type < 2 && (uint32_t)n != d[i].size);
        written += header->type != 1 ? d[i].size : 0;
        at += d[i].size;
    }
    return written;
}

static void notified(void)
{
    struct descriptor *table = guest(dev.table, dev.size * sizeof(*table));
    volatile uint16_t *avail = guest(dev.avail, 6 + 2ul * dev.size);
    volatile uint16_t *used = guest(dev.used, 6 + 8ul * dev.size);
    if (!dev.ready || table == NULL || avail == NULL || used == NULL || dev.size == 0) {
        return;
    }
    for (unsigned n = 0; n < dev.size && dev.seen != avail[1]; n++, dev.seen++) {
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
        uint16_t head = avail[2 + dev.seen % dev.size];
        volatile uint32_t *element = (volatile uint32_t *)(used + 2) + 2 * (used[1] % dev.size);
        element[1] = serve(table, head);
        element[0] = head;
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
        used[1]++;
    }
    dev.interrupt |= 1;
    set_irq(1);
}

static uint32_t load(uint64_t at)
{
    switch (at) {
    case 0x000:
        return 0x74726976; /* "virt" */
    case 0x004:
    case 0x008:
        return 2; /* version; block */
    case 0x00c:
        return 0x4b4c4842;
    case 0x010:
        return dev.features_page == 1; /* VIRTIO_F_VERSION_1 */
    case 0x034:
        return QUEUE_MAX;
    case 0x044:
        return dev.ready;
    case 0x060:
        return dev.interrupt;
    case 0x070:
        return dev.status;
    case 0x100:
        return (uint32_t)sectors;
    case 0x104:
        return (uint32_t)(sectors >> 32);
    default:
        return 0;
    }
}

static void put_half(uint64_t *to, int high, uint32_t v)
{
    *to = high ? (*to & 0xffffffff) | (uint64_t)v << 32 : (*to & ~0xffffffffull) | v;
}

static void store(uint64_t at, uint32_t v)
{
    switch (at) {
    case 0x014:
        dev.features_page = v;
        break;
    case 0x038:
        dev.size = v <= QUEUE_MAX ? v : 0;
        break;
    case 0x044:
        dev.ready = v;
        break;
    case 0x050:
        notified();
        break;
    case 0x064:
        dev.interrupt &= ~v;
        set_irq(dev.interrupt != 0);
        break;
    case 0x070:
        dev.status = v;
        if (v == 0) {
            memset(&dev, 0, sizeof(dev));
        }
        break;
    case 0x080:
    case 0x084:
        put_half(&dev.table, at & 4, v);
        break;
    case 0x090:
    case 0x094:
        put_half(&dev.avail, at & 4, v);
        break;
    case 0x0a0:
    case 0x0a4:
        put_half(&dev.used, at & 4, v);
        break;
    default:
        break;
    }
}

/* Narrow accesses are to the configuration space, which Linux reads byte by byte. */
static uint64_t load_any(uint64_t at, uint32_t size)
{
    uint64_t whole = load(at & ~3ull) | (size == 8 ? (uint64_t)load((at & ~3ull) + 4) << 32 : 0);
    return whole >> 8 * (at & 3);
}

static void answer(struct request *r, uint32_t port)
{
    if ((r->state & 15) != READY) {
        return;
    }
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (r->state & IS_READ) {
        r->data = load_any(r->addr - base, r->size);
    } else {
        store(r->addr - base, (uint32_t)r->data);
    }
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    r->state = (uint8_t)((r->state & ~15) | ANSWERED);
    check(ioctl(evtchn, _IOC(_IOC_NONE, 'E', 4, 4), &port) == 0, "notify");
}

static uint64_t number(const char *s)
{
    return strtoull(s, NULL, 0);
}

int main(int argc, char **argv)
{
    struct dm d = {0};
    uint32_t ports[64], vcpus;
    struct stat file;

    check(argc == 7, "virtio-back DOMAIN BASE SPI FILE RAM-BASE RAM-BYTES");
    domain = (uint16_t)number(argv[1]);
    base = number(argv[2]);
    spi = (uint32_t)number(argv[3]);
    ram_base = number(argv[5]);
    ram_bytes = number(argv[6]);
    privcmd = open("/dev/xen/privcmd", O_RDWR);
    evtchn = open("/dev/xen/evtchn", O_RDWR);
    disk = open(argv[4], O_RDWR);
    check(privcmd >= 0 && evtchn >= 0 && disk >= 0 && fstat(disk, &file) == 0, "open");
    check(mlockall(MCL_CURRENT) == 0, "mlockall");
    sectors = (uint64_t)file.st_size / 512;
    dm_op(VCPUS, &d);
    vcpus = d.vcpus;
    d = (struct dm){0};
    dm_op(CREATE, &d);
    uint16_t server = d.create.id;
    d = (struct dm){.range = {server, 0, 1, base, base + 0x1ff}};
    dm_op(MAP_RANGE, &d);
    struct request *requests = map_requests(server);
    map_ram();
    for (uint32_t i = 0; i < vcpus; i++) {
        struct {
            uint32_t domain, port;
        } bind = {domain, requests[i].port};
        int port = ioctl(evtchn, _IOC(_IOC_NONE, 'E', 1, sizeof(bind)), &bind);
        check(port > 0, "bind");
        ports[i] = (uint32_t)port;
    }
    d = (struct dm){.state = {server, 1}};
    dm_op(SET_STATE, &d);
    printf("virtio-back: server %u, %u vCPUs, %llu sectors\n", server, vcpus,
           (unsigned long long)sectors);
    fflush(stdout);
    for (uint32_t port; read(evtchn, &port, sizeof(port)) == sizeof(port);) {
        check(write(evtchn, &port, sizeof(port)) == sizeof(port), "unmask");
        for (uint32_t i = 0; i < vcpus; i++) {
            if (ports[i] == port) {
                answer(&requests[i], port);
            }
        }
    }
    return 1;
}
