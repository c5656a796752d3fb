/* Formatting against the C library's own, text helpers, and lib/string.c under other names. */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <hyp/log.h>
#include <lib/text.h>

/* The functions under test, beside the C library's. */
#define memcpy our_memcpy
#define memmove our_memmove
#define memset our_memset
#define memcmp our_memcmp
#define strlen our_strlen
#define strnlen our_strnlen
#define strcmp our_strcmp
#define strncmp our_strncmp
#define strchr our_strchr
#undef LIB_STRING_H
#include "../../lib/string.c"
#undef memcpy
#undef memmove
#undef memset
#undef memcmp
#undef strlen
#undef strnlen
#undef strcmp
#undef strncmp
#undef strchr

/* More than two of the longest rounds of lib/string.c: an area, and the sizes that are tried. */
enum { SIZES = 700, AREA = SIZES + 64 };

/* Every size that a short rest can have after no, one or several rounds. */
static size_t next_size(size_t size)
{
    return size + (size < 80 || size % (32 * sizeof(uint64_t)) < 40 ? 1 : 7);
}

/* Every alignment of both ends, overlapping or not. */
static void test_memory(void **state)
{
    static unsigned char ours[AREA], theirs[AREA];

    for (size_t to = 0; to < 10; to++) {
        for (size_t size = 0; size < SIZES; size = next_size(size)) {
            for (size_t from = 0; from < 10; from++) {
                for (size_t i = 0; i < AREA; i++) {
                    ours[i] = theirs[i] = (unsigned char)(i * 7 + size);
                }
                our_memmove(ours + to, ours + from, size);
                memmove(theirs + to, theirs + from, size);
                assert_memory_equal(ours, theirs, AREA);
            }
            memset(ours, 1, AREA);
            our_memcpy(ours + to, theirs + to % 3, size);
            assert_memory_equal(ours + to, theirs + to % 3, size);
            assert_true(ours[to + size] == 1);
            our_memset(ours + to, (int)size, size);
            for (size_t i = 0; i < AREA; i++) {
                assert_int_equal(ours[i], i - to < size ? (unsigned char)size : 1);
            }
        }
    }
}

static int sign(int v)
{
    return (v > 0) - (v < 0);
}

static void test_compare(void **state)
{
    unsigned char a[64], b[64];

    for (unsigned shift = 0; shift < 9; shift++) {
        for (unsigned size = 0; size < 40; size++) {
            for (unsigned differ = 0; differ < 45; differ++) {
                memset(a, 0x55, sizeof(a));
                memset(b, 0x55, sizeof(b));
                b[shift + differ] = differ & 1 ? 0xff : 0x00;
                assert_int_equal(sign(our_memcmp(a + shift, b + shift, size)),
                                 sign(memcmp(a + shift, b + shift, size)));
                assert_int_equal(sign(our_memcmp(a + 1, b + shift, size)),
                                 sign(memcmp(a + 1, b + shift, size)));
            }
        }
    }
}

static void test_strings(void **state)
{
    static const char *const words[] = {"", "a", "ab", "abc", "b", "abcabd", "\xff", "aab"};

    for (unsigned i = 0; i < ARRAY_LEN(words); i++) {
        const char *s = words[i];
        assert_int_equal(our_strlen(s), strlen(s));
        assert_ptr_equal(our_strchr(s, 'b'), strchr(s, 'b'));
        assert_ptr_equal(our_strchr(s, 0), strchr(s, 0));
        for (unsigned k = 0; k < ARRAY_LEN(words); k++) {
            assert_int_equal(sign(our_strcmp(s, words[k])), sign(strcmp(s, words[k])));
            assert_int_equal(sign(our_strncmp(s, words[k], 2)), sign(strncmp(s, words[k], 2)));
        }
        for (size_t n = 0; n < 8; n++) {
            assert_int_equal(our_strnlen(s, n), strnlen(s, n));
        }
    }
}

#define SAME(...)                                                        \
    do {                                                                 \
        char ours[64], theirs[64];                                       \
        assert_int_equal(fmt(ours, sizeof(ours), __VA_ARGS__),           \
                         snprintf(theirs, sizeof(theirs), __VA_ARGS__)); \
        assert_string_equal(ours, theirs);                               \
    } while (0)

static void test_format(void **state)
{
    SAME("plain %%");
    SAME("%d %u", -5, 4000000000u);
    SAME("[%5d] [%-5d] [%05d] [%-5u] [%3u]", -42, -42, -42, 42u, 12345u);
    SAME("%x %#x %#x", 0xdeadu, 0x10u, 0u);
    SAME("%016lx %#018lx", 0x1234ul, 0x1234ul);
    SAME("[%#10x] [%-#10x] [%-8lx]", 1u, 2u, 3ul);
    SAME("%ld %lu", LONG_MIN, ~0ul);
    SAME("%lld %llu", LLONG_MIN, ~0ull);
    SAME("%zu", (size_t)12);
    SAME("[%s] [%8s] [%-8s] [%.2s] [%*s]", "abc", "abc", "abc", "abc", 5, "x");
    const char *volatile rest = "not by far, and so is cut";
    SAME("a text that does not fit into sixty-four characters, %s", rest);
}

static void test_format_bounds(void **state)
{
    char small[4] = "zzz";

    assert_int_equal(fmt(small, 0, "abc"), 3);
    assert_int_equal(small[0], 'z');
    assert_int_equal(fmt(small, 1, "abc"), 3);
    assert_int_equal(small[0], 0);
    const char *volatile nothing = NULL; /* the compiler would warn of what we want to see */
    assert_int_equal(fmt(small, 4, "%s", nothing), 6);
    assert_string_equal(small, "(no");
}

static void test_text(void **state)
{
    char buf[4];
    uint64_t v = 77;

    assert_true(text_copy(buf, sizeof(buf), "abc"));
    assert_string_equal(buf, "abc");
    assert_false(text_copy(buf, sizeof(buf), "abcd"));
    assert_string_equal(buf, "abc");
    assert_false(text_to_u64("", &v));
    assert_false(text_to_u64("0x", &v));
    assert_false(text_to_u64("12a", &v));
    assert_false(text_to_u64("-1", &v));
    assert_false(text_to_u64("18446744073709551616", &v));
    assert_int_equal(v, 77);
    assert_true(text_to_u64("18446744073709551615", &v));
    assert_true(v == ~0ull);
    assert_true(text_to_u64("0xFf", &v));
    assert_int_equal(v, 255);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory),        cmocka_unit_test(test_compare),
        cmocka_unit_test(test_strings),       cmocka_unit_test(test_format),
        cmocka_unit_test(test_format_bounds), cmocka_unit_test(test_text),
    };
    return cmocka_run_group_tests_name("text", tests, NULL, NULL);
}
