/* Scores come from a tally of each class, in whole numbers. The bootstrap draws (truth, predicted) pairs and tallies
 * them the same way: a resample costs no pass over probabilities. */
#include "task/metric.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/str.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

int metric_argmax(const float *values, int count)
{
    int best = 0;
    for (int i = 1; i < count; i++)
        if (values[i] > values[best])
            best = i;
    return best;
}

void metric_report_free(metric_report *report)
{
    mem_free(report->f1);
    mem_free(report->sizes);
    mem_free(report->confusion);
    *report = (metric_report){0};
}

mien_status metric_tell_absent(const char *set, const char *const *classes, const int64_t *sizes, int class_count)
{
    const char **absent;
    char names[512];
    int count = 0;
    TRY(mem_alloc(&absent, class_count));
    for (int c = 0; c < class_count; c++)
        if (sizes[c] == 0)
            absent[count++] = classes[c];
    if (count > 0) {
        str_join_words(names, sizeof names, absent, count);
        log_notice("%s: no picture of %s: F1 is 0 there, and counts in the average", set, names);
    }
    mem_free(absent);
    return MIEN_OK;
}

mien_status metric_report_tell_absent(const metric_report *report, const char *set, const char *const *classes)
{
    return metric_tell_absent(set, classes, report->sizes, report->class_count);
}

/* --- from counts ------------------------------------------------------------------------------------------------ */

static void tally_add(metric_tally *tallies, int32_t truth, int32_t predicted)
{
    tallies[truth].of++;
    if (predicted >= 0)
        tallies[predicted].as++;
    tallies[truth].right += predicted == truth;
}

static double tallies_macro_f1(const metric_tally *tallies, int class_count)
{
    double sum = 0;
    for (int c = 0; c < class_count; c++)
        sum += metric_tally_f1(tallies[c]);
    return sum / class_count;
}

static double tallies_accuracy(const metric_tally *tallies, int class_count, int64_t n)
{
    int64_t right = 0;
    for (int c = 0; c < class_count; c++)
        right += tallies[c].right;
    return n > 0 ? (double)right / (double)n : 0.0;
}

/* Has row i a truth? */
static bool is_known_at(const bool *is_known, int64_t i)
{
    return !is_known || is_known[i];
}

static mien_status check_labels(const int32_t *truth, const bool *is_known, const int32_t *predicted, int64_t n,
                                int class_count)
{
    if (class_count < 1 || n < 0)
        return mien_fail(MIEN_ERR_ARG, "metric: %" PRId64 " rows of %d classes (wanted 0.. of 1..)", n, class_count);
    for (int64_t i = 0; i < n; i++)
        if (is_known_at(is_known, i) &&
            (truth[i] < 0 || truth[i] >= class_count || predicted[i] < -1 || predicted[i] >= class_count))
            return mien_fail(MIEN_ERR_ARG, "metric: row %" PRId64 ": truth %d, predicted %d (wanted 0..%d, and -1..%d)",
                             i, truth[i], predicted[i], class_count - 1, class_count - 1);
    return MIEN_OK;
}

mien_status metric_report_create(metric_report *out, const int32_t *truth, const bool *is_known,
                                 const int32_t *predicted, int64_t n, int class_count)
{
    TRY(check_labels(truth, is_known, predicted, n, class_count));
    metric_report report = {.class_count = class_count};
    metric_tally *tallies = NULL;
    mien_status st;
    TRY_OUT(mem_zalloc(&tallies, class_count));
    TRY_OUT(mem_alloc(&report.f1, class_count));
    TRY_OUT(mem_alloc(&report.sizes, class_count));
    if (class_count <= METRIC_CONFUSION_MAX)
        TRY_OUT(mem_zalloc(&report.confusion, class_count * class_count));
    for (int64_t i = 0; i < n; i++) {
        if (!is_known_at(is_known, i))
            continue;
        report.count++;
        tally_add(tallies, truth[i], predicted[i]);
        if (predicted[i] >= 0 && report.confusion)
            report.confusion[(int64_t)truth[i] * class_count + predicted[i]]++;
    }
    for (int c = 0; c < class_count; c++) {
        report.f1[c] = metric_tally_f1(tallies[c]);
        report.sizes[c] = tallies[c].of;
    }
    report.accuracy = tallies_accuracy(tallies, class_count, report.count);
    report.macro_f1 = tallies_macro_f1(tallies, class_count);
    *out = report;
    report = (metric_report){0};
out:
    metric_report_free(&report);
    mem_free(tallies);
    return st;
}

/* --- from probabilities ----------------------------------------------------------------------------------------- */

/* The bin b with b / bins < p <= (b + 1) / bins; p = 0 goes to the first. The edges are compared, not computed by a
 * division, so that a p on an edge falls where the definition says. */
static int ece_bin(double p)
{
    int b = 0;
    while (b < METRIC_ECE_BINS - 1 && p > (double)(b + 1) / METRIC_ECE_BINS)
        b++;
    return b;
}

static double expected_calibration_error(const int32_t *truth, const bool *is_known, const int32_t *predicted,
                                         const float *probabilities, int64_t n, int class_count)
{
    struct {
        int64_t count, right;
        double confidence;
    } bins[METRIC_ECE_BINS] = {0};
    int64_t total = 0;
    for (int64_t i = 0; i < n; i++) {
        if (!is_known_at(is_known, i))
            continue;
        double p = probabilities[i * class_count + predicted[i]];
        int b = ece_bin(p);
        bins[b].count++;
        bins[b].right += predicted[i] == truth[i];
        bins[b].confidence += p;
        total++;
    }
    double error = 0; /* |right - confidence| is count x |accuracy - mean p| */
    for (int b = 0; b < METRIC_ECE_BINS; b++) {
        double gap = (double)bins[b].right - bins[b].confidence;
        error += gap < 0 ? -gap : gap;
    }
    return total > 0 ? error / (double)total : 0.0;
}

static mien_status predict_rows(int32_t *predicted, const bool *is_known, const float *probabilities, int64_t n,
                                int class_count)
{
    for (int64_t i = 0; i < n; i++) {
        const float *row = probabilities + i * class_count;
        predicted[i] = -1;
        if (!is_known_at(is_known, i))
            continue;
        for (int c = 0; c < class_count; c++)
            if (!(row[c] >= 0.0f && row[c] <= 1.0001f)) /* a softmax may round a little above 1; a NaN fails */
                return mien_fail(MIEN_ERR_ARG, "metric: row %" PRId64 ": probability %g of class %d (wanted 0..1)", i,
                                 (double)row[c], c);
        predicted[i] = metric_argmax(row, class_count);
    }
    return MIEN_OK;
}

mien_status metric_report_from_probabilities(metric_report *out, const int32_t *truth, const bool *is_known,
                                             const float *probabilities, int64_t n, int class_count)
{
    int32_t *predicted;
    TRY(mem_alloc(&predicted, n));
    mien_status st;
    metric_report report;
    TRY_OUT(predict_rows(predicted, is_known, probabilities, n, class_count));
    TRY_OUT(metric_report_create(&report, truth, is_known, predicted, n, class_count));
    report.has_ece = true;
    report.ece = expected_calibration_error(truth, is_known, predicted, probabilities, n, class_count);
    *out = report;
out:
    mem_free(predicted);
    return st;
}

/* --- bootstrap -------------------------------------------------------------------------------------------------- */

static int by_value(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

/* numpy.percentile's default: linear between the two nearest of the sorted values. */
static double quantile(const double *sorted, int count, double share)
{
    double place = share * (count - 1);
    int below = (int)place;
    double part = place - below;
    return below + 1 < count ? sorted[below] + part * (sorted[below + 1] - sorted[below]) : sorted[below];
}

metric_interval metric_middle_share(double *values, int count, double confidence)
{
    qsort(values, (size_t)count, sizeof(double), by_value);
    return (metric_interval){quantile(values, count, 0.5 - confidence / 2),
                             quantile(values, count, 0.5 + confidence / 2)};
}

/* The rows with a truth, gathered: what is drawn from. */
typedef struct {
    int32_t truth, predicted;
} pair;

static uint32_t gather_pairs(pair *pairs, const int32_t *truth, const bool *is_known, const int32_t *predicted,
                             int64_t n)
{
    uint32_t count = 0;
    for (int64_t i = 0; i < n; i++)
        if (is_known_at(is_known, i))
            pairs[count++] = (pair){truth[i], predicted[i]};
    return count;
}

mien_status metric_check_bootstrap(const metric_bootstrap_options *options, int64_t n)
{
    if (options->resamples < 1 || !(options->confidence > 0 && options->confidence < 1) || n > UINT32_MAX)
        return mien_fail(MIEN_ERR_ARG,
                         "metric: %d resamples of %" PRId64 " rows, confidence %g (wanted 1.., at most %u rows, 0..1)",
                         options->resamples, n, options->confidence, UINT32_MAX);
    return MIEN_OK;
}

mien_status metric_bootstrap(metric_interval *accuracy, metric_interval *macro_f1, const int32_t *truth,
                             const bool *is_known, const int32_t *predicted, int64_t n, int class_count,
                             const metric_bootstrap_options *options)
{
    TRY(check_labels(truth, is_known, predicted, n, class_count));
    TRY(metric_check_bootstrap(options, n));
    mien_status st;
    pair *pairs = NULL;
    metric_tally *tallies = NULL;
    double *accuracies = NULL, *f1s = NULL;
    TRY_OUT(mem_alloc(&pairs, n));
    TRY_OUT(mem_alloc(&tallies, class_count));
    TRY_OUT(mem_alloc(&accuracies, options->resamples));
    TRY_OUT(mem_alloc(&f1s, options->resamples));
    uint32_t count = gather_pairs(pairs, truth, is_known, predicted, n);
    for (int sample = 0; sample < options->resamples; sample++) {
        rng r = rng_at(options->seed, 0, (uint64_t)sample, RNG_BOOTSTRAP);
        memset(tallies, 0, (size_t)class_count * sizeof(*tallies));
        for (uint32_t i = 0; i < count; i++) {
            pair drawn = pairs[rng_below(&r, count)];
            tally_add(tallies, drawn.truth, drawn.predicted);
        }
        accuracies[sample] = tallies_accuracy(tallies, class_count, count);
        f1s[sample] = tallies_macro_f1(tallies, class_count);
    }
    *accuracy = metric_middle_share(accuracies, options->resamples, options->confidence);
    *macro_f1 = metric_middle_share(f1s, options->resamples, options->confidence);
out:
    mem_free(pairs);
    mem_free(tallies);
    mem_free(accuracies);
    mem_free(f1s);
    return st;
}
