/* What the kernel of conv1x1.c is given. */
#ifndef BACKEND_CPU_KERNEL_CONV1X1_H
#define BACKEND_CPU_KERNEL_CONV1X1_H

#include "backend/cpu/kernel/kernel.h"
#include "graph/attr.h"

/* y [n, hw, o] = act((x s) w + bias + residual), f32. x [n, hw, k], s [n, k] or NULL; w packed in panels (product.h),
 * bias with as many numbers as they have outputs; residual as y, or NULL. */
typedef struct {
    const float *x, *s, *w, *bias, *residual;
    float *y, *scratch; /* scratch: where there is s */
    int64_t n, hw, k, o;
    activation_kind act;
    int threads;
} conv1x1_args;

/* Samples of so few pixels are computed whole, and parts divide the outputs: weights are what is read then. */
enum { CONV1X1_FEW_PIXELS = 64 };
static inline size_t conv1x1_scratch_bytes(int64_t k, int threads)
{
    return (size_t)(k * CONV1X1_FEW_PIXELS * threads) * sizeof(float);
}

#endif
