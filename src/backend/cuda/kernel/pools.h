/* What the kernels of pools.cu are given. Maps are [n, pixels, c]. */
#ifndef BACKEND_CUDA_KERNEL_POOLS_H
#define BACKEND_CUDA_KERNEL_POOLS_H

#include "backend/cuda/kernel/entry.h"

#include <stdint.h>

/* y[n, c] = factor times the sum over pixels of x times other; other NULL: of x. All of one type. */
typedef struct {
    const void *x, *other;
    void *y;
    int64_t n, pixels, c;
    double factor;
    bool is_bf16;
} map_sum_args;
KERNEL_DECLARE(map_sum);

/* y[n, pixel, c] = factor times s[n, c] times x[n, pixel, c]; x NULL: without it. All of one type; y may be x. */
typedef struct {
    const void *x, *s;
    void *y;
    int64_t n, pixels, c;
    double factor;
    bool is_bf16;
} map_scale_args;
KERNEL_DECLARE(map_scale);

#endif
