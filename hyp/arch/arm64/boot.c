/*
 * The boot CPU's way from head.S to the first guest.
 *
 * Order matters where a line says so; everything here is given back once the
 * CPUs are up (mmu_drop_boot). Mistakes in the board's tree end in a line that
 * says what is missing; only without memory there is nothing left to do.
 */
#include "arm64.h"

#include <hyp/config.h>
#include <hyp/console.h>
#include <hyp/frame.h>
#include <hyp/gic.h>
#include <hyp/irq.h>
#include <hyp/log.h>
#include <hyp/random.h>
#include <hyp/rtc.h>
#include <hyp/tree.h>
#include <hyp/xen.h>
#include <lib/string.h>

#define MEMORY_RANGES 32
#define KEEP_RANGES 384 /* kernel, ramdisk and tree of 128 domains */
#define LOG_ORDER 2u

static struct tree board_tree; /* [const] the one we were entered with */
static struct cpu boot_cpu __initdata;
static struct frame_range ram[MEMORY_RANGES] __initdata;
static unsigned ram_count __initdata;
static struct frame_range keep[KEEP_RANGES] __initdata;
static unsigned keep_count __initdata;

static bool has_console __initdata;

/* As late as there is nothing to be said: the tables it needs come from the allocator then. */
static __init void open_console(void)
{
    if (!has_console) {
        has_console = true;
        console_early_init(&board_tree);
    }
}

static noreturn_fn __init void stop(const char *why)
{
    open_console();
    log_warn("Bulkhead cannot start: %s", why);
    arch_park();
}

static __init void keep_add(mpa_t start, uint64_t size_bytes)
{
    if (size_bytes == 0) {
        return;
    }
    struct frame_range r = {mpa(start.v & ~FRAME_MASK),
                            mpa((start.v + size_bytes + FRAME_MASK) & ~FRAME_MASK)};
    for (unsigned i = 0; i < keep_count; i++) {
        if (keep[i].start.v <= r.start.v && r.end.v <= keep[i].end.v) {
            return; /* many domains, one kernel */
        }
    }
    if (keep_count == KEEP_RANGES) {
        stop("the tree reserves more than 384 ranges of memory; merge some of them.");
    }
    keep[keep_count++] = r;
}

/* The tree is somewhere in RAM: map its head to learn its size, then all of it. */
static __init const void *map_tree(uint64_t pa)
{
    const void *fdt = pa & 7 ? NULL : arch_map_ram(mpa(pa), FRAME_SIZE);
    uint64_t size = fdt ? tree_size(fdt) : 0;

    return size ? arch_map_ram(mpa(pa), size) : NULL;
}

static __init void find_memory(const struct tree *t)
{
    mpa_t base;
    uint64_t size;

    for (unsigned i = 0; tree_ram(t, i, &base, &size); i++) {
        uint64_t start = (base.v + FRAME_MASK) & ~FRAME_MASK;
        uint64_t end = (base.v + size) & ~FRAME_MASK;

        if (ram_count == MEMORY_RANGES) {
            log_warn("Memory at %#lx is not used: more than %u ranges.", base.v, MEMORY_RANGES);
        } else if (end > start && mmu_map_ram(start, end)) {
            ram[ram_count++] = (struct frame_range){mpa(start), mpa(end)};
        }
    }
    if (ram_count == 0) {
        stop("the board's tree has no memory node.");
    }
}

static __init void find_reserved(const struct tree *t, uint64_t fdt_pa)
{
    tree_node n = tree_child(t, tree_find(t, "/reserved-memory", SIZE_MAX));
    mpa_t base;
    uint64_t size;

    keep_add(mpa(image_pa), (uint64_t)(image_end - image_start));
    keep_add(mpa(fdt_pa), tree_size(t->fdt));
    for (unsigned i = 0; tree_reserved(t, i, &base, &size); i++) {
        keep_add(base, size);
    }
    for (; n.at; n = tree_sibling(t, n)) {
        for (unsigned i = 0; tree_reg(t, n, i, &base, &size) == 0; i++) {
            keep_add(base, size);
        }
    }
    config_keep_ranges(t, keep_add);
}

static __init void seed_random(const struct tree *t)
{
    struct tree_value seed = tree_get(t, tree_find(t, "/chosen", SIZE_MAX), "rng-seed");
    uint64_t now = arch_counter_ticks();

    random_mix(seed.data, seed.size);
    random_mix(&now, sizeof(now));
}

/* Domains without a clock of their own take the date from their shared page. */
static __init void set_clock(const struct tree *t)
{
    uint64_t seconds;

    if (rtc_read(t, &seconds) == 0) {
        xen_set_wall_clock(seconds, 0);
    } else {
        log_line("No real-time clock: domains begin in 1970.");
    }
}

static __init void start_domains(const struct tree *t)
{
    const struct domain_config *config;
    int count = config_parse(t, &config);

    for (int i = 0; i < count; i++) {
        struct domain *d;
        int error = domain_create(&config[i], &d);

        if (error) {
            log_warn("%s: %s (error %d). This domain is not started.", config[i].node,
                     error == -XEN_ENOSPC   ? "bulkhead,budget-us asks for more than a CPU has "
                                              "left (95 % can be promised); lower it or pin "
                                              "elsewhere"
                     : error == -XEN_ENOMEM ? "not enough memory"
                                            : "it cannot be made",
                     -error);
            continue;
        }
        error = domain_start(d);
        if (error) {
            log_warn("%s: domain \"%s\" is left out.", config[i].node, config[i].name);
            if (domain_destroy(d)) {
                log_warn("%s: it could not be removed either.", config[i].node);
            }
        }
    }
    if (count == 0) {
        log_warn("No domain to run: the tree has no good xen,domain node below /chosen.");
    }
}

/* Apart: nothing of the boot code is used from here on. */
static noreturn_fn __attribute__((noinline)) void boot_finish(void)
{
    mmu_drop_boot();
    enter_guests();
}

noreturn_fn __init void boot_main(uint64_t fdt_pa)
{
    struct cpu *c;

    sysreg_write(tpidr_el2, (uint64_t)&boot_cpu);
    boot_cpu.online = 1;
    timer_cpu_init(&boot_cpu.timers);
    cpus[0] = &boot_cpu;

    const void *fdt = map_tree(fdt_pa);
    enum tree_state state = fdt ? tree_open(&board_tree, fdt, 0) : TREE_NONE;
    if (state == TREE_NONE) {
        arch_park(); /* no tree, no console: nothing can be said */
    }
    const struct tree *t = &board_tree;
    log_line("Bulkhead " BULKHEAD_VERSION " for arm64.");
    if (state == TREE_DAMAGED) {
        log_warn("The board's tree is cut off, damaged or nested deeper than %d levels near %s; "
                 "what follows there is not used.",
                 TREE_DEPTH_MAX, t->near);
    }
    find_memory(t);
    find_reserved(t, fdt_pa);
    if (frame_init(ram, ram_count, keep, keep_count) != 0) {
        stop("not enough memory for the frame records.");
    }
    mmu_frames_ready();
    open_console();
    char *ring = frame_alloc_hyp(NULL, LOG_ORDER);
    if (!ring || irq_init() != 0 || domains_init() != 0) {
        stop("no memory for the log, the interrupts and the list of domains.");
    }
    log_use_ring(ring, FRAME_SIZE << LOG_ORDER);
    c = cpu_create(0, sysreg_read(mpidr_el1) & 0xff00fffffful);
    if (!c) {
        stop("no memory for CPU 0.");
    }
    sysreg_write(tpidr_el2, (uint64_t)c);
    c->online = 1;
    sched_cpu_online(c);
    cpu_init_el2();
    if (gic_probe(t) != 0) {
        stop("no interrupt controller that it drives: GICv2 or GICv3 is needed.");
    }
    sysreg_init();
    spsr32_init();
    gic_init();
    if (gic_init_cpu(c) != 0) {
        stop("CPU 0 has no interrupt controller interface.");
    }
    if (console_start() != 0) {
        stop("no memory for the console.");
    }
    smp_start(t);
    seed_random(t);
    set_clock(t);
    start_domains(t);
    console_ready();
    boot_finish();
}
