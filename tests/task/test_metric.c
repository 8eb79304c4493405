/* Metrics equal scikit-learn's on cases with missing classes and missing labels, and the bootstrap equals its
 * definition. */
#include "testing.h"

#include "no_memory.h"

#include "base/file.h"
#include "base/json.h"
#include "base/rng.h"
#include "task/metric.h"

#include <math.h>

#define CASES MIEN_SOURCE_DIR "/tests/fixtures/task/metric.json"

static json_t *get(const json_t *object, const char *key)
{
    json_t *value = json_object_get(object, key);
    if (!value)
        fail_msg("cases.json: no %s", key);
    return value;
}

static int32_t *read_ints(const json_t *array)
{
    int32_t *out = malloc(json_array_size(array) * sizeof(int32_t));
    assert_non_null(out);
    for (size_t i = 0; i < json_array_size(array); i++)
        out[i] = (int32_t)json_integer_value(json_array_get(array, i));
    return out;
}

static void assert_close(double got, double wanted, const char *name, const char *what)
{
    if (!(fabs(got - wanted) < 1e-12))
        fail_msg("%s: %s %.17g (wanted %.17g)", name, what, got, wanted);
}

static void assert_report(const metric_report *r, const json_t *c)
{
    const char *name = json_string_value(get(c, "name"));
    assert_close(r->accuracy, json_number_value(get(c, "accuracy")), name, "accuracy");
    assert_close(r->macro_f1, json_number_value(get(c, "macro_f1")), name, "macro F1");
    for (int i = 0; i < r->class_count; i++) {
        assert_close(r->f1[i], json_number_value(json_array_get(get(c, "f1"), (size_t)i)), name, "F1");
        for (int j = 0; j < r->class_count; j++)
            assert_int_equal(
                r->confusion[i * r->class_count + j],
                json_integer_value(json_array_get(json_array_get(get(c, "confusion"), (size_t)i), (size_t)j)));
    }
}

/* make_metric.py's cases, whose numbers are scikit-learn's. */
static void metric_report__cases__equal_scikit_learn(void **state)
{
    (void)state;
    char *text;
    size_t length;
    json_t *document;
    assert_ok(file_read(&text, &length, CASES, 0));
    assert_ok(json_parse(&document, text, length, "cases.json"));
    const json_t *cases = get(document, "cases");
    assert_true(json_array_size(cases) >= 10);
    size_t calibrated = 0;
    for (size_t i = 0; i < json_array_size(cases); i++) {
        const json_t *c = json_array_get(cases, i), *rows = json_object_get(c, "probabilities");
        int classes = (int)json_integer_value(get(c, "classes"));
        int64_t n = (int64_t)json_array_size(get(c, "truth"));
        int32_t *truth = read_ints(get(c, "truth")), *predicted = read_ints(get(c, "predicted"));
        metric_report r;
        assert_ok(metric_report_create(&r, truth, NULL, predicted, n, classes));
        assert_int_equal(r.count, n);
        assert_false(r.has_ece);
        assert_report(&r, c);
        metric_report_free(&r);
        assert_null(r.f1);
        if (rows) {
            float *p = malloc((size_t)n * (size_t)classes * sizeof(float));
            assert_non_null(p);
            for (int64_t k = 0; k < n * classes; k++)
                p[k] = (float)json_number_value(
                    json_array_get(json_array_get(rows, (size_t)(k / classes)), (size_t)(k % classes)));
            assert_ok(metric_report_from_probabilities(&r, truth, NULL, p, n, classes));
            assert_report(&r, c);
            assert_true(r.has_ece);
            assert_close(r.ece, json_number_value(get(c, "ece")), json_string_value(get(c, "name")), "ece");
            metric_report_free(&r);
            free(p);
            calibrated++;
        }
        free(truth);
        free(predicted);
    }
    assert_true(calibrated >= 4);
    json_decref(document);
    mem_free(text);
}

static void metric_report__rows_without_truth__left_out(void **state)
{
    (void)state;
    static const int32_t truth[] = {0, 7, 1, 1, -9}, predicted[] = {0, 0, 1, 0, -1};
    static const bool is_known[] = {true, false, true, true, false};
    static const float p[] = {0.9f, 0.1f, NAN, NAN, 0.3f, 0.7f, 0.6f, 0.4f, 0, 0};
    metric_report r;
    assert_ok(metric_report_create(&r, truth, is_known, predicted, 5, 2));
    assert_int_equal(r.count, 3);
    assert_close(r.accuracy, 2.0 / 3, "absent", "accuracy");
    assert_int_equal(r.confusion[0] + r.confusion[1] + r.confusion[2] + r.confusion[3], 3);
    metric_report_free(&r);
    assert_ok(metric_report_from_probabilities(&r, truth, is_known, p, 5, 2));
    assert_int_equal(r.count, 3);
    /* each in a bin of its own: right with 0.9 and 0.7, wrong with 0.6 */
    double ece = ((1 - (double)0.9f) + (1 - (double)0.7f) + (double)0.6f) / 3;
    assert_close(r.ece, ece, "absent", "ece");
    metric_report_free(&r);
}

static void metric_report__no_rows__all_zero(void **state)
{
    (void)state;
    metric_report r;
    assert_ok(metric_report_from_probabilities(&r, NULL, NULL, NULL, 0, 6));
    assert_int_equal(r.count, 0);
    assert_true(r.accuracy == 0 && r.macro_f1 == 0 && r.ece == 0);
    metric_report_free(&r);
    metric_interval a, f;
    metric_bootstrap_options o = METRIC_BOOTSTRAP_DEFAULTS;
    assert_ok(metric_bootstrap(&a, &f, NULL, NULL, NULL, 0, 6, &o));
    assert_true(a.low == 0 && a.high == 0 && f.low == 0 && f.high == 0);
}

static void metric_report__values_that_cannot_be__refused(void **state)
{
    (void)state;
    metric_report r;
    assert_failure(metric_report_create(&r, (int32_t[]){0, 6}, NULL, (int32_t[]){0, 0}, 2, 6), MIEN_ERR_ARG,
                   "row 1: truth 6, predicted 0 (wanted 0..5, and -1..5)");
    assert_failure(metric_report_create(&r, (int32_t[]){-2}, NULL, (int32_t[]){0}, 1, 6), MIEN_ERR_ARG, "truth -2");
    assert_failure(metric_report_create(&r, (int32_t[]){0}, NULL, (int32_t[]){7}, 1, 6), MIEN_ERR_ARG, "predicted 7");
    assert_failure(metric_report_create(&r, NULL, NULL, NULL, 0, 0), MIEN_ERR_ARG, "0 classes");
    assert_failure(metric_report_from_probabilities(&r, (int32_t[]){0, 1}, NULL, (float[]){1, 0, NAN, 0}, 2, 2),
                   MIEN_ERR_ARG, "row 1: probability nan of class 0");
    assert_failure(metric_report_from_probabilities(&r, (int32_t[]){0}, NULL, (float[]){1.5f, 0}, 1, 2), MIEN_ERR_ARG,
                   "probability 1.5 of class 0");
}

static void metric_argmax__equal_values__the_first(void **state)
{
    (void)state;
    assert_int_equal(metric_argmax((float[]){0.1f, 0.4f, 0.4f, 0.1f}, 4), 1);
    assert_int_equal(metric_argmax((float[]){-3}, 1), 0);
}

/* n rows of which `right` are right, truths spread evenly over `classes`. */
static void make_rows(int32_t *truth, int32_t *predicted, int n, int right, int classes)
{
    for (int i = 0; i < n; i++) {
        truth[i] = i % classes;
        predicted[i] = i < right ? truth[i] : (truth[i] + 1) % classes;
    }
}

/* The accuracy of resampled rows is binomial: its 95 % interval is known. */
static void metric_bootstrap__accuracy__is_binomial(void **state)
{
    (void)state;
    enum { N = 1000 };
    static int32_t truth[N], predicted[N];
    make_rows(truth, predicted, N, 800, 5);
    metric_interval a, f;
    metric_bootstrap_options o = {.resamples = 4000, .confidence = 0.95, .seed = 1};
    assert_ok(metric_bootstrap(&a, &f, truth, NULL, predicted, N, 5, &o));
    double half = 1.96 * sqrt(0.8 * 0.2 / N);
    assert_true(fabs(a.low - (0.8 - half)) < 0.1 * half);
    assert_true(fabs(a.high - (0.8 + half)) < 0.1 * half);
    metric_report r;
    assert_ok(metric_report_create(&r, truth, NULL, predicted, N, 5));
    assert_true(f.low < r.macro_f1 && r.macro_f1 < f.high);
    assert_true(f.high - f.low < 3 * half);
    metric_report_free(&r);
}

static int by_value(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

/* The definition: resample, score each sample as a set of its own, take percentiles. */
static void metric_bootstrap__few_resamples__equal_the_definition(void **state)
{
    (void)state;
    enum { N = 24, SAMPLES = 21 };
    int32_t truth[N], predicted[N], drawn_truth[N], drawn_predicted[N];
    double f1s[SAMPLES];
    make_rows(truth, predicted, N, 15, 4);
    for (int s = 0; s < SAMPLES; s++) {
        rng r = rng_at(5, 0, (uint64_t)s, RNG_BOOTSTRAP);
        for (int i = 0; i < N; i++) {
            uint32_t k = rng_below(&r, N);
            drawn_truth[i] = truth[k];
            drawn_predicted[i] = predicted[k];
        }
        metric_report report;
        assert_ok(metric_report_create(&report, drawn_truth, NULL, drawn_predicted, N, 4));
        f1s[s] = report.macro_f1;
        metric_report_free(&report);
    }
    qsort(f1s, SAMPLES, sizeof(double), by_value);
    metric_interval a, f;
    metric_bootstrap_options o = {.resamples = SAMPLES, .confidence = 0.8, .seed = 5};
    assert_ok(metric_bootstrap(&a, &f, truth, NULL, predicted, N, 4, &o));
    assert_close(f.low, f1s[2], "bootstrap", "low"); /* place 0.1 x 20 of the sorted */
    assert_close(f.high, f1s[18], "bootstrap", "high");
    o.confidence = 0.85; /* places 1.5 and 18.5: halfway between neighbours */
    assert_ok(metric_bootstrap(&a, &f, truth, NULL, predicted, N, 4, &o));
    assert_close(f.low, (f1s[1] + f1s[2]) / 2, "bootstrap", "low");
    assert_close(f.high, (f1s[18] + f1s[19]) / 2, "bootstrap", "high");
}

static void metric_bootstrap__seed__decides(void **state)
{
    (void)state;
    enum { N = 200 };
    static int32_t truth[N], predicted[N];
    make_rows(truth, predicted, N, 150, 6);
    metric_interval a[3], f[3];
    for (int i = 0; i < 3; i++) {
        metric_bootstrap_options o = METRIC_BOOTSTRAP_DEFAULTS;
        o.seed = i < 2 ? 3 : 4;
        assert_ok(metric_bootstrap(&a[i], &f[i], truth, NULL, predicted, N, 6, &o));
    }
    assert_memory_equal(&f[0], &f[1], sizeof(f[0]));
    assert_memory_not_equal(&f[0], &f[2], sizeof(f[0]));
    metric_bootstrap_options o = {.resamples = 0, .confidence = 0.95};
    assert_failure(metric_bootstrap(a, f, truth, NULL, predicted, N, 6, &o), MIEN_ERR_ARG, "0 resamples");
    o = (metric_bootstrap_options){.resamples = 10, .confidence = 1};
    assert_failure(metric_bootstrap(a, f, truth, NULL, predicted, N, 6, &o), MIEN_ERR_ARG, "confidence 1");
}

static mien_status all_metrics(void *context)
{
    (void)context;
    static const int32_t truth[] = {0, 1, 1}, predicted[] = {0, 1, 0};
    static const float p[] = {1, 0, 0, 1, 1, 0};
    metric_interval a, f;
    metric_bootstrap_options o = {.resamples = 3, .confidence = 0.9};
    TRY(metric_bootstrap(&a, &f, truth, NULL, predicted, 3, 2, &o));
    metric_report r;
    TRY(metric_report_from_probabilities(&r, truth, NULL, p, 3, 2));
    metric_report_free(&r);
    return MIEN_OK;
}

static void metric__memory_runs_out__fails_and_leaks_nothing(void **state)
{
    (void)state;
    fail_each_allocation(all_metrics, NULL);
}

/* A table of classes by classes is made for few of them alone. */
static void report__of_many_classes__has_no_confusion(void **state)
{
    (void)state;
    enum { CLASSES = METRIC_CONFUSION_MAX + 1, ROWS = 3 };
    const int32_t truth[ROWS] = {CLASSES - 1, CLASSES - 1, 0}, predicted[ROWS] = {CLASSES - 1, 0, 0};
    metric_report r;
    assert_ok(metric_report_create(&r, truth, NULL, predicted, ROWS, CLASSES));
    assert_null(r.confusion);
    assert_int_equal(r.sizes[CLASSES - 1], 2);
    assert_int_equal(r.sizes[0], 1);
    assert_true(fabs(r.f1[CLASSES - 1] - 2.0 / 3) < 1e-12);
    metric_report_free(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(report__of_many_classes__has_no_confusion),
        cmocka_unit_test(metric_report__cases__equal_scikit_learn),
        cmocka_unit_test(metric_report__rows_without_truth__left_out),
        cmocka_unit_test(metric_report__no_rows__all_zero),
        cmocka_unit_test(metric_report__values_that_cannot_be__refused),
        cmocka_unit_test(metric_argmax__equal_values__the_first),
        cmocka_unit_test(metric_bootstrap__accuracy__is_binomial),
        cmocka_unit_test(metric_bootstrap__few_resamples__equal_the_definition),
        cmocka_unit_test(metric_bootstrap__seed__decides),
        cmocka_unit_test(metric__memory_runs_out__fails_and_leaks_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
