/* Text helpers against lists of odd inputs: orders are total, numbers parse as people write them and as no locale
 * changes them. */
#include "base/size.h"
#include "base/str.h"
#include "no_memory.h"
#include "testing.h"

#include <locale.h>
#include <math.h>

static void str__append__grows(void **state)
{
    (void)state;
    str s = {0};
    for (int i = 0; i < 1000; i++) {
        assert_ok(str_append(&s, "ab"));
        assert_ok(str_append_bytes(&s, "\0c", 2));
        assert_ok(str_printf(&s, "%03d", i));
    }
    assert_int_equal(s.length, 7000);
    assert_memory_equal(s.text + 6993, "ab\0c999", 8);
    str_free(&s);
    assert_null(s.text);
    assert_ok(str_append(&s, ""));
    assert_string_equal(s.text, "");
    str_free(&s);
}

static mien_status build_text(void *context)
{
    (void)context;
    str s = {0};
    mien_status st;
    for (int i = 0; i < 200; i++) {
        TRY_OUT(str_append(&s, "some words "));
        TRY_OUT(str_printf(&s, "and number %d ", i));
    }
out:
    str_free(&s);
    return st;
}

static void str__no_memory__is_told(void **state)
{
    (void)state;
    fail_each_allocation(build_text, NULL);
}

static void str__no_memory__keeps_the_text(void **state)
{
    (void)state;
    str s = {0};
    char big[500];
    memset(big, 'x', sizeof(big));
    assert_ok(str_append(&s, "kept"));
    mem_fail_after(1);
    assert_int_equal(str_append_bytes(&s, big, sizeof(big)), MIEN_ERR_NOMEM);
    assert_string_equal(s.text, "kept");
    str_free(&s);
}

static void str__starts_ends_nocase(void **state)
{
    (void)state;
    assert_true(str_starts("image.jpg", "image"));
    assert_true(str_starts("image", ""));
    assert_false(str_starts("im", "image"));
    assert_true(str_ends("image.jpg", ".jpg"));
    assert_false(str_ends("jpg", ".jpg"));
    assert_true(str_equal_nocase("HaPPiness", "hAppINESS"));
    assert_false(str_equal_nocase("happy", "happ"));
    assert_false(str_equal_nocase("\xC3\x84", "\xC3\xA4")); /* ASCII alone: the same everywhere */
    assert_true(str_equal_nocase("", ""));
}

static int sign(int order)
{
    return (order > 0) - (order < 0);
}

static void str_compare_natural__sequence__is_in_order(void **state)
{
    (void)state;
    static const char *const ordered[] = {"",
                                          "0",
                                          "00",
                                          "0a",
                                          "01",
                                          "1",
                                          "1.jpg",
                                          "2.jpg",
                                          "9",
                                          "9a",
                                          "10",
                                          "10.jpg",
                                          "99999999999999999999999999999998",
                                          "99999999999999999999999999999999",
                                          "A",
                                          "a",
                                          "a-1",
                                          "a01",
                                          "a1",
                                          "a1b",
                                          "a1b2",
                                          "a1b10",
                                          "a2",
                                          "a02b",
                                          "a10",
                                          "img2",
                                          "img10",
                                          "img10a",
                                          "\x7F",
                                          "\xC3\xA9"};
    enum { COUNT = sizeof(ordered) / sizeof(ordered[0]) };
    for (int i = 0; i < COUNT; i++)
        for (int j = 0; j < COUNT; j++) {
            int order = sign(str_compare_natural(ordered[i], ordered[j])), wanted = (i > j) - (i < j);
            if (order != wanted)
                fail_msg("'%s' against '%s': %d (wanted %d)", ordered[i], ordered[j], order, wanted);
        }
}

/* A sort may do anything with an order that is not one: each triple of many odd names must agree. */
static void str_compare_natural__any_names__is_a_total_order(void **state)
{
    (void)state;
    static const char *const pieces[] = {"", "0", "1", "01", "10", "a", "-", "b2", "\xFF"};
    enum { PIECES = sizeof(pieces) / sizeof(pieces[0]), NAMES = PIECES * PIECES };
    char names[NAMES][16];
    for (int i = 0; i < NAMES; i++)
        snprintf(names[i], sizeof(names[i]), "%s%s", pieces[i / PIECES], pieces[i % PIECES]);
    for (int i = 0; i < NAMES; i++)
        for (int j = 0; j < NAMES; j++) {
            int ij = sign(str_compare_natural(names[i], names[j]));
            assert_int_equal(ij, -sign(str_compare_natural(names[j], names[i])));
            assert_int_equal(ij == 0, strcmp(names[i], names[j]) == 0);
            for (int k = 0; k < NAMES && ij < 0; k++)
                if (str_compare_natural(names[j], names[k]) < 0)
                    assert_true(str_compare_natural(names[i], names[k]) < 0);
        }
}

static void str_to_int64__texts(void **state)
{
    (void)state;
    int64_t value;
    static const struct {
        const char *text;
        int64_t value;
    } good[] = {{"0", 0},
                {"-0", 0},
                {"+7", 7},
                {"007", 7},
                {"-12", -12},
                {"9223372036854775807", INT64_MAX},
                {"-9223372036854775808", INT64_MIN}};
    static const char *const bad[] = {"",
                                      "-",
                                      "+",
                                      " 1",
                                      "1 ",
                                      "1.0",
                                      "1e3",
                                      "0x10",
                                      "--1",
                                      "1a",
                                      "9223372036854775808",
                                      "-9223372036854775809",
                                      "99999999999999999999999",
                                      "\xD9\xA1"};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_true(str_to_int64(&value, good[i].text));
        assert_int_equal(value, good[i].value);
    }
    value = 42;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (str_to_int64(&value, bad[i]))
            fail_msg("'%s' was taken for a number", bad[i]);
    assert_int_equal(value, 42);
}

static void str_to_double__texts(void **state)
{
    (void)state;
    double value;
    static const struct {
        const char *text;
        double value;
    } good[] = {{"0", 0},        {"-0.5", -0.5}, {"+1", 1},
                {".5", 0.5},     {"5.", 5},      {"1e3", 1000},
                {"1E-3", 0.001}, {"1e-400", 0},  {"1.7976931348623157e308", 1.7976931348623157e308}};
    static const char *const bad[] = {"",    ".",  "-",  "1,5",  "nan",   "inf", "-inf",     "0x1p3", "1e",
                                      "1e+", " 1", "1 ", "1..2", "1e400", "e5",  "infinity", "1_000"};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_true(str_to_double(&value, good[i].text));
        assert_true(value == good[i].value);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (str_to_double(&value, bad[i]))
            fail_msg("'%s' was taken for a number", bad[i]);
}

static void str_to_double__comma_locale__reads_points(void **state)
{
    (void)state;
    static const char *const locales[] = {"de_DE.UTF-8", "fr_FR.UTF-8", "de_DE", "fr_FR"};
    char *kept = strdup(setlocale(LC_NUMERIC, NULL));
    bool has_one = false;
    for (size_t i = 0; i < 4 && !has_one; i++)
        has_one = setlocale(LC_NUMERIC, locales[i]) != NULL;
    if (!has_one) {
        free(kept);
        print_message("skipped: no locale with a decimal comma is installed\n");
        skip();
    }
    double value = 0;
    bool is_read = str_to_double(&value, "0.5");
    setlocale(LC_NUMERIC, kept);
    free(kept);
    assert_true(is_read && value == 0.5);
}

static void str_is_utf8__sequences(void **state)
{
    (void)state;
    static const char *const good[] = {
        "", "abc", "\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80", "\xF4\x8F\xBF\xBF", "\xEF\xBF\xBD", "\xED\x9F\xBF"};
    static const char *const bad[] = {
        "\x80",     "\xC3",          "\xC0\x80",         "\xC1\xBF",         "\xE0\x80\x80",
        "\xE2\x82", "\xED\xA0\x80",  "\xF0\x80\x80\x80", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80",
        "\xFF",     "a\xE2\x28\xA1", "\xE9t\xE9"};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_true(str_is_utf8(good[i], strlen(good[i])));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(str_is_utf8(bad[i], strlen(bad[i])));
}

static void str_join_words__counts(void **state)
{
    (void)state;
    static const char *const words[] = {"adam", "sgd", "none"};
    char text[64];
    str_join_words(text, sizeof(text), words, 0);
    assert_string_equal(text, "");
    str_join_words(text, sizeof(text), words, 1);
    assert_string_equal(text, "adam");
    str_join_words(text, sizeof(text), words, 2);
    assert_string_equal(text, "adam or sgd");
    str_join_words(text, sizeof(text), words, 3);
    assert_string_equal(text, "adam, sgd or none");
    str_join_words(text, 11, words, 3);
    assert_string_equal(text, "adam, sgd.");
    str_join_words(text, 1, words, 3);
    assert_string_equal(text, "");
}

static void size__overflow__is_seen(void **state)
{
    (void)state;
    size_t n = 0;
    assert_true(size_mul(&n, 1 << 16, 1 << 16));
    assert_int_equal(n, 1ull << 32);
    assert_false(size_mul(&n, SIZE_MAX / 2, 3));
    assert_true(size_add(&n, SIZE_MAX - 1, 1));
    assert_false(size_add(&n, SIZE_MAX, 1));
    assert_int_equal(size_align(65, 64), 128);
    assert_int_equal(size_align(64, 64), 64);
    assert_int_equal(size_align(0, 64), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(str__append__grows),
        cmocka_unit_test(str__no_memory__is_told),
        cmocka_unit_test(str__no_memory__keeps_the_text),
        cmocka_unit_test(str__starts_ends_nocase),
        cmocka_unit_test(str_compare_natural__sequence__is_in_order),
        cmocka_unit_test(str_compare_natural__any_names__is_a_total_order),
        cmocka_unit_test(str_to_int64__texts),
        cmocka_unit_test(str_to_double__texts),
        cmocka_unit_test(str_to_double__comma_locale__reads_points),
        cmocka_unit_test(str_is_utf8__sequences),
        cmocka_unit_test(str_join_words__counts),
        cmocka_unit_test(size__overflow__is_seen),
    };
    return cmocka_run_group_tests_name("base/str", tests, NULL, NULL);
}
