/* What is fitted to probabilities that were right or wrong: how sharp they should be, and how much each of several
 * models should count. Both by least log loss, which has one least point each; all in float64. */
#ifndef TASK_CALIBRATE_H
#define TASK_CALIBRATE_H

#include "base/status.h"

#include <stdbool.h>
#include <stdint.h>

/* Probabilities of pictures whose class is known. */
typedef struct {
    const float *const *members; /* [member_count] of [count, classes], rows summing to 1 */
    int member_count;
    const int32_t *truth; /* [count] 0..classes-1 */
    const bool *is_known; /* [count] rows that count; NULL: all */
    int64_t count;
    int classes;
} calibrate_set;

/* The temperature T of least mean -log softmax(log p / T)[truth] of member `member` (Guo et al. 2017), within
 * HEAD_MIN_TEMPERATURE..HEAD_MAX_TEMPERATURE; 1 where no row is known. */
float calibrate_temperature(const calibrate_set *set, int member);

/* Weights [member_count], none negative, sum 1, of least mean -log (sum over m of weight m times p m)[truth]: EM's
 * steps (mixture proportions), from all alike until they stand still. All alike where no row is known. Errors:
 * MIEN_ERR_NOMEM. */
MIEN_MUST_USE mien_status calibrate_weights(double *weights, const calibrate_set *set);

/* Greedy selection (Caruana et al. 2004): beginning with none, the member is added, again and again with replacement,
 * whose addition leaves the mean's macro F1 highest, and its log loss lowest among equals; `rounds` times. The best
 * selection on the way gives the weights: how often each was taken, over all. Errors: MIEN_ERR_NOMEM. */
MIEN_MUST_USE mien_status calibrate_greedy(double *weights, const calibrate_set *set, int rounds);

#endif
