/* Subsets by group and order, and the plan, which is arithmetic. */
#include "data/epoch_plan.h"

#include "base/mem.h"

#include <inttypes.h>
#include <math.h>

mien_status subset_all(subset *out, const picture_set *set)
{
    subset all = {.count = set->source->count};
    TRY(mem_alloc(&all.index, all.count));
    for (int64_t i = 0; i < all.count; i++)
        all.index[i] = (uint32_t)i;
    *out = all;
    return MIEN_OK;
}

/* How many of a group of n are held out. */
static int64_t held_count(int64_t n, double share)
{
    int64_t held = (int64_t)floor(share * (double)n + 0.5);
    if (held < 1 && share > 0)
        held = 1;
    return held < n ? held : n > 0 ? n - 1 : 0;
}

mien_status subset_split(subset *kept, subset *held, const picture_set *set, double share)
{
    if (!(share >= 0 && share < 1))
        return mien_fail(MIEN_ERR_ARG, "held-out share: %g (wanted 0 or more, below 1)", share);
    int64_t count = set->source->count, *to_keep = NULL;
    subset first = {0}, last = {0};
    mien_status st;
    TRY_OUT(mem_alloc(&first.index, count));
    TRY_OUT(mem_alloc(&last.index, count));
    TRY_OUT(mem_zalloc(&to_keep, set->group_count));
    for (int64_t i = 0; i < count; i++)
        to_keep[picture_group(set, i)]++;
    for (int g = 0; g < set->group_count; g++)
        to_keep[g] -= held_count(to_keep[g], share);
    for (int64_t i = 0; i < count; i++) {
        subset *side = to_keep[picture_group(set, i)]-- > 0 ? &first : &last;
        side->index[side->count++] = (uint32_t)i;
    }
    *kept = first;
    *held = last;
    first = last = (subset){0};
out:
    subset_free(&first);
    subset_free(&last);
    mem_free(to_keep);
    return st;
}

void subset_free(subset *s)
{
    mem_free(s->index);
    *s = (subset){0};
}

/* group_begin and by_group: a counting sort that keeps file order. */
static void sort_by_group(epoch_plan *p)
{
    int64_t begin = 0;
    for (int64_t i = 0; i < p->items->count; i++)
        p->group_size[picture_group(p->set, p->items->index[i])]++;
    for (int g = 0; g < p->group_count; g++) {
        p->group_begin[g] = begin;
        begin += p->group_size[g];
        p->group_size[g] = 0;
    }
    p->group_begin[p->group_count] = begin;
    for (int64_t i = 0; i < p->items->count; i++) {
        int g = picture_group(p->set, p->items->index[i]);
        p->by_group[p->group_begin[g] + p->group_size[g]++] = (uint32_t)i;
    }
}

static void plan_copies(epoch_plan *p, bool is_balanced)
{
    int64_t largest = 0, next = p->items->count;
    for (int g = 0; is_balanced && g < p->group_count; g++)
        largest = p->group_size[g] > largest ? p->group_size[g] : largest;
    for (int g = 0; g < p->group_count; g++) {
        p->copy_begin[g] = next;
        if (p->group_size[g] > 0 && largest > p->group_size[g])
            next += largest - p->group_size[g];
    }
    p->copy_begin[p->group_count] = next;
    p->total = next;
}

mien_status epoch_plan_create(epoch_plan *out, const picture_set *set, const subset *items, bool is_balanced)
{
    epoch_plan p = {.set = set, .items = items, .group_count = set->group_count};
    mien_status st;
    TRY_OUT(mem_zalloc(&p.group_size, p.group_count));
    TRY_OUT(mem_alloc(&p.copy_begin, p.group_count + 1));
    TRY_OUT(mem_alloc(&p.group_begin, p.group_count + 1));
    TRY_OUT(mem_alloc(&p.by_group, items->count));
    sort_by_group(&p);
    plan_copies(&p, is_balanced);
    if (p.total > UINT32_MAX)
        st = mien_fail(MIEN_ERR_UNSUPPORTED, "%s: %" PRId64 " pictures with their copies (at most %u)",
                       set->source->what, p.total, UINT32_MAX);
    if (st == MIEN_OK) {
        *out = p;
        return MIEN_OK;
    }
out:
    epoch_plan_free(&p);
    return st;
}

void epoch_plan_free(epoch_plan *p)
{
    mem_free(p->group_size);
    mem_free(p->copy_begin);
    mem_free(p->by_group);
    mem_free(p->group_begin);
    *p = (epoch_plan){0};
}

/* The group among whose copies an item is. */
static int group_of_copy(const epoch_plan *p, int64_t item)
{
    int low = 0, high = p->group_count - 1;
    while (low < high) {
        int middle = (low + high + 1) / 2;
        if (p->copy_begin[middle] <= item)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

int64_t epoch_plan_item(const epoch_plan *p, int64_t item, int64_t *out_copy)
{
    if (item < p->items->count) {
        *out_copy = -1;
        return p->items->index[item];
    }
    int g = group_of_copy(p, item);
    int64_t copy = item - p->copy_begin[g];
    *out_copy = copy;
    return p->items->index[p->by_group[p->group_begin[g] + copy % p->group_size[g]]];
}

int64_t epoch_plan_position(const epoch_plan *p, int64_t item)
{
    if (item >= p->items->count) {
        int g = group_of_copy(p, item);
        return p->group_begin[g] + (item - p->copy_begin[g]) % p->group_size[g];
    }
    int g = picture_group(p->set, p->items->index[item]);
    int64_t low = p->group_begin[g], high = p->group_begin[g + 1] - 1; /* by_group ascends within a group */
    while (low < high) {
        int64_t middle = (low + high) / 2;
        if (p->by_group[middle] < item)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}
