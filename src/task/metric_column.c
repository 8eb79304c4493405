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

static bool is_active(const metric_column *c, int64_t row)
{
    return c->truth[row * c->truth_stride] > 0.5f;
}

metric_tally metric_binary_tally(const metric_column *c, float threshold)
{
    metric_tally t = {0};
    for (int64_t i = 0; i < c->n; i++) {
        int64_t times = times_of(c, i);
        bool of = is_active(c, i), as = c->predicted[i * c->predicted_stride] > threshold;
        t.of += of ? times : 0;
        t.as += as ? times : 0;
        t.right += of && as ? times : 0;
    }
    return t;
}

static int by_prediction(const void *a, const void *b, void *column)
{
    uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
    double x = predicted_of(column, left), y = predicted_of(column, right);
    return x != y ? (x > y) - (x < y) : (left > right) - (left < right);
}

mien_status metric_rank(metric_ranking *out, const metric_column *c)
{
    metric_ranking ranking = {0};
    TRY(mem_alloc(&ranking.row, c->n));
    for (int64_t i = 0; i < c->n; i++)
        if (times_of(c, i) > 0)
            ranking.row[ranking.count++] = (uint32_t)i;
    qsort_r(ranking.row, (size_t)ranking.count, sizeof *ranking.row, by_prediction, (void *)c);
    *out = ranking;
    return MIEN_OK;
}

/* Whole numbers until the one division: an active row beats the inactive ones below it, and half of its equals. */
bool metric_auc(double *out, const metric_column *c, const metric_ranking *ranking)
{
    int64_t active = 0, inactive = 0, twice_won = 0;
    for (int64_t i = 0; i < ranking->count;) {
        double score = predicted_of(c, ranking->row[i]);
        int64_t equal[2] = {0, 0};
        do {
            equal[is_active(c, ranking->row[i])] += times_of(c, ranking->row[i]);
            i++;
        } while (i < ranking->count && predicted_of(c, ranking->row[i]) == score);
        twice_won += equal[1] * (2 * inactive + equal[0]);
        inactive += equal[0];
        active += equal[1];
    }
    if (active == 0 || inactive == 0)
        return false;
    *out = (double)twice_won / (2.0 * (double)active * (double)inactive);
    return true;
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
