/* Dropout and drop path. No mask is kept: forward and backward draw the same numbers from the same stream. */
#include "backend/cpu/kernel/dropout.h"
#include "backend/cpu/kernel/vec.h"

#include "base/rng.h"
#include "graph/attr.h"

/* What numbers 4 block .. 4 block + 3 of the stream multiply by. */
static void factors(float out[4], const dropout_args *a, uint64_t block)
{
    const step_params *step = a->step;
    rng r = rng_at(step->seed, step->step, a->stream, a->is_per_sample ? RNG_DROP_PATH : RNG_DROPOUT);
    r.counter[0] = (uint32_t)block;
    for (int i = 0; i < 4; i++)
        out[i] = rng_float(&r) >= a->p ? 1 / (1 - a->p) : 0;
}

/* y = x factor for elements [begin, end). What is dropped becomes zero whatever x holds. */
INLINE void scale_span(const dropout_args *a, int64_t begin, int64_t end, float factor, bool is_bf16)
{
    if (factor == 0) {
        size_t element = is_bf16 ? 2 : 4;
        memset((char *)a->y + (size_t)begin * element, 0, (size_t)(end - begin) * element);
        return;
    }
    int64_t i = begin;
    for (; i + VEC_LANES <= end; i += VEC_LANES)
        vec_store(a->y, i, vec_load(a->x, i, is_bf16) * factor, is_bf16);
    for (; i < end; i++)
        scalar_store(a->y, i, scalar_load(a->x, i, is_bf16) * factor, is_bf16);
}

static void scale_sample(const dropout_args *a, int64_t sample, float factor)
{
    int64_t begin = sample * a->per_sample, end = begin + a->per_sample;
    if (a->is_bf16)
        scale_span(a, begin, end, factor, true);
    else
        scale_span(a, begin, end, factor, false);
}

/* A block's four elements at once: dropout proper. */
static void scale_block(const dropout_args *a, int64_t begin, int64_t end, const float factor[4])
{
    for (int64_t i = begin; i < end; i++) {
        float x = scalar_load(a->x, i, a->is_bf16);
        scalar_store(a->y, i, factor[i - begin] == 0 ? 0 : x * factor[i - begin], a->is_bf16);
    }
}

/* Blocks of four samples go to threads; a drop path of few samples is better divided by samples. */
void KERNEL(dropout)(const void *args)
{
    const dropout_args *a = args;
    int64_t count = a->samples * a->per_sample;
    int parts = parts_for(a->is_per_sample ? count : 8 * count, a->threads);
#pragma omp parallel for num_threads(parts) schedule(static)
    for (int index = 0; index < parts; index++) {
        part mine = part_of(a->samples, a->is_per_sample ? 1 : 4, parts, index);
        for (int64_t s = mine.begin; s < mine.end;) {
            float factor[4];
            int64_t end = s - s % 4 + 4;
            end = end < mine.end ? end : mine.end;
            factors(factor, a, (uint64_t)s / 4);
            if (a->per_sample == 1)
                scale_block(a, s, end, factor + s % 4);
            for (int64_t k = s; a->per_sample != 1 && k < end; k++)
                scale_sample(a, k, factor[k % 4]);
            s = end;
        }
    }
}
