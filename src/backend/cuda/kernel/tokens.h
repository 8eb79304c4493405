/* What the kernels of tokens.cu are given. */
#ifndef BACKEND_CUDA_KERNEL_TOKENS_H
#define BACKEND_CUDA_KERNEL_TOKENS_H

#include "backend/cuda/kernel/entry.h"

#include <stdint.h>

/* y [n, t, d] = first [d], then x [n, t - 1, d], plus position [t, d] */
typedef struct {
    const void *x;
    const float *first, *position;
    void *y;
    int64_t n, t, d;
    bool is_x_bf16, is_y_bf16;
} tokens_args;
KERNEL_DECLARE(tokens);

/* Of dy [n, t, d]: dx [n, t - 1, d]; and, in a kernel of its own, position [t, d] and first [d], either of which may be
 * NULL. */
typedef struct {
    const void *dy;
    void *dx;
    float *first, *position;
    int64_t n, t, d;
    bool is_dy_bf16, is_dx_bf16;
} tokens_dx_args;
KERNEL_DECLARE(tokens_dx);
KERNEL_DECLARE(tokens_dposition);

/* y [n, d] = the first token of x [n, t, d]; and back, 0 elsewhere. Of one type. */
typedef struct {
    const void *x;
    void *y;
    int64_t n, t, d;
    bool is_bf16;
} first_token_args;
KERNEL_DECLARE(first_token);
KERNEL_DECLARE(first_token_dx);

#endif
