/* Slices are as many as keep all threads of the device busy, and no more: each costs a row of scratch. */
#include "backend/cuda/columns.h"

#include "backend/cuda/kernel/columns.h"

int64_t column_slices(const cuda_backend *b, int64_t rows, int64_t columns)
{
    enum { THREADS_A_PROCESSOR = 2048, ROWS_A_SLICE = 4 };
    const int64_t threads = (int64_t)b->device->processors * THREADS_A_PROCESSOR;
    const int64_t wanted = (threads + columns - 1) / columns, most = (rows + ROWS_A_SLICE - 1) / ROWS_A_SLICE;
    return wanted < most ? wanted : most;
}

mien_status slice_sum_add(cuda_kernel *k, size_t parts, size_t output, int64_t columns, int64_t slices)
{
    const binding bindings[] = {{FROM_SCRATCH, parts, offsetof(slice_sum_args, parts)},
                                {FROM_OUTPUT, output, offsetof(slice_sum_args, y)}};
    const slice_sum_args args = {.columns = columns, .slices = slices};
    return cuda_kernel_add_own(k, &kernel_slice_sum, grid_of_elements(k->b, columns), &args, sizeof args, bindings, 2);
}

mien_status column_sum_add(cuda_kernel *k, size_t input, size_t output, int64_t rows, int64_t columns,
                           bool is_input_bf16)
{
    const int64_t slices = column_slices(k->b, rows, columns);
    const size_t parts = cuda_kernel_scratch(k, (size_t)(slices * columns) * sizeof(double));
    const binding bindings[] = {{FROM_INPUT, input, offsetof(column_sum_args, x)},
                                {FROM_SCRATCH, parts, offsetof(column_sum_args, parts)}};
    const column_sum_args args = {.rows = rows, .columns = columns, .slices = slices, .is_bf16 = is_input_bf16};
    TRY(cuda_kernel_add_own(k, &kernel_column_sum, grid_of_elements(k->b, slices * columns), &args, sizeof args,
                            bindings, 2));
    return slice_sum_add(k, parts, output, columns, slices);
}
