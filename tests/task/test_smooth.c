/* Clips are folders in natural order; filters equal their definitions, at a clip's ends too. */
#include "task/smooth.h"

#include "testing.h"

#include "no_memory.h"

#include <math.h>

static const char *const names[] = {"a/10.jpg", "b/1.jpg",   "a/9.jpg", "3.jpg",
                                    "a/1.jpg",  "a/b/1.jpg", "b/2.jpg", "2.jpg"};
enum { NAMES = sizeof names / sizeof names[0] };

static void smooth_clips__folders__in_natural_order(void **state)
{
    (void)state;
    static const uint32_t wanted[] = {7, 3, 4, 2, 0, 5, 1, 6};
    static const int64_t begins[] = {0, 2, 5, 6, 8};
    static const bool is_read[NAMES] = {true, false, false, true, true, true, true, true};
    smooth_clips c;
    assert_ok(smooth_clips_create(&c, names, NULL, NAMES));
    assert_int_equal(c.clips, 4);
    assert_memory_equal(c.row, wanted, sizeof wanted);
    assert_memory_equal(c.begin, begins, sizeof begins);
    smooth_clips_free(&c);
    assert_ok(smooth_clips_create(&c, names, is_read, NAMES));
    assert_int_equal(c.count, 6);
    assert_int_equal(c.begin[2] - c.begin[1], 2); /* 9.jpg of a is none of it */
    smooth_clips_free(&c);
    assert_ok(smooth_clips_create(&c, names, NULL, 0));
    assert_int_equal(c.clips, 0);
    smooth_clips_free(&c);
}

/* Five frames of two columns in reversed order, one frame of another clip, which stays. */
static void assert_smoothed(smooth_kind kind, double width, const double wanted[5])
{
    static const char *const frames[] = {"v/5", "v/4", "v/3", "w/1", "v/2", "v/1"};
    static const int place[5] = {5, 4, 2, 1, 0};
    static const float values[5] = {0, 1, 0, 0, 4};
    float table[6][2] = {0};
    smooth_clips c;
    for (int t = 0; t < 5; t++) {
        table[place[t]][0] = values[t];
        table[place[t]][1] = -2 * values[t];
    }
    table[3][0] = 100;
    assert_ok(smooth_clips_create(&c, frames, NULL, 6));
    assert_ok(smooth_values(table[0], 2, &c, kind, width));
    for (int t = 0; t < 5; t++) {
        assert_true(fabs((double)table[place[t]][0] - wanted[t]) < 1e-6);
        assert_true(fabs((double)table[place[t]][1] + 2 * wanted[t]) < 1e-6);
    }
    assert_true(table[3][0] == 100);
    smooth_clips_free(&c);
}

static void smooth_values__filters__equal_their_definitions(void **state)
{
    (void)state;
    const double e1 = exp(-0.5), e2 = exp(-2), e3 = exp(-4.5), e4 = exp(-8);
    assert_smoothed(SMOOTH_NONE, 3, (double[]){0, 1, 0, 0, 4});
    assert_smoothed(SMOOTH_EXPONENTIAL, 0, (double[]){0, 1, 0, 0, 4});
    assert_smoothed(SMOOTH_EXPONENTIAL, 1, (double[]){0, 0.5, 0.25, 0.125, 2.0625});
    assert_smoothed(SMOOTH_BOX, 0, (double[]){0, 1, 0, 0, 4});
    assert_smoothed(SMOOTH_BOX, 1, (double[]){0.5, 1.0 / 3, 1.0 / 3, 4.0 / 3, 2});
    assert_smoothed(SMOOTH_BOX, 1000, (double[]){1, 1, 1, 1, 1});
    assert_smoothed(SMOOTH_GAUSSIAN, 0, (double[]){0, 1, 0, 0, 4});
    assert_smoothed(SMOOTH_GAUSSIAN, 1,
                    (double[]){(e1 + 4 * e4) / (1 + e1 + e2 + e3 + e4), (1 + 4 * e3) / (1 + 2 * e1 + e2 + e3),
                               (e1 + 4 * e2) / (1 + 2 * e1 + 2 * e2), (e2 + 4 * e1) / (1 + 2 * e1 + e2 + e3),
                               (e3 + 4) / (1 + e1 + e2 + e3 + e4)});
}

static void smooth_values__widths_that_are_none__are_refused(void **state)
{
    (void)state;
    smooth_clips c = {0};
    assert_failure(smooth_values(NULL, 1, &c, SMOOTH_BOX, -1), MIEN_ERR_ARG, "smoothing: width -1 (wanted 0 or more)");
    assert_failure(smooth_values(NULL, 1, &c, SMOOTH_BOX, NAN), MIEN_ERR_ARG, "width nan");
    assert_ok(smooth_values(NULL, 1, &c, SMOOTH_BOX, 1));
}

static mien_status create_and_smooth(void *context)
{
    (void)context;
    float values[NAMES] = {0};
    smooth_clips c;
    TRY(smooth_clips_create(&c, names, NULL, NAMES));
    mien_status st = smooth_values(values, 1, &c, SMOOTH_GAUSSIAN, 2);
    smooth_clips_free(&c);
    return st;
}

static void smooth__memory_runs_out__fails_and_leaks_nothing(void **state)
{
    (void)state;
    fail_each_allocation(create_and_smooth, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(smooth_clips__folders__in_natural_order),
        cmocka_unit_test(smooth_values__filters__equal_their_definitions),
        cmocka_unit_test(smooth_values__widths_that_are_none__are_refused),
        cmocka_unit_test(smooth__memory_runs_out__fails_and_leaks_nothing),
    };
    return cmocka_run_group_tests_name("smooth", tests, NULL, NULL);
}
