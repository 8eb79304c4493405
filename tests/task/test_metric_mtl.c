/* The challenge's score equals scikit-learn's and a float64 CCC on 10,000 random rows with missing labels; the
 * bootstrap equals its definition, and the one of single labels. */
#include "task/metric_mtl.h"

#include "testing.h"

#include "no_memory.h"

#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/rng.h"
#include "base/str.h"
#include "task/score_mtl.h"

#include <math.h>

#define NUMBERS MIEN_SOURCE_DIR "/tests/fixtures/task/mtl.json"

enum { ROWS = 10000, UNITS = CHALLENGE_AU_COUNT };

/* What mtl_rows points to. */
typedef struct {
    float va_truth[ROWS][2], va[ROWS][2], expression_truth[ROWS], au_truth[ROWS][UNITS], au[ROWS][UNITS];
    uint64_t va_known[ROWS], expression_known[ROWS], au_known[ROWS];
    int32_t expression[ROWS];
} table;

static mtl_rows rows_of(const table *t, int64_t n)
{
    static const float thresholds[UNITS] = {0.25f, 0.25f, 0.25f, 0.25f, 0.25f, 0.25f,
                                            0.25f, 0.25f, 0.25f, 0.25f, 0.25f, 0.25f};
    return (mtl_rows){.n = n,
                      .va_truth = t->va_truth[0],
                      .va_known = t->va_known,
                      .va = t->va[0],
                      .expression_truth = t->expression_truth,
                      .expression_known = t->expression_known,
                      .expression = t->expression,
                      .au_truth = t->au_truth[0],
                      .au_known = t->au_known,
                      .au = t->au[0],
                      .thresholds = thresholds,
                      .has_probabilities = true};
}

/* splitmix64's next number, modulo n: make_mtl.py's. */
static int below(uint64_t *state, uint64_t n)
{
    uint64_t z = *state += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return (int)(((z ^ z >> 31) >> 33) % n);
}

/* make_mtl.py's rows, draw by draw. What is not known holds numbers that must not count. */
static table *draw_rows(void)
{
    static const uint64_t va_bits[6] = {0, 1, 3, 3, 3, 3}, all = (1 << UNITS) - 1;
    table *t = calloc(1, sizeof *t);
    assert_non_null(t);
    uint64_t state = 12;
    for (int i = 0; i < ROWS; i++) {
        for (int k = 0; k < 2; k++) {
            int truth = below(&state, 2001) - 1000;
            t->va_truth[i][k] = (float)truth / 1024;
            t->va[i][k] = (float)(truth + below(&state, 1001) - 300) / 2048;
        }
        t->va_known[i] = va_bits[below(&state, 6)];
        int one = below(&state, 7), other = below(&state, 7);
        int expression = one < other ? one : other;
        t->expression_truth[i] = (float)expression;
        t->expression[i] = below(&state, 2) ? expression : below(&state, 6);
        t->expression_known[i] = below(&state, 3) > 0;
        for (int k = 0; k < UNITS; k++) {
            int active = below(&state, 12) < k;
            t->au_truth[i][k] = (float)active;
            t->au[i][k] = (float)(below(&state, 101) * 10 + 200 * active) / 2048;
        }
        uint64_t bits = (uint64_t)below(&state, 1 << UNITS);
        t->au_known[i] = (uint64_t[]){0, bits, all, all}[below(&state, 4)];
    }
    return t;
}

static const json_t *get(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    if (!value)
        fail_msg("mtl.json: no %s", key);
    return value;
}

static void assert_close(double got, const json_t *wanted, const char *what)
{
    if (!(fabs(got - json_number_value(wanted)) < 1e-12))
        fail_msg("%s: %.17g (wanted %.17g)", what, got, json_number_value(wanted));
}

static void assert_agreement(const metric_agreement *a, const json_t *wanted)
{
    assert_int_equal(a->count, json_integer_value(get(wanted, "count")));
    assert_close(a->ccc, get(wanted, "ccc"), "ccc");
    assert_close(a->pcc, get(wanted, "pcc"), "pcc");
    assert_close(a->icc, get(wanted, "icc"), "icc");
    assert_close(a->rmse, get(wanted, "rmse"), "rmse");
    assert_close(a->mae, get(wanted, "mae"), "mae");
    assert_close(a->sagr, get(wanted, "sagr"), "sagr");
}

static void assert_units(const mtl_report *r, const json_t *wanted)
{
    assert_int_equal(r->n_au, json_integer_value(get(wanted, "count")));
    assert_close(r->value[MTL_P_AU], get(wanted, "p_au"), "p_au");
    for (int k = 0; k < UNITS; k++) {
        const json_t *auc = json_array_get(get(wanted, "auc"), (size_t)k);
        assert_close(r->value[MTL_F1_AU + k], json_array_get(get(wanted, "f1"), (size_t)k), challenge_au_names[k]);
        assert_int_equal(r->is_known[MTL_AUC_AU + k], !json_is_null(auc));
        if (!json_is_null(auc))
            assert_close(r->value[MTL_AUC_AU + k], auc, "auc");
    }
}

static void mtl_report__random_rows__equal_scikit_learn(void **state)
{
    (void)state;
    char *text;
    size_t length;
    json_t *wanted;
    table *t = draw_rows();
    mtl_rows rows = rows_of(t, ROWS);
    mtl_report r;
    assert_ok(file_read(&text, &length, NUMBERS, 0));
    assert_ok(json_parse(&wanted, text, length, "mtl.json"));
    assert_ok(mtl_report_create(&r, &rows));
    assert_agreement(&r.valence, get(wanted, "valence"));
    assert_agreement(&r.arousal, get(wanted, "arousal"));
    assert_true(r.value[MTL_CCC_V] == r.valence.ccc && r.value[MTL_CCC_A] == r.arousal.ccc);
    assert_int_equal(r.n_expr, json_integer_value(get(wanted, "n_expr")));
    for (int c = 0; c < EXPRESSION_COUNT; c++)
        assert_close(r.value[MTL_F1_EXPR + c], json_array_get(get(wanted, "f1_expr"), (size_t)c), expression_names[c]);
    assert_true(r.expr[EXPRESSION_OTHER].of == 0 && r.expr[EXPRESSION_OTHER].as == 0); /* reported as absent */
    assert_close(r.value[MTL_P_EXPR], get(wanted, "p_expr"), "p_expr");
    assert_units(&r, get(wanted, "all"));
    double p_va = (r.value[MTL_CCC_V] + r.value[MTL_CCC_A]) / 2;
    assert_true(r.value[MTL_P_VA] == p_va);
    assert_true(r.is_known[MTL_P_MTL]);
    assert_true(fabs(r.value[MTL_P_MTL] - (p_va + r.value[MTL_P_EXPR] + r.value[MTL_P_AU])) < 1e-15);
    rows.is_partial = true;
    assert_ok(mtl_report_create(&r, &rows));
    assert_units(&r, get(wanted, "partial"));
    json_decref(wanted);
    mem_free(text);
    free(t);
}

/* -5 and -1 stand for what is missing, in truths alone. */
static void append_row(str *text, const table *t, int i, bool is_truth)
{
    const float *va = is_truth ? t->va_truth[i] : t->va[i];
    const int expression = is_truth ? (int)t->expression_truth[i] : t->expression[i];
    assert_ok(str_printf(text, "%d.jpg", i));
    for (int k = 0; k < 2; k++)
        assert_ok(str_printf(text, ",%.11f", is_truth && !(t->va_known[i] >> k & 1) ? -5.0 : (double)va[k]));
    assert_ok(str_printf(text, ",%d", is_truth && !t->expression_known[i] ? -1 : expression));
    for (int k = 0; k < UNITS; k++)
        assert_ok(str_printf(text, ",%d",
                             !is_truth                    ? t->au[i][k] > 0.25f
                             : !(t->au_known[i] >> k & 1) ? -1
                                                          : (int)t->au_truth[i][k]));
    assert_ok(str_append(text, "\n"));
}

/* The same rows as files, predictions in another order: what scikit-learn says of rows, `score` says of files. */
static void score_mtl__files_of_the_rows__score_the_same(void **state)
{
    (void)state;
    table *t = draw_rows();
    str truth = {0}, predicted = {0};
    mtl_rows rows = rows_of(t, ROWS);
    mtl_report wanted, got;
    for (int i = 0; i < ROWS; i++) {
        append_row(&truth, t, i, true);
        append_row(&predicted, t, ROWS - 1 - i, false);
    }
    assert_ok(file_write_all("truth.txt", truth.text, truth.length));
    assert_ok(file_write_all("predicted.txt", predicted.text, predicted.length));
    for (int is_partial = 0; is_partial < 2; is_partial++) {
        rows.is_partial = is_partial;
        assert_ok(mtl_report_create(&wanted, &rows));
        assert_ok(score_mtl(&got, "truth.txt", "predicted.txt", is_partial));
        assert_true(got.n_va == wanted.n_va && got.n_expr == wanted.n_expr && got.n_au == wanted.n_au);
        for (int v = 0; v < MTL_AUC_AU; v++)
            assert_true(got.is_known[v] == wanted.is_known[v] && fabs(got.value[v] - wanted.value[v]) < 1e-12);
    }
    str_free(&truth);
    str_free(&predicted);
    free(t);
}

/* What is not known, by the set or by the model, is left out; what is absent is 0. */
static void mtl_report__tasks_left_out__are_not_zero(void **state)
{
    (void)state;
    table *t = draw_rows();
    mtl_rows rows = rows_of(t, ROWS);
    mtl_report r;
    rows.va = NULL;
    rows.au_truth = NULL;
    assert_ok(mtl_report_create(&r, &rows));
    assert_true(r.is_known[MTL_P_EXPR] && !r.is_known[MTL_P_VA] && !r.is_known[MTL_P_AU] && !r.is_known[MTL_P_MTL]);
    assert_false(r.is_known[MTL_F1_AU] || r.is_known[MTL_CCC_V]);
    assert_true(r.n_va == 0 && r.n_au == 0 && r.n_expr > 0);
    rows = rows_of(t, ROWS);
    rows.has_probabilities = false;
    memset(t->va_known, 0, sizeof t->va_known);
    assert_ok(mtl_report_create(&r, &rows));
    assert_true(r.is_known[MTL_P_AU] && !r.is_known[MTL_P_VA] && !r.is_known[MTL_AUC_AU + 5] && !r.is_known[MTL_P_MTL]);
    rows.n = 0;
    assert_ok(mtl_report_create(&r, &rows));
    for (int i = 0; i < MTL_VALUES; i++)
        assert_true(!r.is_known[i] && r.value[i] == 0);
    free(t);
}

static void metric_agree__constant_side__is_zero(void **state)
{
    (void)state;
    static const float varied[] = {-1, 0, 0.5f, 1}, constant[] = {0.25f, 0.25f, 0.25f, 0.25f};
    metric_column c = {.n = 4, .truth = varied, .predicted = constant, .truth_stride = 1, .predicted_stride = 1};
    metric_agreement a = metric_agree(&c);
    assert_true(a.ccc == 0 && a.pcc == 0 && a.icc == 0 && a.rmse > 0);
    c.truth = constant; /* right, and yet nothing agrees */
    a = metric_agree(&c);
    assert_true(a.ccc == 0 && a.icc == 0 && a.rmse == 0 && a.sagr == 1);
    c.truth = c.predicted = varied;
    a = metric_agree(&c);
    assert_true(fabs(a.ccc - 1) < 1e-15 && fabs(a.icc - 1) < 1e-15 && a.mae == 0);
    static const float minus[] = {1, 0, -0.5f, -1};
    c.predicted = minus;
    a = metric_agree(&c);
    assert_true(fabs(a.pcc + 1) < 1e-15 && a.ccc < 0 && a.sagr == 0.25);
}

static void mtl_report__no_numbers__are_refused_where_they_count(void **state)
{
    (void)state;
    table *t = draw_rows();
    mtl_rows rows = rows_of(t, ROWS);
    mtl_report r;
    for (int i = 0; i < ROWS; i++) {
        if (t->va_known[i] != 3)
            t->va[i][0] = NAN;
        if (!t->expression_known[i])
            t->expression[i] = -1;
        if (t->au_known[i] != (1 << UNITS) - 1)
            t->au[i][3] = NAN;
    }
    assert_ok(mtl_report_create(&r, &rows));
    assert_true(isfinite(r.value[MTL_P_MTL]) && isfinite(r.value[MTL_AUC_AU + 3]));
    int row = 5;
    t->va_known[row] = 3;
    t->va[row][1] = INFINITY;
    t->va[row][0] = 0;
    assert_failure(mtl_report_create(&r, &rows), MIEN_ERR_ARG, "metric: row 5: arousal inf");
    t->va_known[row] = 0;
    t->expression_known[row] = 1;
    t->expression[row] = 8;
    assert_failure(mtl_report_create(&r, &rows), MIEN_ERR_ARG, "metric: row 5: expression 8 (wanted 0..7)");
    t->expression_known[row] = 0;
    t->au_known[row] = (1 << UNITS) - 1;
    t->au[row][11] = NAN;
    assert_failure(mtl_report_create(&r, &rows), MIEN_ERR_ARG, "metric: row 5: AU26 nan");
    free(t);
}

static double f1_at(const metric_column *c, float threshold)
{
    metric_binary b;
    assert_ok(metric_binary_create(&b, c, threshold));
    double f1 = metric_tally_f1(metric_binary_measure(&b, NULL).tally);
    metric_binary_free(&b);
    return f1;
}

static float best_threshold(const metric_column *c)
{
    metric_binary b;
    assert_ok(metric_binary_create(&b, c, 0.5f));
    float best = metric_best_threshold(&b, c, 0.5f);
    metric_binary_free(&b);
    return best;
}

/* No threshold does better, whichever is tried. */
static void metric_best_threshold__is_the_best(void **state)
{
    (void)state;
    table *t = draw_rows();
    for (int k = 0; k < UNITS; k++) {
        metric_column c = {.n = 300,
                           .truth = &t->au_truth[0][k],
                           .predicted = &t->au[0][k],
                           .truth_stride = UNITS,
                           .predicted_stride = UNITS,
                           .known = t->au_known,
                           .needed = (uint64_t)1 << k};
        float best = best_threshold(&c);
        double f1 = f1_at(&c, best);
        for (int i = 0; i < 1300; i++)
            assert_true(f1_at(&c, (float)i / 2048) <= f1);
        assert_true(k == 0 ? best == 0.5f : f1 > 0);
    }
    static const float truth[] = {0, 1, 0, 1}, apart[] = {0.1f, 0.2f, 0.9f, 1}, near[] = {0, 0x1p-149f, 0, 0x1p-149f};
    metric_column c = {.n = 4, .truth = truth, .predicted = apart, .truth_stride = 1, .predicted_stride = 1};
    assert_true(fabsf(best_threshold(&c) - 0.15f) < 1e-6f); /* F1 0.8; the one row alone would have 2/3 */
    c.predicted = near;                                     /* nothing lies between them */
    assert_true(f1_at(&c, best_threshold(&c)) == 1);
    c.n = 0;
    assert_true(best_threshold(&c) == 0.5f);
    free(t);
}

/* --- bootstrap ---------------------------------------------------------------------------------------------------- */

static int by_value(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

/* The definition: rows that are drawn again stand there again, and the sample is scored as a set of its own. */
static void mtl_bootstrap__few_resamples__equal_the_definition(void **state)
{
    (void)state;
    enum { N = 60, SAMPLES = 21 };
    static double values[MTL_VALUES][SAMPLES];
    table *t = draw_rows(), *drawn = calloc(1, sizeof *drawn);
    assert_non_null(drawn);
    int candidates[N], count = 0, defined[MTL_VALUES] = {0};
    for (int i = 0; i < N; i++)
        if (t->va_known[i] == 3 || t->expression_known[i] || t->au_known[i] == (1 << UNITS) - 1)
            candidates[count++] = i;
    assert_true(count < N);
    for (int s = 0; s < SAMPLES; s++) {
        rng r = rng_at(7, 0, (uint64_t)s, RNG_BOOTSTRAP);
        for (int i = 0; i < count; i++) {
            int from = candidates[rng_below(&r, (uint32_t)count)];
            memcpy(drawn->va_truth[i], t->va_truth[from], sizeof t->va_truth[0]);
            memcpy(drawn->va[i], t->va[from], sizeof t->va[0]);
            memcpy(drawn->au_truth[i], t->au_truth[from], sizeof t->au_truth[0]);
            memcpy(drawn->au[i], t->au[from], sizeof t->au[0]);
            drawn->expression_truth[i] = t->expression_truth[from];
            drawn->expression[i] = t->expression[from];
            drawn->va_known[i] = t->va_known[from];
            drawn->expression_known[i] = t->expression_known[from];
            drawn->au_known[i] = t->au_known[from];
        }
        mtl_rows rows = rows_of(drawn, count);
        mtl_report report;
        assert_ok(mtl_report_create(&report, &rows));
        for (int v = 0; v < MTL_VALUES; v++)
            if (report.is_known[v])
                values[v][defined[v]++] = report.value[v];
    }
    metric_interval got[MTL_VALUES];
    mtl_rows rows = rows_of(t, N);
    metric_bootstrap_options o = {.resamples = SAMPLES, .confidence = 0.9, .seed = 7};
    assert_ok(mtl_bootstrap(got, &rows, &o));
    for (int v = 0; v < MTL_VALUES; v++) {
        qsort(values[v], (size_t)defined[v], sizeof(double), by_value);
        if (defined[v] == SAMPLES) { /* at 21 samples the 5th and 95th percentiles are the 2nd and the 20th */
            assert_true(fabs(got[v].low - values[v][1]) < 1e-12);
            assert_true(fabs(got[v].high - values[v][19]) < 1e-12);
        }
    }
    assert_int_equal(defined[MTL_P_MTL], SAMPLES);
    assert_int_equal(defined[MTL_AUC_AU], 0); /* AU01 is never active */
    assert_true(got[MTL_AUC_AU].low == 0 && got[MTL_AUC_AU].high == 0);
    free(t);
    free(drawn);
}

/* Expressions alone are what metric_bootstrap knows too: the same draws, the same interval. */
static void mtl_bootstrap__expressions_alone__equal_metric_bootstrap(void **state)
{
    (void)state;
    enum { N = 500 };
    static int32_t truth[N];
    static bool is_known[N];
    table *t = draw_rows();
    mtl_rows rows = rows_of(t, N);
    rows.va = rows.au = NULL;
    for (int i = 0; i < N; i++)
        truth[i] = (int32_t)t->expression_truth[i], is_known[i] = t->expression_known[i] != 0;
    metric_bootstrap_options o = {.resamples = 100, .confidence = 0.95, .seed = 3};
    metric_interval got[MTL_VALUES], accuracy, macro_f1;
    assert_ok(mtl_bootstrap(got, &rows, &o));
    assert_ok(metric_bootstrap(&accuracy, &macro_f1, truth, is_known, t->expression, N, EXPRESSION_COUNT, &o));
    assert_true(got[MTL_P_EXPR].low == macro_f1.low && got[MTL_P_EXPR].high == macro_f1.high);
    assert_true(macro_f1.low < macro_f1.high);
    o.resamples = 0;
    assert_failure(mtl_bootstrap(got, &rows, &o), MIEN_ERR_ARG, "0 resamples");
    free(t);
}

static mien_status score_and_draw(void *context)
{
    mtl_report r;
    metric_interval intervals[MTL_VALUES];
    TRY(mtl_report_create(&r, context));
    return mtl_bootstrap(intervals, context, &(metric_bootstrap_options){.resamples = 3, .confidence = 0.5});
}

static void mtl__memory_runs_out__fails_and_leaks_nothing(void **state)
{
    (void)state;
    table *t = draw_rows();
    mtl_rows rows = rows_of(t, 50);
    fail_each_allocation(score_and_draw, &rows);
    free(t);
}

static void keep_line(void *payload, int level, const char *line)
{
    (void)level;
    size_t used = strlen(payload);
    snprintf((char *)payload + used, 1024 - used, "%s\n", line);
}

static void mtl_tell_absent__names_them_in_a_line_a_task(void **state)
{
    (void)state;
    char lines[1024] = "";
    table *t = draw_rows();
    mtl_rows rows = rows_of(t, ROWS);
    mtl_report r;
    assert_ok(mtl_report_create(&r, &rows));
    mien_set_log(keep_line, lines);
    assert_ok(mtl_tell_absent(&r, "set.txt"));
    mien_set_log(NULL, NULL);
    assert_string_equal(lines, "set.txt: no picture of other: F1 is 0 there, and counts in the average\n"
                               "set.txt: no picture of AU01: F1 is 0 there, and counts in the average\n");
    free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mtl_report__random_rows__equal_scikit_learn),
        cmocka_unit_test(score_mtl__files_of_the_rows__score_the_same),
        cmocka_unit_test(mtl_report__tasks_left_out__are_not_zero),
        cmocka_unit_test(metric_agree__constant_side__is_zero),
        cmocka_unit_test(mtl_report__no_numbers__are_refused_where_they_count),
        cmocka_unit_test(metric_best_threshold__is_the_best),
        cmocka_unit_test(mtl_bootstrap__few_resamples__equal_the_definition),
        cmocka_unit_test(mtl_bootstrap__expressions_alone__equal_metric_bootstrap),
        cmocka_unit_test(mtl__memory_runs_out__fails_and_leaks_nothing),
        cmocka_unit_test(mtl_tell_absent__names_them_in_a_line_a_task),
    };
    return cmocka_run_group_tests_name("metric_mtl", tests, temp_folder_enter, temp_folder_leave);
}
