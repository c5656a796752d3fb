/*
 * The hypervisor's end of a domain's PV console, and console_io.
 *
 *   guest: out[] --out_prod--> event --> drain() --> console switch
 *   typed: xen_console_input() --> in[] --in_prod--> event --> guest
 *
 * The ring is in the guest's page: indices are copied once, and a producer
 * that is out of step is taken at its word modulo the ring's size, so that at
 * worst the guest prints what it did not mean to.
 *
 * Source: public/io/console.h; public/xen.h, CONSOLEIO_*.
 */
#include "xen-internal.h"

#include <hyp/arch.h>
#include <hyp/console.h>
#include <hyp/evtchn.h>
#include <hyp/rights.h>
#include <hyp/xen.h>
#include <lib/string.h>

#define OUT_SIZE sizeof(((struct xencons_interface *)0)->out)

/* [console lock] Show what the guest has put into its ring. True if room was made. */
static bool drain(struct domain *d)
{
    struct xencons_interface *ring = d->xen->console;
    uint32_t prod = __atomic_load_n(&ring->out_prod, __ATOMIC_ACQUIRE);
    uint32_t cons = ring->out_cons, first = cons;
    if (prod - cons > OUT_SIZE) {
        cons = prod - OUT_SIZE; /* out of step */
    }
    for (bool room = true; cons != prod && room;) {
        uint8_t text[64] NOT_ZEROED;
        uint32_t at = cons % OUT_SIZE, count = prod - cons;
        count = count < sizeof(text) ? count : sizeof(text);
        count = count < OUT_SIZE - at ? count : OUT_SIZE - at;
        memcpy(text, &ring->out[at], count);
        uint32_t taken = (uint32_t)console_domain_output(d, text, count);
        cons += taken;
        room = taken == count;
    }
    if (cons != first) {
        __atomic_store_n(&d->xen->console_used, true, __ATOMIC_RELAXED);
        /* The characters are read before the room is given back. */
        __atomic_store_n(&ring->out_cons, cons, __ATOMIC_RELEASE);
    }
    return cons != first;
}

void xen_console_output_ready(struct domain *d)
{
    struct xen_domain *x = d->xen;
    lock(&x->console_lock);
    bool more_room = x->console != NULL && drain(d);
    unlock(&x->console_lock);
    if (more_room) {
        evtchn_notify(d, x->console_port);
    }
}

static void console_event(struct vcpu *v, domid_t remote, evtchn_port_t port)
{
    xen_console_output_ready(v->domain);
}

/* Who may read keys by console_io, and waits for them: Xen's dom0 driver of Linux does. */
static bool reads_by_call(const struct domain *d)
{
    return rights_allow(d, RIGHT_CONSOLE, NULL) &&
           __atomic_load_n(&d->vcpu[0]->evtchn->virq_port[VIRQ_CONSOLE], __ATOMIC_RELAXED) != 0;
}

bool xen_console_used(const struct domain *d)
{
    return __atomic_load_n(&d->xen->console_used, __ATOMIC_RELAXED) || reads_by_call(d);
}

/* As much of a text as goes into a ring, whose indices run freely. */
static size_t put(char *ring, uint32_t size, uint32_t *prod, uint32_t cons, const char *text,
                  size_t length)
{
    size_t done = 0;
    while (done < length && *prod - cons < size) {
        ring[(*prod)++ % size] = text[done++];
    }
    return done;
}

size_t xen_console_input(struct domain *d, const char *text, size_t length)
{
    struct xen_domain *x = d->xen;
    bool by_call = reads_by_call(d);
    size_t done = 0;
    lock(&x->console_lock);
    struct xencons_interface *ring = x->console;
    if (by_call) {
        done = put(x->io_text, sizeof(x->io_text), &x->io_prod, x->io_cons, text, length);
    } else if (ring != NULL && x->console_used) {
        uint32_t cons = __atomic_load_n(&ring->in_cons, __ATOMIC_ACQUIRE);
        done = put(ring->in, sizeof(ring->in), &x->console_in_prod, cons, text, length);
        __atomic_store_n(&ring->in_prod, x->console_in_prod, __ATOMIC_RELEASE);
    }
    unlock(&x->console_lock);
    if (done > 0 && by_call) {
        evtchn_virq(d->vcpu[0], VIRQ_CONSOLE);
    } else if (done > 0) {
        evtchn_notify(d, x->console_port);
    }
    return done;
}

int xen_console_create(struct domain *d, struct xencons_interface *ring)
{
    struct xen_domain *x = d->xen;
    x->console_in_prod = 0;
    x->console_used = false;
    x->console = ring;
    return evtchn_open(d, EVTCHN_XEN, 0, console_event, &x->console_port);
}

void xen_console_stop(struct domain *d)
{
    struct xencons_interface *ring = d->xen->console;
    lock(&d->xen->console_lock);
    d->xen->console = NULL;
    unlock(&d->xen->console_lock);
    if (ring != NULL) {
        frame_put(va_to_mfn(ring));
    }
}

/* --- console_io: arg[0] command, arg[1] length, arg[2] bytes --- */

/* A domain writes to its own console, whether or not it has a serial line there. */
static int64_t io_write(struct vcpu *v, uint64_t *arg)
{
    uint8_t text[64];
    for (unsigned budget = 8; arg[1] > 0; budget--) {
        size_t part = arg[1] < sizeof(text) ? arg[1] : sizeof(text);
        if (budget == 0) {
            return -XEN_ERESTART;
        }
        if (guest_va_read(v, text, arg[2], part) != 0) {
            return -XEN_EFAULT;
        }
        size_t shown = console_domain_output(v->domain, text, part);
        arg[1] -= shown;
        arg[2] += shown;
        if (shown < part) {
            return -XEN_ERESTART; /* the console is full: the guest waits for itself only */
        }
    }
    return 0;
}

/* What was typed while this domain had the keyboard: the number of bytes, 0 if none wait for it here. */
static int64_t io_read(struct vcpu *v, const uint64_t *arg)
{
    struct xen_domain *x = v->domain->xen;
    char text[sizeof(x->io_text)];
    uint32_t count = 0;
    lock(&x->console_lock);
    while (count < arg[1] && x->io_cons != x->io_prod) {
        text[count++] = x->io_text[x->io_cons++ % sizeof(x->io_text)];
    }
    unlock(&x->console_lock);
    return guest_va_write(v, arg[2], text, count) != 0 ? -XEN_EFAULT : (int64_t)count;
}

int64_t console_io(struct vcpu *v, uint64_t *arg)
{
    uint32_t cmd = (uint32_t)arg[0];
    arg[1] = (uint32_t)arg[1];
    if (cmd != CONSOLEIO_write && cmd != CONSOLEIO_read) {
        return -XEN_ENOSYS;
    }
    if ((int32_t)arg[1] < 0) {
        return -XEN_EINVAL;
    }
    return cmd == CONSOLEIO_write ? io_write(v, arg) : io_read(v, arg);
}
