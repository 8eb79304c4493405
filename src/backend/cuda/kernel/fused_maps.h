/* What the kernels of fused_maps.cu are given: maps [n, pixels, c] and numbers of their channels [n, c], of one type.
 * The grid is one picture's, its rows pixels; the blocks are [n][parts][tiles]. */
#ifndef BACKEND_CUDA_KERNEL_FUSED_MAPS_H
#define BACKEND_CUDA_KERNEL_FUSED_MAPS_H

#include "backend/cuda/kernel/entry.h"
#include "backend/cuda/kernel/layout.h"

/* y [n, c] = factor times the sum over pixels of x times other; other NULL: of x. One part. */
typedef struct {
    const void *x, *other;
    void *y;
    column_grid grid;
    float factor;
} fused_map_sum_args;
KERNEL_DECLARE(fused_map_sum_bf16);
KERNEL_DECLARE(fused_map_sum_f32);

/* y [n, pixels, c] = factor times s [n, c] times x; x NULL: without it. y may be x. */
typedef struct {
    const void *x, *s;
    void *y;
    column_grid grid;
    float factor;
} fused_map_scale_args;
KERNEL_DECLARE(fused_map_scale_bf16);
KERNEL_DECLARE(fused_map_scale_f32);

#endif
