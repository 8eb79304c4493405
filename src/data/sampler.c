/* Repetition is a longer list of indices, so that plans and loaders know nothing of tasks: loaders of equal length are
 * the sampler. Which pictures are there once more is the same in every epoch (the first ones), as published.
 */
#include "data/sampler.h"

#include "base/mem.h"

static mien_status repeat(subset *part, int64_t count)
{
    uint32_t *index;
    TRY(mem_alloc(&index, count));
    for (int64_t i = 0; i < count; i++)
        index[i] = part->index[i % part->count];
    subset_free(part);
    *part = (subset){index, count};
    return MIEN_OK;
}

mien_status sampler_repeat(subset *parts, int count)
{
    int64_t longest = 0;
    for (int p = 0; p < count; p++)
        longest = parts[p].count > longest ? parts[p].count : longest;
    for (int p = 0; p < count; p++)
        if (parts[p].count < longest)
            TRY(repeat(&parts[p], longest));
    return MIEN_OK;
}
