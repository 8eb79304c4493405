/* Products of matrices: a thread an element of the result. */
#include "backend/cuda/kernel/kernel.h"
#include "backend/cuda/kernel/products.h"

KERNEL(product, product_args)
{
    for (int64_t i = thread_first(); i < a.rows * a.groups * a.columns; i += thread_stride()) {
        const int64_t column = i % a.columns, group = i / a.columns % a.groups, row = i / a.columns / a.groups;
        const int64_t at_a = group * a.a_strides.group + row * a.a_strides.row;
        const int64_t at_b = group * a.b_strides.group + column * a.b_strides.column;
        double sum = a.bias ? (double)a.bias[group * a.columns + column] : 0;
        for (int64_t k = 0; k < a.depth; k++)
            sum += (double)load(a.a, at_a + k * a.a_strides.column, a.is_a_bf16) *
                   (double)load(a.b, at_b + k * a.b_strides.row, a.is_b_bf16);
        store(a.y, group * a.y_strides.group + row * a.y_strides.row + column * a.y_strides.column, (float)sum,
              a.is_y_bf16);
    }
}
