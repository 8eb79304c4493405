/* Element by element: plain kernels, a thread an element. */
#include "backend/cuda/kernel/kernel.h"
#include "backend/cuda/kernel/pointwise.h"

KERNEL(add, add_args)
{
    for (int64_t i = thread_first(); i < a.count; i += thread_stride())
        store(a.y, i, load(a.a, i, a.is_bf16) + load(a.b, i, a.is_b_bf16), a.is_bf16);
}
