/* The machine around the consoles: see console-world.h. */
#include "console-world.h"

#include <hyp/evtchn.h>
#include <hyp/frame.h>
#include <hyp/gic.h>
#include <hyp/irq.h>
#include <hyp/rights.h>
#include <hyp/uart.h>
#include <hyp/xen.h>
#include <stdio.h>
#include <stdlib.h>
#include <xen/xen.h>

/* The serial line. */

char terminal[TERMINAL_SIZE]; /* all that came out since wipe() */
size_t terminal_length;
size_t line_room; /* bytes that the line still takes */
static const char *keys;
void (*line_event)(void);
bool line_listens;
void (*meanwhile)(void);

size_t uart_write(const char *bytes, size_t count)
{
    size_t n = count < line_room ? count : line_room;

    assert_true(terminal_length + n < sizeof(terminal));
    memcpy(terminal + terminal_length, bytes, n);
    terminal_length += n;
    terminal[terminal_length] = 0;
    line_room -= n;
    return n;
}

bool uart_try(char c)
{
    return uart_write(&c, 1) == 1;
}

void uart_putc(char c)
{
    terminal[terminal_length++] = c;
    terminal[terminal_length] = 0;
}

void uart_listen(bool on)
{
    line_listens = on;
}

int uart_read(void)
{
    return keys != NULL && *keys != 0 ? (unsigned char)*keys++ : -1;
}

int uart_probe(const struct tree *t)
{
    return 0;
}

int uart_start(void (*event)(void))
{
    line_event = event;
    line_listens = true;
    return 0;
}

void wipe(void)
{
    terminal_length = 0;
    terminal[0] = 0;
}

void type(const char *text)
{
    keys = text;
    while (*keys != 0) {
        assert_true(line_listens); /* else nobody would ever come for the keys */
        line_event();
    }
}

/* The timer. */

static struct timer *timer;

void timer_init(struct timer *t, void (*fire)(struct timer *t, uint64_t now_ticks))
{
    timer = t;
    t->deadline_ticks = TICKS_NEVER;
    t->fire = fire;
}

void timer_set(struct timer *t, uint64_t deadline_ticks)
{
    t->deadline_ticks = deadline_ticks;
}

void pass(uint64_t ns)
{
    uint64_t end = arch_counter_ticks() + ns_to_ticks(ns);

    for (unsigned fired = 0; timer->deadline_ticks <= end; fired++) {
        assert_true(fired < 100000);
        uint64_t due = timer->deadline_ticks, now = arch_counter_ticks();
        fake_advance(due > now ? due - now : 0);
        timer->deadline_ticks = TICKS_NEVER;
        timer->fire(timer, arch_counter_ticks());
        assert_int_equal(fake_locks_held(), 0);
    }
    fake_advance(end - arch_counter_ticks());
}

/* The guests' ends of their serial lines. */

struct guest_end guest[4];

bool vuart_receive(struct domain *d, uint16_t entry)
{
    void (*other)(void) = meanwhile;

    meanwhile = NULL;
    if (other) {
        other();
    }
    struct guest_end *g = &guest[d->id];

    if (entry == VUART_BREAK) {
        g->breaks++;
        return true;
    }
    if (g->room == 0) {
        return false;
    }
    g->room--;
    g->got[g->count++] = (char)entry;
    return true;
}

void vuart_output_ready(struct domain *d)
{
    guest[d->id].ready++;
}

bool xen_console_used(const struct domain *d)
{
    return guest[d->id].pv;
}

size_t xen_console_input(struct domain *d, const char *text, size_t length)
{
    struct guest_end *g = &guest[d->id];
    size_t n = length < g->room ? length : g->room;

    memcpy(g->got + g->count, text, n);
    g->count += n;
    g->room -= n;
    return n;
}

/* What commands ask about. */

struct domain_config configs[3];
struct gic_host gic_host = {.version = 3, .intid_count = 200};
int order_error;
struct sched_params last_params;
bool powered, power_reset;
jmp_buf power_jump;
unsigned launched, paused, rebooted, destroyed;

unsigned debugged; /* vCPUs that got VIRQ_DEBUG */

void evtchn_virq(struct vcpu *v, unsigned virq)
{
    debugged += virq == VIRQ_DEBUG;
}

struct xen_links xen_links(struct domain *d)
{
    return (struct xen_links){d->id + 10u, d->id, 300, 4000};
}

int config_all(const struct domain_config **out)
{
    *out = configs;
    return 3;
}

int domain_launch(const struct domain_config *c)
{
    launched++;
    return order_error;
}
int domain_pause(struct domain *d)
{
    paused++;
    d->paused_by_console = order_error == 0;
    return order_error;
}
int domain_unpause(struct domain *d)
{
    d->paused_by_console = false;
    return order_error;
}
int domain_reboot(struct domain *d)
{
    rebooted++;
    return order_error;
}
int domain_destroy(struct domain *d)
{
    destroyed++;
    return order_error;
}
int sched_set(struct domain *d, const struct sched_params *p)
{
    last_params = *p;
    return order_error;
}
void sched_times(struct vcpu *v, uint64_t now_ticks, struct sched_times *out)
{
    *out = (struct sched_times){.state = SCHED_RUNNING};
    out->ticks[SCHED_RUNNING] = ns_to_ticks(1234 * MS);
}
uint64_t sched_runtime_ticks(const struct vcpu *v, uint64_t now_ticks)
{
    return now_ticks / 4; /* two of them: half a CPU */
}
void sched_cpu_info(struct cpu *c, uint64_t now_ticks, struct sched_cpu_info *out)
{
    *out = (struct sched_cpu_info){.domain = c->id == 0 ? 1 : DOMID_INVALID,
                                   .vcpu = 1,
                                   .busy_ticks = now_ticks / 2,
                                   .switch_count = 77};
}
void frame_stats(struct frame_stats *out)
{
    *out = (struct frame_stats){.total = 262144, .free = 131072, .owned = 65536, .hyp = 100};
}
uint64_t frame_owned_count(domid_t id)
{
    return 32768; /* 128 MiB */
}
bool irq_owner(uint32_t intid, struct domain **domain, uint32_t *virq)
{
    static struct domain owner = {.name = "work"};

    *domain = intid == 72 ? &owner : NULL;
    *virq = 72;
    return intid == 72 || intid == 33;
}
void arch_power(bool reset)
{
    powered = true;
    power_reset = reset;
    fake_locks_forget();
    longjmp(power_jump, 1);
}
struct crash_record crash;
bool domain_last_crash(unsigned n, struct crash_record *out)
{
    *out = crash;
    return n == 0 && *crash.name;
}

void arch_vcpu_snapshot(const struct vcpu *v, struct crash_record *to)
{
    to->pc = 0xffff800012345678ull;
    to->x[30] = 0xabc;
}

/* The tests. */

struct domain *home, *work;

static struct domain *new_domain(domid_t id, const char *name)
{
    struct domain *d = fake_domain(id, name, 2);

    d->state = DOMAIN_RUNNING;
    guest[id] = (struct guest_end){.room = sizeof(guest[id].got)};
    snprintf(configs[id - 1].name, sizeof(configs[0].name), "%s", name);
    configs[id - 1].id = id;
    d->config = &configs[id - 1];
    assert_int_equal(console_domain_create(d), 0);
    return d;
}

void put(struct domain *d, const char *text)
{
    assert_int_equal(console_domain_output(d, (const uint8_t *)text, strlen(text)), strlen(text));
}

/* Ctrl-T until the hypervisor's console has the screen. */
void to(const char *name)
{
    char line[64];

    snprintf(line, sizeof(line), "--- %s has keyboard and screen", name);
    do {
        wipe();
        type("\x14");
    } while (strstr(terminal, line) == NULL);
    wipe();
}

void to_hypervisor(void)
{
    to("the hypervisor (type help)");
}

int boot(void **state)
{
    static char ring[16384];

    fake_boot(2, 0);
    log_line("kept when the log moves");
    log_use_ring(ring, sizeof(ring));
    return console_start();
}

int setup(void **state)
{
    line_room = SIZE_MAX;
    memset(configs, 0, sizeof(configs));
    strcpy(configs[2].name, "gone");
    order_error = 0;
    launched = paused = rebooted = destroyed = 0;
    powered = false;
    home = new_domain(1, "home");
    work = new_domain(2, "work");
    console_ready();
    if (*state == NULL) {
        to("home");
    }
    return 0;
}

int setup_untouched(void **state)
{
    *state = configs; /* keyboard and screen stay where boot has put them */
    return setup(state);
}

int teardown(void **state)
{
    line_room = SIZE_MAX;
    to_hypervisor();
    type("\x03");
    type("quiet off\r");
    struct domain *all[] = {home, work};
    for (unsigned i = 0; i < 2; i++) {
        console_domain_destroy(all[i]);
        assert_null(all[i]->console);
        assert_int_equal(all[i]->hyp_frames, 0);
        assert_int_equal(all[i]->refs, 1); /* no command has kept a reference */
    }
    fake_domain_free_all();
    wipe();
    return 0;
}

unsigned times_shown(const char *text)
{
    unsigned n = 0;

    for (const char *at = terminal; (at = strstr(at, text)) != NULL; at++) {
        n++;
    }
    return n;
}
