/* A resample is the same rows counted other times, so that every measure has one form and ranks are sorted once.
 * Moments are taken about the means, in a pass of their own: cancellation would cost more digits than the pass costs
 * time. */
#include "task/metric_column.h"

#include "base/mem.h"
#include "base/rng.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int64_t times_of(const metric_column *c, int64_t row)
{
    if (c->known && (c->known[row] & c->needed) != c->needed)
        return 0;
    return c->times ? c->times[row] : 1;
}

static double truth_of(const metric_column *c, int64_t row)
{
    return (double)c->truth[row * c->truth_stride];
}

static double predicted_of(const metric_column *c, int64_t row)
{
    return (double)c->predicted[row * c->predicted_stride];
}

static int sign_of(double x)
{
    return (x > 0) - (x < 0);
}

metric_agreement metric_agree(const metric_column *c)
{
    metric_agreement out = {0};
    double mean_x = 0, mean_y = 0, xx = 0, yy = 0, xy = 0, squares = 0, distances = 0, agreeing = 0;
    for (int64_t i = 0; i < c->n; i++) {
        int64_t times = times_of(c, i);
        if (times == 0)
            continue;
        out.count += times;
        mean_x += (double)times * truth_of(c, i);
        mean_y += (double)times * predicted_of(c, i);
    }
    if (out.count == 0)
        return out;
    const double n = (double)out.count;
    mean_x /= n;
    mean_y /= n;
    for (int64_t i = 0; i < c->n; i++) {
        int64_t times = times_of(c, i);
        if (times == 0)
            continue;
        double w = (double)times, x = truth_of(c, i), y = predicted_of(c, i);
        xx += w * (x - mean_x) * (x - mean_x);
        yy += w * (y - mean_y) * (y - mean_y);
        xy += w * (x - mean_x) * (y - mean_y);
        squares += w * (x - y) * (x - y);
        distances += w * fabs(x - y);
        agreeing += sign_of(x) == sign_of(y) ? w : 0;
    }
    const double shift = (mean_x - mean_y) * (mean_x - mean_y);
    out.ccc = xx > 0 && yy > 0 ? 2 * xy / (xx + yy + n * shift) : 0;
    out.pcc = xx > 0 && yy > 0 ? xy / sqrt(xx * yy) : 0;
    /* Of two raters (BMS - EMS) / (BMS + EMS), where BMS = (s_x^2 + s_y^2 + 2 s_xy) / 2 and EMS the same with minus. */
    out.icc = xx + yy > 0 ? 2 * xy / (xx + yy) : 0;
    out.rmse = sqrt(squares / n);
    out.mae = distances / n;
    out.sagr = agreeing / n;
    return out;
}

/* --- binary labels ------------------------------------------------------------------------------------------------ */

static int by_prediction(const void *a, const void *b, void *column)
{
    uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
    double x = predicted_of(column, left), y = predicted_of(column, right);
    return x != y ? (x > y) - (x < y) : (left > right) - (left < right);
}

void metric_binary_free(metric_binary *b)
{
    mem_free(b->row);
    mem_free(b->codes);
    *b = (metric_binary){0};
}

mien_status metric_binary_create(metric_binary *out, const metric_column *c, float threshold)
{
    metric_binary b = {0};
    metric_column once = *c;
    once.times = NULL;
    mien_status st;
    TRY_OUT(mem_alloc(&b.row, c->n));
    TRY_OUT(mem_alloc(&b.codes, c->n));
    for (int64_t i = 0; i < c->n; i++)
        if (times_of(&once, i))
            b.row[b.count++] = (uint32_t)i;
    qsort_r(b.row, (size_t)b.count, sizeof *b.row, by_prediction, &once);
    for (int64_t i = 0; i < b.count; i++) {
        bool is_tied = i > 0 && predicted_of(c, b.row[i]) == predicted_of(c, b.row[i - 1]);
        b.codes[i] = (uint8_t)((truth_of(c, b.row[i]) > 0.5 ? METRIC_ACTIVE : 0) |
                               (predicted_of(c, b.row[i]) > (double)threshold ? METRIC_PREDICTED : 0) |
                               (is_tied ? METRIC_TIED : 0));
    }
    *out = b;
    b = (metric_binary){0};
out:
    metric_binary_free(&b);
    return st;
}

/* Whole numbers until the one division: an active row beats the inactive ones below it, and half of its equals. */
metric_binary_score metric_binary_measure(const metric_binary *b, const uint32_t *times)
{
    int64_t by_code[4] = {0}, below[2] = {0}, equal[2] = {0}, twice_won = 0; /* [active] */
    for (int64_t i = 0; i < b->count; i++) {
        int64_t count = times ? times[b->row[i]] : 1;
        if (!(b->codes[i] & METRIC_TIED)) {
            twice_won += equal[1] * (2 * below[0] + equal[0]);
            below[0] += equal[0];
            below[1] += equal[1];
            equal[0] = equal[1] = 0;
        }
        equal[b->codes[i] & METRIC_ACTIVE] += count;
        by_code[b->codes[i] & (METRIC_ACTIVE | METRIC_PREDICTED)] += count;
    }
    twice_won += equal[1] * (2 * below[0] + equal[0]);
    const int64_t both = by_code[METRIC_ACTIVE | METRIC_PREDICTED];
    metric_binary_score out = {
        .tally = {.right = both, .of = by_code[METRIC_ACTIVE] + both, .as = by_code[METRIC_PREDICTED] + both}};
    const int64_t active = out.tally.of, inactive = by_code[0] + by_code[METRIC_PREDICTED];
    out.has_auc = active > 0 && inactive > 0;
    if (out.has_auc)
        out.auc = (double)twice_won / (2.0 * (double)active * (double)inactive);
    return out;
}

/* Midway below a row's prediction; never so near that rounding would leave the row out. */
static float cut_before(const metric_binary *b, const metric_column *c, int64_t i)
{
    double above = predicted_of(c, b->row[i]), below = i > 0 ? predicted_of(c, b->row[i - 1]) : 0;
    float cut = (float)((above + below) / 2);
    return (double)cut < above ? cut : (float)below;
}

/* From all rows predicted active down to the last one alone. */
float metric_best_threshold(const metric_binary *b, const metric_column *c, float usual)
{
    const int64_t active = metric_binary_measure(b, NULL).tally.of;
    metric_tally t = {.right = active, .of = active, .as = b->count};
    float best = usual;
    double best_f1 = 0;
    for (int64_t i = 0; i < b->count && active > 0; i++) {
        if (!(b->codes[i] & METRIC_TIED) && predicted_of(c, b->row[i]) > 0) {
            float cut = cut_before(b, c, i);
            double f1 = metric_tally_f1(t);
            if (f1 > best_f1 || (f1 == best_f1 && fabsf(cut - usual) < fabsf(best - usual))) {
                best = cut;
                best_f1 = f1;
            }
        }
        t.right -= b->codes[i] & METRIC_ACTIVE;
        t.as--;
    }
    return best;
}

/* --- bootstrap ---------------------------------------------------------------------------------------------------- */

/* values [resamples, count] -> each measure's defined ones, gathered in `gathered` [resamples] */
static void take_intervals(metric_interval *out, int count, const double *values, double *gathered, int resamples,
                           double confidence)
{
    for (int k = 0; k < count; k++) {
        int defined = 0;
        for (int s = 0; s < resamples; s++)
            if (!isnan(values[(int64_t)s * count + k]))
                gathered[defined++] = values[(int64_t)s * count + k];
        out[k] = defined ? metric_middle_share(gathered, defined, confidence) : (metric_interval){0, 0};
    }
}

mien_status metric_bootstrap_rows(metric_interval *out, int count, metric_measure measure, const void *payload,
                                  const bool *is_candidate, int64_t n, const metric_bootstrap_options *options)
{
    TRY(metric_check_bootstrap(options, n));
    mien_status st;
    uint32_t *candidates = NULL, *times = NULL, candidate_count = 0;
    double *values = NULL, *gathered = NULL;
    TRY_OUT(mem_alloc(&candidates, n));
    TRY_OUT(mem_alloc(&times, n));
    TRY_OUT(mem_alloc(&values, (size_t)options->resamples * (size_t)count));
    TRY_OUT(mem_alloc(&gathered, options->resamples));
    for (int64_t i = 0; i < n; i++)
        if (!is_candidate || is_candidate[i])
            candidates[candidate_count++] = (uint32_t)i;
    for (int sample = 0; sample < options->resamples; sample++) {
        rng r = rng_at(options->seed, 0, (uint64_t)sample, RNG_BOOTSTRAP);
        memset(times, 0, (size_t)n * sizeof *times);
        for (uint32_t i = 0; i < candidate_count; i++)
            times[candidates[rng_below(&r, candidate_count)]]++;
        measure(values + (int64_t)sample * count, payload, times);
    }
    take_intervals(out, count, values, gathered, options->resamples, options->confidence);
out:
    mem_free(candidates);
    mem_free(times);
    mem_free(values);
    mem_free(gathered);
    return st;
}
