/*
 * An attacker that already runs code in the program. Without arguments it tries what must be
 * refused politely; with one, it does the forbidden thing, and the crash report is the proof.
 *
 *   tables    rewrite our own translation tables to make a data page executable, then jump
 *             there: the first layer (stock Xen) falls, a sealed domain (Bulkhead) stands.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static int number;

static void report(int passed, const char *what)
{
    printf("%s %d - %s\n", passed ? "ok" : "not ok", ++number, what);
}

typedef int (*function)(void);

/* mov w0, #42; ret */
static const uint32_t code[] = {0x52800540, 0xd65f03c0};

static void polite(void)
{
    void *page =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    report(page == MAP_FAILED && errno == EACCES, "no executable mapping");
    page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    report(page != MAP_FAILED && mprotect(page, 4096, PROT_READ | PROT_EXEC) == -1 &&
               errno == EACCES,
           "no data page becomes executable");
    report(mprotect((void *)((uintptr_t)polite & ~4095UL), 4096, PROT_READ | PROT_WRITE) == -1,
           "no code page becomes writable");
    uint64_t sctlr;
    __asm__("mrs %0, sctlr_el1" : "=r"(sctlr));
    report(sctlr >> 19 & 1, "the hardware enforces write-xor-execute (WXN)");
    puts("done");
}

/* Walk our own tables by hand, as an exploit would: TTBR0 gives the root's physical address,
 * and the direct map is wherever malloc's memory is. */
static uint64_t physical(const volatile void *p)
{
    uint64_t par;
    __asm__ volatile("at s1e1r, %1; isb; mrs %0, par_el1" : "=r"(par) : "r"(p));
    return par & 1 ? 0 : (par & 0x0000fffffffff000UL) | ((uintptr_t)p & 4095);
}

static int tables(void)
{
    uint32_t *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memcpy(page, code, sizeof(code));
    mprotect(page, 4096, PROT_READ);                    /* gives the page an entry of its own */
    uint64_t offset = (uintptr_t)page - physical(page); /* direct map: virtual - physical */
    uint64_t root, sctlr;
    __asm__("mrs %0, ttbr0_el1" : "=r"(root));
    uint64_t *level = (uint64_t *)((root & 0x0000fffffffff000UL) + offset);
    uint64_t *entry = &level[(uintptr_t)page >> 30 & 511];
    level = (uint64_t *)((*entry & 0x0000fffffffff000UL) + offset);
    entry = &level[(uintptr_t)page >> 21 & 511];
    if (*entry & 2) {
        level = (uint64_t *)((*entry & 0x0000fffffffff000UL) + offset);
        entry = &level[(uintptr_t)page >> 12 & 511];
    }
    puts("tables: switching WXN off and making a page of data executable");
    fflush(stdout);
    __asm__("mrs %0, sctlr_el1" : "=r"(sctlr));
    __asm__ volatile("msr sctlr_el1, %0; isb" : : "r"(sctlr & ~(1UL << 19)));
    *entry &= ~(1UL << 53); /* PXN */
    __asm__ volatile("dsb ishst; tlbi vmalle1; dsb ish; ic iallu; dsb ish; isb" ::: "memory");
    printf("tables: the forged code ran and returned %d\n", ((function)page)());
    return 0;
}

static int overflow(volatile char *above)
{
    volatile char here[512];
    here[0] = *above;
    return overflow(here) + here[0];
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    if (strcmp(what, "write-text") == 0) {
        *(volatile uint32_t *)(uintptr_t)main = 0;
    } else if (strcmp(what, "run-data") == 0) {
        static uint32_t data[2];
        memcpy(data, code, sizeof(code));
        return ((function)(void *)data)();
    } else if (strcmp(what, "overflow") == 0) {
        char start = 0;
        return overflow(&start);
    } else if (strcmp(what, "null") == 0) {
        return *(volatile int *)8;
    } else if (strcmp(what, "tables") == 0) {
        return tables();
    } else if (strcmp(what, "exit") == 0) {
        return 3;
    } else {
        polite();
        return 0;
    }
    puts("not ok - the attack went unnoticed");
    return 1;
}
