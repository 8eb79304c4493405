/* What the kernels of tokens.c are given. */
#ifndef BACKEND_CPU_KERNEL_TOKENS_H
#define BACKEND_CPU_KERNEL_TOKENS_H

#include "backend/cpu/kernel/kernel.h"

/* x [n, t - 1, d], first [d], position [t, d], y [n, t, d] */
typedef struct {
    const void *x;
    const float *first, *position;
    void *y;
    int64_t n, t, d;
    int threads;
    bool is_bf16, is_y_bf16;
} tokens_args;

/* dx, dfirst, dposition: NULL where not wanted */
typedef struct {
    const void *dy;
    void *dx;
    float *dfirst, *dposition;
    int64_t n, t, d;
    int threads;
    bool is_bf16, is_dy_bf16; /* is_bf16: dx */
} tokens_dx_args;

#endif
