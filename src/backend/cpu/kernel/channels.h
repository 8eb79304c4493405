/* What the kernels of channels.c are given: scaling, means and sums by channel. */
#ifndef BACKEND_CPU_KERNEL_CHANNELS_H
#define BACKEND_CPU_KERNEL_CHANNELS_H

#include "backend/cpu/kernel/kernel.h"

/* x, y [n, hw, c]; s [n, c]. scale, and scale_dx: y = x s. scale_ds: s = sum over hw of x y.
 * scratch of both: scale_scratch_bytes. */
typedef struct {
    const void *x;
    void *y; /* scale_ds reads it */
    void *s; /* scale reads it */
    float *scratch;
    int64_t n, hw, c;
    int threads;
    bool is_bf16;
} scale_args;
static inline size_t scale_scratch_bytes(int64_t c, int threads)
{
    return (size_t)(wide_count(c) * threads) * sizeof(float);
}

/* x [n, hw, c], y [n, c]; backward: y is dy, x is dx. scratch: scale_scratch_bytes */
typedef struct {
    void *x, *y;
    float *scratch;
    int64_t n, hw, c;
    int threads;
    bool is_bf16;
} global_mean_args;

/* dbias [c] = sum over rows of dy [rows, c]; scratch: bias_gradient_scratch_bytes */
typedef struct {
    const void *dy;
    float *dbias;
    double *scratch;
    int64_t rows, c;
    int threads;
    bool is_bf16;
} bias_gradient_args;
static inline size_t bias_gradient_scratch_bytes(int64_t c, int threads)
{
    return (size_t)(wide_count(c) * threads) * (sizeof(double) + sizeof(float));
}

#endif
