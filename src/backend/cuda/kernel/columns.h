/* What the kernels of columns.cu are given: sums over the rows of a matrix, in two steps, so that many threads have
 * something to do where columns are few and rows many. The order of each sum is fixed. */
#ifndef BACKEND_CUDA_KERNEL_COLUMNS_H
#define BACKEND_CUDA_KERNEL_COLUMNS_H

#include "backend/cuda/kernel/entry.h"

#include <stdint.h>

/* parts[s, c] = sum of x [rows, columns] over the rows of slice s: s, s + slices, s + 2 slices, ... */
typedef struct {
    const void *x;
    double *parts;
    int64_t rows, columns, slices;
    bool is_bf16;
} column_sum_args;
KERNEL_DECLARE(column_sum);

/* y[c] = sum of parts [slices, columns] over slices. */
typedef struct {
    const double *parts;
    float *y;
    int64_t columns, slices;
} slice_sum_args;
KERNEL_DECLARE(slice_sum);

#endif
