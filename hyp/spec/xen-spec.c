/* See xen-spec.h. The steps are written from the interface's description, not from the implementation. */
#include "xen-spec.h"

#include "../core/xen/xen-internal.h"

/* --- What must always hold --- */

static const char *channel_wrong(struct domain *d, uint32_t port, const struct evtchn *c)
{
    if (c->state == EVTCHN_FREE) {
        return NULL;
    }
    if (c->vcpu >= d->vcpu_count) {
        return "E2: a channel names no vCPU";
    }
    if (c->state == EVTCHN_VIRQ) {
        uint32_t bound = 0;
        for (uint32_t i = 0; i < d->vcpu_count; i++) {
            bound += d->vcpu[i]->evtchn->virq_port[c->virq] == port;
        }
        return bound == 1 ? NULL : "a VIRQ channel is not registered once";
    }
    if (c->state == EVTCHN_INTERDOMAIN) {
        const struct evtchn *peer = evtchn_of(c->remote->evtchn, c->remote_port);
        if (peer == NULL || peer->state != EVTCHN_INTERDOMAIN || peer->remote != d ||
            peer->remote_port != port || c->remote_id != c->remote->id) {
            return "E1: an interdomain channel is not mutual";
        }
    }
    return NULL;
}

const char *spec_evtchn_wrong(struct domain *d)
{
    const struct evtchn_domain *e = d->evtchn;
    const char *wrong =
        e->port_count > 0 && evtchn_of(e, 0)->state != EVTCHN_FREE ? "port 0 is in use" : NULL;
    for (uint32_t port = 1; port < e->port_count && wrong == NULL; port++) {
        wrong = channel_wrong(d, port, evtchn_of(e, port));
        if (wrong == NULL && port < e->search_from && evtchn_of(e, port)->state == EVTCHN_FREE) {
            wrong = "a free port lies below where the search begins";
        }
    }
    return wrong;
}

static const char *track_wrong(struct domain *d, const struct maptrack *m)
{
    struct p2m_entry e;
    if (m->state == MAPTRACK_FREE) {
        return NULL;
    }
    if (m->state != MAPTRACK_MAPPED) {
        return "a handle is busy though nothing is under way";
    }
    if (!p2m_lookup(d, gfn(m->gfn), &e) || e.mfn.v != m->mfn ||
        e.type != (m->readonly ? P2M_GRANT_RO : P2M_GRANT_RW)) {
        return "R2: a handle without its stage-2 entry";
    }
    return NULL;
}

const char *spec_grant_wrong(struct domain *d)
{
    const struct grant_domain *g = d->grant;
    uint32_t used = 0, pins = 0;
    for (uint32_t i = 0; i < g->track_count; i++) {
        const struct maptrack *m = &g->track[i / MAPTRACK_PER_PAGE][i % MAPTRACK_PER_PAGE];
        const char *wrong = track_wrong(d, m);
        if (wrong != NULL) {
            return wrong;
        }
        used += m->state == MAPTRACK_MAPPED;
    }
    if (used != g->track_used) {
        return "the count of handles is off";
    }
    if (d->p2m.mapped_frames[P2M_GRANT_RW] + d->p2m.mapped_frames[P2M_GRANT_RO] != used) {
        return "R2: a grant's stage-2 entry without a handle";
    }
    for (uint32_t i = 0; g->table != NULL && i < GRANT_ACTIVE_PAGES; i++) {
        for (uint32_t j = 0; g->table->active[i] != NULL && j < GRANT_ACTIVE_PER_PAGE; j++) {
            const struct grant_active *a = &g->table->active[i][j];
            struct frame_info f;
            pins += a->readers + a->writers;
            if (a->readers + a->writers > 0 &&
                (!frame_info(mfn(a->mfn), &f) || f.state != FRAME_OWNED || f.refs == 0)) {
                return "R1: a pinned frame is not held";
            }
        }
    }
    return g->table != NULL && pins != g->table->pins ? "the count of pins is off" : NULL;
}

/* --- Event channels --- */

static uint32_t free_port(const struct spec_port *port)
{
    for (uint32_t i = 1; i < SPEC_PORTS; i++) {
        if (port[i].status == EVTCHNSTAT_closed) {
            return i;
        }
    }
    return 0;
}

static void event_close(struct spec_events *s, unsigned caller, unsigned port)
{
    struct spec_port *p = &s->port[caller][port];
    if (p->status == EVTCHNSTAT_interdomain) {
        struct spec_port *peer = &s->port[p->remote][p->port];
        peer->status = EVTCHNSTAT_unbound;
        peer->remote = (uint8_t)caller;
        peer->port = 0;
    }
    *p = (struct spec_port){0};
}

static int64_t event_bind(struct spec_events *s, const struct spec_event_call *c, uint32_t *port)
{
    struct spec_port *theirs = &s->port[c->remote][c->port];
    uint32_t got = free_port(s->port[c->caller]);
    if (theirs->status != EVTCHNSTAT_unbound || theirs->remote != c->caller) {
        return -XEN_EINVAL;
    }
    if (got == 0) {
        return -XEN_ENOSPC;
    }
    s->port[c->caller][got] = (struct spec_port){EVTCHNSTAT_interdomain, c->remote, c->port, 1};
    theirs->status = EVTCHNSTAT_interdomain;
    theirs->remote = c->caller;
    theirs->port = (uint8_t)got;
    *port = got;
    return 0;
}

int64_t spec_event_step(struct spec_events *s, const struct spec_event_call *c, uint32_t *port)
{
    struct spec_port *own = s->port[c->caller];
    struct spec_port *p = &own[c->port];
    uint32_t got = free_port(own);
    switch (c->op) {
    case SPEC_ALLOC:
    case SPEC_IPI:
        if (got == 0) {
            return -XEN_ENOSPC;
        }
        own[got] = c->op == SPEC_IPI ? (struct spec_port){EVTCHNSTAT_ipi, 0, 0, 0}
                                     : (struct spec_port){EVTCHNSTAT_unbound, c->remote, 0, 0};
        *port = got;
        return 0;
    case SPEC_BIND:
        return event_bind(s, c, port);
    case SPEC_CLOSE:
        if (p->status == EVTCHNSTAT_closed) {
            return -XEN_EINVAL;
        }
        event_close(s, c->caller, c->port);
        return 0;
    case SPEC_SEND:
        if (p->status == EVTCHNSTAT_closed) {
            return -XEN_EINVAL;
        }
        if (p->status == EVTCHNSTAT_interdomain) {
            s->port[p->remote][p->port].pending = 1;
        } else if (p->status == EVTCHNSTAT_ipi) {
            p->pending = 1;
        }
        return 0;
    default: /* SPEC_TAKE: the guest's own doing */
        p->pending = 0;
        return 0;
    }
}

void spec_event_abstract(struct spec_events *s, struct domain *const d[2])
{
    static const uint8_t as_told[] = {EVTCHNSTAT_closed,      EVTCHNSTAT_unbound,
                                      EVTCHNSTAT_interdomain, EVTCHNSTAT_virq,
                                      EVTCHNSTAT_ipi,         EVTCHNSTAT_interdomain};
    *s = (struct spec_events){0};
    for (unsigned i = 0; i < 2; i++) {
        for (uint32_t port = 1; port < SPEC_PORTS; port++) {
            const struct evtchn *c = evtchn_of(d[i]->evtchn, port);
            struct spec_port *p = &s->port[i][port];
            if (c == NULL || c->state == EVTCHN_FREE) {
                continue;
            }
            p->status = as_told[c->state];
            p->remote = c->state == EVTCHN_UNBOUND || c->state == EVTCHN_INTERDOMAIN
                            ? c->remote_id == d[1]->id
                            : 0;
            p->port = c->state == EVTCHN_INTERDOMAIN ? (uint8_t)c->remote_port : 0;
            p->pending = d[i]->xen->shared->evtchn_pending[0] >> port & 1;
        }
    }
}

/* --- Grants --- */

static int grant_map_step(struct spec_grants *s, const struct spec_grant_call *c)
{
    bool readonly = c->op == SPEC_MAP_RO;
    if (s->granter_gone) {
        return GNTST_bad_domain;
    }
    if (!s->ref[c->ref].granted || (s->ref[c->ref].readonly && !readonly)) {
        return GNTST_general_error;
    }
    if (s->slot[c->slot].used) {
        return GNTST_general_error; /* another grant is there */
    }
    s->slot[c->slot].used = 1;
    s->slot[c->slot].ref = c->ref;
    s->slot[c->slot].readonly = readonly;
    readonly ? s->ref[c->ref].readers++ : s->ref[c->ref].writers++;
    return GNTST_okay;
}

int spec_grant_step(struct spec_grants *s, const struct spec_grant_call *c)
{
    switch (c->op) {
    case SPEC_GRANT_RW:
    case SPEC_GRANT_RO: /* a guest writes its entry only when it is not in use */
        if (s->granter_gone || s->ref[c->ref].readers + s->ref[c->ref].writers != 0) {
            return 1;
        }
        s->ref[c->ref].granted = 1;
        s->ref[c->ref].readonly = c->op == SPEC_GRANT_RO;
        return 0;
    case SPEC_REVOKE: /* compare-and-swap of the flags, which fails while it is in use */
        if (s->granter_gone || s->ref[c->ref].readers + s->ref[c->ref].writers != 0) {
            return 1;
        }
        s->ref[c->ref].granted = s->ref[c->ref].readonly = 0;
        return 0;
    case SPEC_MAP_RW:
    case SPEC_MAP_RO:
        return grant_map_step(s, c);
    case SPEC_UNMAP:
        if (!s->slot[c->slot].used) {
            return GNTST_bad_handle;
        }
        s->slot[c->slot].used = 0;
        if (s->slot[c->slot].readonly) {
            s->ref[s->slot[c->slot].ref].readers--;
        } else {
            s->ref[s->slot[c->slot].ref].writers--;
        }
        s->slot[c->slot].readonly = s->slot[c->slot].ref = 0;
        return GNTST_okay;
    case SPEC_GIVE_UP: /* decrease_reservation of the frame: refused while it is lent; memory comes back at once */
        return s->granter_gone || s->ref[c->ref].readers + s->ref[c->ref].writers != 0;
    default:
        s->granter_gone = 1;
        return 0;
    }
}
