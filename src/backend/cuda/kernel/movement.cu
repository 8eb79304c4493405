/* Elements moved, repeated, dropped and made of bytes: plain kernels, a thread an element. */
#include "backend/cuda/kernel/kernel.h"
#include "backend/cuda/kernel/movement.h"
#include "backend/cuda/kernel/philox.h"

KERNEL(normalise, normalise_args)
{
    for (int64_t i = thread_first(); i < a.count; i += thread_stride())
        store(a.y, i, (float)a.x[i] * a.scale[i % 3] + a.shift[i % 3], a.is_bf16);
}

KERNEL(slice, slice_args)
{
    for (int64_t i = thread_first(); i < a.rows * a.length; i += thread_stride())
        store(a.y, i, load(a.x, i / a.length * a.whole + a.begin + i % a.length, a.is_bf16), a.is_bf16);
}

KERNEL(slice_dx, slice_args)
{
    for (int64_t i = thread_first(); i < a.rows * a.whole; i += thread_stride()) {
        const int64_t row = i / a.whole, k = i % a.whole - a.begin;
        store(a.y, i, k >= 0 && k < a.length ? load(a.x, row * a.length + k, a.is_bf16) : 0, a.is_bf16);
    }
}

KERNEL(transpose, transpose_args)
{
    for (int64_t i = thread_first(); i < a.count; i += thread_stride()) {
        int64_t at = 0, left = i;
        for (int d = a.rank - 1; d >= 0; d--) {
            at += left % a.dim[d] * a.stride[d];
            left /= a.dim[d];
        }
        store(a.y, i, load(a.x, at, a.is_bf16), a.is_bf16);
    }
}

KERNEL(repeat, repeat_args)
{
    for (int64_t i = thread_first(); i < a.times * a.inner; i += thread_stride())
        store(a.y, i, load(a.x, i % a.inner, a.is_bf16), a.is_bf16);
}

KERNEL(repeat_dx, repeat_args)
{
    for (int64_t i = thread_first(); i < a.inner; i += thread_stride()) {
        double sum = 0;
        for (int64_t t = 0; t < a.times; t++)
            sum += (double)load(a.x, t * a.inner + i, a.is_bf16);
        store(a.y, i, (float)sum, a.is_bf16);
    }
}

KERNEL(concat, concat_args)
{
    for (int64_t i = thread_first(); i < a.rows * a.columns; i += thread_stride()) {
        const int64_t row = i / a.columns, column = i % a.columns;
        int64_t begin = 0;
        int part = 0;
        while (column >= a.end[part])
            begin = a.end[part++];
        store(a.y, i, load(a.x[part], row * (a.end[part] - begin) + column - begin, a.is_bf16), a.is_bf16);
    }
}

/* --- dropout ------------------------------------------------------------------------------------------------------ */
/* What numbers 4 block .. 4 block + 3 of the stream multiply by. */
DEVICE void dropout_factors(float out[4], const dropout_args *a, int64_t block)
{
    const philox_stream stream = {a->step->seed, a->step->step, a->stream, a->use};
    uint32_t words[4];
    philox_block(words, &stream, block);
    for (int i = 0; i < 4; i++)
        out[i] = philox_float(words[i]) >= a->p ? 1 / (1 - a->p) : 0;
}

/* What is dropped becomes zero whatever x holds. */
DEVICE void dropout_element(const dropout_args *a, int64_t i, float factor)
{
    store(a->y, i, factor == 0 ? 0 : load(a->x, i, a->is_bf16) * factor, a->is_bf16);
}

KERNEL(dropout, dropout_args)
{
    for (int64_t block = thread_first(); 4 * block < a.samples; block += thread_stride()) {
        float factor[4];
        dropout_factors(factor, &a, block);
        for (int k = 0; k < 4 && 4 * block + k < a.samples; k++)
            dropout_element(&a, 4 * block + k, factor[k]);
    }
}

KERNEL(drop_path, dropout_args)
{
    for (int64_t sample = blockIdx.x; sample < a.samples; sample += gridDim.x) {
        float factor[4];
        dropout_factors(factor, &a, sample / 4);
        for (int64_t i = threadIdx.x; i < a.per_sample; i += blockDim.x)
            dropout_element(&a, sample * a.per_sample + i, factor[sample % 4]);
    }
}
