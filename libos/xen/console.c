#include "xen/console.h"

#include <string.h>

#include "libos/boot.h"
#include "libos/mmu.h"
#include "libos/platform.h"
#include "libos/thread.h"
#include "libos/time.h"
#include "libos/xen.h"

/* struct xencons_interface (public/io/console.h) */
struct console_ring {
    char in[1024];
    char out[2048];
    uint32_t in_cons, in_prod;
    uint32_t out_cons, out_prod;
};

#define UART_DATA 0
#define UART_FLAGS (0x18 / 4)
#define UART_RX_EMPTY (1U << 4)
#define UART_TX_FULL (1U << 5)
#define CONSOLEIO_write 0
#define DRAIN_LIMIT_NS (2 * NS_PER_SECOND)

static volatile struct console_ring *ring;
static uint32_t ring_port;
static volatile uint32_t *uart;

void console_early_init(void)
{
    if (boot.uart_pa != 0) {
        uart = (volatile uint32_t *)boot.uart_va;
    }
}

void console_init(void)
{
    uint64_t frame = hvm_param(HVM_PARAM_CONSOLE_PFN);
    uint32_t port = (uint32_t)hvm_param(HVM_PARAM_CONSOLE_EVTCHN);
    if (frame != 0 && port != 0) {
        ring = mmu_map_frame(frame);
        ring_port = port;
        evtchn_watch(port);
    }
}

/* Room in the output ring. A nonsensical consumer index counts as "no room". */
static uint32_t ring_room(void)
{
    uint32_t used = ring->out_prod - ring->out_cons;
    return used > sizeof(ring->out) ? 0 : (uint32_t)sizeof(ring->out) - used;
}

static bool ring_wait_room(uint64_t deadline_ns)
{
    while (ring_room() == 0) {
        if (time_monotonic_ns() >= deadline_ns) {
            return false;
        }
        platform_sleep(MIN(deadline_ns, time_monotonic_ns() + NS_PER_SECOND / 100));
    }
    return true;
}

static void ring_put(const char *text, size_t size)
{
    while (size > 0) {
        /* A console daemon that is away must not stop the domain: give up after a while. */
        if (!ring_wait_room(time_monotonic_ns() + DRAIN_LIMIT_NS)) {
            return;
        }
        uint32_t at = ring->out_prod % sizeof(ring->out);
        size_t part = MIN(MIN(size, ring_room()), sizeof(ring->out) - at);
        memcpy((char *)ring->out + at, text, part);
        text += part;
        size -= part;
        __asm__ volatile("dmb ishst" ::: "memory"); /* text before index, for the daemon */
        ring->out_prod += (uint32_t)part;
        evtchn_notify(ring_port);
    }
}

static void uart_put(char c)
{
    while (uart[UART_FLAGS] & UART_TX_FULL) {
    }
    uart[UART_DATA] = (unsigned char)c;
}

void platform_console_write(const char *text, size_t size)
{
    if (ring == NULL && uart == NULL) {
        (void)hypercall(HYPERCALL_console_io, CONSOLEIO_write, size, (unsigned long)text);
        return;
    }
    /* Terminals want a carriage return before each line feed. */
    while (size > 0) {
        const char *newline = memchr(text, '\n', size);
        size_t part = newline == NULL ? size : (size_t)(newline - text);
        if (ring != NULL) {
            ring_put(text, part);
        } else {
            for (size_t i = 0; i < part; i++) {
                uart_put(text[i]);
            }
        }
        text += part;
        size -= part;
        if (newline != NULL) {
            if (ring != NULL) {
                ring_put("\r\n", 2);
            } else {
                uart_put('\r');
                uart_put('\n');
            }
            text++;
            size--;
        }
    }
}

size_t platform_console_read(char *text, size_t size)
{
    size_t got = 0;
    if (ring != NULL) {
        uint32_t cons = ring->in_cons;
        uint32_t available = ring->in_prod - cons;
        __asm__ volatile("dmb ishld" ::: "memory"); /* index before text */
        if (available > sizeof(ring->in)) {
            available = 0; /* the other end's mistake */
        }
        for (; got < size && got < available; got++) {
            text[got] = ring->in[cons++ % sizeof(ring->in)];
        }
        __asm__ volatile("dmb ish" ::: "memory"); /* done reading before the room is given back */
        ring->in_cons = cons;
    } else if (uart != NULL) {
        while (got < size && !(uart[UART_FLAGS] & UART_RX_EMPTY)) {
            text[got++] = (char)uart[UART_DATA];
        }
    }
    for (size_t i = 0; i < got; i++) {
        text[i] = text[i] == '\r' ? '\n' : text[i];
    }
    return got;
}

void console_drain(void)
{
    uint64_t deadline = time_monotonic_ns() + DRAIN_LIMIT_NS;
    while (ring != NULL && ring->out_prod != ring->out_cons && time_monotonic_ns() < deadline) {
        platform_sleep(MIN(deadline, time_monotonic_ns() + NS_PER_SECOND / 100));
    }
}
