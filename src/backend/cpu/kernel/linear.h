/* What the kernels of linear.c are given. */
#ifndef BACKEND_CPU_KERNEL_LINEAR_H
#define BACKEND_CPU_KERNEL_LINEAR_H

#include "backend/cpu/kernel/kernel.h"

/* x [rows, k], w [o, k] f32, bias [o] or NULL, y [rows, o]. dx: y is dy, x is dx. dw: y is dy; dw [o, k], dbias [o],
 * each NULL where not wanted. x and y each have their own type. */
typedef struct {
    void *x, *y;
    const float *w, *bias;
    float *dw, *dbias;
    float *scratch; /* x, y and a transposed weight, as f32 */
    int64_t rows, k, o;
    int threads;
    bool x_is_bf16, y_is_bf16;
    bool is_transposed; /* forward: w is [k, o] */
} linear_args;
static inline size_t linear_scratch_bytes(int64_t rows, int64_t k, int64_t o)
{
    return (size_t)(rows * (k + o) + k * o) * sizeof(float);
}

#endif
