#include "check.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static int number;
static int failed;

void check(int passed, const char *what)
{
    int error = errno;
    if (number == 0) {
        setvbuf(stdout, NULL, _IOLBF, 0);
    }
    printf("%s %d - %s\n", passed ? "ok" : "not ok", ++number, what);
    if (!passed) {
        printf("# errno is %d (%s)\n", error, strerror(error));
    }
    failed += !passed;
}

int check_end(void)
{
    printf("1..%d\n", number);
    if (failed == 0) {
        printf("all %d passed\n", number);
    }
    return failed != 0;
}
