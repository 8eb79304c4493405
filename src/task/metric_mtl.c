/* One function measures everything from rows that count so many times each: the report counts them once, and the
 * bootstrap as often as it drew them. */
#include "task/metric_mtl.h"

#include "base/mem.h"

#include <inttypes.h>
#include <math.h>

/* What is measured, each unit's rows in order of its predictions. */
typedef struct {
    const mtl_rows *rows;
    metric_binary au[CHALLENGE_AU_COUNT];
} measuring;

enum { VA_ALL = 3, EXPRESSION_ALL = 1, AU_ALL = (1 << CHALLENGE_AU_COUNT) - 1 };

static bool has_va(const mtl_rows *r)
{
    return r->va_truth && r->va;
}

static bool has_expression(const mtl_rows *r)
{
    return r->expression_truth && r->expression;
}

static bool has_au(const mtl_rows *r)
{
    return r->au_truth && r->au;
}

static bool counts_for_va(const mtl_rows *r, int64_t row)
{
    return has_va(r) && (r->va_known[row] & VA_ALL) == VA_ALL;
}

static bool counts_for_expression(const mtl_rows *r, int64_t row)
{
    return has_expression(r) && (r->expression_known[row] & EXPRESSION_ALL);
}

/* The units that a row counts for. */
static uint64_t units_of(const mtl_rows *r, int64_t row)
{
    uint64_t known = has_au(r) ? r->au_known[row] & AU_ALL : 0;
    return r->is_partial || known == AU_ALL ? known : 0;
}

static metric_column va_column(const mtl_rows *r, int k, const uint32_t *times)
{
    return (metric_column){.n = r->n,
                           .truth = r->va_truth + k,
                           .predicted = r->va + k,
                           .truth_stride = 2,
                           .predicted_stride = 2,
                           .known = r->va_known,
                           .needed = VA_ALL,
                           .times = times};
}

static metric_column au_column(const mtl_rows *r, int k)
{
    return (metric_column){.n = r->n,
                           .truth = r->au_truth + k,
                           .predicted = r->au + k,
                           .truth_stride = CHALLENGE_AU_COUNT,
                           .predicted_stride = CHALLENGE_AU_COUNT,
                           .known = r->au_known,
                           .needed = r->is_partial ? (uint64_t)1 << k : AU_ALL};
}

static void set_value(mtl_report *out, int which, double value)
{
    out->value[which] = value;
    out->is_known[which] = true;
}

static void measure_va(mtl_report *out, const mtl_rows *r, const uint32_t *times)
{
    metric_column valence = va_column(r, 0, times), arousal = va_column(r, 1, times);
    out->valence = metric_agree(&valence);
    out->arousal = metric_agree(&arousal);
    out->n_va = out->valence.count;
    if (out->n_va == 0)
        return;
    set_value(out, MTL_CCC_V, out->valence.ccc);
    set_value(out, MTL_CCC_A, out->arousal.ccc);
    set_value(out, MTL_P_VA, (out->valence.ccc + out->arousal.ccc) / 2);
}

static void measure_expression(mtl_report *out, const mtl_rows *r, const uint32_t *times)
{
    for (int64_t i = 0; i < r->n; i++) {
        int64_t count = counts_for_expression(r, i) ? (times ? times[i] : 1) : 0;
        if (count == 0)
            continue;
        int truth = (int)r->expression_truth[i], predicted = r->expression[i];
        out->n_expr += count;
        out->expr[truth].of += count;
        out->expr[predicted].as += count;
        out->expr[truth].right += truth == predicted ? count : 0;
    }
    if (out->n_expr == 0)
        return;
    double sum = 0;
    for (int c = 0; c < EXPRESSION_COUNT; c++) {
        set_value(out, MTL_F1_EXPR + c, metric_tally_f1(out->expr[c]));
        sum += out->value[MTL_F1_EXPR + c];
    }
    set_value(out, MTL_P_EXPR, sum / EXPRESSION_COUNT);
}

static void measure_au(mtl_report *out, const measuring *m, const uint32_t *times)
{
    const mtl_rows *r = m->rows;
    for (int64_t i = 0; i < r->n; i++)
        out->n_au += units_of(r, i) ? (times ? times[i] : 1) : 0;
    if (out->n_au == 0)
        return;
    double sum = 0;
    for (int k = 0; k < CHALLENGE_AU_COUNT; k++) {
        metric_binary_score score = metric_binary_measure(&m->au[k], times);
        out->au[k] = score.tally;
        set_value(out, MTL_F1_AU + k, metric_tally_f1(score.tally));
        sum += out->value[MTL_F1_AU + k];
        if (r->has_probabilities && score.has_auc)
            set_value(out, MTL_AUC_AU + k, score.auc);
    }
    set_value(out, MTL_P_AU, sum / CHALLENGE_AU_COUNT);
}

static void measure_all(mtl_report *out, const measuring *m, const uint32_t *times)
{
    *out = (mtl_report){.n = m->rows->n};
    if (has_va(m->rows))
        measure_va(out, m->rows, times);
    if (has_expression(m->rows))
        measure_expression(out, m->rows, times);
    if (has_au(m->rows))
        measure_au(out, m, times);
    if (out->n_va && out->n_expr && out->n_au)
        set_value(out, MTL_P_MTL, out->value[MTL_P_VA] + out->value[MTL_P_EXPR] + out->value[MTL_P_AU]);
}

static mien_status check_row(const mtl_rows *r, int64_t i)
{
    static const char *const axes[] = {"valence", "arousal"};
    for (int k = 0; counts_for_va(r, i) && k < 2; k++)
        if (!isfinite(r->va[i * 2 + k]))
            return mien_fail(MIEN_ERR_ARG, "metric: row %" PRId64 ": %s %g", i, axes[k], (double)r->va[i * 2 + k]);
    if (counts_for_expression(r, i) && (r->expression[i] < 0 || r->expression[i] >= EXPRESSION_COUNT))
        return mien_fail(MIEN_ERR_ARG, "metric: row %" PRId64 ": expression %d (wanted 0..%d)", i, r->expression[i],
                         EXPRESSION_COUNT - 1);
    uint64_t units = units_of(r, i);
    for (int k = 0; units && k < CHALLENGE_AU_COUNT; k++)
        if (units >> k & 1 && !isfinite(r->au[i * CHALLENGE_AU_COUNT + k]))
            return mien_fail(MIEN_ERR_ARG, "metric: row %" PRId64 ": %s %g", i, challenge_au_names[k],
                             (double)r->au[i * CHALLENGE_AU_COUNT + k]);
    return MIEN_OK;
}

static void stop_measuring(measuring *m)
{
    for (int k = 0; k < CHALLENGE_AU_COUNT; k++)
        metric_binary_free(&m->au[k]);
}

static mien_status start_measuring(measuring *out, const mtl_rows *rows)
{
    measuring m = {.rows = rows};
    mien_status st = MIEN_OK;
    for (int64_t i = 0; i < rows->n; i++)
        TRY(check_row(rows, i));
    for (int k = 0; st == MIEN_OK && has_au(rows) && k < CHALLENGE_AU_COUNT; k++) {
        metric_column c = au_column(rows, k);
        st = metric_binary_create(&m.au[k], &c, rows->thresholds ? rows->thresholds[k] : 0.5f);
    }
    if (st == MIEN_OK)
        *out = m;
    else
        stop_measuring(&m);
    return st;
}

mien_status mtl_report_create(mtl_report *out, const mtl_rows *rows)
{
    measuring m;
    TRY(start_measuring(&m, rows));
    measure_all(out, &m, NULL);
    stop_measuring(&m);
    return MIEN_OK;
}

/* A metric_measure. */
static void measure_values(double *values, const void *payload, const uint32_t *times)
{
    mtl_report r;
    measure_all(&r, payload, times);
    for (int i = 0; i < MTL_VALUES; i++)
        values[i] = r.is_known[i] ? r.value[i] : (double)NAN;
}

mien_status mtl_bootstrap(metric_interval *out, const mtl_rows *rows, const metric_bootstrap_options *options)
{
    measuring m;
    bool *counts = NULL;
    TRY(start_measuring(&m, rows));
    mien_status st;
    TRY_OUT(mem_alloc(&counts, rows->n));
    for (int64_t i = 0; i < rows->n; i++)
        counts[i] = counts_for_va(rows, i) || counts_for_expression(rows, i) || units_of(rows, i);
    st = metric_bootstrap_rows(out, MTL_VALUES, measure_values, &m, counts, rows->n, options);
out:
    mem_free(counts);
    stop_measuring(&m);
    return st;
}

mien_status mtl_tell_absent(const mtl_report *report, const char *set)
{
    int64_t expr[EXPRESSION_COUNT], au[CHALLENGE_AU_COUNT];
    for (int c = 0; c < EXPRESSION_COUNT; c++)
        expr[c] = report->expr[c].of;
    for (int k = 0; k < CHALLENGE_AU_COUNT; k++)
        au[k] = report->au[k].of;
    if (report->n_expr)
        TRY(metric_tell_absent(set, expression_names, expr, EXPRESSION_COUNT));
    if (report->n_au)
        TRY(metric_tell_absent(set, challenge_au_names, au, CHALLENGE_AU_COUNT));
    return MIEN_OK;
}
