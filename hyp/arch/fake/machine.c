/* Model machine: CPUs, time, RAM, device registers, caches, failing checks. */
#include <fake.h>
#include <hyp/assert.h>
#include <hyp/frame.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

struct cpu *fake_cpu;
uint64_t fake_counter_ticks;
struct fake_hw fake_hw[MAX_CPUS];
uint8_t fake_irq_active[1024], fake_irq_enabled[1024];
bool fake_pmu_line;
uint64_t fake_cleaned_bytes, fake_synced_bytes, fake_zeroed_bytes;
uint8_t *fake_arena;
uint64_t (*fake_mmio_model)(volatile void *at, unsigned bytes, bool write, uint64_t v);
jmp_buf *fake_assert_jump;
char fake_assert_what[256];

static struct cpu cpu_store[MAX_CPUS];
static uint64_t arena_bytes;
static bool zero_watch_only;
static struct {
    mpa_t at;
    uint64_t size;
    void *registers;
} mmio[16];
static unsigned mmio_count;

#define SMALL_ARENA (1ull << 16)

static void arena_create(uint64_t bytes)
{
    if (fake_arena != NULL && bytes == arena_bytes && bytes <= SMALL_ARENA) {
        memset(fake_arena, 0, bytes); /* quicker than asking the host for a new one */
        return;
    }
    if (fake_arena != NULL) {
        munmap(fake_arena, arena_bytes);
        fake_arena = NULL;
    }
    arena_bytes = bytes;
    if (bytes == 0) {
        return;
    }
    fake_arena = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (fake_arena == MAP_FAILED) {
        perror("model machine: no memory for the arena");
        abort();
    }
}

/* Only there if the test links it. */
extern __typeof__(frame_init) frame_init __attribute__((weak));

void fake_boot(unsigned count, uint64_t ram_bytes)
{
    fake_domain_free_all();
    unsigned used = count > cpu_count ? count : cpu_count;
    memset(cpu_store, 0, used * sizeof(cpu_store[0]));
    memset(fake_hw, 0, used * sizeof(fake_hw[0]));
    memset(fake_irq_active, 0, sizeof(fake_irq_active));
    memset(fake_irq_enabled, 0, sizeof(fake_irq_enabled));
    memset(&fake_calls, 0, offsetof(struct fake_calls, log));
    fake_calls.log[0] = 0;
    fake_cleaned_bytes = fake_synced_bytes = fake_zeroed_bytes = 0;
    fake_assert_jump = NULL;
    fake_lr_count = FAKE_LR_COUNT_DEFAULT;
    zero_watch_only = false;
    mmio_count = 0;
    fake_mmio_model = NULL;
    cpu_count = count;
    for (unsigned i = 0; i < MAX_CPUS; i++) {
        cpus[i] = i < count ? &cpu_store[i] : NULL;
        cpu_store[i].id = i;
        cpu_store[i].arch_id = i;
        cpu_store[i].online = i < count;
        list_init(&cpu_store[i].timers.list);
        fake_hw[i].timer_deadline_ticks = TICKS_NEVER;
    }
    fake_counter_ticks = 1000;
    fake_run_on(0);
    fake_locks_forget();
    fake_tlb_forget(NULL);
    arena_create(ram_bytes);
    if (frame_init != NULL && ram_bytes != 0) {
        struct frame_range ram = {mpa(FAKE_RAM_BASE), mpa(fake_ram_end())};
        CHECK(frame_init(&ram, 1, NULL, 0) == 0);
    }
}

struct cpu *fake_run_on(unsigned id)
{
    fake_cpu = &cpu_store[id];
    return fake_cpu;
}

void fake_advance(uint64_t ticks)
{
    fake_counter_ticks += ticks;
}

/* RAM. */

void *fake_ram(mpa_t at)
{
    CHECK(at.v >= FAKE_RAM_BASE && at.v - FAKE_RAM_BASE < arena_bytes);
    return fake_arena + (at.v - FAKE_RAM_BASE);
}

uint64_t fake_ram_bytes(void)
{
    return arena_bytes;
}

uint64_t fake_ram_end(void)
{
    return FAKE_RAM_BASE + arena_bytes;
}

void fake_zero_watch(bool on)
{
    zero_watch_only = on;
}

void arch_copy_unaligned(void *restrict to, const void *restrict from, size_t size)
{
    CHECK((((uintptr_t)to ^ (uintptr_t)from) & 7) != 0);
    memcpy(to, from, size);
}

void arch_zero_pages(void *va, uint64_t size_bytes)
{
    CHECK(((uintptr_t)va & FRAME_MASK) == 0 && (size_bytes & FRAME_MASK) == 0);
    fake_zeroed_bytes += size_bytes;
    uint64_t offset = (uint64_t)((uint8_t *)va - fake_arena);
    if (fake_arena != NULL && offset < arena_bytes) {
        CHECK(!fake_tlb_reaches(NULL, mfn((FAKE_RAM_BASE + offset) >> FRAME_SHIFT),
                                size_bytes >> FRAME_SHIFT));
    }
    if (!zero_watch_only) {
        memset(va, 0, size_bytes);
    }
}

void (*fake_scrubbing)(void);

void arch_scrub_pages(void *va, uint64_t size_bytes)
{
    if (fake_scrubbing != NULL) {
        fake_scrubbing();
    }
    arch_zero_pages(va, size_bytes);
    arch_clean_to_poc(va, size_bytes);
}

const void *arch_map_ram(mpa_t at, uint64_t size_bytes)
{
    uint64_t offset = at.v - FAKE_RAM_BASE;

    /* A tree may name RAM that is not there. */
    return offset < arena_bytes && size_bytes <= arena_bytes - offset ? fake_ram(at) : NULL;
}

void fake_mmio_add(mpa_t at, uint64_t size_bytes, void *registers)
{
    CHECK(mmio_count < ARRAY_LEN(mmio));
    mmio[mmio_count].at = at;
    mmio[mmio_count].size = size_bytes;
    mmio[mmio_count++].registers = registers;
}

void *arch_map_mmio(mpa_t at, uint64_t size_bytes)
{
    for (unsigned i = 0; i < mmio_count; i++) {
        if (at.v >= mmio[i].at.v && at.v + size_bytes <= mmio[i].at.v + mmio[i].size) {
            return (uint8_t *)mmio[i].registers + (at.v - mmio[i].at.v);
        }
    }
    return NULL;
}

void arch_clean_to_poc(const void *va, size_t size_bytes)
{
    fake_cleaned_bytes += size_bytes;
}

void arch_sync_icache(const void *va, size_t size_bytes)
{
    fake_synced_bytes += size_bytes;
}

/* Time and other CPUs. */

uint64_t arch_counter_hz(void)
{
    return FAKE_HZ;
}

void arch_timer_program(uint64_t deadline_ticks)
{
    fake_hw[this_cpu()->id].timer_deadline_ticks = deadline_ticks;
    fake_hw[this_cpu()->id].timer_programs++;
}

__attribute__((weak)) void arch_cpu_kick(struct cpu *c)
{
    fake_hw[c->id].kicks++;
}

/* Failing checks. */

__attribute__((weak)) void assert_failed(const char *what, const char *file, int line)
{
    if (fake_assert_jump != NULL) {
        snprintf(fake_assert_what, sizeof(fake_assert_what), "%s", what);
        longjmp(*fake_assert_jump, 1);
    }
    fprintf(stderr, "%s:%d: check failed: %s\n", file, line, what);
    abort();
}
