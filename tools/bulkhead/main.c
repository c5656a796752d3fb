/* build/host/bulkhead: the command line. See bulkhead(1). */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app.h"
#include "files.h"

#define VERSION "0.1"

/* Exit statuses, as bulkhead(1) documents them. */
enum status {
    STATUS_GOOD = 0,
    STATUS_MISTAKE = 1, /* in a domain file, or between files and board */
    STATUS_USAGE = 2,
    STATUS_SYSTEM = 3, /* a file cannot be written, a program is missing */
};

static const char usage[] =
    "usage: bulkhead COMMAND [OPTION...] DOMAIN-FILE...\n"
    "\n"
    "  check   find mistakes in domain files, print who gets what\n"
    "  tree    write the device tree the hypervisor reads\n"
    "  run     start the domains under QEMU, in this terminal\n"
    "  build   write what U-Boot loads on a board\n"
    "  app     applications on the library OS: configure, build, run, report\n"
    "\n"
    "`bulkhead COMMAND --help` tells its options, `man tools/bulkhead/bulkhead.1` everything.\n";

static const char board_help[] =
    "the board:\n"
    "  --board FILE.dtb     the device tree of a board (default: ask QEMU for its virt board)\n"
    "  --machine OPTIONS    QEMU: gic-version=2 or gic-version=3 (default 3), iommu=smmuv3, ...\n"
    "  --cpu MODEL          QEMU: CPU model (default cortex-a72)\n"
    "  --cpus N             QEMU: number of CPUs (default 2)\n"
    "  --memory MIB         QEMU: memory (default 4096)\n";

static const struct {
    const char *name;
    const char *help;
} commands[] = {
    {"check", "usage: bulkhead check [OPTION...] DOMAIN-FILE...\n\n"
              "Find mistakes in domain files, against each other and against the board; print\n"
              "board, domains, rights. Exit status 0: the system would be started.\n\n"},
    {"tree", "usage: bulkhead tree [OPTION...] DOMAIN-FILE... -o TREE.dtb\n\n"
             "Write the board's device tree with the domains in /chosen, and print where each\n"
             "file has to be loaded. The tree also boots stock Xen (without dom0).\n\n"
             "  -o FILE              where to write the tree\n"
             "  --hypervisor IMAGE   its size is kept free (default: 2 MiB)\n"
             "  --bootargs TEXT      the hypervisor's command line\n"},
    {"run", "usage: bulkhead run [OPTION...] DOMAIN-FILE... [-- QEMU-OPTION...]\n\n"
            "Start the domains on QEMU's virt board, the consoles in this terminal.\n"
            "Ctrl-T moves the keyboard to the next console; Ctrl-A x ends QEMU.\n\n"
            "  --hypervisor IMAGE   default: build/arm64/bulkhead; stock Xen's image works too\n"
            "  --bootargs TEXT      the hypervisor's command line (default: console=dtuart)\n"
            "  --icount             count instructions instead of time (one each nanosecond)\n"
            "  --dry-run            print QEMU's command line; the tree stays in the folder named\n"
            "  --keep FOLDER        write the tree there and leave it\n"
            "  --quiet              no summary before the start\n"},
    {"build",
     "usage: bulkhead build [OPTION...] DOMAIN-FILE... -o FOLDER\n\n"
     "Write hypervisor, tree, modules, boot.cmd and boot.scr for U-Boot, and a README.txt\n"
     "with all load addresses. Give the board's own tree with --board.\n\n"
     "  -o FOLDER            where to write\n"
     "  --hypervisor IMAGE   default: build/arm64/bulkhead\n"
     "  --bootargs TEXT      the hypervisor's command line\n"},
};

struct options {
    const char *command;
    const char *output, *hypervisor, *bootargs, *board, *keep;
    struct machine machine;
    bool icount, dry_run, quiet;
    char **files;
    unsigned file_count;
    char **extra; /* after --, ends with NULL */
};

static const struct option long_options[] = {
    {"board", required_argument, NULL, 'b'},    {"machine", required_argument, NULL, 'M'},
    {"cpu", required_argument, NULL, 'C'},      {"cpus", required_argument, NULL, 'n'},
    {"memory", required_argument, NULL, 'm'},   {"hypervisor", required_argument, NULL, 'H'},
    {"bootargs", required_argument, NULL, 'a'}, {"icount", no_argument, NULL, 'i'},
    {"dry-run", no_argument, NULL, 'd'},        {"keep", required_argument, NULL, 'k'},
    {"quiet", no_argument, NULL, 'q'},          {"help", no_argument, NULL, 'h'},
    {"output", required_argument, NULL, 'o'},   {NULL, 0, NULL, 0},
};

static const char *command_help(const char *name)
{
    for (unsigned i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (strcmp(commands[i].name, name) == 0) {
            return commands[i].help;
        }
    }
    return NULL;
}

static unsigned number_option(const char *name, const char *text, unsigned most)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);

    if (*end || !*text || value < 1 || value > most) {
        fprintf(stderr, "bulkhead: error: %s %s: wants a number from 1 to %u\n", name, text, most);
        exit(STATUS_USAGE);
    }
    return (unsigned)value;
}

static void take_option(struct options *o, int letter)
{
    switch (letter) {
    case 'b':
        o->board = optarg;
        break;
    case 'M':
        o->machine.options = optarg;
        break;
    case 'C':
        o->machine.cpu = optarg;
        break;
    case 'n':
        o->machine.cpus = number_option("--cpus", optarg, 512);
        break;
    case 'm':
        o->machine.memory_mib = number_option("--memory", optarg, 1u << 20);
        break;
    case 'H':
        o->hypervisor = optarg;
        break;
    case 'a':
        o->bootargs = optarg;
        break;
    case 'k':
        o->keep = optarg;
        break;
    case 'o':
        o->output = optarg;
        break;
    case 'i':
        o->icount = true;
        break;
    case 'd':
        o->dry_run = true;
        break;
    case 'q':
        o->quiet = true;
        break;
    case 'h':
        printf("%s\n%s", command_help(o->command), board_help);
        exit(STATUS_GOOD);
    default:
        fprintf(stderr, "see: bulkhead %s --help\n", o->command);
        exit(STATUS_USAGE);
    }
}

/* Fill `options` from the command line, or end the program with a word why not. */
static void parse_command_line(int argc, char **argv, struct options *o)
{
    int letter;

    if (argc > 1 && strcmp(argv[1], "--version") == 0) {
        puts("bulkhead " VERSION);
        exit(STATUS_GOOD);
    }
    if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        fputs(usage, argc < 2 ? stderr : stdout);
        exit(argc < 2 ? STATUS_USAGE : STATUS_GOOD);
    }
    o->command = argv[1];
    if (!command_help(o->command)) {
        const char *names[] = {"check", "tree", "run", "build", NULL};
        const char *near = nearest_word(o->command, names);

        fprintf(stderr, "bulkhead: error: no command %s%s%s%s\n%s", o->command, near ? "; is " : "",
                near ? near : "", near ? " meant?" : "", usage);
        exit(STATUS_USAGE);
    }
    for (int i = 2; i < argc; i++) {
        if (strcmp(argv[i], "--") == 0) {
            o->extra = argv + i + 1;
            argc = i;
            break;
        }
    }
    while ((letter = getopt_long(argc - 1, argv + 1, "o:h", long_options, NULL)) != -1) {
        take_option(o, letter);
    }
    o->files = argv + 1 + optind;
    o->file_count = (unsigned)(argc - 1 - optind);
    if (!o->file_count) {
        fprintf(stderr, "bulkhead: error: no domain file given\nsee: bulkhead %s --help\n",
                o->command);
        exit(STATUS_USAGE);
    }
    if (!o->output && (o->command[0] == 't' || o->command[0] == 'b')) {
        fprintf(stderr, "bulkhead: error: %s needs -o\nsee: bulkhead %s --help\n", o->command,
                o->command);
        exit(STATUS_USAGE);
    }
    if (o->board && o->command[0] == 'r') {
        fputs("bulkhead: error: run starts QEMU's own board; --board is for tree and build\n",
              stderr);
        exit(STATUS_USAGE);
    }
}

/* The hypervisor that was built together with this program: ../arm64/bulkhead. */
static char *default_hypervisor(void)
{
    char self[4096];
    ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
    char *slash;

    if (length > 0) {
        self[length] = '\0';
        slash = strrchr(self, '/');
        if (slash) {
            *slash = '\0';
            return must_print("%s/../arm64/bulkhead", self);
        }
    }
    return must_print("build/arm64/bulkhead");
}

static int load_hypervisor(struct system *system, const struct options *o)
{
    struct place nowhere = {NULL, 0};
    struct source *source = &system->hypervisor;
    const char *cure;

    if (!o->hypervisor && (o->command[0] == 't' || o->command[0] == 'c')) {
        return 0;
    }
    source->path = o->hypervisor ? must_print("%s", o->hypervisor) : default_hypervisor();
    if (access(source->path, R_OK) != 0) {
        report_error(system->report, nowhere,
                     "the hypervisor's image %s cannot be read (%s); "
                     "build it with `make`, or name one with --hypervisor (stock Xen's: "
                     "tools/debian.py xen)",
                     source->path, strerror(errno));
        return -1;
    }
    if (image_read(system->report, nowhere, "--hypervisor", source->path, &source->image) != 0) {
        return -1;
    }
    cure = image_cure(source->image.kind);
    if (cure || source->image.kind != IMAGE_ARM64) {
        report_error(system->report, nowhere, "--hypervisor: %s %s", source->path,
                     cure ? cure : "is not an arm64 Image");
        return -1;
    }
    return 0;
}

static int prepare(struct system *system, const struct options *o)
{
    int result = o->board ? board_from_file(system->report, o->board, &system->board)
                          : board_from_qemu(system->report, &o->machine, &system->board);

    if (load_hypervisor(system, o) != 0) {
        result = -1;
    }
    if (system_load(system, o->files, o->file_count) != 0 || result != 0) {
        return -1;
    }
    if (system_check(system) != 0) {
        return -1;
    }
    return system_layout(system);
}

static int command_run(struct system *system, const struct options *o)
{
    const char *base = getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp";
    char *folder = o->keep ? must_print("%s", o->keep) : must_print("%s/bulkhead-XXXXXX", base);
    int result = STATUS_SYSTEM;

    if (!o->keep && !mkdtemp(folder)) {
        report_error(system->report, (struct place){folder, 0}, "cannot be made: %s",
                     strerror(errno));
    } else if (system_write(system, folder) == 0) {
        if (!o->quiet && !o->dry_run) {
            system_print(system, stderr);
            fputs("\nCtrl-T: next console    Ctrl-A x: end QEMU    Ctrl-A h: QEMU's other keys\n\n",
                  stderr);
        }
        result = run_qemu(system, &o->machine, folder, o->extra, o->icount, o->dry_run);
    }
    if (!o->keep && !o->dry_run) {
        char *tree = must_print("%s/tree.dtb", folder);

        unlink(tree);
        free(tree);
        for (unsigned i = 0; i < system->module_count; i++) {
            if (system->modules[i].bytes) {
                unlink(system->modules[i].path);
            }
        }
        rmdir(folder);
    }
    free(folder);
    return result;
}

static int command_tree(struct system *system, const struct options *o)
{
    size_t length;
    void *tree = system_tree(system, &length);
    int result = tree ? file_write(system->report, o->output, tree, length) : -1;

    free(tree);
    for (unsigned i = 0; i < system->module_count && result == 0; i++) {
        struct module *module = &system->modules[i];

        if (module->bytes) {
            char *path = must_print("%s.%s", o->output, module->file_name);

            result = file_write(system->report, path, module->bytes, module->length);
            free(module->path);
            module->path = path;
        }
    }
    if (result == 0 && !o->quiet) {
        system_print_layout(system, stdout);
    }
    return result == 0 ? STATUS_GOOD : STATUS_SYSTEM;
}

static int command(struct system *system, const struct options *o)
{
    switch (o->command[0]) {
    case 'c':
        if (!o->quiet) {
            system_print(system, stdout);
        }
        return STATUS_GOOD;
    case 't':
        return command_tree(system, o);
    case 'r':
        return command_run(system, o);
    default:
        if (deploy_uboot(system, o->output) != 0) {
            return STATUS_SYSTEM;
        }
        printf("%s: copy its files to the boot partition; README.txt there says how\n", o->output);
        return STATUS_GOOD;
    }
}

int main(int argc, char **argv)
{
    struct options options = {
        .machine = {.options = "gic-version=3", .cpu = "cortex-a72", .cpus = 2, .memory_mib = 4096},
        .bootargs = "console=dtuart",
    };
    struct report report = {.out = stderr};
    struct system system = {.report = &report};
    int result = STATUS_MISTAKE;

    if (argc > 1 && strcmp(argv[1], "app") == 0) {
        app_exec(argv);
        return STATUS_SYSTEM;
    }
    parse_command_line(argc, argv, &options);
    system.bootargs = options.bootargs;
    system.image_offset = options.command[0] == 'b' ? IMAGE_AT_UBOOT : IMAGE_AT_QEMU;
    if (prepare(&system, &options) == 0) {
        result = command(&system, &options);
    } else {
        fprintf(stderr, "bulkhead: %u mistake%s, nothing was started or written\n", report.errors,
                report.errors == 1 ? "" : "s");
    }
    system_free(&system);
    return result;
}
