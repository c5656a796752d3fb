/* The specification of a domain's life must refuse: each of its rules broken once, by a result or by a state. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../hyp/spec/life.h"

#pragma GCC diagnostic ignored "-Woverride-init" /* .memory, where a step says another */
#define IS(...)                  \
    {                            \
        .memory = 9, __VA_ARGS__ \
    }
#define RUNS .state = DOMAIN_RUNNING
#define DOWN .state = DOMAIN_DOWN, .pause_count = 1
#define DIES .state = DOMAIN_DYING, .pause_count = 1
#define MADE .state = DOMAIN_CREATED

static const struct {
    enum life_event event;
    int result;
    struct spec_life pre, post;
    const char *why; /* NULL: allowed, good_ beside the bad_ ones */
} steps[] = {
    {LIFE_START, 0, IS(MADE), IS(RUNS), NULL},
    {LIFE_START, 0, IS(MADE), IS(MADE), "started, but does not run"},
    {LIFE_START, -1, IS(MADE), IS(RUNS), "failed to start, but runs"},
    {LIFE_SHUTDOWN, 0, IS(RUNS), IS(DOWN, .reason = SHUTDOWN_crash, .working = true), NULL},
    {LIFE_SHUTDOWN, 0, IS(RUNS), IS(RUNS), "not on its way"},
    {LIFE_SHUTDOWN, 0, IS(DOWN), IS(DOWN, .restarts = 1), "refused, but something changed"},
    {LIFE_PAUSE, 0, IS(RUNS), IS(RUNS, .paused = true, .pause_count = 1), NULL},
    {LIFE_PAUSE, -1, IS(RUNS), IS(RUNS), "could not be paused"},
    {LIFE_PAUSE, 0, IS(DOWN), IS(DOWN), "paused what cannot be"},
    {LIFE_PAUSE, 0, IS(RUNS), IS(RUNS), "paused, but is not"},
    {LIFE_UNPAUSE, 0, IS(RUNS, .paused = true, .pause_count = 1), IS(RUNS), NULL},
    {LIFE_UNPAUSE, -1, IS(RUNS, .paused = true), IS(RUNS, .paused = true), "could not go on"},
    {LIFE_UNPAUSE, 0, IS(RUNS), IS(RUNS), "was not paused"},
    {LIFE_UNPAUSE, 0, IS(RUNS, .paused = true), IS(RUNS, .paused = true), "still paused"},
    {LIFE_HOLD, 0, IS(RUNS), IS(RUNS, .held = 1, .pause_count = 1), NULL},
    {LIFE_HOLD, -1, IS(RUNS), IS(RUNS), "could not be held"},
    {LIFE_HOLD, 0, IS(DIES), IS(DIES), "held what is dying"},
    {LIFE_HOLD, 0, IS(RUNS), IS(RUNS), "does not count"},
    {LIFE_LET_GO, 0, IS(MADE, .made = true, .held = 1), IS(RUNS, .made = true), NULL},
    {LIFE_LET_GO, -1, IS(RUNS, .held = 1), IS(RUNS, .held = 1), "could not be let go"},
    {LIFE_LET_GO, 0, IS(RUNS), IS(RUNS), "let go what was not held"},
    {LIFE_LET_GO, 0, IS(MADE, .made = true, .held = 1), IS(MADE, .made = true),
     "not as it should be"},
    {LIFE_LET_GO, -1, IS(RUNS), IS(DOWN), "refused, but something changed"},
    {LIFE_REBOOT, 0, IS(RUNS), IS(DOWN, .working = true), NULL},
    {LIFE_REBOOT, -1, IS(RUNS), IS(RUNS), "refused without a reason"},
    {LIFE_DESTROY, 0, IS(DIES), IS(DIES), "taken too early"},
    {LIFE_REBOOT, 0, IS(DOWN, .working = true), IS(DOWN, .working = true), "taken too early"},
    {LIFE_DESTROY, 0, IS(DOWN, .working = true), IS(DIES, .working = true), NULL},
    {LIFE_DESTROY, -1, IS(MADE, .working = true), IS(MADE, .working = true),
     "refused without a reason"},
    {LIFE_DESTROY, 0, IS(RUNS), IS(DOWN, .working = true), "not carried out"},
    {LIFE_DESTROY, -1, IS(DIES), IS(DIES, .restarts = 1), "refused, but something changed"},
    {LIFE_WORK, 0, IS(DIES, .working = true), IS(DIES, .gone = true, .memory = 0), NULL},
    {LIFE_WORK, 0, IS(DIES, .working = true), IS(DIES, .gone = true), "gone, but it has memory"},
    {LIFE_WORK, 0, IS(DOWN), IS(RUNS), "refused, but something changed"},
    {LIFE_WORK, 0, IS(DOWN, .working = true), IS(DOWN, .gone = true), "gone without dying"},
    {LIFE_WORK, 0, IS(DIES, .working = true), IS(DOWN, .working = true), "stopped dying"},
    {LIFE_WORK, 0, IS(DOWN, .working = true, .policy = POLICY_PRESERVE), IS(RUNS),
     "runs again, but should not"},
    {LIFE_WORK, 0, IS(DOWN, .working = true, .policy = POLICY_PRESERVE), IS(DIES, .working = true),
     "dies, but should not"},
    {LIFE_WORK, 0, IS(DOWN, .working = true, .policy = POLICY_RESTART), IS(DOWN),
     "left as it is, but should not be"},
    {LIFE_WORK, 0, IS(DOWN, .working = true), IS(DOWN, .working = true, .restarts = 2),
     "restarted twice at once"},
    {LIFE_WORK, 0, IS(DOWN, .working = true), IS(MADE), "not even created any more"},
    {LIFE_EVENT_COUNT, 0, IS(RUNS), IS(RUNS), "no event"},
    /* L1, L2: whatever happens. */
    {LIFE_WORK, 0, IS(DOWN, .working = true, .on_cpu = true),
     IS(DOWN, .working = true, .memory = 8), "taken away under a vCPU"},
    {LIFE_START, 0, IS(MADE), IS(RUNS, .pause_count = 1), "a wrong number of times"},
    {LIFE_START, 0, IS(MADE), IS(RUNS, .memory = 0), "running without memory"},
    {LIFE_DESTROY, 0, IS(RUNS), IS(.state = DOMAIN_DYING, .working = true, .online = true),
     "its vCPUs may run"},
};

static void every_rule(void **state)
{
    for (unsigned i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        const char *broken = spec_life_step(&steps[i].pre, steps[i].event, SHUTDOWN_crash,
                                            steps[i].result, &steps[i].post);
        if (steps[i].why == NULL ? broken != NULL
                                 : broken == NULL || strstr(broken, steps[i].why) == NULL) {
            fail_msg("step %u: expected \"%s\", the specification says: %s", i,
                     steps[i].why != NULL ? steps[i].why : "fine",
                     broken != NULL ? broken : "fine");
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_rule)};
    return cmocka_run_group_tests_name("the specification of a domain's life", tests, NULL, NULL);
}
