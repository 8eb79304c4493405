/* The multi-task challenge's score (spec 2.6): P_MTL = P_VA + P_EXPR + P_AU, each over the rows that its own task has
 * labels of. What a model or a set does not speak of is left out, not counted as 0. */
#ifndef TASK_METRIC_MTL_H
#define TASK_METRIC_MTL_H

#include "format/face_labels.h"
#include "task/metric_column.h"

/* Truths and bits of what is known as data/annotation.h has them. NULL, a truth or a prediction: that task is left out.
 */
typedef struct {
    int64_t n;
    const float *va_truth; /* [n, 2] */
    const uint64_t *va_known;
    const float *va;               /* [n, 2] */
    const float *expression_truth; /* [n] */
    const uint64_t *expression_known;
    const int32_t *expression; /* [n] 0..7 */
    const float *au_truth;     /* [n, 12] */
    const uint64_t *au_known;
    const float *au;         /* [n, 12] probabilities, or decisions 0 and 1 */
    const float *thresholds; /* [12] of a probability above which a unit is active; NULL: 0.5 */
    bool has_probabilities;  /* ... so that the area under the ROC curve means something */
    bool is_partial;         /* a row counts for the units that it knows; else for all twelve or none */
} mtl_rows;

/* What is measured, in one list, as bootstrap intervals want it. */
enum {
    MTL_CCC_V,
    MTL_CCC_A,
    MTL_P_VA,
    MTL_P_EXPR,
    MTL_P_AU,
    MTL_P_MTL,
    MTL_F1_EXPR,
    MTL_F1_AU = MTL_F1_EXPR + EXPRESSION_COUNT,
    MTL_AUC_AU = MTL_F1_AU + CHALLENGE_AU_COUNT,
    MTL_VALUES = MTL_AUC_AU + CHALLENGE_AU_COUNT,
};

typedef struct {
    int64_t n;                  /* rows, with labels or without */
    int64_t n_va, n_expr, n_au; /* rows that count; is_partial: for some unit */
    metric_agreement valence, arousal;
    metric_tally expr[EXPRESSION_COUNT]; /* `of` and `as` 0: absent from both, F1 is 0 and counts in the mean */
    metric_tally au[CHALLENGE_AU_COUNT];
    double value[MTL_VALUES]; /* 0 where it is not known */
    bool is_known[MTL_VALUES];
} mtl_report;

/* Errors MIEN_ERR_ARG "metric: row 7: arousal nan" for predictions that are no numbers or no class, where they count.
 */
MIEN_MUST_USE mien_status mtl_report_create(mtl_report *out, const mtl_rows *rows);
/* out [MTL_VALUES]; 0..0 where a value is not known. Rows are drawn from those that count for any of the tasks. */
MIEN_MUST_USE mien_status mtl_bootstrap(metric_interval *out, const mtl_rows *rows,
                                        const metric_bootstrap_options *options);
/* A notice for each of the two tasks that names classes, and action units, absent from the truth: their F1 is 0, and
 * counts. */
MIEN_MUST_USE mien_status mtl_tell_absent(const mtl_report *report, const char *set);

#endif
