/* Sums of gradients over batches: two arenas side by side, so that memory alone decides how fast. */
#include "backend/cpu/kernel/accumulate.h"
#include "backend/cpu/kernel/vec.h"

static void add_range(const accumulate_args *a, int64_t begin, int64_t end)
{
    for (int64_t i = begin; i < end; i += VEC_LANES) {
        int n = end - i < VEC_LANES ? (int)(end - i) : VEC_LANES;
        vec_store_upto(a->sums, i, n, vec_load_upto(a->sums, i, n, false) + vec_load_upto(a->grads, i, n, false),
                       false);
    }
}

void KERNEL(accumulate)(const void *args)
{
    const accumulate_args *a = args;
#pragma omp parallel for num_threads(a->threads) schedule(static)
    for (int index = 0; index < a->threads; index++)
        for (int r = 0; r < a->attr.range_count; r++) {
            int64_t first = (int64_t)a->attr.ranges[r].offset;
            part mine = part_of((int64_t)a->attr.ranges[r].count, 64, a->threads, index);
            if (a->attr.is_first)
                memcpy(a->sums + first + mine.begin, a->grads + first + mine.begin,
                       (size_t)(mine.end - mine.begin) * sizeof *a->sums);
            else
                add_range(a, first + mine.begin, first + mine.end);
        }
    if (!isfinite(*a->loss))
        a->sums[a->attr.ranges[0].offset] = NAN;
}
