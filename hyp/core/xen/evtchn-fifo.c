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

#define PENDING (1u << EVTCHN_FIFO_PENDING)
#define MASKED (1u << EVTCHN_FIFO_MASKED)
#define LINKED (1u << EVTCHN_FIFO_LINKED)
#define BUSY (1u << EVTCHN_FIFO_BUSY)

/* Event word of `port`, or NULL if the guest has not given that page yet. [fifo lock] */
static uint32_t *word_of(const struct evtchn_domain *e, uint32_t port)
{
    if (e->fifo_page == NULL || port / FIFO_WORDS >= e->fifo_page_count) {
        return NULL;
    }
    return &e->fifo_page[port / FIFO_WORDS][port % FIFO_WORDS];
}

/* One try per possible change by an honest guest; -1: the word changed under our hands each time. */
static int try_link(uint32_t *word, uint32_t port)
{
    for (unsigned turn = 0; turn < 4; turn++) {
        uint32_t w = __atomic_load_n(word, __ATOMIC_SEQ_CST);
        if ((w & LINKED) == 0) {
            return 0;
        }
        uint32_t next = (w & ~(BUSY | EVTCHN_FIFO_LINK_MASK)) | port;
        if (__atomic_compare_exchange_n(word, &w, next, false, __ATOMIC_SEQ_CST,
                                        __ATOMIC_SEQ_CST)) {
            return 1;
        }
    }
    return -1;
}

/*
 * Append `port` behind the word of the tail. False: that one is no longer in
 * the queue, so the queue is empty. BUSY asks the guest to leave the word
 * alone; a guest that does not obey loses the event, which is its own.
 */
static bool append(uint32_t *tail_word, uint32_t port)
{
    int linked = try_link(tail_word, port);
    if (linked < 0) {
        __atomic_fetch_or(tail_word, BUSY, __ATOMIC_SEQ_CST);
        linked = try_link(tail_word, port);
        if (linked <= 0) {
            __atomic_fetch_and(tail_word, ~BUSY, __ATOMIC_SEQ_CST);
        }
    }
    return linked != 0;
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

static bool raise_locked(struct domain *d, struct evtchn *c, uint32_t port, struct vcpu **tell)
{
    uint32_t *word = word_of(d->evtchn, port);
    if (word == NULL) {
        bool fresh = !c->fifo_pending;
        c->fifo_pending = true; /* until expand_array brings its page */
        return fresh;
    }
    uint32_t before = __atomic_fetch_or(word, PENDING, __ATOMIC_SEQ_CST);
    if ((before & (MASKED | LINKED)) == 0) {
        *tell = enqueue(d, c, port, word);
    }
    return (before & PENDING) == 0;
}

bool fifo_raise(struct domain *d, struct evtchn *c, uint32_t port)
{
    struct vcpu *tell = NULL;
    lock(&d->evtchn->fifo_lock);
    bool fresh = raise_locked(d, c, port, &tell);
    unlock(&d->evtchn->fifo_lock);
    if (tell != NULL) {
        evtchn_upcall(tell);
    }
    return fresh;
}

void fifo_unmask(struct domain *d, struct evtchn *c, uint32_t port)
{
    struct vcpu *tell = NULL;
    lock(&d->evtchn->fifo_lock);
    uint32_t *word = word_of(d->evtchn, port);
    if (word != NULL && (__atomic_fetch_and(word, ~MASKED, __ATOMIC_SEQ_CST) & PENDING) != 0) {
        (void)raise_locked(d, c, port, &tell);
    }
    unlock(&d->evtchn->fifo_lock);
    if (tell != NULL) {
        evtchn_upcall(tell);
    }
}

static bool word_has(struct domain *d, uint32_t port, uint32_t bit)
{
    lock(&d->evtchn->fifo_lock);
    uint32_t *word = word_of(d->evtchn, port);
    bool has = word != NULL && (__atomic_load_n(word, __ATOMIC_SEQ_CST) & bit) != 0;
    unlock(&d->evtchn->fifo_lock);
    return has;
}

bool fifo_pending(struct domain *d, uint32_t port)
{
    return word_has(d, port, PENDING);
}

bool fifo_busy(struct domain *d, uint32_t port)
{
    return word_has(d, port, LINKED);
}

/* A closed port may still be linked; the guest unlinks it when it comes by. */
void fifo_clear(struct domain *d, struct evtchn *c, uint32_t port)
{
    lock(&d->evtchn->fifo_lock);
    uint32_t *word = word_of(d->evtchn, port);
    c->fifo_pending = false;
    if (word != NULL) {
        __atomic_fetch_and(word, ~PENDING, __ATOMIC_SEQ_CST);
    }
    unlock(&d->evtchn->fifo_lock);
}

/* The first control block switches the domain over: what is pending in the old ABI is remembered. */
static int switch_over(struct domain *d)
{
    struct evtchn_domain *e = d->evtchn;
    uint32_t **pages = frame_alloc_hyp(d, 0);
    if (pages == NULL) {
        return -XEN_ENOMEM;
    }
    _Static_assert(FIFO_PAGES * sizeof(*pages) <= FRAME_SIZE,
                   "the page of pointers holds them all");
    lock(&e->fifo_lock);
    e->fifo_page_count = 0;
    __atomic_store_n(&e->fifo_page, pages, __ATOMIC_SEQ_CST);
    for (uint32_t port = 1; port < e->port_count && port < EVTCHN_2L_NR_CHANNELS; port++) {
        uint64_t word =
            __atomic_load_n(&d->xen->shared->evtchn_pending[port / 64], __ATOMIC_SEQ_CST);
        evtchn_of(e, port)->fifo_pending = word >> port % 64 & 1;
    }
    unlock(&e->fifo_lock);
    return 0;
}

int64_t fifo_init_control(struct vcpu *v, struct evtchn_init_control *op)
{
    struct domain *d = v->domain;
    struct evtchn_domain *e = d->evtchn;
    if (op->vcpu >= d->vcpu_count) {
        return -XEN_ENOENT;
    }
    if (op->offset > FRAME_SIZE - sizeof(struct evtchn_fifo_control_block) || op->offset % 8 != 0) {
        return -XEN_EINVAL;
    }
    struct evtchn_vcpu *target = d->vcpu[array_index_clamp(op->vcpu, d->vcpu_count)]->evtchn;
    mfn_t frame;
    int error = xen_own_frame(d, gfn(op->control_gfn), &frame);
    if (error != 0) {
        return error;
    }
    lock(&e->lock);
    if (target->fifo != NULL) {
        error = -XEN_EINVAL;
    } else if (e->fifo_page == NULL) {
        error = switch_over(d);
    }
    if (error == 0) {
        lock(&e->fifo_lock);
        target->fifo_frame = frame;
        target->fifo = (void *)((char *)mfn_to_va(frame) + op->offset);
        unlock(&e->fifo_lock);
        op->link_bits = EVTCHN_FIFO_LINK_BITS;
    }
    unlock(&e->lock);
    if (error != 0) {
        frame_put(frame);
    }
    return error;
}

int64_t fifo_expand_array(struct vcpu *v, const struct evtchn_expand_array *op)
{
    struct domain *d = v->domain;
    struct evtchn_domain *e = d->evtchn;
    mfn_t frame;
    int error =
        e->fifo_page != NULL ? xen_own_frame(d, gfn(op->array_gfn), &frame) : -XEN_EOPNOTSUPP;
    if (error != 0) {
        return error;
    }
    lock(&e->lock);
    if (e->fifo_page == NULL || e->fifo_page_count >= FIFO_PAGES) {
        error = -XEN_ENOSPC;
    } else {
        uint32_t first = e->fifo_page_count * FIFO_WORDS;
        lock(&e->fifo_lock);
        e->fifo_page[e->fifo_page_count++] = mfn_to_va(frame);
        unlock(&e->fifo_lock);
        for (uint32_t port = first; port < e->port_count && port < first + FIFO_WORDS; port++) {
            struct evtchn *c = evtchn_of(e, port);
            if (c->fifo_pending) {
                c->fifo_pending = false;
                fifo_raise(d, c, port);
            }
        }
    }
    unlock(&e->lock);
    if (error != 0) {
        frame_put(frame);
    }
    return error;
}

/* Back to the two-level ABI; all ports are closed. */
void fifo_destroy(struct domain *d)
{
    struct evtchn_domain *e = d->evtchn;
    lock(&e->lock);
    lock(&e->fifo_lock);
    uint32_t **pages = e->fifo_page;
    uint32_t count = e->fifo_page_count;
    e->fifo_page = NULL;
    e->fifo_page_count = 0;
    for (uint32_t i = 0; i < d->vcpu_count; i++) {
        struct evtchn_vcpu *queues = d->vcpu[i]->evtchn;
        queues->fifo = NULL;
        for (unsigned q = 0; q < EVTCHN_FIFO_MAX_QUEUES; q++) {
            queues->fifo_tail[q] = 0;
        }
        if (queues->fifo_frame.v != MFN_NONE.v) {
            frame_put(queues->fifo_frame);
            queues->fifo_frame = MFN_NONE;
        }
    }
    unlock(&e->fifo_lock);
    unlock(&e->lock);
    for (uint32_t i = 0; i < count; i++) {
        frame_put(va_to_mfn(pages[i]));
    }
    if (pages != NULL) {
        frame_free_hyp(d, pages, 0);
    }
}
