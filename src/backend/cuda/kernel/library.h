/* What the kernels of library.cu are given: the work around a library's call. */
#ifndef BACKEND_CUDA_KERNEL_LIBRARY_H
#define BACKEND_CUDA_KERNEL_LIBRARY_H

#include "backend/cuda/kernel/entry.h"

#include <stdint.h>

/* Weights as libraries take them: dst [o, taps, c] = src [o, c, taps] f32, times gamma / sqrt(var + eps) of each o
 * where gamma is there. */
typedef struct {
    const float *src, *gamma, *var;
    void *dst;
    int64_t o, c, taps;
    float eps;
    bool is_bf16; /* dst */
} pack_args;
KERNEL_DECLARE(pack);

/* dst [o] = beta + (bias - mean) gamma / sqrt(var + eps), bias NULL: 0; without gamma: dst = bias. */
typedef struct {
    const float *bias, *gamma, *beta, *mean, *var;
    void *dst;
    int64_t o;
    float eps;
    bool is_bf16; /* dst */
} pack_bias_args;
KERNEL_DECLARE(pack_bias);

/* Gradients of weights as we keep them: dst [o, c, taps] f32 = src [o, taps, c]. */
typedef struct {
    const void *src;
    float *dst;
    int64_t o, c, taps;
    bool is_bf16; /* src */
} unpack_args;
KERNEL_DECLARE(unpack);

/* y [rows, columns] = act(y + bias [columns] + residual), bias and residual NULL: none. act: an activation_kind. */
typedef struct {
    const void *bias, *residual;
    void *y;
    int64_t count, columns;
    int act;
    bool is_bf16; /* y, bias and residual */
} epilogue_args;
KERNEL_DECLARE(epilogue);

#endif
