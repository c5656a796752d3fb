/* What U-Boot loads on a board: image, tree, modules, and a script that does it. */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "files.h"

static void script_line(FILE *out, uint64_t address, const char *name)
{
    fprintf(out, "load ${devtype} ${devnum}:${distro_bootpart} 0x%llx ${prefix}%s\n",
            (unsigned long long)address, name);
}

static char *text_of(void (*write)(const struct system *, const char *, FILE *),
                     const struct system *system, const char *image)
{
    char *text = NULL;
    size_t length;
    FILE *out = open_memstream(&text, &length);

    write(system, image, out);
    fclose(out);
    return text;
}

static void write_script(const struct system *system, const char *image, FILE *out)
{
    fputs("# U-Boot script, written by `bulkhead build`. Compiled: boot.scr.\n", out);
    script_line(out, system->image_base, image);
    script_line(out, system->tree_base, "tree.dtb");
    for (unsigned i = 0; i < system->module_count; i++) {
        script_line(out, system->modules[i].where.base, system->modules[i].file_name);
    }
    fprintf(out, "booti 0x%llx - 0x%llx\n", (unsigned long long)system->image_base,
            (unsigned long long)system->tree_base);
}

static void write_readme(const struct system *system, const char *image, FILE *out)
{
    fputs("What to put where\n=================\n\n"
          "Copy these files to the first partition (FAT or ext4) that U-Boot boots from. Its\n"
          "distro boot runs boot.scr by itself; by hand: `load ... ${scriptaddr} boot.scr` and\n"
          "`source ${scriptaddr}`. Without scripts, load each file to its address:\n\n",
          out);
    fprintf(out, "  0x%010llx  %s\n  0x%010llx  tree.dtb\n", (unsigned long long)system->image_base,
            image, (unsigned long long)system->tree_base);
    for (unsigned i = 0; i < system->module_count; i++) {
        fprintf(out, "  0x%010llx  %s\n", (unsigned long long)system->modules[i].where.base,
                system->modules[i].file_name);
    }
    fprintf(out,
            "\nthen: booti 0x%llx - 0x%llx\n\n"
            "The addresses of the modules are written in tree.dtb: they are not free to choose.\n"
            "U-Boot must run at EL2, as it does where the firmware starts it so.\n\n",
            (unsigned long long)system->image_base, (unsigned long long)system->tree_base);
    system_print(system, out);
}

/* mkimage(1) wraps the script in the header that U-Boot's `source` wants. */
static void compile_script(struct report *report, const char *script, const char *compiled)
{
    int status = -1;
    pid_t child = fork();

    if (child == 0) {
        int null = open("/dev/null", O_WRONLY);

        dup2(null, STDOUT_FILENO);
        execlp("mkimage", "mkimage", "-A", "arm64", "-O", "linux", "-T", "script", "-C", "none",
               "-n", "Bulkhead", "-d", script, compiled, (char *)NULL);
        _exit(127);
    }
    if (child < 0 || waitpid(child, &status, 0) != child || status != 0) {
        report_warning(report, (struct place){compiled, 0},
                       "not written: mkimage is missing or "
                       "failed; apt-get install u-boot-tools, or type the lines of boot.cmd");
    }
}

static int copy_all(struct system *system, const char *folder, const char *image)
{
    char *to = must_print("%s/%s", folder, image);
    int result = file_copy(system->report, system->hypervisor.path, to);

    free(to);
    for (unsigned i = 0; i < system->module_count && result == 0; i++) {
        struct module *module = &system->modules[i];

        if (module->bytes) {
            continue;
        }
        to = must_print("%s/%s", folder, module->file_name);
        printf("copying %s (%llu MiB)\n", module->path,
               (unsigned long long)(module->where.size >> 20));
        fflush(stdout);
        result = file_copy(system->report, module->path, to);
        free(to);
    }
    return result;
}

static int write_text(struct report *report, const char *folder, const char *name, char *text)
{
    char *path = must_print("%s/%s", folder, name);
    int result = file_write(report, path, text, strlen(text));

    free(path);
    free(text);
    return result;
}

int deploy_uboot(struct system *system, const char *folder)
{
    char *copy = must_print("%s", system->hypervisor.path);
    char *image = must_print("%s", basename(copy));
    char *script = must_print("%s/boot.cmd", folder), *compiled = must_print("%s/boot.scr", folder);
    int result = -1;

    if (mkdir(folder, 0777) != 0 && errno != EEXIST) {
        report_error(system->report, (struct place){folder, 0}, "cannot be made: %s",
                     strerror(errno));
    } else if (system_write(system, folder) == 0 && copy_all(system, folder, image) == 0 &&
               write_text(system->report, folder, "boot.cmd",
                          text_of(write_script, system, image)) == 0 &&
               write_text(system->report, folder, "README.txt",
                          text_of(write_readme, system, image)) == 0) {
        compile_script(system->report, script, compiled);
        result = 0;
    }
    free(copy);
    free(image);
    free(script);
    free(compiled);
    return result;
}
