/* How well classes were predicted: accuracy, F1, confusion, calibration error, and how far chance may have moved them.
 * F1 and accuracy equal scikit-learn's with labels=range(C), zero_division=0: a class absent from truth and
 * predictions has F1 0 and counts in the mean. Everything is float64 over whole counts, so order does not matter. */
#ifndef TASK_METRIC_H
#define TASK_METRIC_H

#include "base/status.h"

#include <stdbool.h>
#include <stdint.h>

#define METRIC_ECE_BINS 15
#define METRIC_CONFUSION_MAX 256 /* classes; a table of more is nobody's to read, and grows as their square */

/* Of a class: right, of this truth, predicted as this. */
typedef struct {
    int64_t right, of, as;
} metric_tally;
/* 0 where the class is absent from both. */
static inline double metric_tally_f1(metric_tally t)
{
    return t.of + t.as > 0 ? 2.0 * (double)t.right / (double)(t.of + t.as) : 0.0;
}

typedef struct {
    int class_count;
    int64_t count;             /* rows that had a truth */
    double accuracy, macro_f1; /* [0, 1]; 0 where count is 0 */
    double *f1;                /* [classes], owned */
    int64_t *sizes;            /* [classes], rows of each truth, owned */
    int64_t *confusion;        /* [classes, classes], row = truth, owned; NULL above METRIC_CONFUSION_MAX classes */
    bool has_ece;              /* probabilities were known */
    double ece;                /* [0, 1] */
} metric_report;

/* truth [n]: 0..classes-1; is_known [n]: false where there is none, and the row is left out; NULL: all have one.
 * predicted [n]: 0..classes-1, or -1 for something
 * else than any class, which counts as wrong and stands in no column of the confusion. Errors: MIEN_ERR_ARG for other
 * values. Free with metric_report_free. */
MIEN_MUST_USE mien_status metric_report_create(metric_report *out, const int32_t *truth, const bool *is_known,
                                               const int32_t *predicted, int64_t n, int class_count);

/* The same from probabilities [n, classes], rows summing to 1: predicted is the largest (of equals the first), and the
 * expected calibration error is known: rows go by their largest probability p into METRIC_ECE_BINS bins of equal width,
 * bin b holding b / 15 < p <= (b + 1) / 15; the error is the mean over rows of |accuracy - mean p| of their bin
 * (Guo et al. 2017). Rows without truth may hold anything. Errors: MIEN_ERR_ARG where a row's probability is not within
 * [0, 1] (NaN). */
MIEN_MUST_USE mien_status metric_report_from_probabilities(metric_report *out, const int32_t *truth,
                                                           const bool *is_known, const float *probabilities, int64_t n,
                                                           int class_count);
void metric_report_free(metric_report *report); /* and empties it */

/* One notice that names the classes without any picture in `set`, since their F1 of 0 counts in the average. sizes
 * [class_count]: pictures of each. */
MIEN_MUST_USE mien_status metric_tell_absent(const char *set, const char *const *classes, const int64_t *sizes,
                                             int class_count);
/* The same of a finished report. */
MIEN_MUST_USE mien_status metric_report_tell_absent(const metric_report *report, const char *set,
                                                    const char *const *classes);

/* Of equal values the first. */
int metric_argmax(const float *values, int count);

/* The middle `confidence` share of what `resamples` sets of n rows, drawn with replacement, would have scored
 * (percentile bootstrap, numpy's linear percentiles). */
typedef struct {
    double low, high;
} metric_interval;
typedef struct {
    int resamples;     /* at least 1 */
    double confidence; /* (0, 1) */
    uint64_t seed;
} metric_bootstrap_options;
#define METRIC_BOOTSTRAP_DEFAULTS ((metric_bootstrap_options){.resamples = 1000, .confidence = 0.95})

/* MIEN_ERR_ARG where options make no sense, or rows are too many to draw from. */
MIEN_MUST_USE mien_status metric_check_bootstrap(const metric_bootstrap_options *options, int64_t n);
/* Of values [count], which it sorts. */
metric_interval metric_middle_share(double *values, int count, double confidence);

/* truth, is_known, predicted as above. With no row both intervals are 0..0. Same seed, same intervals on every machine.
 */
MIEN_MUST_USE mien_status metric_bootstrap(metric_interval *accuracy, metric_interval *macro_f1, const int32_t *truth,
                                           const bool *is_known, const int32_t *predicted, int64_t n, int class_count,
                                           const metric_bootstrap_options *options);

#endif
