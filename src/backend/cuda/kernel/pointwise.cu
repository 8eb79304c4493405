/* Element by element: plain kernels, a thread an element. */
#include "backend/cuda/kernel/kernel.h"
#include "backend/cuda/kernel/activation.h"
#include "backend/cuda/kernel/pointwise.h"

KERNEL(add, pointwise_args)
{
    for (int64_t i = thread_first(); i < a.count; i += thread_stride())
        store(a.y, i, load(a.a, i, a.is_bf16) + load(a.b, i, a.is_b_bf16), a.is_bf16);
}

KERNEL(sub, pointwise_args)
{
    for (int64_t i = thread_first(); i < a.count; i += thread_stride()) {
        const float from = a.a ? load(a.a, i, a.is_bf16) : 0;
        store(a.y, i, from - load(a.b, i, a.is_bf16) + a.shift, a.is_bf16);
    }
}

KERNEL(mul, pointwise_args)
{
    for (int64_t i = thread_first(); i < a.count; i += thread_stride())
        store(a.y, i, load(a.a, i, a.is_bf16) * load(a.b, i, a.is_bf16), a.is_bf16);
}

KERNEL(multiply, pointwise_args)
{
    for (int64_t i = thread_first(); i < a.count; i += thread_stride())
        store(a.y, i, a.factor * load(a.a, i, a.is_bf16), a.is_bf16);
}

KERNEL(activation, pointwise_args)
{
    for (int64_t i = thread_first(); i < a.count; i += thread_stride())
        store(a.y, i, act_value(a.kind, load(a.a, i, a.is_bf16)), a.is_bf16);
}

KERNEL(activation_dx, pointwise_args)
{
    for (int64_t i = thread_first(); i < a.count; i += thread_stride())
        store(a.y, i, load(a.a, i, a.is_bf16) * act_slope(a.kind, load(a.b, i, a.is_bf16)), a.is_bf16);
}

KERNEL(convert, convert_args)
{
    for (int64_t i = thread_first(); i < a.count; i += thread_stride())
        store(a.y, i, load(a.x, i, a.is_x_bf16), a.is_y_bf16);
}
