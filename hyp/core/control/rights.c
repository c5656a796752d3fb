/*
 * The one place where rights are asked for; hyp/rights.h, T1..T3.
 *
 * Rights are bits that only get cleared while a domain exists, so asking takes
 * no lock: who asks while a right is being dropped is before it or after it.
 */
#include "../config/devices-internal.h"

#include <hyp/config.h>
#include <hyp/domain.h>
#include <hyp/frame.h>
#include <hyp/gic.h>
#include <hyp/log.h>
#include <hyp/rights.h>
#include <hyp/tree.h>
#include <lib/string.h>
#include <lib/text.h>
#include <xen/errno.h>

#define OVER_DOMAINS (RIGHT_EMULATE + 1) /* the first ones are over domains */
#define WORDS (MAX_DOMAINS / 64)
#define DEVICES 128

/* The page behind d->rights. */
struct rights {
    uint32_t held;                      /* [atomic] bit n: enum right n, over somebody at least */
    uint32_t everybody;                 /* [atomic] likewise: over all there are and will be */
    uint64_t over[OVER_DOMAINS][WORDS]; /* [atomic] by the domains' numbers */
    /* Of the board's devices, as long as the right that gave them is held. */
    unsigned device_count; /* [const] */
    struct rights_device { /* [const] frames of registers, or interrupts */
        enum right by;
        bool irq;
        uint64_t first, count;
    } device[DEVICES];
};

static const char *const names[RIGHT_COUNT] = {
    [RIGHT_CONTROL] = "control",   [RIGHT_INSPECT] = "inspect",
    [RIGHT_EMULATE] = "emulate",   [RIGHT_BUILD] = "build",
    [RIGHT_STORE] = "store",       [RIGHT_CONSOLE] = "console",
    [RIGHT_DEVICE] = "device",     [RIGHT_IRQ] = "irq",
    [RIGHT_SCHEDULE] = "schedule", [RIGHT_SHUTDOWN_HOST] = "shutdown-host"};

enum right rights_named(const char *words)
{
    size_t n = text_word(words);
    unsigned r = 0;
    while (r < RIGHT_COUNT && (strlen(names[r]) != n || memcmp(names[r], words, n) != 0)) {
        r++;
    }
    return (enum right)r;
}

static uint32_t load(const uint32_t *bits)
{
    return __atomic_load_n(bits, __ATOMIC_RELAXED);
}

bool rights_any(const struct domain *caller, uint32_t any_of, const struct domain *target)
{
    const struct rights *x = caller->rights;
    if (x == NULL) {
        return false; /* T1 */
    }
    uint32_t held = load(&x->held), asked = any_of & held;
    if (target == NULL) {
        return asked != 0;
    }
    if (target->builder == caller->id && (held & RIGHT_BIT(RIGHT_BUILD)) != 0) {
        bool ran = __atomic_load_n(&target->state, __ATOMIC_RELAXED) != DOMAIN_CREATED;
        uint32_t makers = RIGHT_BIT(RIGHT_CONTROL) | (ran ? 0 : RIGHT_BIT(RIGHT_BUILD));
        if ((any_of & makers) != 0) {
            return true;
        }
    }
    asked &= ~RIGHT_BIT(RIGHT_BUILD);
    bool allowed = (asked & (~(RIGHT_BIT(OVER_DOMAINS) - 1) | load(&x->everybody))) != 0;
    for (unsigned r = 0; r < OVER_DOMAINS && !allowed; r++) {
        uint64_t word = __atomic_load_n(&x->over[r][target->id / 64], __ATOMIC_RELAXED);
        allowed = (asked >> r & 1) != 0 && (word >> target->id % 64 & 1) != 0;
    }
    return allowed;
}

int rights_require(struct domain *caller, uint32_t any_of, const struct domain *target,
                   const char *what)
{
    const char *first = names[__builtin_ctz(any_of)];
    if (rights_any(caller, any_of, target)) {
        return 0;
    }
    if (target != NULL) {
        dlog(caller, "is refused %s of %s: it has no right to %s it.", what, target->name, first);
    } else {
        dlog(caller, "is refused %s: it has not the right %s.", what, first);
    }
    return -XEN_EPERM;
}

/*
 * --- Devices ---
 *
 * Two domains never hold the same device by configuration (config-check.c claims what `device`
 * names); at run time the interrupt is exclusive (irq_assign()), and so is the range he holds for
 * who hands on.
 */

static bool holds_device(const struct domain *d, bool irq, uint64_t first, uint64_t count)
{
    const struct rights *x = d->rights;
    for (unsigned i = 0; count != 0 && x != NULL && i < x->device_count; i++) {
        const struct rights_device *r = &x->device[i];
        if (r->irq == irq && (load(&x->held) & RIGHT_BIT(r->by)) != 0 && first >= r->first &&
            first - r->first < r->count && count <= r->count - (first - r->first)) {
            return true;
        }
    }
    return false;
}

static bool holds_all(const struct domain *d, enum right right)
{
    return d->rights != NULL && (load(&d->rights->everybody) & RIGHT_BIT(right)) != 0;
}

bool rights_iomem(const struct domain *d, mfn_t first, uint64_t count)
{
    uint64_t end = first.v + count;
    return holds_device(d, false, first.v, count) ||
           (holds_all(d, RIGHT_DEVICE) && end > first.v && !frame_is_ram(first) &&
            !frame_is_ram(mfn(end - 1)) &&
            !device_is_ours(first.v << FRAME_SHIFT, count << FRAME_SHIFT));
}

bool rights_irq(const struct domain *d, uint32_t intid)
{
    return intid >= GIC_SPI_FIRST && intid < GIC_INTID_MAX &&
           (holds_all(d, RIGHT_IRQ) || holds_device(d, true, intid, 1));
}

static void give(struct rights *x, enum right by, bool irq, uint64_t first, uint64_t count)
{
    if (x->device_count < DEVICES) {
        x->device[x->device_count++] = (struct rights_device){by, irq, first, count};
    }
}

/* A node of the board's tree, or the number of an interrupt, or `*`. */
static void grant_device(struct rights *x, enum right right, const char *what)
{
    const struct tree *t = config_host_tree();
    uint64_t number, size;
    mpa_t base;
    uint32_t intid;
    bool edge;
    if (strcmp(what, "*") == 0) {
        x->everybody |= RIGHT_BIT(right);
        return;
    }
    if (right == RIGHT_IRQ) {
        if (text_to_u64(what, &number)) {
            give(x, right, true, number, 1);
        }
        return;
    }
    tree_node node = tree_find(t, what, SIZE_MAX);
    for (unsigned i = 0; tree_reg(t, node, i, &base, &size) == 0; i++) {
        uint64_t first = base.v >> FRAME_SHIFT;
        give(x, right, false, first, ((base.v + size - 1) >> FRAME_SHIFT) - first + 1);
    }
    for (unsigned i = 0; tree_irq(t, node, i, &intid, &edge) == 0; i++) {
        give(x, right, true, intid, 1);
    }
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

/* One string of bulkhead,rights: the right, then its targets. config_parse() has seen that it is one. */
static void grant_words(struct rights *x, const char *words)
{
    enum right r = rights_named(words);
    size_t n = text_word(words);
    x->held |= RIGHT_BIT(r);
    if (r == RIGHT_DEVICE || r == RIGHT_IRQ) {
        grant_device(x, r, words[n] != 0 ? words + n + 1 : "");
        return;
    }
    for (const char *at = words + n; *at != 0; at += n) {
        domid_t id;
        n = text_word(++at);
        if (n == 1 && *at == '*') {
            x->everybody |= RIGHT_BIT(r);
        } else if (r < OVER_DOMAINS && number_of(at, n, &id)) {
            x->over[r][id / 64] |= 1ull << id % 64;
        }
    }
}

int rights_grant(struct domain *d)
{
    const struct domain_config *c = d->config;
    static_assert(sizeof(struct rights) <= FRAME_SIZE, "rights are one page");
    if (c == NULL || c->rights_len == 0) {
        return 0;
    }
    if (d->rights == NULL) {
        d->rights = frame_alloc_hyp(d, 0);
    }
    if (d->rights == NULL) {
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

int rights_drop(struct domain *d, const char *words)
{
    struct rights *x = d->rights;
    size_t n = text_word(words);
    enum right right = rights_named(words);
    bool whole = words[n] == 0, still = false;
    if (right == RIGHT_COUNT || (!whole && right >= OVER_DOMAINS)) {
        return -XEN_EINVAL;
    }
    if (x == NULL) {
        return 0;
    }
    if (whole) {
        __atomic_fetch_and(&x->everybody, ~RIGHT_BIT(right), __ATOMIC_RELAXED);
    } else {
        struct domain *over = domain_get_by_name(words + n + 1);
        if (over == NULL) {
            return -XEN_ESRCH;
        }
        __atomic_fetch_and(&x->over[right][over->id / 64], ~(1ull << over->id % 64),
                           __ATOMIC_RELAXED);
        still = rights_allow(d, right, over);
        domain_put(over);
    }
    if (whole || over_nobody(x, right)) {
        __atomic_fetch_and(&x->held, ~RIGHT_BIT(right), __ATOMIC_RELAXED);
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

bool rights_describe(const struct domain *d, enum right right, char *words, size_t size)
{
    const struct rights *x = d->rights;
    if (x == NULL || (load(&x->held) & RIGHT_BIT(right)) == 0) {
        return false;
    }
    size_t length = (size_t)fmt(words, size, "%s%s", names[right],
                                (load(&x->everybody) & RIGHT_BIT(right)) != 0 ? " *" : "");
    const struct domain_config *all;
    int count = config_all(&all);
    for (int i = 0; i < count && right < OVER_DOMAINS && length < size; i++) {
        if ((x->over[right][all[i].id / 64] >> all[i].id % 64 & 1) != 0) {
            length += (size_t)fmt(words + length, size - length, " %s", all[i].name);
        }
    }
    return true;
}
