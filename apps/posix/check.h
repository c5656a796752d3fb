/* Results of the system call tests: TAP, each named after the call that its row of docs/libos-posix.md has. */
#ifndef APPS_POSIX_CHECK_H
#define APPS_POSIX_CHECK_H

/** One result; `what` begins with the call's name and a colon. */
void check(int passed, const char *what);

/** The plan, and a line if nothing failed; the program's exit status. */
int check_end(void);

/** The calls that need no device and that C has no tidy function for (calls.c). */
void other_calls(void);

#endif
