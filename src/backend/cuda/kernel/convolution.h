/* What the kernels of convolution.cu are given: x [n, h, w, c], w [o, c / groups, kh, kw] f32, y [n, p, q, o]. */
#ifndef BACKEND_CUDA_KERNEL_CONVOLUTION_H
#define BACKEND_CUDA_KERNEL_CONVOLUTION_H

#include "backend/cuda/kernel/entry.h"
#include "graph/attr.h"

#include <stdint.h>

typedef struct {
    int64_t n, h, w, c, p, q, o, kh, kw;
    int64_t group_in, group_out; /* channels of x and of y in a group */
    int64_t stride[2], pad[2], dilation[2];
} conv_size;

/* y = act(gamma (w * x + b - mean) / sqrt(var + eps) + beta + residual); what is NULL is left out, of gamma to var all
 * or none. */
typedef struct {
    const void *x, *residual;
    const float *w, *b, *gamma, *beta, *mean, *var;
    void *y;
    conv_size size;
    float eps;
    activation_kind act;
    bool is_bf16;
} conv2d_args;
KERNEL_DECLARE(conv2d);

/* dx of dy [as y] */
typedef struct {
    const void *dy;
    const float *w;
    void *dx;
    conv_size size;
    bool is_bf16;
} conv2d_dx_args;
KERNEL_DECLARE(conv2d_dx);

/* parts [slices, as w] = the gradient of w, of the pixels of y of each slice: s, s + slices, ... of n, p, q */
typedef struct {
    const void *x, *dy;
    double *parts;
    conv_size size;
    int64_t slices;
    bool is_bf16;
} conv2d_dw_args;
KERNEL_DECLARE(conv2d_dw);

#endif
