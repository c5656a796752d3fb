/*
 * The one place where rights are asked for; hyp/rights.h, T1..T3.
 *
 * Rights are bits that only get cleared while a domain exists, so asking takes
 * no lock: who asks while a right is being dropped is before it or after it.
 */
#include "rights-internal.h"

#include <hyp/config.h>
#include <hyp/domain.h>
#include <hyp/frame.h>
#include <hyp/log.h>
#include <lib/string.h>
#include <lib/text.h>
#include <xen/errno.h>

#define WORDS (MAX_DOMAINS / 64)

static const char *const names[RIGHT_COUNT] = {
    [RIGHT_CONTROL] = "control",   [RIGHT_INSPECT] = "inspect",
    [RIGHT_EMULATE] = "emulate",   [RIGHT_BUILD] = "build",
    [RIGHT_STORE] = "store",       [RIGHT_CONSOLE] = "console",
    [RIGHT_DEVICE] = "device",     [RIGHT_IRQ] = "irq",
    [RIGHT_SCHEDULE] = "schedule", [RIGHT_SHUTDOWN_HOST] = "shutdown-host"};

enum right rights_named(const char *word, size_t length)
{
    unsigned r = 0;
    while (r < RIGHT_COUNT && (strlen(names[r]) != length || memcmp(names[r], word, length) != 0)) {
        r++;
    }
    return (enum right)r;
}

static uint32_t load(const uint32_t *bits)
{
    return __atomic_load_n(bits, __ATOMIC_RELAXED);
}

static bool made(const struct domain *caller, const struct domain *target)
{
    return target->builder == caller->id &&
           (load(&caller->rights->held) & RIGHT_BIT(RIGHT_BUILD)) != 0;
}

bool rights_allow(const struct domain *caller, enum right right, const struct domain *target)
{
    const struct rights *x = caller->rights;
    if (x == NULL) {
        return false; /* T1 */
    }
    bool holds = (load(&x->held) & RIGHT_BIT(right)) != 0;
    if (target == NULL) {
        return holds;
    }
    if (right == RIGHT_BUILD) {
        return made(caller, target) &&
               __atomic_load_n(&target->state, __ATOMIC_RELAXED) == DOMAIN_CREATED;
    }
    if (right >= RIGHTS_OVER_DOMAINS) {
        return holds;
    }
    if (right == RIGHT_CONTROL && made(caller, target)) {
        return true;
    }
    uint64_t word = __atomic_load_n(&x->over[right][target->id / 64], __ATOMIC_RELAXED);
    return holds &&
           ((load(&x->everybody) & RIGHT_BIT(right)) != 0 || (word >> target->id % 64 & 1) != 0);
}

int rights_require(struct domain *caller, uint32_t any_of, const struct domain *target,
                   const char *what)
{
    for (unsigned r = 0; r < RIGHT_COUNT; r++) {
        if ((any_of & RIGHT_BIT(r)) != 0 && rights_allow(caller, (enum right)r, target)) {
            return 0;
        }
    }
    enum right first = (enum right)__builtin_ctz(any_of);
    if (target != NULL) {
        dlog(caller, "is refused %s of %s: it has no right to %s it.", what, target->name,
             names[first]);
    } else {
        dlog(caller, "is refused %s: it has not the right %s.", what, names[first]);
    }
    return -XEN_EPERM;
}

/* --- Given and taken --- */

/* The number of the configured domain of that name; false: there is none (any more). */
static bool number_of(const char *name, size_t length, domid_t *out)
{
    const struct domain_config *all;
    int count = config_all(&all);
    for (int i = 0; i < count; i++) {
        if (strncmp(all[i].name, name, length) == 0 && all[i].name[length] == 0) {
            *out = all[i].id;
            return true;
        }
    }
    return false;
}

/* One string of bulkhead,rights: the right, then its targets. */
static void grant_words(struct rights *x, const char *words)
{
    size_t n = text_word(words);
    enum right r = rights_named(words, n);
    if (r == RIGHT_COUNT) {
        return; /* config_parse() has said so */
    }
    x->held |= RIGHT_BIT(r);
    if (r == RIGHT_DEVICE || r == RIGHT_IRQ) {
        rights_grant_device(x, r, words[n] != 0 ? words + n + 1 : "");
        return;
    }
    for (const char *at = words + n; *at != 0; at += n) {
        domid_t id;
        n = text_word(++at);
        if (n == 1 && *at == '*') {
            x->everybody |= RIGHT_BIT(r);
        } else if (r < RIGHTS_OVER_DOMAINS && number_of(at, n, &id)) {
            x->over[r][id / 64] |= 1ull << id % 64;
        }
    }
}

struct rights *rights_page(struct domain *d)
{
    if (d->rights == NULL) {
        d->rights = frame_alloc_hyp(d, 0);
    }
    return d->rights;
}

int rights_grant(struct domain *d)
{
    const struct domain_config *c = d->config;
    static_assert(sizeof(struct rights) <= FRAME_SIZE, "rights are one page");
    if (c == NULL || c->rights_len == 0) {
        return 0;
    }
    if (rights_page(d) == NULL) {
        return -XEN_ENOMEM;
    }
    memset(d->rights, 0, sizeof(*d->rights));
    for (size_t at = 0; at < c->rights_len; at += strlen(c->rights + at) + 1) {
        grant_words(d->rights, c->rights + at);
    }
    return 0;
}

/* A right over nobody is none. */
static bool over_nobody(const struct rights *x, enum right r)
{
    uint64_t any = load(&x->everybody) & RIGHT_BIT(r);
    for (unsigned i = 0; i < WORDS; i++) {
        any |= __atomic_load_n(&x->over[r][i], __ATOMIC_RELAXED);
    }
    return any == 0;
}

void rights_drop(struct domain *d, enum right right, const struct domain *over)
{
    struct rights *x = d->rights;
    if (x == NULL || right >= RIGHT_COUNT) {
        return;
    }
    bool whole = over == NULL || right >= RIGHTS_OVER_DOMAINS;
    lock(&d->lock);
    if (right == RIGHT_IRQ) {
        memset(x->irq, 0, sizeof(x->irq));
    } else if (right == RIGHT_DEVICE) {
        memset(x->range, 0, sizeof(x->range));
    }
    unlock(&d->lock);
    if (whole) {
        __atomic_fetch_and(&x->everybody, ~RIGHT_BIT(right), __ATOMIC_RELAXED);
    } else {
        __atomic_fetch_and(&x->over[right][over->id / 64], ~(1ull << over->id % 64),
                           __ATOMIC_RELAXED);
    }
    if (whole || over_nobody(x, right)) {
        __atomic_fetch_and(&x->held, ~RIGHT_BIT(right), __ATOMIC_RELAXED);
    }
}

int rights_drop_words(struct domain *d, const char *words)
{
    size_t n = text_word(words);
    enum right right = rights_named(words, n);
    if (right == RIGHT_COUNT || (words[n] != 0 && right >= RIGHTS_OVER_DOMAINS)) {
        return -XEN_EINVAL;
    }
    struct domain *over = words[n] != 0 ? domain_get_by_name(words + n + 1) : NULL;
    if (words[n] != 0 && over == NULL) {
        return -XEN_ESRCH;
    }
    rights_drop(d, right, over);
    bool still = over != NULL && rights_allow(d, right, over);
    if (over != NULL) {
        domain_put(over);
    }
    return still ? -XEN_EINVAL : 0;
}

void rights_forget(const struct domain *d)
{
    for (struct domain *other = domain_next(NULL); other != NULL; other = domain_next(other)) {
        if (other->builder == d->id) {
            other->builder = DOMID_INVALID;
        }
    }
}

void rights_destroy(struct domain *d)
{
    if (d->rights != NULL) {
        frame_free_hyp(d, d->rights, 0);
        d->rights = NULL;
    }
}

/* --- Told --- */

/* The n-th of `r`'s targets that is a configured domain. */
static const char *target_name(const struct rights *x, enum right r, unsigned n)
{
    const struct domain_config *all;
    int count = config_all(&all);
    for (int i = 0; i < count; i++) {
        if ((x->over[r][all[i].id / 64] >> all[i].id % 64 & 1) != 0 && n-- == 0) {
            return all[i].name;
        }
    }
    return NULL;
}

bool rights_describe(const struct domain *d, unsigned n, char *words, size_t size)
{
    const struct rights *x = d->rights;
    unsigned r = 0;
    for (; r < RIGHT_COUNT && x != NULL; r++) {
        if ((load(&x->held) & RIGHT_BIT(r)) != 0 && n-- == 0) {
            break;
        }
    }
    if (x == NULL || r == RIGHT_COUNT) {
        return false;
    }
    size_t length = (size_t)fmt(words, size, "%s%s", names[r],
                                (load(&x->everybody) & RIGHT_BIT(r)) != 0 ? " *" : "");
    const char *name = "";
    for (unsigned i = 0; r < RIGHTS_OVER_DOMAINS && name != NULL && length < size; i++) {
        name = target_name(x, (enum right)r, i);
        length += name != NULL ? (size_t)fmt(words + length, size - length, " %s", name) : 0;
    }
    return true;
}
