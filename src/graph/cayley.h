/* Cayley's transform, which operator orthogonal is (op/orthogonal.c has the formulas): matrices are small and few, so
 * it is computed in double by plain loops. For backends on the CPU, and for files that hold the result. */
#ifndef GRAPH_CAYLEY_H
#define GRAPH_CAYLEY_H

#include <stdint.h>

/* y [d, d] of w [d, d]. scratch [d, 2 d] */
void cayley(float *y, const float *w, double *scratch, int64_t d);
/* dw [d, d], gradient of w, where dy is that of y. scratch [d, 2 d] */
void cayley_dx(float *dw, const float *w, const float *y, const float *dy, double *scratch, int64_t d);

#endif
