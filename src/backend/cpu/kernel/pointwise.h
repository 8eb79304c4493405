/* What the kernels of pointwise.c are given. */
#ifndef BACKEND_CPU_KERNEL_POINTWISE_H
#define BACKEND_CPU_KERNEL_POINTWISE_H

#include "backend/cpu/kernel/kernel.h"
#include "graph/attr.h"

/* y [pixels, 3] = x [pixels, 3] u8 * scale + shift, by channel */
typedef struct {
    const uint8_t *x;
    void *y;
    int64_t pixels;
    float scale[3], shift[3];
    int threads;
    bool is_bf16;
} normalise_args;

/* activation: y = f(a). activation_dx: y = a f'(b), b the input (ReLU: output) of the forward pass. add: y = a + b.
 * add_narrow: the same, b bf16, a and y f32. narrow: y = a, y bf16, a f32.
 * sub: y = a - b + shift, a NULL: y = shift - b. multiply: y = factor a. mul: y = a b. */
typedef struct {
    const void *a, *b;
    void *y;
    int64_t count;
    activation_kind kind;
    float shift, factor;
    int threads;
    bool is_bf16;
} pointwise_args;

/* y [count] = sum over t of x [terms, count], in order */
typedef struct {
    const float *x;
    float *y;
    int64_t count;
    int terms, threads;
} sum_args;

#endif
