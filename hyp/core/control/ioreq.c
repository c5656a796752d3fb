/*
 * IOREQ servers: a guest's accesses to devices that another domain emulates.
 *
 * Life of an access, all edges under the domain's ioreq_lock:
 *
 *   NONE --ioreq_mmio--> WAITING --the server answers--> ANSWERED --ioreq_finish--> NONE
 *                           +-- the server is gone, or switched off --> NONE: the guest repeats it
 *
 * Q1  a vCPU that is WAITING (io.server) is paused once on account of it, and
 *     its instruction is not over; whoever takes the server away unpauses it.
 * Q2  the request is kept here (the vCPU's syndrome). Of the server's page only
 *     the state and the data of an answer are read, and only once.
 * Q3  the instruction ends in the vCPU's own context (WORK_IO), after it got the
 *     CPU again: nobody else touches its registers.
 * Q4  a server belongs to one domain, the emulator: nobody else names it, and
 *     it goes with either domain. Then an access is one to nothing: an abort.
 *
 * What a hostile server can do: answer nonsense, late, or never. That stops the
 * guest's vCPU, for which it has the right `emulate`; it costs nobody else anything.
 * A hostile guest can make requests only by waiting for each.
 *
 * Source: Xen 4.17 public/hvm/dm_op.h, public/hvm/ioreq.h, public/memory.h
 * (XENMEM_resource_ioreq_server).
 */
#include "../xen/xen-internal.h"

#include <hyp/rights.h>
#include <hyp/vgic.h>
#include <xen/dm_op.h>

#define RANGES 128u
#define TYPES_PAGES 2u /* buffered requests, which nothing on Arm makes; requests */

/* struct ioreq of the public header; state and direction are bit-fields there. */
struct request {
    uint64_t addr, data;
    uint32_t count, size, vp_eport;
    uint16_t pad;
    uint8_t state, type;
};
static_assert(sizeof(struct request) == 32 && MAX_VCPUS * sizeof(struct request) <= FRAME_SIZE,
              "public/hvm/ioreq.h; one page has a request for each vCPU");

struct ioreq_server {
    domid_t emulator; /* [const] */
    bool buffered;    /* [const] has a page and a port for that */
    bool enabled;     /* [ioreq lock] */
    void *page[TYPES_PAGES];
    evtchn_port_t buffered_port, port[MAX_VCPUS]; /* [const] of the guest, EVTCHN_SERVED */
    uint32_t range_count;
    struct {
        uint64_t first, last;
    } range[RANGES];
};

/* --- An access, there and back --- */

static struct request *request_of(struct ioreq_server *s, const struct vcpu *v)
{
    struct request *all = s->page[1];
    return all != NULL ? &all[v->id] : NULL;
}

static struct ioreq_server *serving(struct xen_domain *x, const struct mmio_access *a)
{
    for (unsigned i = 0; i < IOREQ_SERVERS; i++) {
        struct ioreq_server *s = x->ioreq[i];
        for (uint32_t r = 0; s != NULL && s->enabled && s->page[1] != NULL && r < s->range_count;
             r++) {
            if (a->at.v >= s->range[r].first && a->at.v + a->size - 1 <= s->range[r].last) {
                return s;
            }
        }
    }
    return NULL;
}

enum mmio_outcome ioreq_mmio(struct vcpu *v, const struct mmio_access *a)
{
    struct xen_domain *x = v->domain->xen;
    lock(&x->ioreq_lock);
    struct ioreq_server *s = serving(x, a);
    evtchn_port_t port = 0;
    if (s != NULL) {
        struct request *q = request_of(s, v);
        port = s->port[v->id];
        v->io = (struct vcpu_io){.server = s, .size = a->size};
        *q = (struct request){.addr = a->at.v,
                              .data = a->write ? a->value : 0,
                              .count = 1,
                              .size = a->size,
                              .vp_eport = port,
                              .type = IOREQ_TYPE_COPY};
        uint8_t direction = a->write ? IOREQ_WRITE : IOREQ_READ << 5; /* bit dir */
        __atomic_store_n(&q->state, direction | STATE_IOREQ_READY, __ATOMIC_RELEASE);
        sched_pause(v); /* Q1 */
    }
    unlock(&x->ioreq_lock);
    if (s == NULL) {
        return MMIO_ABSENT;
    }
    evtchn_notify_served(v->domain, port);
    return MMIO_WAIT;
}

/* Take the answer, if there is one. */
static void look(struct domain *d, uint32_t n, struct ioreq_server *s) REQUIRES(&d->xen->ioreq_lock)
{
    struct vcpu *v = d->vcpu[n];
    struct request *q = request_of(s, v);
    if (v->io.server != s ||
        (__atomic_load_n(&q->state, __ATOMIC_ACQUIRE) & 15) != STATE_IORESP_READY) {
        return;
    }
    uint64_t data = __atomic_load_n(&q->data, __ATOMIC_RELAXED); /* Q2 */
    v->io.value = data & ~0ull >> (64 - 8 * v->io.size);
    v->io.server = NULL;
    v->io.answered = true;
    __atomic_store_n(&q->state, STATE_IOREQ_NONE, __ATOMIC_RELAXED);
    __atomic_fetch_or(&v->work, WORK_IO, __ATOMIC_SEQ_CST);
    sched_unpause(v);
}

/* The emulator's vCPU `from` has sent on the channel of vCPU or page behind `port` of `id`. */
static void answered(struct vcpu *from, domid_t id, evtchn_port_t port)
{
    struct domain *d = domain_get(id);
    if (d == NULL || d->xen == NULL) {
        if (d != NULL) {
            domain_put(d);
        }
        return;
    }
    lock(&d->xen->ioreq_lock);
    for (unsigned i = 0; i < IOREQ_SERVERS; i++) {
        struct ioreq_server *s = d->xen->ioreq[i];
        for (uint32_t n = 0; s != NULL && s->emulator == from->domain->id && n < d->vcpu_count;
             n++) {
            if (s->port[n] == port) {
                look(d, n, s);
            }
        }
    }
    unlock(&d->xen->ioreq_lock);
    domain_put(d);
}

bool ioreq_finish(struct vcpu *v, uint64_t *value)
{
    lock(&v->domain->xen->ioreq_lock);
    bool answered_now = v->io.answered;
    *value = v->io.value;
    v->io.answered = false;
    unlock(&v->domain->xen->ioreq_lock);
    return answered_now;
}

/* Who waits for it repeats his access (Q4). */
static void let_go(struct domain *d, struct ioreq_server *s) REQUIRES(&d->xen->ioreq_lock)
{
    s->enabled = false;
    for (uint32_t i = 0; i < d->vcpu_count; i++) {
        if (d->vcpu[i]->io.server == s) {
            d->vcpu[i]->io.server = NULL;
            sched_unpause(d->vcpu[i]);
        }
    }
}

/* --- Servers --- */

static void close_ports(struct domain *d, struct ioreq_server *s)
{
    for (uint32_t i = 0; i < d->vcpu_max; i++) {
        evtchn_close_served(d, s->port[i]);
    }
    evtchn_close_served(d, s->buffered_port);
}

/* Take server `i` out, if it is there and `emulator`'s (DOMID_INVALID: anybody's), and end it. */
static int end_server(struct domain *d, unsigned i, domid_t emulator)
{
    lock(&d->xen->ioreq_lock);
    struct ioreq_server *s = d->xen->ioreq[i];
    bool named = s != NULL && (emulator == DOMID_INVALID || s->emulator == emulator);
    if (named) {
        let_go(d, s);
        d->xen->ioreq[i] = NULL;
    }
    unlock(&d->xen->ioreq_lock);
    if (!named) {
        return s == NULL ? -XEN_ENOENT : -XEN_EPERM;
    }
    close_ports(d, s);
    for (unsigned p = 0; p < TYPES_PAGES; p++) {
        if (s->page[p] != NULL) {
            frame_free_shared(d, s->page[p]); /* the emulator may still map it */
        }
    }
    frame_free_hyp(d, s, 0);
    return 0;
}

static void end_servers(struct domain *d, domid_t emulator)
{
    for (unsigned i = 0; d->xen != NULL && i < IOREQ_SERVERS; i++) {
        (void)!end_server(d, i, emulator);
    }
}

void ioreq_stop(struct domain *d)
{
    end_servers(d, DOMID_INVALID);
    if (!__atomic_exchange_n(&d->xen->serves, false, __ATOMIC_RELAXED)) {
        return;
    }
    for (struct domain *o = domain_next(NULL); o != NULL; o = domain_next(o)) {
        end_servers(o, d->id);
    }
}

/* --- The calls --- */

struct dm_call {
    struct vcpu *v;
    struct domain *d; /* the guest */
    struct xen_dm_op op;
};

static int open_ports(struct domain *d, struct ioreq_server *s)
{
    int error =
        s->buffered ? evtchn_open(d, EVTCHN_SERVED, s->emulator, answered, &s->buffered_port) : 0;
    for (uint32_t i = 0; i < d->vcpu_max && error == 0; i++) {
        error = evtchn_open(d, EVTCHN_SERVED, s->emulator, answered, &s->port[i]);
    }
    return error;
}

static int64_t create(struct dm_call *c)
{
    struct xen_dm_op_create_ioreq_server *op = &c->op.u.create_ioreq_server;
    static_assert(sizeof(struct ioreq_server) <= FRAME_SIZE, "a server is one page");
    if (op->handle_bufioreq > HVM_IOREQSRV_BUFIOREQ_ATOMIC) {
        return -XEN_EINVAL;
    }
    struct ioreq_server *s = frame_alloc_hyp(c->d, 0);
    if (s == NULL) {
        return -XEN_ENOMEM;
    }
    s->emulator = c->v->domain->id;
    s->buffered = op->handle_bufioreq != HVM_IOREQSRV_BUFIOREQ_OFF;
    __atomic_store_n(&c->v->domain->xen->serves, true, __ATOMIC_RELAXED);
    int error = open_ports(c->d, s);
    unsigned i = 0;
    lock(&c->d->xen->ioreq_lock);
    while (i < IOREQ_SERVERS && c->d->xen->ioreq[i] != NULL) {
        i++;
    }
    /* One that is going has been through ioreq_stop(), or will be after us. */
    bool alive = c->d->state == DOMAIN_CREATED || c->d->state == DOMAIN_RUNNING;
    error = error != 0 ? error : !alive ? -XEN_ESRCH : i == IOREQ_SERVERS ? -XEN_ENOSPC : 0;
    if (error == 0) {
        c->d->xen->ioreq[i] = s;
    }
    unlock(&c->d->xen->ioreq_lock);
    if (error != 0) {
        close_ports(c->d, s);
        frame_free_hyp(c->d, s, 0);
    }
    op->id = (uint16_t)i;
    return error;
}

static int64_t destroy(struct dm_call *c)
{
    uint16_t id = c->op.u.destroy_ioreq_server.id;
    return id >= IOREQ_SERVERS || c->op.u.destroy_ioreq_server.pad != 0
               ? -XEN_ENOENT
               : end_server(c->d, array_index_clamp(id, IOREQ_SERVERS), c->v->domain->id);
}

/* The caller's server. NULL: *error says why. */
static struct ioreq_server *find(struct domain *d, const struct domain *caller, uint32_t id,
                                 int64_t *error) REQUIRES(&d->xen->ioreq_lock)
{
    struct ioreq_server *s =
        id < IOREQ_SERVERS ? d->xen->ioreq[array_index_clamp(id, IOREQ_SERVERS)] : NULL;
    *error = s == NULL ? -XEN_ENOENT : s->emulator != caller->id ? -XEN_EPERM : 0;
    return *error == 0 ? s : NULL;
}

static int64_t info(struct dm_call *c, struct ioreq_server *s)
{
    struct xen_dm_op_get_ioreq_server_info *op = &c->op.u.get_ioreq_server_info;
    if (op->flags != XEN_DMOP_no_gfns) {
        return -XEN_EOPNOTSUPP; /* as on Arm: pages are acquired, not put into the guest */
    }
    op->bufioreq_port = s->buffered_port;
    return 0;
}

static int64_t map(struct dm_call *c, struct ioreq_server *s)
{
    const struct xen_dm_op_ioreq_server_range *op = &c->op.u.map_io_range_to_ioreq_server;
    if (op->pad != 0 || op->type != XEN_DMOP_IO_RANGE_MEMORY || op->start > op->end) {
        return -XEN_EINVAL;
    }
    for (uint32_t i = 0; i < s->range_count; i++) {
        if (op->start <= s->range[i].last && s->range[i].first <= op->end) {
            return -XEN_EEXIST;
        }
    }
    if (s->range_count == RANGES) {
        return -XEN_ENOSPC;
    }
    s->range[s->range_count].first = op->start;
    s->range[s->range_count++].last = op->end;
    return 0;
}

static int64_t unmap(struct dm_call *c, struct ioreq_server *s)
{
    const struct xen_dm_op_ioreq_server_range *op = &c->op.u.unmap_io_range_from_ioreq_server;
    for (uint32_t i = 0; i < s->range_count; i++) {
        if (op->start == s->range[i].first && op->end == s->range[i].last) {
            s->range[i] = s->range[--s->range_count];
            return 0;
        }
    }
    return -XEN_ENOENT;
}

static int64_t set_state(struct dm_call *c, struct ioreq_server *s)
    NO_LOCK_ANALYSIS("the dispatcher holds the lock")
{
    if (c->op.u.set_ioreq_server_state.pad != 0) {
        return -XEN_EINVAL;
    }
    s->enabled = c->op.u.set_ioreq_server_state.enabled != 0;
    if (!s->enabled) {
        let_go(c->d, s);
    }
    return 0;
}

static int64_t set_level(struct dm_call *c)
{
    const struct xen_dm_op_set_irq_level *op = &c->op.u.set_irq_level;
    if ((op->pad[0] | op->pad[1] | op->pad[2]) != 0 || op->level > 1 || op->irq < VGIC_PRIVATE ||
        op->irq - VGIC_PRIVATE >= c->d->vgic.nr_spis) {
        return -XEN_EINVAL;
    }
    vgic_set_level(c->d->vcpu[0], op->irq, op->level != 0);
    return 0;
}

static int64_t count(struct dm_call *c)
{
    c->op.u.nr_vcpus.vcpus = c->d->vcpu_count;
    return 0;
}

static const struct {
    int64_t (*plain)(struct dm_call *c);
    int64_t (*of_server)(struct dm_call *c, struct ioreq_server *s); /* the first field is its id */
    uint8_t size;
    bool out;
} rows[] = {
#define ROW(name, member, ...) \
    [XEN_DMOP_##name] = {.size = sizeof(((struct xen_dm_op *)NULL)->u.member), __VA_ARGS__}
    ROW(create_ioreq_server, create_ioreq_server, .plain = create, .out = true),
    ROW(get_ioreq_server_info, get_ioreq_server_info, .of_server = info, .out = true),
    ROW(map_io_range_to_ioreq_server, map_io_range_to_ioreq_server, .of_server = map),
    ROW(unmap_io_range_from_ioreq_server, unmap_io_range_from_ioreq_server, .of_server = unmap),
    ROW(set_ioreq_server_state, set_ioreq_server_state, .of_server = set_state),
    ROW(destroy_ioreq_server, destroy_ioreq_server, .plain = destroy),
    ROW(set_irq_level, set_irq_level, .plain = set_level),
    ROW(nr_vcpus, nr_vcpus, .plain = count, .out = true),
};

static int64_t run(struct dm_call *c, uint32_t op)
{
    struct ioreq_server *s;
    int64_t error;
    if (rows[op].plain != NULL) {
        return rows[op].plain(c);
    }
    lock(&c->d->xen->ioreq_lock);
    s = find(c->d, c->v->domain, c->op.u.set_ioreq_server_state.id, &error);
    error = s != NULL ? rows[op].of_server(c, s) : error;
    unlock(&c->d->xen->ioreq_lock);
    return error;
}

/* In the first of the caller's buffers. */
static int64_t dispatch(struct dm_call *c, const struct xen_dm_op_buf *b)
{
    uint64_t head = offsetof(struct xen_dm_op, u);
    if (b->size < head || guest_va_read(c->v, &c->op, b->h, head) != 0) {
        return -XEN_EFAULT;
    }
    uint32_t op = c->op.op < ARRAY_LEN(rows) ? array_index_clamp(c->op.op, ARRAY_LEN(rows)) : 0;
    if (rows[op].size == 0) {
        return -XEN_EOPNOTSUPP;
    }
    uint64_t size = head + rows[op].size;
    if (b->size < size || guest_va_read(c->v, &c->op, b->h, size) != 0) {
        return -XEN_EFAULT;
    }
    int64_t error = c->op.pad != 0 ? -XEN_EINVAL : run(c, op);
    return error == 0 && rows[op].out && guest_va_write(c->v, b->h, &c->op, size) != 0 ? -XEN_EFAULT
                                                                                       : error;
}

/* arg[0] the guest, arg[1] number of buffers, arg[2] the buffers. */
int64_t dm_op(struct vcpu *v, uint64_t *arg)
{
    struct xen_dm_op_buf buffer;
    struct dm_call c = {.v = v};
    if (!rights_allow(v->domain, RIGHT_EMULATE, NULL)) {
        return -XEN_ENOSYS; /* as Debian's Xen, which is built without it */
    }
    if ((uint32_t)arg[1] > 2) {
        return -XEN_E2BIG;
    }
    if ((uint32_t)arg[1] == 0 || guest_va_read(v, &buffer, arg[2], sizeof(buffer)) != 0) {
        return -XEN_EFAULT;
    }
    if ((domid_t)arg[0] == v->domain->id || (domid_t)arg[0] == DOMID_SELF) {
        return -XEN_EPERM;
    }
    c.d = domain_get((domid_t)arg[0]);
    if (c.d == NULL) {
        return -XEN_ESRCH;
    }
    int64_t error = rights_require(v->domain, RIGHT_BIT(RIGHT_EMULATE), c.d, "dm_op");
    if (error == 0) {
        error = dispatch(&c, &buffer);
    }
    domain_put(c.d);
    return error;
}

int ioreq_frame(struct domain *d, const struct domain *caller, uint32_t id, uint64_t frame,
                mfn_t *out)
{
    int64_t error;
    lock(&d->xen->ioreq_lock);
    struct ioreq_server *s = find(d, caller, id, &error);
    if (s != NULL && (frame >= TYPES_PAGES || (frame == 0 && !s->buffered))) {
        error = -XEN_EINVAL;
    } else if (s != NULL && s->page[frame] == NULL) {
        void *page = frame_alloc_hyp(d, 0);
        error = page != NULL ? 0 : -XEN_ENOMEM;
        if (page != NULL) {
            frame_share(page);
            for (uint32_t i = 0; i < d->vcpu_max && frame == 1; i++) {
                ((struct request *)page)[i].vp_eport = s->port[i];
            }
            s->page[frame] = page;
        }
    }
    if (error == 0) {
        *out = va_to_mfn(s->page[frame]);
        error = frame_get_shared(*out, d->id) ? 0 : -XEN_EINVAL;
    }
    unlock(&d->xen->ioreq_lock);
    return (int)error;
}
