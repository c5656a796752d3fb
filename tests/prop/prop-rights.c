/*
 * Rights against their specification: the real rights.c over model domains. After every event, the
 * answer for each caller, right and target is what the specification says; and what the console
 * prints says the same.
 */
#include "prop.h"
#include "rights.h"

#include <fake.h>
#include <hyp/config.h>
#include <hyp/frame.h>
#include <stdio.h>
#include <string.h>
#include <xen/errno.h>

#define WORDS(text)        \
    {                      \
        text, sizeof(text) \
    }
static const struct {
    const char *text;
    size_t length;
} words[] = {WORDS("control b"),
             WORDS("control *\0inspect b c"),
             WORDS("build"),
             WORDS("build\0control b\0control c\0store"),
             WORDS("inspect *\0emulate a\0schedule\0shutdown-host"),
             WORDS("build\0control *\0inspect *\0emulate *\0console\0irq 40\0device /x")};

static struct domain_config config[3];
static struct domain *d[SPEC_RIGHTS_DOMAINS]; /* by number; NULL: there is none */
static struct spec_rights spec;

int config_all(const struct domain_config **out)
{
    *out = config;
    return ARRAY_LEN(config);
}

static void build(unsigned id, unsigned which)
{
    config[id - 1].rights = words[which].text;
    config[id - 1].rights_len = words[which].length;
    PROVE(rights_grant(d[id]) == 0);
    spec_rights_build(&spec, id, words[which].text, words[which].length);
}

/* What is printed of a domain's rights, read again, allows what it may do. */
static void look_at_print(unsigned caller)
{
    struct spec_rights told = spec;
    char text[64];
    memset(&told.holder[caller], 0, sizeof(told.holder[caller]));
    for (unsigned n = 0; n < RIGHT_COUNT; n++) {
        struct spec_rights one = spec;
        if (!rights_describe(d[caller], (enum right)n, text, sizeof(text))) {
            continue;
        }
        spec_rights_build(&one, caller, text, strlen(text) + 1);
        for (unsigned r = 0; r < RIGHT_COUNT; r++) {
            told.holder[caller].all[r] |= one.holder[caller].all[r];
            told.holder[caller].over[r] |= one.holder[caller].over[r];
        }
    }
    for (unsigned r = 0; r < RIGHT_COUNT; r++) {
        for (unsigned target = 0; target < SPEC_RIGHTS_DOMAINS; target++) {
            PROVE(spec_rights_allow(&told, caller, (enum right)r, target) ==
                  spec_rights_allow(&spec, caller, (enum right)r, target));
        }
    }
}

static void look(void)
{
    for (unsigned caller = 1; caller <= 2; caller++) {
        for (unsigned r = 0; r < RIGHT_COUNT; r++) {
            for (unsigned target = 0; target < SPEC_RIGHTS_DOMAINS; target++) {
                if (target != 0 && d[target] == NULL) {
                    continue;
                }
                bool may = rights_allow(d[caller], (enum right)r, d[target]);
                PROVE(may == spec_rights_allow(&spec, caller, (enum right)r, target));
                PROVE((rights_require(d[caller], RIGHT_BIT(r), d[target], "it") == 0) == may);
            }
        }
        look_at_print(caller);
    }
    PROVE(fake_locks_held() == 0);
}

static void boot(void)
{
    static const char *const names[] = {"a", "b", "c"};
    fake_locks_forget();
    fake_domain_free_all();
    fake_boot(1, 64 * FRAME_SIZE);
    memset(d, 0, sizeof(d));
    spec = (struct spec_rights){.maker = 0};
    for (unsigned id = 1; id <= ARRAY_LEN(config); id++) {
        config[id - 1] = (struct domain_config){.id = (domid_t)id};
        snprintf(config[id - 1].name, sizeof(config[id - 1].name), "%s", names[id - 1]);
        d[id] = fake_domain((domid_t)id, names[id - 1], 1);
        d[id]->config = &config[id - 1];
        d[id]->state = DOMAIN_RUNNING;
    }
    build(1, (unsigned)ANY(0, ARRAY_LEN(words) - 1));
    build(2, 3);
    look();
}

/* What one holds less, nobody holds more. */
static void drop(unsigned id)
{
    static const char *const over_words[] = {"", " a", " b", " c"};
    enum right right = (enum right)ANY(0, RIGHT_COUNT - 1);
    unsigned over = (unsigned)ANY(0, 3);
    bool wrong =
        over != 0 && right != RIGHT_CONTROL && right != RIGHT_INSPECT && right != RIGHT_EMULATE;
    static const char *const names[] = {"control",  "inspect",      "emulate", "build",
                                        "store",    "console",      "device",  "irq",
                                        "schedule", "shutdown-host"};
    char text[64];
    snprintf(text, sizeof(text), "%s%s", names[right], over_words[over]);
    int error = rights_drop(d[id], text);
    PROVE(error == (wrong || !spec_rights_drop(&spec, id, right, over) ? -XEN_EINVAL : 0));
}

static void make(unsigned by)
{
    ASSUME(d[SPEC_RIGHTS_MADE] == NULL && rights_allow(d[by], RIGHT_BUILD, NULL));
    d[SPEC_RIGHTS_MADE] = fake_domain(SPEC_RIGHTS_MADE, "dom4", 1);
    d[SPEC_RIGHTS_MADE]->state = DOMAIN_CREATED;
    d[SPEC_RIGHTS_MADE]->builder = (domid_t)by;
    spec.maker = (uint8_t)by;
    spec.ran = false;
}

static void made_ends(void)
{
    ASSUME(d[SPEC_RIGHTS_MADE] != NULL);
    fake_domain_free(d[SPEC_RIGHTS_MADE]);
    d[SPEC_RIGHTS_MADE] = NULL;
    spec.maker = 0;
}

static void event(void)
{
    unsigned id = (unsigned)ANY(1, 2);
    switch (ANY(0, 4)) {
    case 0:
        drop(id);
        break;
    case 1:
        make(id);
        break;
    case 2:
        ASSUME(d[SPEC_RIGHTS_MADE] != NULL);
        d[SPEC_RIGHTS_MADE]->state = DOMAIN_RUNNING;
        spec.ran = true;
        break;
    case 3:
        made_ends();
        break;
    default: /* it is gone, and is built again */
        rights_forget(d[id]);
        rights_destroy(d[id]);
        spec_rights_end(&spec, id);
        build(id, (unsigned)ANY(0, ARRAY_LEN(words) - 1));
        break;
    }
    look();
}

static void good_rights(void)
{
    boot();
    event();
    event();
}

/* Domains come and go under one number. */
static void good_numbers(void)
{
    boot();
    make((unsigned)ANY(1, 2));
    for (unsigned i = 0; i < 3; i++) {
        look();
        if (ANY(0, 1) != 0) {
            d[SPEC_RIGHTS_MADE]->state = DOMAIN_RUNNING;
            spec.ran = true;
            look();
        }
        made_ends();
        look();
        make((unsigned)ANY(1, 2));
    }
    look();
}

/* Somebody forgets to clear a bit. */
static void bad_drop(void)
{
    boot();
    (void)spec_rights_drop(&spec, 2, RIGHT_CONTROL, 2);
    look();
}

/* The maker of a domain that had the number before. */
static void bad_number(void)
{
    boot();
    make(2);
    spec.maker = 0;
    look();
}

const struct prop props[] = {
    {"good_rights", good_rights,
     "6 configurations, every 2 of: drop (2 domains, 10 rights, 4 targets), make, run, end, "
     "rebuild",
     NULL},
    {"good_numbers", good_numbers, "6 configurations, 4 lives of a number, 2 makers, run or not",
     NULL},
    {"bad_drop", bad_drop, "one", "may == spec_rights_allow"},
    {"bad_number", bad_number, "one", "may == spec_rights_allow"},
    {NULL, NULL, NULL, NULL},
};
