/* What the kernels of layer_norm.c are given. */
#ifndef BACKEND_CPU_KERNEL_LAYER_NORM_H
#define BACKEND_CPU_KERNEL_LAYER_NORM_H

#include "backend/cpu/kernel/kernel.h"

/* x, y [rows, c]. mean, inv_std [rows] or NULL: not saved. See op.h. */
typedef struct {
    const void *x;
    const float *gamma, *beta;
    void *y;
    float *mean, *inv_std;
    int64_t rows, c;
    float eps;
    int threads;
    bool is_x_bf16, is_bf16; /* is_bf16: y */
} layer_norm_args;

/* dx, dgamma, dbeta: NULL where not wanted. scratch: layer_norm_dx_scratch_bytes */
typedef struct {
    const void *dy, *x;
    const float *gamma, *mean, *inv_std;
    void *dx;
    float *dgamma, *dbeta;
    void *scratch;
    int64_t rows, c;
    int threads;
    bool is_x_bf16, is_bf16; /* x and dx; dy */
} layer_norm_dx_args;
static inline size_t layer_norm_dx_scratch_bytes(int64_t c, int threads)
{
    return (size_t)(2 * c * threads) * (sizeof(double) + sizeof(float));
}

#endif
