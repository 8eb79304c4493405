/* What the kernels of fused_layer_norm.cu are given: rows of c numbers, c a multiple of eight and at most
 * LAYER_NORM_MOST. */
#ifndef BACKEND_CUDA_KERNEL_FUSED_LAYER_NORM_H
#define BACKEND_CUDA_KERNEL_FUSED_LAYER_NORM_H

#include "backend/cuda/kernel/norms.h"

enum { LAYER_NORM_EIGHTS = 3, LAYER_NORM_MOST = LAYER_NORM_EIGHTS * 8 * 32, LAYER_NORM_THREADS = 256 };

/* The plain kernel's arguments; a warp a row. */
KERNEL_DECLARE(fused_layer_norm_bf16);
KERNEL_DECLARE(fused_layer_norm_f32);
KERNEL_DECLARE(fused_layer_norm_f32_bf16);

/* dx, and sums [blocks][2][c] of the gradients of beta and gamma. dx may be dy. */
typedef struct {
    const void *dy, *x;
    const float *gamma, *mean, *inv_std;
    void *dx;    /* NULL: not wanted */
    float *sums; /* NULL: not wanted */
    int64_t rows;
    int c;
} fused_layer_norm_dx_args;
KERNEL_DECLARE(fused_layer_norm_dx_bf16);
KERNEL_DECLARE(fused_layer_norm_dx_f32);
KERNEL_DECLARE(fused_layer_norm_dx_f32_bf16);

typedef struct {
    const float *sums;
    float *dgamma, *dbeta; /* each NULL where not wanted */
    int c, parts;
} fused_layer_norm_sum_args;
KERNEL_DECLARE(fused_layer_norm_sum);

#endif
