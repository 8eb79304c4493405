/* What the kernels of batch_norm.c and batch_norm_dx.c are given. */
#ifndef BACKEND_CPU_KERNEL_BATCH_NORM_H
#define BACKEND_CPU_KERNEL_BATCH_NORM_H

#include "backend/cpu/kernel/kernel.h"
#include "graph/attr.h"

/* x, residual, y [rows, c]. See op.h. scratch: batch_norm_scratch_bytes. */
typedef struct {
    const void *x, *residual;
    const float *gamma, *beta;
    float *running_mean, *running_var;
    void *y;
    float *mean, *inv_std;
    uint8_t *mask; /* NULL: not saved */
    void *scratch;
    int64_t rows, c;
    float eps, momentum;
    activation_kind act;
    int threads;
    bool is_batch, is_bf16;
} batch_norm_args;

typedef struct {
    const void *dy, *x, *residual;
    const float *gamma, *beta;
    const float *mean, *inv_std;             /* of the batch, or NULL and */
    const float *running_mean, *running_var; /* the running ones */
    const uint8_t *mask;
    void *dx, *dresidual;
    float *dgamma, *dbeta; /* all four NULL where not wanted */
    void *scratch;
    int64_t rows, c;
    float eps;
    activation_kind act;
    int threads;
    bool is_bf16;
} batch_norm_dx_args;
/* both: two sums a part in double and float, five numbers a channel */
static inline size_t batch_norm_scratch_bytes(int64_t c, int threads)
{
    return (size_t)wide_count(c) * ((size_t)threads * 2 * (sizeof(double) + sizeof(float)) + 5 * sizeof(float));
}

#endif
