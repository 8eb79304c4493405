/* What the kernels of fused_batch_norm.cu and fused_batch_norm_dx.cu are given. Tensors are [rows, c]. */
#ifndef BACKEND_CUDA_KERNEL_FUSED_BATCH_NORM_H
#define BACKEND_CUDA_KERNEL_FUSED_BATCH_NORM_H

#include "backend/cuda/kernel/entry.h"
#include "backend/cuda/kernel/layout.h"
#include "graph/attr.h"

/* sums [parts][2][c]: of d = x - pivot, and of d d. */
typedef struct {
    const void *x;
    float *sums;
    column_grid grid;
} fused_bn_sums_args;
KERNEL_DECLARE(fused_bn_sums_bf16);
KERNEL_DECLARE(fused_bn_sums_f32);

/* Statistics of the sums; the running ones move. */
typedef struct {
    const void *x;
    const float *sums;
    float *mean, *inv_std, *running_mean, *running_var;
    int64_t rows;
    int c, parts;
    float eps, momentum;
    bool is_bf16;
} fused_bn_statistics_args;
KERNEL_DECLARE(fused_bn_statistics);

/* y = act(gamma (x - mean) k + beta + residual); k = inv_std, or 1 / sqrt(var + eps) where that is NULL. */
typedef struct {
    const void *x, *residual; /* NULL: none */
    const float *gamma, *beta, *mean, *inv_std, *var;
    void *y;
    uint8_t *mask; /* NULL: not saved */
    column_grid grid;
    float eps;
    activation_kind act;
} fused_bn_apply_args;
KERNEL_DECLARE(fused_bn_apply_bf16);
KERNEL_DECLARE(fused_bn_apply_f32);

/* Gradients. mean, inv_std, var as above; sums [parts][2][c]: of dz, and of dz (x - mean). */
typedef struct {
    const void *dy, *x, *residual;
    const float *gamma, *beta, *mean, *inv_std, *var;
    const uint8_t *mask;
    float *sums;
    const float *terms; /* [2][c]: of fused_bn_dx_terms; NULL: running statistics, dx = gamma k dz */
    void *dx, *dresidual;
    column_grid grid;
    float eps;
    activation_kind act;
} fused_bn_dx_args;
KERNEL_DECLARE(fused_bn_dx_sums_bf16);
KERNEL_DECLARE(fused_bn_dx_sums_f32);
KERNEL_DECLARE(fused_bn_dx_apply_bf16);
KERNEL_DECLARE(fused_bn_dx_apply_f32);

/* Of the sums: the gradients of gamma and beta, and terms [2][c]: mean of dz, and k k mean of dz (x - mean). */
typedef struct {
    const float *sums, *inv_std, *var;
    float *dgamma, *dbeta, *terms; /* each NULL where not wanted */
    int64_t rows;
    int c, parts;
    float eps;
} fused_bn_dx_terms_args;
KERNEL_DECLARE(fused_bn_dx_terms);

#endif
