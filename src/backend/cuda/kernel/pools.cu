/* Maps summed, and multiplied, a channel at a time: a thread an element of the result. */
#include "backend/cuda/kernel/kernel.h"
#include "backend/cuda/kernel/pools.h"

KERNEL(map_sum, map_sum_args)
{
    for (int64_t i = thread_first(); i < a.n * a.c; i += thread_stride()) {
        const int64_t first = i / a.c * a.pixels * a.c + i % a.c;
        double sum = 0;
        for (int64_t pixel = 0; pixel < a.pixels; pixel++) {
            const int64_t at = first + pixel * a.c;
            sum += (double)load(a.x, at, a.is_bf16) * (a.other ? (double)load(a.other, at, a.is_bf16) : 1);
        }
        store(a.y, i, (float)(a.factor * sum), a.is_bf16);
    }
}

KERNEL(map_scale, map_scale_args)
{
    for (int64_t i = thread_first(); i < a.n * a.pixels * a.c; i += thread_stride()) {
        const double s = (double)load(a.s, i / (a.pixels * a.c) * a.c + i % a.c, a.is_bf16);
        store(a.y, i, (float)(a.factor * s * (a.x ? (double)load(a.x, i, a.is_bf16) : 1)), a.is_bf16);
    }
}
