/* Starting QEMU with everything in its place, in the user's own terminal. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "files.h"

#define QEMU "qemu-system-aarch64"

static const struct place nowhere = {NULL, 0};

/* A growing argument list; every string is owned. */
struct arguments {
    char **items;
    unsigned count;
};

static void add(struct arguments *list, char *owned)
{
    list->items = must_resize(list->items, (list->count + 2) * sizeof(*list->items));
    list->items[list->count++] = owned;
    list->items[list->count] = NULL;
}

static void add_words(struct arguments *list, const char *words)
{
    char *copy = must_print("%s", words), *next = NULL;

    for (char *word = strtok_r(copy, " ", &next); word; word = strtok_r(NULL, " ", &next)) {
        add(list, must_print("%s", word));
    }
    free(copy);
}

/* In QEMU's key=value lists a comma is written twice. */
static char *escape_commas(const char *path)
{
    char *text = must_allocate(2 * strlen(path) + 1), *out = text;

    for (; *path; path++) {
        *out++ = *path;
        if (*path == ',') {
            *out++ = ',';
        }
    }
    return text;
}

static void build_command(struct system *system, const struct machine *machine, const char *folder,
                          char *const *extra, bool icount, struct arguments *list)
{
    add(list, must_print(QEMU));
    add(list, must_print("-M"));
    add(list, machine_argument(machine, ""));
    add(list, must_print("-cpu"));
    add(list, must_print("%s", machine->cpu));
    add(list, must_print("-smp"));
    add(list, must_print("%u", machine->cpus));
    add(list, must_print("-m"));
    add(list, must_print("%u", machine->memory_mib));
    add_words(list, "-nographic -nic none");
    if (icount) {
        add_words(list, "-icount shift=0,sleep=off");
    }
    add(list, must_print("-kernel"));
    add(list, must_print("%s", system->hypervisor.path));
    add(list, must_print("-dtb"));
    add(list, must_print("%s/tree.dtb", folder));
    for (unsigned i = 0; i < system->module_count; i++) {
        char *path = escape_commas(system->modules[i].path);

        add(list, must_print("-device"));
        add(list, must_print("loader,file=%s,addr=0x%llx,force-raw=on", path,
                             (unsigned long long)system->modules[i].where.base));
        free(path);
    }
    for (; extra && *extra; extra++) {
        add(list, must_print("%s", *extra));
    }
}

static void print_command(const struct arguments *list)
{
    for (unsigned i = 0; i < list->count; i++) {
        bool plain =
            list->items[i][0] && !list->items[i][strspn(list->items[i], "abcdefghijklmnopqrstuvwxyz"
                                                                        "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                                                        "0123456789_-+=/.,:@%")];

        printf(plain ? "%s%s" : "%s'%s'", i ? " " : "", list->items[i]);
    }
    putchar('\n');
}

static pid_t qemu;

static void pass_on(int signal)
{
    if (qemu > 0) {
        kill(qemu, signal);
    }
}

/* Keys belong to the guests: the terminal's own signals are not for us. */
static void take_signals(void)
{
    struct sigaction pass = {.sa_handler = pass_on};
    struct sigaction ignore = {.sa_handler = SIG_IGN};

    sigaction(SIGTERM, &pass, NULL);
    sigaction(SIGHUP, &pass, NULL);
    sigaction(SIGINT, &ignore, NULL);
    sigaction(SIGQUIT, &ignore, NULL);
}

static int wait_for(pid_t child)
{
    int status;

    while (waitpid(child, &status, 0) < 0) {
        if (errno != EINTR) {
            return -1;
        }
    }
    return status;
}

static int start(struct report *report, char *const *command)
{
    struct termios terminal;
    bool on_terminal = tcgetattr(STDIN_FILENO, &terminal) == 0;
    pid_t parent = getpid();
    int status;

    fflush(NULL);
    qemu = fork();
    if (qemu == 0) {
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        if (getppid() != parent) {
            _exit(0);
        }
        execvp(command[0], command);
        _exit(errno == ENOENT ? 127 : 126);
    }
    if (qemu < 0) {
        report_error(report, nowhere, "cannot start another process: %s", strerror(errno));
        return 3;
    }
    take_signals();
    status = wait_for(qemu);
    if (on_terminal) {
        tcsetattr(STDIN_FILENO, TCSADRAIN, &terminal);
    }
    if (WIFSIGNALED(status)) {
        return 128 + WTERMSIG(status);
    }
    if (WEXITSTATUS(status) == 127) {
        report_error(report, nowhere, QEMU " is not installed; apt-get install qemu-system-arm");
        return 3;
    }
    if (WEXITSTATUS(status)) {
        report_error(report, nowhere, "QEMU ended with status %d; its own words are above",
                     WEXITSTATUS(status));
        return 4;
    }
    return 0;
}

int run_qemu(struct system *system, const struct machine *machine, const char *folder,
             char *const *extra, bool icount, bool dry_run)
{
    struct arguments list = {NULL, 0};
    int result = 0;

    build_command(system, machine, folder, extra, icount, &list);
    if (dry_run) {
        print_command(&list);
    } else {
        result = start(system->report, list.items);
    }
    for (unsigned i = 0; i < list.count; i++) {
        free(list.items[i]);
    }
    free(list.items);
    return result;
}
