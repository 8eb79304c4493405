/* What the kernels of pools.cu are given. */
#ifndef BACKEND_CUDA_KERNEL_POOLS_H
#define BACKEND_CUDA_KERNEL_POOLS_H

#include "backend/cuda/kernel/entry.h"
#include "graph/attr.h"

#include <stdint.h>

/* x [n, h, w, c] and y [n, p, q, c]; the place of the maximum in its window: index u8, as y, NULL where not wanted. */
typedef struct {
    const void *x;
    void *y;
    uint8_t *index;
    int64_t n, h, w, c, p, q;
    pool_attr pool;
    bool is_bf16;
} pool_args;
KERNEL_DECLARE(pool);

/* dx [as x] of dy [as y] and index, which is NULL for an average */
typedef struct {
    const void *dy;
    const uint8_t *index;
    void *dx;
    int64_t n, h, w, c, p, q;
    pool_attr pool;
    bool is_bf16;
} pool_dx_args;
KERNEL_DECLARE(pool_dx);

/* y[n, c] = factor times the sum over pixels of x times other; other NULL: of x.
 * All of one type. */
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
