#include "libos/platform.h"

static struct poller *pollers;

void poller_add(struct poller *poller)
{
    poller->next = pollers;
    pollers = poller;
}

bool pollers_run(void)
{
    bool happened = false;
    for (struct poller *p = pollers; p != NULL; p = p->next) {
        happened |= p->poll();
    }
    return happened;
}

uint64_t pollers_deadline_ns(void)
{
    uint64_t earliest = TIME_NEVER;
    for (struct poller *p = pollers; p != NULL; p = p->next) {
        if (p->deadline_ns != NULL) {
            earliest = MIN(earliest, p->deadline_ns());
        }
    }
    return earliest;
}
