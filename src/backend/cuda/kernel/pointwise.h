/* What the kernels of pointwise.cu are given. */
#ifndef BACKEND_CUDA_KERNEL_POINTWISE_H
#define BACKEND_CUDA_KERNEL_POINTWISE_H

#include "backend/cuda/kernel/entry.h"
#include "graph/attr.h"

#include <stdint.h>

/* add: y = a + b, b perhaps narrower. sub: y = a - b + shift, a NULL: y = shift - b. mul: y = a b. multiply: y = factor
 * a. activation: y = f(a). activation_dx: y = a f'(b), b the input (ReLU, ReLU6: output) of the forward pass. y may be
 * a. Types are y's where nothing is said. */
typedef struct {
    const void *a, *b;
    void *y;
    int64_t count;
    activation_kind kind;
    float shift, factor;
    bool is_bf16, is_b_bf16; /* is_b_bf16: of add alone */
} pointwise_args;
KERNEL_DECLARE(add);
KERNEL_DECLARE(sub);
KERNEL_DECLARE(mul);
KERNEL_DECLARE(multiply);
KERNEL_DECLARE(activation);
KERNEL_DECLARE(activation_dx);

/* y = x in y's type, which may be x's */
typedef struct {
    const void *x;
    void *y;
    int64_t count;
    bool is_x_bf16, is_y_bf16;
} convert_args;
KERNEL_DECLARE(convert);

#endif
