/*
 * Budgets: of real-time vCPUs (each its own, per period) and of capped domains
 * (one for all its vCPUs).
 *
 * Real time is a constant-bandwidth server with hard reservation: a vCPU that
 * wakes keeps deadline and budget only if it could use that budget up to the
 * deadline without exceeding its bandwidth; otherwise it starts a new period.
 * So the sum of bandwidths bounds the load whatever guests do, and earliest
 * deadline first meets all deadlines up to a sum of one. Source: L. Abeni and
 * G. Buttazzo, "Integrating multimedia applications in hard real-time systems",
 * RTSS 1998.
 */
#include "sched-internal.h"

/* Replenish for the next period; what was overrun is paid back first. */
static void refill_realtime(struct vcpu *v, uint64_t now)
{
    struct sched_vcpu *s = &v->sched;
    int64_t debt = s->budget_left < 0 ? s->budget_left : 0;

    s->period_end += s->params.period_ticks;
    if (s->period_end <= now) { /* it was not there to use the last one: no debt from long ago */
        s->period_end = now + s->params.period_ticks;
        debt = 0;
    }
    s->budget_left = (int64_t)s->params.budget_ticks + debt;
}

static void draw_capped(struct vcpu *v, uint64_t now)
{
    struct sched_domain *d = &v->domain->sched;
    int64_t quota = (int64_t)(v->sched.params.cap_percent * sched_tuning.cap_period / 100);

    lock(&d->lock);
    if (now >= d->period_end) {
        uint64_t next = d->period_end + sched_tuning.cap_period;
        d->period_end = next > now ? next : now + sched_tuning.cap_period;
        d->pool_ticks = d->pool_ticks < 0 ? d->pool_ticks + quota : quota;
    }
    d->pool_ticks += v->sched.budget_left;
    v->sched.budget_left = 0;
    if (d->pool_ticks > 0) {
        int64_t portion = (int64_t)sched_tuning.cap_portion;
        v->sched.budget_left = d->pool_ticks < portion ? d->pool_ticks : portion;
        d->pool_ticks -= v->sched.budget_left;
    }
    v->sched.period_end = d->period_end;
    unlock(&d->lock);
}

bool budget_refill(struct vcpu *v, uint64_t now)
{
    if (!is_realtime(v)) {
        if (v->sched.budget_left <= 0) {
            draw_capped(v, now);
        }
    } else if (now >= v->sched.period_end) {
        refill_realtime(v, now);
    }
    return v->sched.budget_left > 0;
}

void budget_wake(struct vcpu *v, uint64_t now)
{
    struct sched_vcpu *s = &v->sched;

    if (!is_realtime(v)) {
        return;
    }
    /* Both products fit: budget <= period <= SCHED_PERIOD_MAX_TICKS. */
    if (now >= s->period_end ||
        (s->budget_left > 0 && (uint64_t)s->budget_left * s->params.period_ticks >
                                   (s->period_end - now) * s->params.budget_ticks)) {
        s->period_end = now + s->params.period_ticks;
        s->budget_left = (int64_t)s->params.budget_ticks;
    }
}

void budget_give_back(struct vcpu *v)
{
    struct sched_domain *d = &v->domain->sched;

    if (is_capped(v)) {
        lock(&d->lock);
        d->pool_ticks += v->sched.budget_left;
        v->sched.budget_left = 0;
        unlock(&d->lock);
    }
}
