/* Shapes print and refuse at the edges of what memory holds; bf16 rounds to nearest even, also at its ends. */
#include "graph/graph_test.h"

#include <math.h>

static void shape__printed__reads_like_python(void **state)
{
    (void)state;
    char text[SHAPE_TEXT_BYTES], narrow[6];
    const shape s = shape_of(3, (int64_t)16, (int64_t)7, (int64_t)2048), scalar = shape_of(0);
    assert_string_equal(shape_print(text, sizeof text, &s), "[16, 7, 2048]");
    assert_string_equal(shape_print(text, sizeof text, &scalar), "[]");
    assert_string_equal(shape_print(narrow, sizeof narrow, &s), "[16, ");
    assert_int_equal(shape_count(&s), 16 * 7 * 2048);
    assert_int_equal(shape_count(&scalar), 1);
    assert_false(shape_equal(&s, &scalar));
}

static void shape__largest_of_all__fits_its_text(void **state)
{
    (void)state;
    char text[SHAPE_TEXT_BYTES];
    const shape s = shape_of(5, INT64_MAX, INT64_MIN, INT64_MIN, INT64_MIN, INT64_MIN);
    assert_true(strlen(shape_print(text, sizeof text, &s)) < SHAPE_TEXT_BYTES - 1);
    assert_int_equal(text[strlen(text) - 1], ']');
}

static void shape__empty_or_too_large__is_refused(void **state)
{
    (void)state;
    const shape empty = shape_of(2, (int64_t)0, (int64_t)3), negative = shape_of(1, (int64_t)-4);
    const shape large = shape_of(3, INT64_C(1) << 30, INT64_C(1) << 30, INT64_C(8));
    const shape most = shape_of(2, INT64_C(1) << 30, INT64_C(1) << 29);
    assert_failure(shape_check(&empty), MIEN_ERR_SHAPE, "dimension 0 of [0, 3] is empty (wanted at least 1)");
    assert_failure(shape_check(&negative), MIEN_ERR_SHAPE, "dimension 0 of [-4] is empty");
    assert_failure(shape_check(&large), MIEN_ERR_SHAPE, "is too large");
    assert_failure(shape_check(&(shape){.rank = 6}), MIEN_ERR_SHAPE, "6 dimensions");
    assert_ok(shape_check(&most));
}

static void bf16__rounding__is_to_nearest_even(void **state)
{
    (void)state;
    assert_int_equal(bf16_from_f32(1.0f), 0x3f80);
    assert_int_equal(bf16_from_f32(1.0f + 0x1p-8f), 0x3f80);            /* a tie goes to the even one */
    assert_int_equal(bf16_from_f32(1.0f + 0x1p-7f + 0x1p-8f), 0x3f82);  /* so does this one, upwards */
    assert_int_equal(bf16_from_f32(1.0f + 0x1p-8f + 0x1p-20f), 0x3f81); /* just above a tie */
    assert_int_equal(bf16_from_f32(-INFINITY), 0xff80);
    assert_true(isnan(bf16_to_f32(bf16_from_f32(NAN))));
    for (uint32_t b = 0; b < 0x10000; b++)
        if (!isnan(bf16_to_f32((uint16_t)b)))
            assert_int_equal(bf16_from_f32(bf16_to_f32((uint16_t)b)), b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shape__printed__reads_like_python),
        cmocka_unit_test(shape__largest_of_all__fits_its_text),
        cmocka_unit_test(shape__empty_or_too_large__is_refused),
        cmocka_unit_test(bf16__rounding__is_to_nearest_even),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
