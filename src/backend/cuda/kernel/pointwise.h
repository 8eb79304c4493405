/* What the kernels of pointwise.cu are given. */
#ifndef BACKEND_CUDA_KERNEL_POINTWISE_H
#define BACKEND_CUDA_KERNEL_POINTWISE_H

#include "backend/cuda/kernel/entry.h"

#include <stdint.h>

/* y = a + b, of a's type. */
typedef struct {
    const void *a, *b;
    void *y;
    int64_t count;
    bool is_bf16, is_b_bf16;
} add_args;
KERNEL_DECLARE(add);

#endif
