/*
 * From the page tables to main(): clocks, console, random numbers, devices, seal, then the
 * C library's own start with the stack a Linux kernel would have prepared.
 */
#include <elf.h>
#include <string.h>

#include "arch/arm64/tables.h"
#include "libos/boot.h"
#include "libos/config.h"
#include "libos/file.h"
#include "libos/page.h"
#include "libos/platform.h"
#include "libos/random.h"
#include "libos/seal.h"
#include "libos/thread.h"
#include "libos/time.h"

#define ARGUMENTS_MAX 64

int __libc_start_main(int (*main)(int, char **, char **), int argc, char **argv, void (*init)(void),
                      void (*fini)(void), void (*linker_fini)(void));
int main(int argc, char **argv, char **environment);
void libos_main(void) __attribute__((noreturn));

/* musl calls these around the constructors; crti.o would bring them from other sections. */
void _init(void);
void _fini(void);
void _init(void)
{
}
void _fini(void)
{
}

extern char tls_data[], tls_size[], tls_file_size[], tls_align[];

static Elf64_Phdr tls_header;
static uint64_t canary[2];
static char *words[ARGUMENTS_MAX + 40]; /* argv, NULL, environ, NULL, auxv */

static char *next_word(char **text)
{
    char *start = *text;
    while (*start == ' ') {
        start++;
    }
    if (*start == '\0') {
        return NULL;
    }
    char *end = start;
    while (*end != ' ' && *end != '\0') {
        end++;
    }
    *text = *end == '\0' ? end : end + 1;
    *end = '\0';
    return start;
}

/*
 * /chosen/bootargs: words before "--" are for us (NAME=VALUE pairs: ip=, gw=, dns=, and
 * env.X=Y for the program's environment), words after it replace the manifest's arguments.
 */
static unsigned int split_arguments(char **environment, unsigned int *environment_count)
{
    unsigned int argc = 0;
    char *text = boot.args;
    bool replaced = false;
    for (char *word; (word = next_word(&text)) != NULL;) {
        if (!replaced && strcmp(word, "--") == 0) {
            replaced = true;
            words[argc++] = (char *)config_name;
        } else if (replaced && argc < ARGUMENTS_MAX) {
            words[argc++] = word;
        } else if (strncmp(word, "env.", 4) == 0 && *environment_count < 8) {
            environment[(*environment_count)++] = word + 4;
        } else {
            config_override(word);
        }
    }
    for (; !replaced && argc < ARGUMENTS_MAX && config_arguments[argc] != NULL; argc++) {
        words[argc] = (char *)config_arguments[argc];
    }
    return argc;
}

static char **put_aux(char **at, uint64_t type, uint64_t value)
{
    *at++ = (char *)type;
    *at++ = (char *)value;
    return at;
}

static unsigned int prepare_words(void)
{
    char *environment[8];
    unsigned int environment_count = 0;
    unsigned int argc = split_arguments(environment, &environment_count);
    char **at = words + argc;
    *at++ = NULL;
    for (unsigned int i = 0; i < environment_count; i++) {
        *at++ = environment[i];
    }
    *at++ = NULL;
    random_bytes(canary, sizeof(canary));
    tls_header = (Elf64_Phdr){.p_type = PT_TLS,
                              .p_vaddr = (uintptr_t)tls_data,
                              .p_filesz = (uintptr_t)tls_file_size - (uintptr_t)image_start,
                              .p_memsz = (uintptr_t)tls_size - (uintptr_t)image_start,
                              .p_align = (uintptr_t)tls_align - (uintptr_t)image_start};
    if (tls_header.p_memsz != 0) {
        at = put_aux(at, AT_PHDR, (uintptr_t)&tls_header);
        at = put_aux(at, AT_PHENT, sizeof(tls_header));
        at = put_aux(at, AT_PHNUM, 1);
    }
    at = put_aux(at, AT_PAGESZ, PAGE_SIZE);
    at = put_aux(at, AT_RANDOM, (uintptr_t)canary);
    at = put_aux(at, AT_UID, 0);
    at = put_aux(at, AT_EUID, 0);
    at = put_aux(at, AT_GID, 0);
    at = put_aux(at, AT_EGID, 0);
    at = put_aux(at, AT_SECURE, 0);
    put_aux(at, AT_NULL, 0);
    return argc;
}

void libos_main(void)
{
    thread_init();
    time_init();
    platform_init();
    random_init(boot.seed, boot.seed_size);
    memset(boot.seed, 0, sizeof(boot.seed));
    if (!random_is_seeded()) {
        libos_log("no seed from the hypervisor: random numbers and addresses are guessable");
    }
    file_init();
    unsigned int argc = prepare_words();
    config_start_devices();
    seal_domain();
    __libc_start_main(main, (int)argc, words, _init, _fini, NULL);
    libos_panic("main() returned into nowhere");
}
