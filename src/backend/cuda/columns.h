/* Sums over the rows of a matrix as steps of a kernel: gradients of biases, sums of norms. */
#ifndef BACKEND_CUDA_COLUMNS_H
#define BACKEND_CUDA_COLUMNS_H

#include "backend/cuda/cuda_int.h"

/* How many slices of the rows are summed side by side, so that slices x columns threads fill the device. */
int64_t column_slices(const cuda_backend *b, int64_t rows, int64_t columns);

/* Adds the steps that make output `output`, f32 [columns], the sum over rows of input `input`, [rows, columns]. */
MIEN_MUST_USE mien_status column_sum_add(cuda_kernel *k, size_t input, size_t output, int64_t rows, int64_t columns,
                                         bool is_input_bf16);
/* The same from sums of slices that lie in scratch already: parts, double [slices, columns]. */
MIEN_MUST_USE mien_status slice_sum_add(cuda_kernel *k, size_t parts, size_t output, int64_t columns, int64_t slices);

#endif
