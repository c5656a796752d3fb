/* See rights.h. Written from the manual, not from the implementation. */
#include "rights.h"

#include <lib/string.h>

/* What the manual's table has in its column "targets". */
static bool is_over_domains(enum right right)
{
    return right == RIGHT_CONTROL || right == RIGHT_INSPECT || right == RIGHT_EMULATE;
}

static enum right right_of(const char *words)
{
    static const struct {
        const char *word;
        enum right right;
    } manual[] = {{"control", RIGHT_CONTROL},   {"inspect", RIGHT_INSPECT},
                  {"emulate", RIGHT_EMULATE},   {"build", RIGHT_BUILD},
                  {"store", RIGHT_STORE},       {"console", RIGHT_CONSOLE},
                  {"device", RIGHT_DEVICE},     {"irq", RIGHT_IRQ},
                  {"schedule", RIGHT_SCHEDULE}, {"shutdown-host", RIGHT_SHUTDOWN_HOST}};
    for (unsigned i = 0; i < ARRAY_LEN(manual); i++) {
        size_t n = strlen(manual[i].word);
        if (strncmp(words, manual[i].word, n) == 0 && (words[n] == 0 || words[n] == ' ')) {
            return manual[i].right;
        }
    }
    return RIGHT_COUNT;
}

void spec_rights_build(struct spec_rights *s, unsigned id, const char *words, size_t length)
{
    memset(&s->holder[id], 0, sizeof(s->holder[id]));
    for (const char *at = words; at < words + length; at += strlen(at) + 1) {
        enum right right = right_of(at);
        const char *space = strchr(at, ' ');
        s->holder[id].all[right] |= !is_over_domains(right);
        for (const char *c = space; is_over_domains(right) && c != NULL && *c != 0; c += 2) {
            if (c[1] == '*') {
                s->holder[id].all[right] = true;
            } else { /* a, b, c: every name is one letter */
                s->holder[id].over[right] |= (uint8_t)(2u << (c[1] - 'a'));
            }
        }
    }
}

bool spec_rights_drop(struct spec_rights *s, unsigned id, enum right right, unsigned over)
{
    if (over == 0 || !is_over_domains(right)) {
        s->holder[id].all[right] = false;
        s->holder[id].over[right] = 0;
        return true;
    }
    s->holder[id].over[right] &= (uint8_t) ~(1u << over);
    return !s->holder[id].all[right];
}

void spec_rights_end(struct spec_rights *s, unsigned id)
{
    if (s->maker == id) {
        s->maker = 0;
    }
}

bool spec_rights_allow(const struct spec_rights *s, unsigned caller, enum right right,
                       unsigned target)
{
    bool all = s->holder[caller].all[right];
    uint8_t over = s->holder[caller].over[right];
    bool made = target == SPEC_RIGHTS_MADE && s->maker == caller && caller != 0 &&
                s->holder[caller].all[RIGHT_BUILD];
    if (target == 0) {
        return all || over != 0;
    }
    if (right == RIGHT_BUILD) {
        return made && !s->ran;
    }
    return all || (over >> target & 1) != 0 || (right == RIGHT_CONTROL && made);
}
