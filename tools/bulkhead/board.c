#include "board.h"

#include <errno.h>
#include <fcntl.h>
#include <libfdt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define QEMU "qemu-system-aarch64"

static const struct place nowhere = {NULL, 0};

unsigned tree_cells(const void *tree, int node, const char *name, unsigned otherwise)
{
    int length;
    const fdt32_t *value = fdt_getprop(tree, node, name, &length);
    uint32_t cells = value && length == 4 ? fdt32_to_cpu(*value) : 0;

    return cells == 1 || cells == 2 ? cells : otherwise;
}

uint64_t tree_number(const void **data, unsigned cells)
{
    const fdt32_t *cell = *data;
    uint64_t value = 0;

    while (cells--) {
        value = value << 32 | fdt32_to_cpu(*cell++);
    }
    *data = cell;
    return value;
}

/* Devicetree Specification 3.4: nodes with device_type "memory". */
static void read_memory(struct board *board)
{
    const void *tree = board->tree;
    unsigned address = tree_cells(tree, 0, "#address-cells", 2);
    unsigned size = tree_cells(tree, 0, "#size-cells", 1);
    int node;

    fdt_for_each_subnode (node, tree, 0) {
        int length;
        const void *type = fdt_getprop(tree, node, "device_type", &length);
        const void *reg;

        if (!type || strcmp(type, "memory") != 0) {
            continue;
        }
        reg = fdt_getprop(tree, node, "reg", &length);
        while (reg && length >= (int)(4 * (address + size)) && board->ram_count < MAX_RAM_RANGES) {
            struct range *range = &board->ram[board->ram_count];

            range->base = tree_number(&reg, address);
            range->size = tree_number(&reg, size);
            board->ram_count += range->size != 0;
            length -= (int)(4 * (address + size));
        }
    }
}

static void read_cpus(struct board *board)
{
    int cpus = fdt_path_offset(board->tree, "/cpus");
    int node;

    if (cpus < 0) {
        return;
    }
    fdt_for_each_subnode (node, board->tree, cpus) {
        int length;
        const char *type = fdt_getprop(board->tree, node, "device_type", &length);
        const char *status = fdt_getprop(board->tree, node, "status", &length);

        if (type && strcmp(type, "cpu") == 0 && (!status || status[0] == 'o')) {
            board->cpus++;
        }
    }
}

static void read_gic(struct board *board)
{
    static const struct {
        const char *compatible;
        unsigned version;
    } kinds[] = {
        {"arm,gic-v3", 3},
        {"arm,gic-400", 2},
        {"arm,cortex-a15-gic", 2},
        {"arm,cortex-a7-gic", 2},
    };

    for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]) && !board->gic_version; i++) {
        if (fdt_node_offset_by_compatible(board->tree, -1, kinds[i].compatible) >= 0) {
            board->gic_version = kinds[i].version;
        }
    }
}

static int board_read(struct report *report, const char *path, struct board *board)
{
    struct place place = {path, 0};
    struct stat status;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got;

    if (file < 0 || fstat(file, &status) != 0) {
        report_error(report, place, "cannot be read: %s", strerror(errno));
        if (file >= 0) {
            close(file);
        }
        return -1;
    }
    board->tree = must_allocate((size_t)status.st_size + 1);
    got = read(file, board->tree, (size_t)status.st_size);
    close(file);
    if (got != status.st_size || fdt_check_full(board->tree, (size_t)status.st_size) != 0) {
        report_error(report, place,
                     "is not a compiled device tree, or is cut off; compile it with "
                     "dtc, or copy it again");
        return -1;
    }
    read_memory(board);
    read_cpus(board);
    read_gic(board);
    if (!board->ram_count || !board->cpus) {
        report_error(report, place, "describes no %s; is this the whole tree of a board?",
                     board->ram_count ? "CPU" : "memory");
        return -1;
    }
    return 0;
}

int board_from_file(struct report *report, const char *path, struct board *board)
{
    *board = (struct board){.description = must_print("%s", path)};
    return board_read(report, path, board);
}

char *machine_argument(const struct machine *machine, const char *more)
{
    return must_print("virt,virtualization=on,%s%s", machine->options, more);
}

/* Show what QEMU said into `words` while it failed. */
static void show_words(FILE *words)
{
    char line[512];

    rewind(words);
    while (fgets(line, sizeof(line), words)) {
        fputs(line, stderr);
    }
}

/* Run QEMU for its tree only; its own words are shown only when it fails. */
static int dump_tree(struct report *report, const struct machine *machine, const char *path)
{
    char *dump = must_print(",dumpdtb=%s", path);
    char *argument = machine_argument(machine, dump);
    char *cpus = must_print("%u", machine->cpus), *memory = must_print("%u", machine->memory_mib);
    int status = -1, result = 0;
    FILE *words = tmpfile();
    pid_t child = words ? fork() : -1;

    if (child == 0) {
        dup2(fileno(words), STDOUT_FILENO);
        dup2(fileno(words), STDERR_FILENO);
        execlp(QEMU, QEMU, "-M", argument, "-cpu", machine->cpu, "-smp", cpus, "-m", memory,
               "-display", "none", "-nodefaults", "-nic", "none", (char *)NULL);
        _exit(errno == ENOENT ? 127 : 126);
    }
    if (child < 0 || waitpid(child, &status, 0) != child || status != 0) {
        if (WIFEXITED(status) && WEXITSTATUS(status) == 127) {
            report_error(report, nowhere,
                         QEMU " is not installed; apt-get install "
                              "qemu-system-arm");
        } else {
            if (words) {
                show_words(words);
            }
            report_error(report, nowhere,
                         "QEMU does not know this board (-M %s -cpu %s -smp %s "
                         "-m %s); its own words are above",
                         argument, machine->cpu, cpus, memory);
        }
        result = -1;
    }
    if (words) {
        fclose(words);
    }
    free(dump);
    free(argument);
    free(cpus);
    free(memory);
    return result;
}

int board_from_qemu(struct report *report, const struct machine *machine, struct board *board)
{
    const char *folder = getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp";
    char *path = must_print("%s/bulkhead-board-XXXXXX", folder);
    int file = mkstemp(path);
    int result = -1;

    *board = (struct board){.description =
                                must_print("QEMU virt (%s), %u CPUs, %u MiB", machine->options,
                                           machine->cpus, machine->memory_mib)};
    if (file < 0) {
        report_error(report, nowhere, "cannot write %s: %s", path, strerror(errno));
    } else {
        close(file);
        if (dump_tree(report, machine, path) == 0) {
            result = board_read(report, path, board);
        }
        unlink(path);
    }
    free(path);
    return result;
}

uint64_t board_ram(const struct board *board)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < board->ram_count; i++) {
        sum += board->ram[i].size;
    }
    return sum;
}

bool board_has(const struct board *board, uint64_t base, uint64_t size)
{
    for (unsigned i = 0; i < board->ram_count; i++) {
        const struct range *ram = &board->ram[i];

        if (base >= ram->base && size <= ram->size && base - ram->base <= ram->size - size) {
            return true;
        }
    }
    return false;
}

void board_free(struct board *board)
{
    free(board->tree);
    free(board->description);
    *board = (struct board){0};
}
