/* One rule for each event in a domain's life. Invariants in life.h. */
#include "life.h"

#include <hyp/config.h>
#include <hyp/frame.h>
#include <lib/string.h>
#include <xen/errno.h>

static enum domain_policy policy_of(const struct domain *d)
{
    if (d->ordered) {
        return POLICY_RESTART;
    }
    if (d->reason == SHUTDOWN_poweroff) {
        return d->on_poweroff;
    }
    bool again = d->reason == SHUTDOWN_reboot || d->reason == SHUTDOWN_soft_reset;
    return again ? d->on_reboot : d->on_crash;
}

void spec_life_look(const struct domain *d, struct spec_life *out)
{
    memset(out, 0, sizeof(*out));
    out->gone = d == NULL;
    if (d == NULL) {
        return;
    }
    out->state = d->state;
    out->reason = d->reason;
    out->policy = policy_of(d);
    out->working = d->job != JOB_NONE;
    out->paused = d->paused_by_console;
    out->made = d->config->made;
    out->held = d->pauses;
    for (unsigned i = 0; i < d->vcpu_count; i++) {
        out->on_cpu = out->on_cpu || d->vcpu[i]->cpu != NULL;
        out->online = out->online || d->vcpu[i]->sched.online;
    }
    out->pause_count = d->vcpu[0]->sched.pause_count;
    out->restarts = d->reboot_count;
    out->memory = frame_owned_count(d->id);
}

static bool same(const struct spec_life *a, const struct spec_life *b)
{
    return a->gone == b->gone && a->state == b->state && a->working == b->working &&
           a->paused == b->paused && a->held == b->held && a->pause_count == b->pause_count &&
           a->restarts == b->restarts && a->memory == b->memory;
}

/* L1, L2: whatever happened. */
static const char *invariant(const struct spec_life *pre, const struct spec_life *post)
{
    if (post->gone) {
        return post->memory != 0 ? "gone, but it has memory" : NULL;
    }
    if (post->memory < pre->memory && pre->on_cpu) {
        return "memory taken away under a vCPU";
    }
    uint32_t pauses = (post->paused ? 1u : 0u) + (post->held != 0 ? 1u : 0u);
    if (post->state == DOMAIN_RUNNING && post->pause_count != pauses) {
        return "running, but its vCPUs are paused a wrong number of times";
    }
    if (post->state == DOMAIN_RUNNING && post->memory == 0) {
        return "running without memory";
    }
    if ((post->state == DOMAIN_DOWN || post->state == DOMAIN_DYING) && post->memory != 0 &&
        post->pause_count == 0 && post->online) {
        return "stopped, but its vCPUs may run";
    }
    return NULL;
}

static const char *refused(const struct spec_life *pre, const struct spec_life *post)
{
    return same(pre, post) ? NULL : "refused, but something changed";
}

static const char *rule_start(const struct spec_life *pre, int result, const struct spec_life *post)
{
    if (result != 0) {
        return post->state == DOMAIN_RUNNING ? "failed to start, but runs" : NULL;
    }
    return post->state == DOMAIN_RUNNING ? NULL : "started, but does not run";
}

static const char *rule_shutdown(const struct spec_life *pre, enum shutdown_reason reason,
                                 const struct spec_life *post)
{
    if (pre->state != DOMAIN_RUNNING) {
        return refused(pre, post);
    }
    return post->state == DOMAIN_DOWN && post->reason == reason && post->working
               ? NULL
               : "shut down, but not on its way";
}

static const char *rule_pause(const struct spec_life *pre, int result, const struct spec_life *post)
{
    bool may = pre->state == DOMAIN_RUNNING && !pre->paused;
    if (may != (result == 0)) {
        return may ? "a running domain could not be paused" : "paused what cannot be";
    }
    return may ? (post->paused ? NULL : "paused, but is not") : refused(pre, post);
}

static const char *rule_unpause(const struct spec_life *pre, int result,
                                const struct spec_life *post)
{
    if (pre->paused != (result == 0)) {
        return pre->paused ? "a paused domain could not go on" : "let go on what was not paused";
    }
    return pre->paused ? (post->paused ? "still paused" : NULL) : refused(pre, post);
}

static const char *rule_hold(const struct spec_life *pre, int result, const struct spec_life *post)
{
    bool may = pre->state != DOMAIN_DYING;
    if (may != (result == 0)) {
        return may ? "could not be held" : "held what is dying";
    }
    bool good = post->held == pre->held + 1 && post->state == pre->state;
    return may ? (good ? NULL : "held, but it does not count") : refused(pre, post);
}

/* L5. */
static const char *rule_let_go(const struct spec_life *pre, int result,
                               const struct spec_life *post)
{
    bool may = pre->state != DOMAIN_DYING && pre->held != 0;
    if (may != (result == 0)) {
        return may ? "could not be let go" : "let go what was not held";
    }
    if (!may) {
        return refused(pre, post);
    }
    bool starts = pre->made && pre->state == DOMAIN_CREATED && pre->held == 1;
    return post->held == pre->held - 1 && post->state == (starts ? DOMAIN_RUNNING : pre->state)
               ? NULL
               : "let go, but it is not as it should be";
}

static const char *rule_order(const struct spec_life *pre, enum life_event event, int result,
                              const struct spec_life *post)
{
    bool idle = pre->state == DOMAIN_RUNNING || !pre->working;
    bool may = pre->state != DOMAIN_DYING && (idle || event == LIFE_DESTROY); /* L6 */
    if (may != (result == 0)) {
        return may ? "an order was refused without a reason" : "an order was taken too early";
    }
    if (!may) {
        return refused(pre, post);
    }
    enum domain_state state = event == LIFE_DESTROY ? DOMAIN_DYING : DOMAIN_DOWN;
    return post->state == state && post->working && !post->paused ? NULL
                                                                  : "an order was not carried out";
}

/* L3. */
static const char *rule_work(const struct spec_life *pre, const struct spec_life *post)
{
    if (!pre->working) {
        return refused(pre, post);
    }
    if (post->gone) {
        return pre->state == DOMAIN_DYING ? NULL : "gone without dying";
    }
    if (pre->state == DOMAIN_DYING) {
        return post->state == DOMAIN_DYING && post->working ? NULL : "dying, but it stopped dying";
    }
    if (pre->state == DOMAIN_CREATED) { /* it is being built: on, up, or given up */
        return post->state != DOMAIN_DOWN && post->working == (post->state != DOMAIN_RUNNING)
                   ? NULL
                   : "was being built, and is neither up nor on its way";
    }
    switch (post->state) {
    case DOMAIN_RUNNING:
        return pre->policy == POLICY_RESTART && post->restarts == pre->restarts && !post->working
                   ? NULL
                   : "runs again, but should not";
    case DOMAIN_DYING:
        return pre->policy != POLICY_PRESERVE && post->working ? NULL : "dies, but should not";
    case DOMAIN_DOWN:
        if (!post->working) {
            return pre->policy == POLICY_PRESERVE && post->memory == pre->memory
                       ? NULL
                       : "left as it is, but should not be";
        }
        return post->restarts <= pre->restarts + 1 ? NULL : "restarted twice at once";
    default:
        return "not even created any more";
    }
}

const char *spec_life_step(const struct spec_life *pre, enum life_event event,
                           enum shutdown_reason reason, int result, const struct spec_life *post)
{
    const char *broken = NULL;
    switch (event) {
    case LIFE_START:
        broken = rule_start(pre, result, post);
        break;
    case LIFE_SHUTDOWN:
        broken = rule_shutdown(pre, reason, post);
        break;
    case LIFE_PAUSE:
        broken = rule_pause(pre, result, post);
        break;
    case LIFE_UNPAUSE:
        broken = rule_unpause(pre, result, post);
        break;
    case LIFE_REBOOT:
    case LIFE_DESTROY:
        broken = rule_order(pre, event, result, post);
        break;
    case LIFE_HOLD:
        broken = rule_hold(pre, result, post);
        break;
    case LIFE_LET_GO:
        broken = rule_let_go(pre, result, post);
        break;
    case LIFE_WORK:
        broken = rule_work(pre, post);
        break;
    case LIFE_EVENT_COUNT:
        broken = "no event";
        break;
    }
    return broken != NULL ? broken : invariant(pre, post);
}
