/*
 * An attacker that already runs code in the program. Without arguments it tries what must be
 * refused politely; with one, it does the forbidden thing, and the crash report is the proof.
 *
 * Four attacks forge our own translation tables. On stock Xen only those tables hold, so each ends
 * with "forged code ran"; a sealed domain (Bulkhead) stops all of them:
 *
 *   registers  switch WXN off in SCTLR_EL1          the write traps (HCR_EL2.TVM)
 *   alias      make a page of data executable       stage 2 never executes data
 *   patch      map a page of code writable          stage 2 never writes code
 *   exchange   have the hypervisor give new memory  refused
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

#define ADDRESS 0x0000fffffffff000UL
#define READ_ONLY (1UL << 7) /* AP[2] */
#define PXN (1UL << 53)

/* Direct map: virtual - physical. */
static uint64_t offset;

/* The entry of our tables that maps `page`, a page of its own. */
static uint64_t *entry_of(void *page)
{
    uint64_t root;
    __asm__("mrs %0, ttbr0_el1" : "=r"(root));
    uint64_t *level = (uint64_t *)((root & ADDRESS) + offset);
    for (int shift = 30; shift > 12; shift -= 9) {
        level = (uint64_t *)((level[(uintptr_t)page >> shift & 511] & ADDRESS) + offset);
    }
    return &level[(uintptr_t)page >> 12 & 511];
}

static void forge(uint64_t *entry, uint64_t value)
{
    *(volatile uint64_t *)entry = value;
    __asm__ volatile("dsb ishst; tlbi vmalle1; dsb ish; ic iallu; dsb ish; isb" ::: "memory");
}

static uint32_t *new_page(void)
{
    uint32_t *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memcpy(page, code, sizeof(code));
    offset = (uintptr_t)page - physical(page);
    mprotect(page, 4096, PROT_READ); /* gives the page an entry of its own */
    return page;
}

static int run(function forged)
{
    printf("the forged code ran and returned %d\n", forged());
    return 0;
}

static int registers(void)
{
    uint32_t *page = new_page();
    uint64_t sctlr, *entry = entry_of(page);
    puts("registers: switching WXN off");
    __asm__("mrs %0, sctlr_el1" : "=r"(sctlr));
    __asm__ volatile("msr sctlr_el1, %0; isb" : : "r"(sctlr & ~(1UL << 19)));
    forge(entry, *entry & ~(PXN | READ_ONLY));
    return run((function)page);
}

static int alias(void)
{
    uint32_t *page = new_page();
    uint64_t *entry = entry_of(page);
    puts("alias: making a page of data executable");
    forge(entry, *entry & ~PXN); /* read-only, so WXN does not mind */
    return run((function)page);
}

/* A page of code that nothing else is on. */
__attribute__((aligned(4096), noinline)) static int victim(void)
{
    __asm__ volatile(".rept 2048\n\tnop\n\t.endr");
    return 7;
}

static int patch(void)
{
    uint32_t *page = new_page();
    uint64_t *entry = entry_of(page);
    function target = victim;
    puts("patch: mapping a page of code writable");
    forge(entry, (*entry & ~(ADDRESS | READ_ONLY)) | physical((void *)(uintptr_t)target));
    memcpy(page, code, sizeof(code));
    forge(entry, *entry | READ_ONLY);
    return run(target);
}

/* XENMEM_decrease_reservation, then XENMEM_populate_physmap at the same place: new, executable memory. */
static long memory_op(unsigned long op, uint64_t *frame)
{
    struct {
        uint64_t *start, count;
        uint32_t order, flags;
        uint16_t domain;
    } reservation = {frame, 1, 0, 0, 0x7ff0};
    register unsigned long x0 __asm__("x0") = op, x1 __asm__("x1") = (uintptr_t)&reservation;
    register unsigned long x16 __asm__("x16") = 12;
    __asm__ volatile("hvc #0xea1" : "+r"(x0), "+r"(x1) : "r"(x16) : "memory");
    return (long)x0;
}

static int exchange(void)
{
    uint32_t *page = new_page();
    uint64_t *entry = entry_of(page), frame = physical(page) >> 12;
    puts("exchange: asking for new memory under a page of data");
    if (memory_op(1, &frame) != 1 || memory_op(6, &frame) != 1) {
        puts("exchange: refused");
        return 0;
    }
    mprotect(page, 4096, PROT_READ | PROT_WRITE);
    memcpy(page, code, sizeof(code));
    forge(entry, (*entry & ~PXN) | READ_ONLY);
    return run((function)page);
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
    } else if (strcmp(what, "registers") == 0) {
        return registers();
    } else if (strcmp(what, "alias") == 0) {
        return alias();
    } else if (strcmp(what, "patch") == 0) {
        return patch();
    } else if (strcmp(what, "exchange") == 0) {
        return exchange();
    } else if (strcmp(what, "memory") == 0) {
        while (malloc(64 << 10) != NULL) {
        }
        puts("memory: malloc() says that there is no more");
        return 1;
    } else if (strcmp(what, "exit") == 0) {
        return 3;
    } else {
        polite();
        return 0;
    }
    puts("not ok - the attack went unnoticed");
    return 1;
}
