/* What the kernels of depthwise.c and depthwise_dw.c are given. */
#ifndef BACKEND_CPU_KERNEL_DEPTHWISE_H
#define BACKEND_CPU_KERNEL_DEPTHWISE_H

#include "backend/cpu/kernel/kernel.h"
#include "graph/attr.h"

/* Depthwise convolution: x [n, h, w, c], y [n, oh, ow, c], w [kh kw, c] f32 (packed), bias [c] or NULL. forward: y =
 * act(w * x + bias + residual). dx: y is dy, x is dx. dw: dw [c, kh kw] (torchvision's order), dbias [c] or NULL,
 * scratch depthwise_dw_scratch_bytes. */
typedef struct {
    void *x, *y;
    const void *residual;
    const float *w, *bias;
    float *dw, *dbias;
    void *scratch;
    int64_t n, h, width, c, oh, ow;
    int kernel[2], stride[2], pad[2];
    activation_kind act;
    int threads;
    bool is_bf16;
} depthwise_args;
static inline size_t depthwise_dw_scratch_bytes(int64_t c, int taps, int threads)
{
    return (size_t)(c * taps * threads) * sizeof(float);
}

#endif
