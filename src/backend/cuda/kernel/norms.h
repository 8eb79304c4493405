/* What the kernels of norms.cu are given. Batch norm is of x [rows, c], rows being n, h and w; layer norm of x
 * [rows, c], each row by itself. */
#ifndef BACKEND_CUDA_KERNEL_NORMS_H
#define BACKEND_CUDA_KERNEL_NORMS_H

#include "backend/cuda/kernel/entry.h"
#include "graph/attr.h"

#include <stdint.h>

/* parts [2, slices, c]: the sums of x and of its squares over the rows of each slice: s, s + slices, ... */
typedef struct {
    const void *x;
    double *parts;
    int64_t rows, c, slices;
    bool is_bf16;
} batch_moments_args;
KERNEL_DECLARE(batch_moments);

/* Of parts: mean and inverse deviation [c], and the running statistics, which move. */
typedef struct {
    const double *parts;
    float *mean, *inv_std, *running_mean, *running_var;
    int64_t rows, c, slices;
    float eps, momentum;
} batch_statistics_args;
KERNEL_DECLARE(batch_statistics);

/* y = act(gamma (x - mean) k + beta + residual), k = inv_std, or, where that is NULL, of var and eps; mask as op.h
 * says; residual and mask may be NULL. y may be x. */
typedef struct {
    const void *x, *residual;
    const float *gamma, *beta, *mean, *inv_std, *var;
    void *y;
    uint8_t *mask;
    int64_t rows, c;
    float eps;
    activation_kind act;
    bool is_bf16;
} batch_norm_args;
KERNEL_DECLARE(batch_norm);

/* The way back, in three kernels: parts [2, slices, c], the sums of dz and of dz xhat over the rows of each slice; sums
 * [2, c] of all, which are the gradients of beta and gamma; dx and dresidual. k as in batch_norm; mask for activations
 * that are clipped, beta and residual for SiLU; any output may be NULL. dx may be dy. */
typedef struct {
    const void *dy, *x, *residual;
    const float *gamma, *beta, *mean, *inv_std, *var;
    const uint8_t *mask;
    double *parts, *sums;
    void *dx, *dresidual;
    float *dgamma, *dbeta;
    int64_t rows, c, slices;
    float eps;
    activation_kind act;
    bool is_batch, is_bf16;
} batch_norm_dx_args;
KERNEL_DECLARE(batch_norm_dx_parts);
KERNEL_DECLARE(batch_norm_dx_sums);
KERNEL_DECLARE(batch_norm_dx);

/* y = gamma (x - m) k + beta; mean and inv_std [rows] get m and k, both or neither may be NULL. y may be x. */
typedef struct {
    const void *x;
    const float *gamma, *beta;
    void *y;
    float *mean, *inv_std;
    int64_t rows, c;
    float eps;
    bool is_x_bf16, is_y_bf16;
} layer_norm_args;
KERNEL_DECLARE(layer_norm);

/* parts [2, slices, c]: the gradients of gamma and beta of the rows of each slice; dx, of x's type, which may be dy. */
typedef struct {
    const void *dy, *x;
    const float *gamma, *mean, *inv_std;
    double *parts;
    void *dx;
    int64_t rows, c, slices;
    bool is_dy_bf16, is_x_bf16;
} layer_norm_dx_args;
KERNEL_DECLARE(layer_norm_dw);
KERNEL_DECLARE(layer_norm_dx);

#endif
