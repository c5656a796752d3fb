/*
 * IOREQ servers: a guest's accesses to devices that another domain emulates.
 *
 * Life of an access, all edges under the domain's ioreq_lock:
 *
 *   NONE --ioreq_mmio--> WAITING --the server answers--> ANSWERED (WORK_IO) --the vCPU--> NONE
 *                           +-- the server is gone, or switched off --> NONE: the guest repeats it
 *
 * Q1  a vCPU that is WAITING (io.server) is paused once on account of it, and
 *     its instruction is not over; whoever takes the server away unpauses it.
 * Q2  the request is kept here (the vCPU's syndrome). Of the server's page only
 *     the state and the data of an answer are read, and only once.
 * Q3  the instruction ends with io.value in the vCPU's own context, after it got the
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

/* struct ioreq of the public header; state and direction are bit-fields there. */
struct request {
    uint64_t addr, data;
    uint32_t count, size, vp_eport;
    uint16_t pad;
    uint8_t state, type;
};
static_assert(sizeof(struct request) == 32 && MAX_VCPUS * sizeof(struct request) <= FRAME_SIZE,
              "public/hvm/ioreq.h; one page has a request for each vCPU");

enum { PAGE_BUFFERED /* of requests that nothing on Arm makes */, PAGE_REQUESTS, PAGES };

struct ioreq_server {
    domid_t emulator;  /* [const] */
    uint16_t id;       /* [const] its place in xen_domain.ioreq */
    bool enabled;      /* [ioreq lock] */
    void *page[PAGES]; /* [const] that the emulator may map; NULL: it wants none */
    evtchn_port_t buffered_port, port[MAX_VCPUS]; /* [const] of the guest, EVTCHN_SERVED */
    uint32_t range_count;
    struct {
        uint64_t first, last;
    } range[RANGES];
};

/* --- An access, there and back --- */

static struct request *request_of(struct ioreq_server *s, uint32_t vcpu)
{
    return &((struct request *)s->page[PAGE_REQUESTS])[vcpu];
}

static struct ioreq_server *serving(struct xen_domain *x, const struct mmio_access *a)
{
    for (unsigned i = 0; i < IOREQ_SERVERS; i++) {
        struct ioreq_server *s = x->ioreq[i];
        for (uint32_t r = 0; s != NULL && s->enabled && r < s->range_count; r++) {
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
    if (s == NULL) {
        unlock(&x->ioreq_lock);
        return MMIO_ABSENT;
    }
    struct request *q = request_of(s, v->id);
    evtchn_port_t port = s->port[v->id];
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
    unlock(&x->ioreq_lock);
    evtchn_notify_served(v->domain, port);
    return MMIO_WAIT;
}

/* Take the answer that vCPU `n` waits for, if it is there. */
static void look(struct domain *d, uint32_t n) REQUIRES(&d->xen->ioreq_lock)
{
    struct vcpu *v = d->vcpu[n];
    struct request *q = request_of(v->io.server, n);
    if ((__atomic_load_n(&q->state, __ATOMIC_ACQUIRE) & 15) != STATE_IORESP_READY) {
        return;
    }
    uint64_t data = __atomic_load_n(&q->data, __ATOMIC_RELAXED); /* Q2 */
    v->io.value = data & ~0ull >> (64 - 8 * v->io.size);
    v->io.server = NULL;
    __atomic_store_n(&q->state, STATE_IOREQ_NONE, __ATOMIC_RELAXED);
    __atomic_fetch_or(&v->work, WORK_IO, __ATOMIC_SEQ_CST);
    sched_unpause(v);
}

/* The emulator's vCPU `from` has sent on the channel of vCPU or page behind `port` of `id`. */
static void answered(struct vcpu *from, domid_t id, evtchn_port_t port)
{
    struct domain *d = domain_get(id);
    if (d == NULL) {
        return;
    }
    lock(&d->xen->ioreq_lock);
    for (uint32_t i = 0; i < d->vcpu_count; i++) {
        const struct ioreq_server *s = d->vcpu[i]->io.server;
        if (s != NULL && s->emulator == from->domain->id && s->port[i] == port) {
            look(d, i);
        }
    }
    unlock(&d->xen->ioreq_lock);
    domain_put(d);
}

/* --- Servers --- */

/* It answers nobody any more; who waits for it repeats his access (Q4). */
static void disable(struct domain *d, struct ioreq_server *s) REQUIRES(&d->xen->ioreq_lock)
{
    s->enabled = false;
    for (uint32_t i = 0; i < d->vcpu_count; i++) {
        if (d->vcpu[i]->io.server == s) {
            d->vcpu[i]->io.server = NULL;
            sched_unpause(d->vcpu[i]);
        }
    }
}

/* Also one that is only half made. */
static void end_server(struct domain *d, struct ioreq_server *s) REQUIRES(&d->xen->ioreq_lock)
{
    disable(d, s);
    d->xen->ioreq[s->id] = NULL;
    evtchn_close_served(d, s->buffered_port);
    for (uint32_t i = 0; i < d->vcpu_max; i++) {
        evtchn_close_served(d, s->port[i]);
    }
    for (unsigned p = 0; p < PAGES; p++) {
        if (s->page[p] != NULL) {
            frame_free_shared(d, s->page[p]); /* the emulator may still map it */
        }
    }
    frame_free_hyp(d, s, 0);
}

/* All over `d`, or those of one emulator. */
static void end_servers(struct domain *d, domid_t emulator)
{
    lock(&d->xen->ioreq_lock);
    for (unsigned i = 0; i < IOREQ_SERVERS; i++) {
        struct ioreq_server *s = d->xen->ioreq[i];
        if (s != NULL && (emulator == DOMID_INVALID || s->emulator == emulator)) {
            end_server(d, s);
        }
    }
    unlock(&d->xen->ioreq_lock);
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

/* The caller's server. NULL: *error says why. */
static struct ioreq_server *find(struct domain *d, const struct domain *caller, uint32_t id,
                                 int *error) REQUIRES(&d->xen->ioreq_lock)
{
    struct ioreq_server *s =
        id < IOREQ_SERVERS ? d->xen->ioreq[array_index_clamp(id, IOREQ_SERVERS)] : NULL;
    *error = s == NULL ? -XEN_ENOENT : s->emulator != caller->id ? -XEN_EPERM : 0;
    return *error == 0 ? s : NULL;
}

int ioreq_frame(struct domain *d, const struct domain *caller, uint32_t id, uint64_t frame,
                mfn_t *out)
{
    int error;
    lock(&d->xen->ioreq_lock);
    struct ioreq_server *s = find(d, caller, id, &error);
    void *page =
        s != NULL && frame < PAGES ? s->page[array_index_clamp((uint32_t)frame, PAGES)] : NULL;
    *out = page != NULL ? va_to_mfn(page) : MFN_NONE;
    if (error == 0 && !frame_get_shared(*out, d->id)) {
        error = -XEN_EINVAL;
    }
    unlock(&d->xen->ioreq_lock);
    return error;
}

/* --- The calls, with the lock --- */

struct dm_call {
    struct vcpu *v;
    struct domain *d; /* the guest */
    struct xen_dm_op op;
};

/* Its pages, and a port for each vCPU. */
static int equip(struct domain *d, struct ioreq_server *s, bool buffered)
{
    for (unsigned p = buffered ? PAGE_BUFFERED : PAGE_REQUESTS; p < PAGES; p++) {
        s->page[p] = frame_alloc_hyp(d, 0);
        if (s->page[p] == NULL) {
            return -XEN_ENOMEM;
        }
        frame_share(s->page[p]);
    }
    int error =
        buffered ? evtchn_open(d, EVTCHN_SERVED, s->emulator, answered, &s->buffered_port) : 0;
    for (uint32_t i = 0; i < d->vcpu_max && error == 0; i++) {
        error = evtchn_open(d, EVTCHN_SERVED, s->emulator, answered, &s->port[i]);
        request_of(s, i)->vp_eport = s->port[i];
    }
    return error;
}

static int create(struct dm_call *c, struct ioreq_server *s) REQUIRES(&c->d->xen->ioreq_lock)
{
    static_assert(sizeof(*s) <= FRAME_SIZE, "a server is one page");
    struct xen_dm_op_create_ioreq_server *op = &c->op.u.create_ioreq_server;
    uint16_t id = 0;
    while (id < IOREQ_SERVERS && c->d->xen->ioreq[id] != NULL) {
        id++;
    }
    /* One that is going has been through ioreq_stop(), or will be after us. */
    bool alive = c->d->state == DOMAIN_CREATED || c->d->state == DOMAIN_RUNNING;
    if (op->handle_bufioreq > HVM_IOREQSRV_BUFIOREQ_ATOMIC || id == IOREQ_SERVERS || !alive) {
        return id == IOREQ_SERVERS ? -XEN_ENOSPC : !alive ? -XEN_ESRCH : -XEN_EINVAL;
    }
    s = frame_alloc_hyp(c->d, 0);
    if (s == NULL) {
        return -XEN_ENOMEM;
    }
    c->d->xen->ioreq[id] = s;
    s->id = op->id = id;
    s->emulator = c->v->domain->id;
    __atomic_store_n(&c->v->domain->xen->serves, true, __ATOMIC_RELAXED);
    int error = equip(c->d, s, op->handle_bufioreq != HVM_IOREQSRV_BUFIOREQ_OFF);
    if (error != 0) {
        end_server(c->d, s);
    }
    return error;
}

static int destroy(struct dm_call *c, struct ioreq_server *s) REQUIRES(&c->d->xen->ioreq_lock)
{
    if (c->op.u.destroy_ioreq_server.pad != 0) {
        return -XEN_EINVAL;
    }
    end_server(c->d, s);
    return 0;
}

static int info(struct dm_call *c, struct ioreq_server *s)
{
    struct xen_dm_op_get_ioreq_server_info *op = &c->op.u.get_ioreq_server_info;
    if (op->flags != XEN_DMOP_no_gfns) {
        return -XEN_EOPNOTSUPP; /* as on Arm: pages are acquired, not put into the guest */
    }
    op->bufioreq_port = s->buffered_port;
    return 0;
}

static int map(struct dm_call *c, struct ioreq_server *s)
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

static int unmap(struct dm_call *c, struct ioreq_server *s)
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

static int set_state(struct dm_call *c, struct ioreq_server *s) REQUIRES(&c->d->xen->ioreq_lock)
{
    if (c->op.u.set_ioreq_server_state.pad != 0) {
        return -XEN_EINVAL;
    }
    s->enabled = c->op.u.set_ioreq_server_state.enabled != 0;
    if (!s->enabled) {
        disable(c->d, s);
    }
    return 0;
}

static int set_level(struct dm_call *c, struct ioreq_server *s)
{
    const struct xen_dm_op_set_irq_level *op = &c->op.u.set_irq_level;
    if ((op->pad[0] | op->pad[1] | op->pad[2]) != 0 || op->level > 1 || op->irq < VGIC_PRIVATE ||
        op->irq - VGIC_PRIVATE >= c->d->vgic.nr_spis) {
        return -XEN_EINVAL;
    }
    vgic_set_level(c->d->vcpu[0], op->irq, op->level != 0);
    return 0;
}

static int count(struct dm_call *c, struct ioreq_server *s)
{
    c->op.u.nr_vcpus.vcpus = c->d->vcpu_count;
    return 0;
}

static const struct dm_row {
    int (*handler)(struct dm_call *c, struct ioreq_server *s);
    bool of_server; /* the first field is its id */
    bool out;
    uint8_t size;
} rows[] = {
#define ROW(name, handler_, of_server_, out_) \
    [XEN_DMOP_##name] = {handler_, of_server_, out_, sizeof(((struct xen_dm_op *)NULL)->u.name)}
    ROW(create_ioreq_server, create, false, true),
    ROW(get_ioreq_server_info, info, true, true),
    ROW(map_io_range_to_ioreq_server, map, true, false),
    ROW(unmap_io_range_from_ioreq_server, unmap, true, false),
    ROW(set_ioreq_server_state, set_state, true, false),
    ROW(destroy_ioreq_server, destroy, true, false),
    ROW(set_irq_level, set_level, false, false),
    ROW(nr_vcpus, count, false, true),
};

static int run(struct dm_call *c, const struct dm_row *row)
{
    struct ioreq_server *s = NULL;
    int error = 0;
    lock(&c->d->xen->ioreq_lock);
    if (row->of_server) {
        s = find(c->d, c->v->domain, c->op.u.set_ioreq_server_state.id, &error);
    }
    error = error == 0 ? row->handler(c, s) : error;
    unlock(&c->d->xen->ioreq_lock);
    return error;
}

/* In the first of the caller's buffers. */
static int dispatch(struct dm_call *c, const struct xen_dm_op_buf *b)
{
    size_t head = offsetof(struct xen_dm_op, u);
    size_t size = b->size < sizeof(c->op) ? b->size : sizeof(c->op);
    if (size < head || guest_va_read(c->v, &c->op, b->h, size) != 0) {
        return -XEN_EFAULT;
    }
    const struct dm_row *row = &rows[array_index_clamp(c->op.op, ARRAY_LEN(rows))];
    if (row->handler == NULL) { /* the first row, of what is beyond the last, too */
        return -XEN_EOPNOTSUPP;
    }
    if (size < head + row->size) {
        return -XEN_EFAULT;
    }
    int error = c->op.pad != 0 ? -XEN_EINVAL : run(c, row);
    return error == 0 && row->out ? guest_va_write(c->v, b->h, &c->op, head + row->size) : error;
}

/* arg[0] the guest, arg[1] number of buffers, arg[2] the buffers. */
int64_t dm_op(struct vcpu *v, uint64_t *arg)
{
    struct xen_dm_op_buf buffer;
    struct dm_call c = {.v = v};
    domid_t id = (domid_t)arg[0];
    if (!rights_allow(v->domain, RIGHT_EMULATE, NULL)) {
        return -XEN_ENOSYS; /* as Debian's Xen, which is built without it */
    }
    if ((uint32_t)arg[1] > 2) {
        return -XEN_E2BIG;
    }
    if ((uint32_t)arg[1] == 0 || guest_va_read(v, &buffer, arg[2], sizeof(buffer)) != 0) {
        return -XEN_EFAULT;
    }
    if (id == v->domain->id || id == DOMID_SELF) {
        return -XEN_EPERM;
    }
    int error = xen_target_by(v, id, RIGHT_BIT(RIGHT_EMULATE), &c.d);
    if (error == 0) {
        error = dispatch(&c, &buffer);
        domain_put(c.d);
    }
    return error;
}
