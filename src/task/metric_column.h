/* How well a column of numbers was predicted, over the rows that have a truth: agreement of regressions, F1 and ranking
 * of binary labels; and how far chance may have moved any of it. All in float64. */
#ifndef TASK_METRIC_COLUMN_H
#define TASK_METRIC_COLUMN_H

#include "task/metric.h"

/* n rows of tables: row i has truth[i * truth_stride], predicted[i * predicted_stride]. It counts where all of the bits
 * `needed` are set in known[i] (NULL: always), and then as often as times[i] says (NULL: once). */
typedef struct {
    int64_t n;
    const float *truth, *predicted;
    int64_t truth_stride, predicted_stride;
    const uint64_t *known;
    uint64_t needed;
    const uint32_t *times;
} metric_column;

/* Moments divide by the number of rows. All 0 where no row counts. */
typedef struct {
    int64_t count;
    double ccc; /* Lin's concordance: 2 s_xy / (s_x^2 + s_y^2 + (m_x - m_y)^2); 0 where either side is constant */
    double pcc; /* Pearson's correlation; 0 where either side is constant */
    double icc; /* ICC(3,1) of the two as raters (Shrout & Fleiss 1979); 0 where both sides are constant */
    double rmse, mae;
    double sagr; /* share of rows whose signs agree (0 has a sign of its own) */
} metric_agreement;
metric_agreement metric_agree(const metric_column *c);

/* A column of binary labels, made ready to be measured many times: the rows that count, by their predictions. */
typedef struct {
    uint32_t *row;  /* [count] owned, like codes */
    uint8_t *codes; /* [count] METRIC_ACTIVE .. */
    int64_t count;
} metric_binary;
enum { METRIC_ACTIVE = 1, METRIC_PREDICTED = 2, METRIC_TIED = 4 /* with the row before */ };

typedef struct {
    metric_tally tally; /* of the active */
    bool has_auc;       /* some rows are active and some are not */
    double auc; /* area under the ROC curve: the chance that an active row's prediction is above an inactive one's, ties
                   counting half */
} metric_binary_score;

/* Active is a truth above 0.5, and a prediction above `threshold`. c->times do not matter. Free with
 * metric_binary_free. */
MIEN_MUST_USE mien_status metric_binary_create(metric_binary *out, const metric_column *c, float threshold);
void metric_binary_free(metric_binary *b); /* and empties it */
/* times [rows of the column], NULL: once each. */
metric_binary_score metric_binary_measure(const metric_binary *b, const uint32_t *times);

/* The threshold at which F1 of these rows would be best, midway between two neighbouring probabilities (the lowest's
 * neighbour is 0); of equally good ones that nearest to `usual`, which is the answer too where no row is active. c:
 * what b was made of. */
float metric_best_threshold(const metric_binary *b, const metric_column *c, float usual);

/* Intervals of `count` measures at once, over rows drawn with replacement from those where is_candidate [n] (NULL:
 * all). measure fills values [count] from rows that count times[i] each; NaN: undefined there, and left out. An
 * interval that is never defined is 0..0. Draws are those of metric_bootstrap over as many rows. */
typedef void (*metric_measure)(double *values, const void *payload, const uint32_t *times);
MIEN_MUST_USE mien_status metric_bootstrap_rows(metric_interval *out, int count, metric_measure measure,
                                                const void *payload, const bool *is_candidate, int64_t n,
                                                const metric_bootstrap_options *options);

#endif
