/*
 * The FIFO event channel ABI: one word per port in pages the guest gave, and
 * 16 queues per vCPU, linked through those words, most urgent first.
 *
 *      control block of a vCPU           event words
 *      ready  0..0100000100          +-> [port 9: PENDING LINKED | link 4 ] --+
 *      head[2] = 9  -----------------+   [port 4: PENDING LINKED | link 0 ] <-+  <- fifo_tail[2] (ours)
 *
 * The hypervisor appends at the tail, the guest takes from the head. We keep
 * the tail in our own memory, so that nothing a guest writes decides where we
 * write (E3): a word's LINKED bit only decides if the tail may be appended to.
 * One lock per domain covers linking; senders from several domains meet there.
 *
 * Source: public/event_channel.h, EVTCHN_FIFO_*, and the ABI's description,
 * "FIFO-based event channel ABI" (design paper of Xen 4.4).
 */
#include "xen-internal.h"

#include <hyp/arch.h>
#include <lib/string.h>

#define PENDING (1u << EVTCHN_FIFO_PENDING)
#define MASKED (1u << EVTCHN_FIFO_MASKED)
#define LINKED (1u << EVTCHN_FIFO_LINKED)
#define BUSY (1u << EVTCHN_FIFO_BUSY)

/* Events that one call of expand_array raises: some 100 instructions each. */
#define RAISE_BUDGET 256u

/* Event word of `port`, or NULL if the guest has not given that page yet. [fifo lock] */
static uint32_t *word_of(const struct evtchn_domain *e, uint32_t port)
{
    if (e->fifo_page == NULL || port / FIFO_WORDS >= e->fifo_page_count) {
        return NULL;
    }
    return &e->fifo_page[port / FIFO_WORDS][port % FIFO_WORDS];
}

/*
 * Append `port` behind the word of the tail. False: that one is no longer in
 * the queue, so the queue is empty. An honest guest changes the word a few
 * times at most; then BUSY asks it to leave the word alone, and one that does
 * not obey loses the event, which is its own.
 */
static bool append(uint32_t *tail_word, uint32_t port)
{
    uint32_t w = __atomic_load_n(tail_word, __ATOMIC_SEQ_CST);
    for (unsigned turn = 0; (w & LINKED) != 0 && turn < 8; turn++) {
        uint32_t next = (w & ~(BUSY | EVTCHN_FIFO_LINK_MASK)) | port;
        if (__atomic_compare_exchange_n(tail_word, &w, next, false, __ATOMIC_SEQ_CST,
                                        __ATOMIC_SEQ_CST)) {
            return true;
        }
        if (turn == 3) {
            w = __atomic_fetch_or(tail_word, BUSY, __ATOMIC_SEQ_CST) | BUSY;
        }
    }
    if ((w & BUSY) != 0) {
        __atomic_fetch_and(tail_word, ~BUSY, __ATOMIC_SEQ_CST);
    }
    return (w & LINKED) != 0;
}

/* Put `port`, pending and neither masked nor linked, into its queue. Returns the vCPU to tell, or NULL. */
static struct vcpu *enqueue(struct domain *d, struct evtchn *c, uint32_t port, uint32_t *word)
{
    struct vcpu *v = d->vcpu[__atomic_load_n(&c->vcpu, __ATOMIC_RELAXED)];
    struct evtchn_vcpu *queues = v->evtchn;
    uint32_t priority = c->priority;
    if (queues->fifo == NULL) {
        return NULL; /* no control block: the guest finds it when it unmasks */
    }
    /* Not linked but still the tail we remember: that queue has run empty. */
    uint32_t *old_tail = &d->vcpu[c->fifo_vcpu]->evtchn->fifo_tail[c->fifo_priority];
    if (*old_tail == port) {
        *old_tail = 0;
    }
    c->fifo_vcpu = (uint16_t)v->id;
    c->fifo_priority = (uint8_t)priority;
    if ((__atomic_fetch_or(word, LINKED, __ATOMIC_SEQ_CST) & LINKED) != 0) {
        return NULL; /* the guest set it: it has lost this event */
    }
    uint32_t tail = queues->fifo_tail[priority];
    uint32_t *tail_word = tail != 0 ? word_of(d->evtchn, tail) : NULL;
    bool behind = tail_word != NULL && append(tail_word, port);
    queues->fifo_tail[priority] = port;
    if (behind) {
        return NULL; /* the guest is on its way through this queue */
    }
    __atomic_store_n(&queues->fifo->head[priority], port, __ATOMIC_SEQ_CST);
    uint32_t before = __atomic_fetch_or(&queues->fifo->ready, 1u << priority, __ATOMIC_SEQ_CST);
    return (before >> priority & 1) == 0 ? v : NULL;
}

bool fifo_raise(struct domain *d, struct evtchn *c, uint32_t port)
{
    struct evtchn_domain *e = d->evtchn;
    struct vcpu *tell = NULL;
    bool fresh;
    lock(&e->fifo_lock);
    uint32_t *word = word_of(e, port);
    if (word == NULL) {
        fresh = !c->fifo_pending;
        c->fifo_pending = true; /* until expand_array brings its page */
    } else {
        uint32_t before = __atomic_fetch_or(word, PENDING, __ATOMIC_SEQ_CST);
        fresh = (before & PENDING) == 0;
        tell = (before & (MASKED | LINKED)) == 0 ? enqueue(d, c, port, word) : NULL;
    }
    unlock(&e->fifo_lock);
    if (tell != NULL) {
        evtchn_upcall(tell);
    }
    return fresh;
}

uint32_t fifo_clear(struct domain *d, uint32_t port, uint32_t bits)
{
    struct evtchn_domain *e = d->evtchn;
    lock(&e->fifo_lock);
    uint32_t *word = word_of(e, port);
    uint32_t before = word != NULL ? __atomic_fetch_and(word, ~bits, __ATOMIC_SEQ_CST) : 0;
    unlock(&e->fifo_lock);
    return before;
}

/* The first control block switches the domain over. */
int64_t fifo_init_control(struct vcpu *v, struct domain *d, const uint64_t *reg, void *arg)
{
    _Static_assert(FIFO_PAGES * sizeof(uint32_t *) <= FRAME_SIZE, "one page points to them all");
    struct evtchn_init_control *op = arg;
    struct evtchn_domain *e = d->evtchn;
    mfn_t frame;
    if (op->vcpu >= d->vcpu_count) {
        return -XEN_ENOENT;
    }
    struct evtchn_vcpu *target = d->vcpu[array_index_clamp(op->vcpu, d->vcpu_count)]->evtchn;
    if (op->offset > FRAME_SIZE - sizeof(struct evtchn_fifo_control_block) || op->offset % 8 != 0 ||
        target->fifo != NULL || xen_own_frame(d, gfn(op->control_gfn), &frame) != 0) {
        return -XEN_EINVAL;
    }
    uint32_t **pages = e->fifo_page != NULL ? e->fifo_page : frame_alloc_hyp(d, 0);
    if (pages == NULL) {
        frame_put(frame);
        return -XEN_ENOMEM;
    }
    lock(&e->fifo_lock);
    __atomic_store_n(&e->fifo_page, pages, __ATOMIC_SEQ_CST);
    target->fifo = (void *)((char *)mfn_to_va(frame) + op->offset);
    unlock(&e->fifo_lock);
    op->link_bits = EVTCHN_FIFO_LINK_BITS;
    return 0;
}

/*
 * What was raised before these event words were there, in the old ABI too, is
 * pending in them. A call that is made again because there is much of that (H1)
 * finds its page in place.
 */
int64_t fifo_expand_array(struct vcpu *v, struct domain *d, const uint64_t *reg, void *arg)
{
    const struct evtchn_expand_array *op = arg;
    struct evtchn_domain *e = d->evtchn;
    uint32_t count = e->fifo_page_count, budget = RAISE_BUDGET;
    mfn_t frame;
    if (e->fifo_page == NULL) {
        return -XEN_EOPNOTSUPP;
    }
    int error = xen_own_frame(d, gfn(op->array_gfn), &frame);
    if (error != 0) {
        return error;
    }
    if (count == 0 || e->fifo_page[count - 1] != mfn_to_va(frame)) {
        if (count == FIFO_PAGES) {
            frame_put(frame);
            return -XEN_ENOSPC;
        }
        lock(&e->fifo_lock);
        e->fifo_page[e->fifo_page_count++] = mfn_to_va(frame);
        unlock(&e->fifo_lock);
    } else {
        frame_put(frame);
    }
    uint32_t end = e->fifo_page_count * (uint32_t)FIFO_WORDS;
    for (uint32_t port = end - (uint32_t)FIFO_WORDS; port < e->port_count && port < end; port++) {
        struct evtchn *c = evtchn_at(e, port);
        if (evtchn_clear_two_level(d, port) || c->fifo_pending) {
            c->fifo_pending = false;
            (void)fifo_raise(d, c, port);
            if (--budget == 0) {
                return -XEN_ERESTART;
            }
        }
    }
    return 0;
}

/* Back to the two-level ABI; all ports are closed. */
void fifo_destroy(struct domain *d)
{
    struct evtchn_domain *e = d->evtchn;
    lock(&e->lock);
    lock(&e->fifo_lock);
    for (uint32_t i = 0; i < d->vcpu_count; i++) {
        struct evtchn_vcpu *queues = d->vcpu[i]->evtchn;
        if (queues->fifo != NULL) {
            frame_put(va_to_mfn(queues->fifo));
        }
        queues->fifo = NULL;
        memset(queues->fifo_tail, 0, sizeof(queues->fifo_tail));
    }
    while (e->fifo_page_count != 0) {
        frame_put(va_to_mfn(e->fifo_page[--e->fifo_page_count]));
    }
    if (e->fifo_page != NULL) {
        frame_free_hyp(d, e->fifo_page, 0);
    }
    e->fifo_page = NULL;
    unlock(&e->fifo_lock);
    unlock(&e->lock);
}
