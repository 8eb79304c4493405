/* Repetition is a longer list of indices, so that plans and loaders know nothing of tasks: three loaders of equal
 * length are the sampler. Which pictures are there once more is the same in every epoch (the first ones), as published.
 */
#include "data/sampler.h"

#include "base/mem.h"
#include "base/rng.h"

#include <string.h>

/* The loader of a task shuffles by (seed, epoch, 0, RNG_SHUFFLE), and so would all do the same: each gets a seed of its
 * own, drawn from a stream that no loader has. */
static uint64_t seed_of(uint64_t seed, int task)
{
    rng r = rng_at(seed, 0, (uint64_t)task + 1, RNG_SHUFFLE);
    uint64_t high = rng_u32(&r);
    return high << 32 | rng_u32(&r);
}

static mien_status check_subsets(const subset *subsets, const char *const *tasks, int count)
{
    if (count < 1 || count > SAMPLER_MAX_TASKS)
        return mien_fail(MIEN_ERR_ARG, "sampler: %d tasks (wanted 1..%d)", count, SAMPLER_MAX_TASKS);
    for (int t = 0; t < count; t++)
        if (subsets[t].count == 0)
            return mien_fail(MIEN_ERR_FORMAT, "%s: no picture has these labels", tasks[t]);
    return MIEN_OK;
}

static mien_status repeat(subset *out, const subset *s, int64_t count)
{
    TRY(mem_alloc(&out->index, count));
    out->count = count;
    for (int64_t i = 0; i < count; i++)
        out->index[i] = s->index[i % s->count];
    return MIEN_OK;
}

mien_status sampler_create_tasks(sampler *out, const subset *subsets, const char *const *tasks, int count,
                                 uint64_t seed)
{
    TRY(check_subsets(subsets, tasks, count));
    sampler s = {.count = count};
    mien_status st = MIEN_OK;
    int64_t longest = 0;
    for (int t = 0; t < count; t++)
        longest = subsets[t].count > longest ? subsets[t].count : longest;
    for (int t = 0; st == MIEN_OK && t < count; t++) {
        st = repeat(&s.items[t], &subsets[t], longest);
        s.seed[t] = seed_of(seed, t);
    }
    if (st == MIEN_OK)
        *out = s;
    else
        sampler_free(&s);
    return st;
}

mien_status sampler_create_joint(sampler *out, const subset *subsets, const char *const *tasks, int count,
                                 uint64_t seed)
{
    TRY(check_subsets(subsets, tasks, count));
    sampler s = {.count = 1, .seed = {seed_of(seed, 0)}};
    bool *is_taken = NULL;
    uint32_t end = 0;
    mien_status st;
    for (int t = 0; t < count; t++)
        for (int64_t i = 0; i < subsets[t].count; i++)
            end = subsets[t].index[i] >= end ? subsets[t].index[i] + 1 : end;
    TRY_OUT(mem_zalloc(&is_taken, end));
    TRY_OUT(mem_alloc(&s.items[0].index, end));
    for (int t = 0; t < count; t++)
        for (int64_t i = 0; i < subsets[t].count; i++)
            is_taken[subsets[t].index[i]] = true;
    for (uint32_t i = 0; i < end; i++)
        if (is_taken[i])
            s.items[0].index[s.items[0].count++] = i;
    *out = s;
    s = (sampler){0};
out:
    mem_free(is_taken);
    sampler_free(&s);
    return st;
}

void sampler_free(sampler *s)
{
    for (int t = 0; t < SAMPLER_MAX_TASKS; t++)
        subset_free(&s->items[t]);
    *s = (sampler){0};
}
