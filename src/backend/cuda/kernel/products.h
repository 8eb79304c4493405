/* What the kernel of products.cu is given: every product of matrices is this one, with other strides. */
#ifndef BACKEND_CUDA_KERNEL_PRODUCTS_H
#define BACKEND_CUDA_KERNEL_PRODUCTS_H

#include "backend/cuda/kernel/entry.h"

#include <stdint.h>

/* Elements from one matrix to the next, and from one row or column to the next within it. */
typedef struct {
    int64_t group, row, column;
} matrix_strides;

/* y = a b + bias, for each of `groups` matrices: a [rows, depth], b [depth, columns], y [rows, columns], and bias
 * [groups, columns], which is NULL where there is none. */
typedef struct {
    const void *a, *b;
    const float *bias;
    void *y;
    int64_t groups, rows, columns, depth;
    matrix_strides a_strides, b_strides, y_strides;
    bool is_a_bf16, is_b_bf16, is_y_bf16;
} product_args;
KERNEL_DECLARE(product);

#endif
