/* Unit tests of the host tool's pure parts, under address and undefined-behaviour sanitizers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cfg.h"
#include "domain.h"
#include "system.h"

static struct report quiet(void)
{
    return (struct report){.out = fopen("/dev/null", "w")};
}

static const char sample[] = "# a comment\nname = 'a'; memory=0x10\n"
                             "list = [ \"x\", 2, [ 010, 'y\\'' ], ]\nextra = "
                             "\"a=\\\"b\\\"\"\nextra += ' c'\nlist += ['z']\n";

static void test_values(void **state)
{
    struct report report = quiet();
    struct cfg cfg;

    assert_int_equal(cfg_parse(&report, "f", sample, strlen(sample), &cfg), 0);
    assert_int_equal(cfg.count, 4);
    assert_string_equal(cfg.entries[0].key, "name");
    assert_int_equal(cfg.entries[1].line, 2);
    assert_int_equal(cfg.entries[1].value.number, 16);
    assert_int_equal(cfg.entries[2].value.count, 4);
    assert_int_equal(cfg.entries[2].value.items[2].items[0].number, 8);
    assert_string_equal(cfg.entries[2].value.items[2].items[1].string, "y'");
    assert_string_equal(cfg.entries[2].value.items[3].string, "z");
    assert_string_equal(cfg.entries[3].value.string, "a=\"b\" c");
    cfg_free(&cfg);
    fclose(report.out);
}

/* Whatever is cut off or damaged: an answer, one sentence for a refusal, no leak. */
static void test_damaged_files(void **state)
{
    struct report report = quiet();
    char damaged[sizeof(sample)];

    for (size_t length = 0; length < sizeof(sample); length++) {
        for (unsigned c = 0; c < 256; c += 5) {
            unsigned before = report.errors;
            struct cfg cfg;
            int result;

            memcpy(damaged, sample, sizeof(sample));
            damaged[length] = (char)c;
            result = cfg_parse(&report, "f", damaged, c % 2 ? length : sizeof(sample) - 1, &cfg);
            assert_int_equal(result ? 1 : 0, report.errors - before);
            cfg_free(&cfg);
        }
    }
    fclose(report.out);
}

static void test_cpu_lists(void **state)
{
    static const struct {
        const char *text;
        uint64_t map;
    } good[] = {
        {"0", 1},
        {"0-3,5,^1", 0x2d},
        {" 1 , 2 ", 6},
        {"all", UINT64_MAX},
        {"all,^0", ~UINT64_C(1)},
        {"63", UINT64_C(1) << 63},
        {"0-63", UINT64_MAX},
    };
    static const char *const bad[] = {"",
                                      ",",
                                      "0,",
                                      "3-1",
                                      "64",
                                      "a",
                                      "0 1",
                                      "^0",
                                      "-1",
                                      "0--1",
                                      "all-1",
                                      "1,^1",
                                      "99999999999999999999"};
    struct report report = quiet();
    struct place place = {"f", 1};

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        uint64_t map = 0;

        assert_int_equal(cpu_list_parse(&report, place, good[i].text, &map), 0);
        assert_true(map == good[i].map);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        uint64_t map = 77;

        assert_int_equal(cpu_list_parse(&report, place, bad[i], &map), -1);
        assert_int_equal(report.errors, i + 1);
        assert_int_equal(map, 77);
    }
    fclose(report.out);
}

static void test_nearest_word(void **state)
{
    static const char *const words[] = {"memory", "maxmem", "vcpus", "cpus", NULL};

    assert_string_equal(nearest_word("memroy", words), "memory");
    assert_string_equal(nearest_word("vcpu", words), "vcpus");
    assert_string_equal(nearest_word("maxmemo", words), "maxmem");
    assert_null(nearest_word("frobnicate", words));
}

static void test_images(void **state)
{
    uint8_t bytes[64] = {0};

    assert_int_equal(image_classify(bytes, 64, 64).kind, IMAGE_OTHER);
    memcpy(bytes + 56, "ARM\x64", 4);
    bytes[18] = 1; /* image_size = 65536 */
    assert_int_equal(image_classify(bytes, 64, 64).kind, IMAGE_ARM64);
    assert_int_equal(image_classify(bytes, 64, 64).memory_size, 65536);
    assert_int_equal(image_classify(bytes, 64, 1 << 20).memory_size, 1 << 20);
    assert_int_equal(image_classify(bytes, 63, 63).kind, IMAGE_OTHER);
    memcpy(bytes + 36, "\x18\x28\x6f\x01", 4);
    assert_int_equal(image_classify(bytes, 50, 50).kind, IMAGE_ZIMAGE);
    memcpy(bytes, "MZ", 2);
    assert_int_equal(image_classify(bytes, 64, 64).kind, IMAGE_ARM64);
    assert_int_equal(image_classify((const uint8_t *)"MZ", 2, 2).kind, IMAGE_EFI);
    assert_null(image_cure(IMAGE_ARM64));
    assert_non_null(image_cure(IMAGE_GZIP));
}

static bool overlaps(struct range a, struct range b)
{
    return a.base < b.base + b.size && b.base < a.base + a.size;
}

/* Many sizes of kernels and boards: what is placed lies in RAM and never on anything else. */
static void test_layout(void **state)
{
    struct report report = quiet();
    unsigned placed = 0;

    for (unsigned seed = 1; seed < 400; seed++) {
        struct domain domains[3] = {0};
        struct roles roles[3];
        char paths[3][16];
        struct system system = {.report = &report,
                                .domains = domains,
                                .roles = roles,
                                .count = 3,
                                .image_offset = IMAGE_AT_QEMU};
        uint64_t ram = UINT64_C(64) << (20 + seed % 7);

        system.board.ram_count = 1;
        system.board.ram[0] = (struct range){0x40000000, ram};
        for (unsigned i = 0; i < 3; i++) {
            snprintf(paths[i], sizeof(paths[i]), "kernel%u", i);
            domains[i].file = paths[i];
            domains[i].memory_kib = (seed * 7 + i) % 97 * 1024 + 1024;
            domains[i].kernel.path = paths[i];
            domains[i].kernel.image.file_size = (seed * 31 + i * 7919) % 40000000 + 1;
            domains[i].direct_map = (seed >> i & 1) != 0;
        }
        if (system_layout(&system) == 0) {
            placed++;
            for (unsigned i = 0; i < 3; i++) {
                struct range mine = system.modules[i].where;

                assert_true(board_has(&system.board, mine.base, mine.size));
                assert_true(mine.base % (2u << 20) == 0);
                for (unsigned j = 0; j < 3; j++) {
                    assert_true(i == j || !overlaps(mine, system.modules[j].where));
                    assert_true(!domains[j].static_count ||
                                (!overlaps(mine, domains[j].static_memory[0]) &&
                                 board_has(&system.board, domains[j].static_memory[0].base,
                                           domains[j].static_memory[0].size)));
                }
            }
        }
        for (unsigned i = 0; i < system.module_count; i++) {
            free(system.modules[i].path);
            free(system.modules[i].file_name);
        }
        free(system.modules);
        for (unsigned i = 0; i < 3; i++) {
            free(domains[i].static_memory);
        }
    }
    assert_true(placed > 100);
    assert_true(report.errors > 0);
    fclose(report.out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),    cmocka_unit_test(test_damaged_files),
        cmocka_unit_test(test_cpu_lists), cmocka_unit_test(test_nearest_word),
        cmocka_unit_test(test_images),    cmocka_unit_test(test_layout),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
