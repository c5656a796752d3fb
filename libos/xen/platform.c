/*
 * The Xen platform: shared page, clock, sleep, the end of the domain.
 *
 * There is no interrupt controller here: interrupts stay masked for ever, every event port
 * stays masked, and SCHEDOP_poll on (ports, deadline) is the whole of waiting.
 */
#include "libos/platform.h"

#include <string.h>

#include "arch/arm64/counter.h"
#include "arch/arm64/tables.h"
#include "libos/boot.h"
#include "libos/page.h"
#include "libos/mmu.h"
#include "libos/time.h"
#include "libos/xen.h"
#include "xen/console.h"
#include "xen/shared_info.h"

volatile struct shared_info *shared_info;

/* Xen's system time minus our monotonic time. */
static uint64_t system_offset_ns;

#define PORTS_MAX 16 /* console, store, and two per device */
static uint32_t ports[PORTS_MAX];
static uint32_t port_count;

struct add_to_physmap { /* struct xen_add_to_physmap */
    uint16_t domid;
    uint16_t size;
    uint32_t space;
    uint64_t index;
    uint64_t gpfn;
};
enum { MEMOP_add_to_physmap = 7, MAPSPACE_shared_info = 0 };

struct sched_poll { /* struct sched_poll */
    uint32_t *ports;
    uint32_t nr_ports;
    uint64_t timeout;
};
enum { SCHEDOP_shutdown = 2, SCHEDOP_poll = 3 };
enum { SHUTDOWN_poweroff = 0, SHUTDOWN_crash = 3 };

struct runstate_info { /* struct vcpu_runstate_info */
    int32_t state;
    uint64_t state_entry_time;
    uint64_t time[4];
};
enum { VCPUOP_register_runstate_memory_area = 5 };

void shared_info_map(void)
{
    void *page = page_alloc_dirty(1); /* Xen lays its own over it */
    CHECK(page != NULL);
    struct add_to_physmap map = {DOMID_SELF, 0, MAPSPACE_shared_info, 0, mmu_frame(page)};
    long error = hypercall(HYPERCALL_memory_op, MEMOP_add_to_physmap, (unsigned long)&map, 0);
    if (error != 0) {
        libos_panic("no shared page (error %ld): is this a Xen or Bulkhead domain?", error);
    }
    shared_info = page;
    memset((void *)shared_info->evtchn_mask, 0xff, sizeof(shared_info->evtchn_mask));
}

uint64_t hvm_param(uint32_t index)
{
    struct {
        uint16_t domid;
        uint16_t pad;
        uint32_t index;
        uint64_t value;
    } param = {DOMID_SELF, 0, index, 0};
    long error = hypercall(HYPERCALL_hvm_op, 1 /* HVMOP_get_param */, (unsigned long)&param, 0);
    return error == 0 && param.value != ~0UL ? param.value : 0;
}

void evtchn_watch(uint32_t port)
{
    CHECK(port_count < PORTS_MAX);
    ports[port_count++] = port;
}

static void poll_ports(uint32_t *which, uint32_t count, uint64_t system_ns)
{
    struct sched_poll poll = {which, count, system_ns};
    (void)hypercall(HYPERCALL_sched_op, SCHEDOP_poll, (unsigned long)&poll, 0);
}

/* Was an event pending? No more: clear the bit first, look at the rings after. One that comes after this
 * look is seen by SCHEDOP_poll. */
static bool take_event(uint32_t port)
{
    uint64_t bit = 1UL << port % 64;
    volatile uint64_t *word = &shared_info->evtchn_pending[port / 64];
    if (!(*word & bit)) {
        return false;
    }
    __atomic_fetch_and(word, ~bit, __ATOMIC_SEQ_CST);
    return true;
}

/*
 * Deadlines of SCHEDOP_poll are in Xen's system time, which a guest on Arm cannot read. The
 * runstate area shows it: the moment this vCPU last began to run. Compared with the counter right
 * after, that gives the offset, too small by the time that passed between: so each sample is a lower
 * bound, and the largest seen is kept. One bad sample (a loaded machine) would otherwise make
 * every sleep end early and the rest of it spin.
 */
static struct runstate_info runstate;

static void sample_system_time(void)
{
    uint64_t entered = ((volatile struct runstate_info *)&runstate)->state_entry_time;
    uint64_t offset = entered - time_monotonic_ns();
    if ((int64_t)(offset - system_offset_ns) > 0) {
        system_offset_ns = offset;
    }
}

static void learn_system_time(void)
{
    void *address = &runstate;
    long error = hypercall(HYPERCALL_vcpu_op, VCPUOP_register_runstate_memory_area, 0,
                           (unsigned long)&address);
    if (error != 0) {
        libos_panic("no runstate area (error %ld): timers cannot work", error);
    }
    poll_ports(ports, port_count, 1); /* long past: blocks and wakes at once */
    system_offset_ns = runstate.state_entry_time - time_monotonic_ns();
    sample_system_time();
}

void platform_sleep(uint64_t deadline_ns)
{
    for (uint32_t i = 0; i < port_count; i++) {
        if (take_event(ports[i])) {
            deadline_ns = 0;
        }
    }
    if (deadline_ns != 0) {
        /* 0 means "no timeout" to Xen. */
        poll_ports(ports, port_count,
                   deadline_ns == TIME_NEVER ? 0 : MAX(deadline_ns + system_offset_ns, 1UL));
        sample_system_time();
    }
}

bool evtchn_wait(uint32_t port, uint64_t deadline_ns)
{
    poll_ports(&port, 1, MAX(deadline_ns + system_offset_ns, 1UL));
    return take_event(port);
}

uint64_t platform_wall_offset_ns(void)
{
    uint32_t version;
    uint64_t seconds;
    uint64_t ns;
    do { /* odd while the hypervisor writes */
        version = shared_info->wc_version;
        __asm__ volatile("dmb ishld" ::: "memory");
        seconds = shared_info->wc_sec | (uint64_t)shared_info->wc_sec_hi << 32;
        ns = shared_info->wc_nsec;
        __asm__ volatile("dmb ishld" ::: "memory");
    } while (version & 1 || version != shared_info->wc_version);
    return seconds * NS_PER_SECOND + ns + system_offset_ns;
}

bool platform_is_constant(const void *data, size_t size)
{
    const char *at = data;
    return at >= image_start && at < rodata_end && size <= (size_t)(rodata_end - at);
}

uint64_t platform_uptime_us(void)
{
    return (counter_read() - boot.first_count) * 1000000 / counter_hz();
}

uint64_t platform_cpu_ns(void)
{
    const volatile struct runstate_info *r = &runstate;
    return r->time[0] /* RUNSTATE_running, up to when we last began */ + time_monotonic_ns() +
           system_offset_ns - r->state_entry_time;
}

void platform_init(void)
{
    console_early_init();
    shared_info_map();
    learn_system_time();
    console_init();
}

static void shutdown(uint32_t reason)
{
    (void)hypercall(HYPERCALL_sched_op, SCHEDOP_shutdown, (unsigned long)&reason, 0);
}

void platform_exit(int status)
{
    if (status != 0) {
        libos_log("the program ended with status %d", status);
    }
    console_drain();
    shutdown(status == 0 ? SHUTDOWN_poweroff : SHUTDOWN_crash);
    for (;;) {
        __asm__ volatile("wfi");
    }
}
