/*
 * A QEMU TCG plugin that says, while the board runs, who executed how many instructions.
 *
 * Arguments: el2=START-END (machine addresses of the hypervisor's image), out=FILE (the counters,
 * mapped and always current), mark=OFFSET ... (instructions of a unikernel's image, at most 8),
 * profile=PREFIX (PREFIX.0, PREFIX.1 ...: at each mark, and when asked, the image's blocks so far, as
 * OFFSET COUNT).
 *
 * Guests are told apart by the MiB of machine memory that their code lies in; what the hypervisor
 * executes counts for the guest that ran before it. A unikernel shows itself by the first
 * instruction of its image (libos/arch/arm64/start.S), from which its marks are found: at the first
 * execution of a mark the counters of the image are kept.
 *
 * Counts are exact with one emulated CPU (QEMU runs all on one thread then).
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "qemu-plugin-api.h"

QEMU_PLUGIN_EXPORT int qemu_plugin_version = QEMU_PLUGIN_VERSION;
QEMU_PLUGIN_EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info *info,
                                           int argc, char **argv);

#define RAM_BASE 0x40000000ull
#define MIB_COUNT 8192
#define MARKS 8
#define IMAGE_MAX (1u << 20)   /* what of it is profiled */
#define ENTRY_WORD 0xd53be042u /* MRS X2, CNTVCT_EL0, at this offset of the image */
#define ENTRY_OFFSET 0x50u

/* What the reader maps: tests/libos/instructions.py knows this layout. */
struct shared {
    uint64_t mark[MARKS][2];      /* own, hypervisor's; 0 until reached */
    uint64_t count[MIB_COUNT][2]; /* per MiB of RAM: the guest's, the hypervisor's for it */
    uint64_t ask;                 /* the reader wants profile number so and so */
};

struct block {
    uint64_t insns;
    uint64_t *own;             /* NULL: the hypervisor's code */
    uint64_t *mark;            /* the block begins with this mark */
    uint64_t offset, executed; /* in the image, for the profile */
    struct block *next;
};

static struct shared *shared;
static uint64_t *current;
static uint64_t el2_start, el2_end;
static uintptr_t ram_host;
static uint64_t image; /* machine address, 0 until seen */
static uint64_t offsets[MARKS];
static unsigned mark_count;
static const char *profile;
static struct block *blocks; /* of the image */

static void write_profile(uint64_t number)
{
    char path[4096];
    snprintf(path, sizeof(path), "%s.%" PRIu64, profile, number);
    FILE *file = fopen(path, "w");
    for (struct block *b = blocks; file != NULL && b != NULL; b = b->next) {
        fprintf(file, "%#" PRIx64 " %" PRIu64 "\n", b->offset, b->executed * b->insns);
    }
    if (file != NULL) {
        fclose(file);
    }
}

static void executed(unsigned int cpu, void *user)
{
    struct block *b = user;
    if (b->own == NULL) {
        current[1] += b->insns;
        return;
    }
    current = b->own;
    if (b->mark != NULL && b->mark[0] == 0) {
        memcpy(b->mark, b->own, 2 * sizeof(*b->mark));
        if (profile != NULL) {
            write_profile((uint64_t)(b->mark - shared->mark[0]) / 2);
        }
    }
    if (shared->ask != 0 && profile != NULL) {
        write_profile(shared->ask);
        shared->ask = 0;
    }
    b->executed++;
    current[0] += b->insns;
}

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
    uintptr_t host = (uintptr_t)qemu_plugin_insn_haddr(qemu_plugin_tb_get_insn(tb, 0));
    if (!ram_host) {
        ram_host = host - (qemu_plugin_tb_vaddr(tb) - RAM_BASE);
    }
    uint64_t at = host - ram_host; /* outside RAM (firmware): wraps, and counts for the last MiB */
    uint64_t mib = at >> 20 < MIB_COUNT ? at >> 20 : MIB_COUNT - 1;
    struct block *b = calloc(1, sizeof(*b));
    b->insns = qemu_plugin_tb_n_insns(tb);
    if (at + RAM_BASE < el2_start || at + RAM_BASE >= el2_end) {
        b->own = shared->count[mib];
    }
    for (size_t i = 0; !image && (at & 0xfff) <= ENTRY_OFFSET && i < b->insns; i++) {
        uint32_t word;
        memcpy(&word, qemu_plugin_insn_data(qemu_plugin_tb_get_insn(tb, i)), sizeof(word));
        if (word == ENTRY_WORD && (at & 0xfff) + 4 * i == ENTRY_OFFSET) {
            image = at & ~0xfffull;
        }
    }
    for (unsigned i = 0; image && i < mark_count; i++) {
        b->mark = at == image + offsets[i] ? shared->mark[i] : b->mark;
    }
    if (image && at - image < IMAGE_MAX) {
        b->offset = at - image;
        b->next = blocks;
        blocks = b;
    }
    qemu_plugin_register_vcpu_tb_exec_cb(tb, executed, QEMU_PLUGIN_CB_NO_REGS, b);
}

static int map_counters(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT, 0600);
    if (fd < 0 || ftruncate(fd, sizeof(*shared)) != 0) {
        return -1;
    }
    shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    return shared == MAP_FAILED ? -1 : 0;
}

int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info *info, int argc, char **argv)
{
    const char *path = NULL;
    for (int i = 0; i < argc; i++) {
        uint64_t value;
        if (sscanf(argv[i], "mark=%" SCNx64, &value) == 1 && mark_count < MARKS) {
            offsets[mark_count++] = value;
        } else if (!strncmp(argv[i], "out=", 4)) {
            path = argv[i] + 4;
        } else if (!strncmp(argv[i], "profile=", 8)) {
            profile = strdup(argv[i] + 8);
        } else if (sscanf(argv[i], "el2=%" SCNx64 "-%" SCNx64, &el2_start, &el2_end) != 2) {
            fprintf(stderr,
                    "share: unknown argument '%s' (el2=START-END, out=FILE, mark=OFFSET, "
                    "profile=PREFIX)\n",
                    argv[i]);
            return -1;
        }
    }
    if (el2_start >= el2_end || path == NULL || map_counters(path) != 0) {
        fprintf(stderr, "share: el2=START-END and out=FILE, which can be written, are needed\n");
        return -1;
    }
    current = shared->count[MIB_COUNT - 1];
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    return 0;
}
