/* What the kernels of group_linear.c are given. */
#ifndef BACKEND_CPU_KERNEL_GROUP_LINEAR_H
#define BACKEND_CPU_KERNEL_GROUP_LINEAR_H

#include "backend/cpu/kernel/kernel.h"

/* x [rows, groups, k], w [groups, o, k] f32, bias [groups, o] f32 or NULL, y [rows, groups, o]. dx: y is dy, x is dx.
 * dw: y is dy; dw as w, dbias as bias, each NULL where not wanted. x and y each have their own type. */
typedef struct {
    void *x, *y;
    const float *w, *bias;
    float *dw, *dbias;
    float *scratch;
    int64_t rows, groups, k, o;
    int threads;
    bool x_is_bf16, y_is_bf16;
} group_linear_args;

/* Rows that are computed together. */
enum { GROUP_LINEAR_ROWS = 64 };
/* A transposed weight, and for each part so many rows of x and of y. */
static inline size_t group_linear_scratch_bytes(int64_t groups, int64_t k, int64_t o, int threads)
{
    return (size_t)(groups * k * o + threads * GROUP_LINEAR_ROWS * groups * (k + o)) * sizeof(float);
}

#endif
