/* Mean and deviation equal their definition for any number of threads, also where pictures cannot be read. */
#include "data/loader_kit.h"

#include <math.h>

enum { BALANCED = true }; /* copies must not count */

/* The definition: all pixels of all pictures, one after another. */
static void measure_plainly(double mean[3], double std[3], const fixture *f)
{
    double n = 0;
    memset(mean, 0, 3 * sizeof(double));
    memset(std, 0, 3 * sizeof(double));
    for (int pass = 0; pass < 2; pass++) {
        for (int64_t i = 0; i < f->all.count; i++) {
            char path[PATH_MAX];
            image im = {0};
            assert_ok(dataset_path(f->data, f->all.index[i], path, sizeof(path)));
            if (image_read(&im, path) != MIEN_OK) {
                image_free(&im);
                continue;
            }
            for (int k = 0; k < im.width * im.height * 3; k++) {
                double x = im.pixels[k] / 255.0;
                if (pass == 0)
                    mean[k % 3] += x;
                else
                    std[k % 3] += (x - mean[k % 3]) * (x - mean[k % 3]);
            }
            n += pass == 0 ? im.width * im.height : 0;
            image_free(&im);
        }
        for (int c = 0; c < 3; c++) {
            if (pass == 0)
                mean[c] /= n;
            else
                std[c] = sqrt(std[c] / n);
        }
    }
}

static void dataset_statistics__any_threads__equal_the_definition(void **state)
{
    fixture *f = *state;
    for (int i = 0; i < 70; i++) { /* five chunks, sizes that differ */
        char name[32];
        snprintf(name, sizeof(name), "%s/%d.png", i % 3 ? "fear" : "anger", i);
        set_picture(f->folder, name, 5 + i % 7, 9 + i % 4, (uint32_t)i);
    }
    plan_all(f, f->folder, BALANCED);
    double mean[3], std[3];
    measure_plainly(mean, std, f);
    float first[6];
    assert_ok(dataset_statistics(first, first + 3, &f->plan, 1, 0, NULL));
    for (int c = 0; c < 3; c++) {
        assert_true(fabs(first[c] - mean[c]) < 1e-6);
        assert_true(fabs(first[3 + c] - std[c]) < 1e-6);
    }
    for (int threads = 0; threads < 9; threads += 4) {
        float got[6];
        assert_ok(dataset_statistics(got, got + 3, &f->plan, threads, 0, NULL));
        assert_memory_equal(got, first, sizeof(got));
    }
}

static void dataset_statistics__unreadable__left_out_logged_once_and_limited(void **state)
{
    fixture *f = *state;
    set_six(f->folder, (const int[]){3, 3, 3, 1, 0, 0});
    set_text(f->folder, "FEAR/2.png", "no picture");
    plan_all(f, f->folder, BALANCED);
    double mean[3], std[3];
    measure_plainly(mean, std, f);
    float m[3], s[3];
    for (int i = 0; i < 2; i++)
        assert_ok(dataset_statistics(m, s, &f->plan, 2, 0.1, NULL));
    for (int c = 0; c < 3; c++)
        assert_true(fabs(m[c] - mean[c]) < 1e-6 && fabs(s[c] - std[c]) < 1e-6);
    assert_int_equal(f->log.count, 1);
    assert_failure(dataset_statistics(m, s, &f->plan, 2, 0.09, NULL), MIEN_ERR_FORMAT, "more than 0 of 10");
    assert_failure(dataset_statistics(m, s, &f->plan, -1, 0.1, NULL), MIEN_ERR_ARG, "-1 threads");
}

static void dataset_statistics__one_colour__deviation_one(void **state)
{
    fixture *f = *state;
    char path[PATH_MAX];
    image im = {0};
    assert_ok(image_resize_buffer(&im, 30, 30));
    for (int i = 0; i < 30 * 30 * 3; i++)
        im.pixels[i] = (uint8_t)(i % 3 == 0 ? 51 : i % 3 == 1 ? 0 : i);
    set_path(path, f->folder, "anger/1.png");
    assert_ok(image_write_png(path, &im));
    image_free(&im);
    plan_all(f, f->folder, BALANCED);
    float m[3], s[3];
    assert_ok(dataset_statistics(m, s, &f->plan, 1, 0, NULL));
    assert_true(m[0] == 0.2f && m[1] == 0.0f);
    assert_true(s[0] == 1.0f && s[1] == 1.0f && s[2] < 0.5f);
}

static void dataset_statistics__nothing_readable__fails(void **state)
{
    fixture *f = *state;
    set_text(f->folder, "anger/1.png", "");
    plan_all(f, f->folder, BALANCED);
    float m[3], s[3];
    assert_failure(dataset_statistics(m, s, &f->plan, 1, 1, NULL), MIEN_ERR_FORMAT, "no readable picture");
}

static void dataset_statistics__missing_file_of_a_list__fails_by_line(void **state)
{
    fixture *f = *state;
    char path[PATH_MAX];
    set_picture(f->folder, "a.png", 8, 8, 1);
    set_text(f->folder, "set.csv", "a.png,0\ngone.png,1\n");
    set_path(path, f->folder, "set.csv");
    plan_all(f, path, BALANCED);
    float m[3], s[3];
    assert_failure(dataset_statistics(m, s, &f->plan, 2, 1, NULL), MIEN_ERR_IO, "set.csv: line 2: ");
}

static int stop(void *payload, const char *what, int64_t done, int64_t total, const char *note)
{
    (void)what, (void)note;
    assert_true(done <= total && total == 40);
    ++*(int *)payload;
    return 1;
}

static void dataset_statistics__told_to_stop__is_cancelled(void **state)
{
    fixture *f = *state;
    set_six(f->folder, (const int[]){20, 20, 0, 0, 0, 0});
    plan_all(f, f->folder, BALANCED);
    int calls = 0;
    progress p = {.callback = stop, .payload = &calls};
    float m[3], s[3];
    assert_failure(dataset_statistics(m, s, &f->plan, 2, 0, &p), MIEN_ERR_CANCELLED, "interrupted");
    assert_int_equal(calls, 1);
}

static mien_status measure(void *plan)
{
    float m[3], s[3];
    return dataset_statistics(m, s, plan, 1, 0, NULL);
}

static void dataset_statistics__memory_runs_out__fails_and_leaks_nothing(void **state)
{
    fixture *f = *state;
    set_six(f->folder, (const int[]){1, 1, 0, 0, 0, 0});
    plan_all(f, f->folder, BALANCED);
    fail_each_allocation(measure, &f->plan);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make, unmake)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(dataset_statistics__any_threads__equal_the_definition),
        TEST(dataset_statistics__unreadable__left_out_logged_once_and_limited),
        TEST(dataset_statistics__one_colour__deviation_one),
        TEST(dataset_statistics__nothing_readable__fails),
        TEST(dataset_statistics__missing_file_of_a_list__fails_by_line),
        TEST(dataset_statistics__told_to_stop__is_cancelled),
        TEST(dataset_statistics__memory_runs_out__fails_and_leaks_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
