/* Numbers side by side: what tests print when they differ, and how far apart is allowed. */
#ifndef TESTS_GRAPH_COMPARE_H
#define TESTS_GRAPH_COMPARE_H

#include "graph/program.h"

#include <stdbool.h>

typedef struct {
    double relative; /* of the norm of the difference to the norm of `wanted` */
    double absolute; /* of each element, beside relative * largest |wanted| */
} tolerance;

/* True where ||got - wanted|| <= relative ||wanted|| + absolute sqrt(count) and no element is off by more than 10 times
 * the share it is due (relative * largest |wanted| + absolute). Otherwise prints label, norms and the worst index with
 * both values to stderr. NaN is never equal. */
bool compare_doubles(const char *label, const double *got, const double *wanted, int64_t count, tolerance tol);
bool compare_floats(const char *label, const float *got, const float *wanted, int64_t count, tolerance tol);
/* Elements of any floating type (f32, bf16) as doubles. */
void load_doubles(double *dst, const void *src, dtype type, int64_t count);
/* An input or output of a program, of a floating type, as doubles. */
MIEN_MUST_USE mien_status read_doubles(double *dst, program *p, value_id v, dtype type, int64_t count);

#endif
