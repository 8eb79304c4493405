/* Sums over the rows of a matrix: a thread a column of a slice, then a thread a column. */
#include "backend/cuda/kernel/kernel.h"
#include "backend/cuda/kernel/columns.h"

KERNEL(column_sum, column_sum_args)
{
    for (int64_t i = thread_first(); i < a.slices * a.columns; i += thread_stride()) {
        const int64_t slice = i / a.columns, column = i % a.columns;
        double sum = 0;
        for (int64_t row = slice; row < a.rows; row += a.slices)
            sum += (double)load(a.x, row * a.columns + column, a.is_bf16);
        a.parts[i] = sum;
    }
}

KERNEL(slice_sum, slice_sum_args)
{
    for (int64_t column = thread_first(); column < a.columns; column += thread_stride()) {
        double sum = 0;
        for (int64_t slice = 0; slice < a.slices; slice++)
            sum += a.parts[slice * a.columns + column];
        a.y[column] = (float)sum;
    }
}
