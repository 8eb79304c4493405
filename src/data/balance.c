/* Which pictures an epoch goes over: subsets by class and file order, and the balancing plan, which is arithmetic. */
#include "data/dataset_int.h"

#include "base/mem.h"

#include <inttypes.h>
#include <math.h>

mien_status subset_all(subset *out, const dataset *d)
{
    subset all = {.count = dataset_count(d)};
    TRY(mem_alloc(&all.index, all.count));
    for (int64_t i = 0; i < all.count; i++)
        all.index[i] = (uint32_t)i;
    *out = all;
    return MIEN_OK;
}

/* How many of a class of n are held out. */
static int64_t held_count(int64_t n, double share)
{
    int64_t held = (int64_t)floor(share * (double)n + 0.5);
    if (held < 1 && share > 0)
        held = 1;
    return held < n ? held : n > 0 ? n - 1 : 0;
}

mien_status subset_split(subset *kept, subset *held, const dataset *d, double share)
{
    if (!(share >= 0 && share < 1))
        return mien_fail(MIEN_ERR_ARG, "held-out share: %g (wanted 0 or more, below 1)", share);
    int64_t count = dataset_count(d), *to_keep = NULL;
    subset first = {0}, last = {0};
    mien_status st;
    TRY_OUT(mem_alloc(&first.index, count));
    TRY_OUT(mem_alloc(&last.index, count));
    TRY_OUT(mem_alloc(&to_keep, d->class_count));
    for (int c = 0; c < d->class_count; c++)
        to_keep[c] = d->sizes[c] - held_count(d->sizes[c], share);
    for (int64_t i = 0; i < count; i++) {
        subset *side = to_keep[dataset_label(d, i)]-- > 0 ? &first : &last;
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

/* class_begin and by_class: a counting sort that keeps file order. */
static void group_by_class(balance_plan *p)
{
    int64_t begin = 0;
    for (int64_t i = 0; i < p->items->count; i++)
        p->class_size[dataset_label(p->data, p->items->index[i])]++;
    for (int c = 0; c < p->class_count; c++) {
        p->class_begin[c] = begin;
        begin += p->class_size[c];
        p->class_size[c] = 0;
    }
    p->class_begin[p->class_count] = begin;
    for (int64_t i = 0; i < p->items->count; i++) {
        int c = dataset_label(p->data, p->items->index[i]);
        p->by_class[p->class_begin[c] + p->class_size[c]++] = (uint32_t)i;
    }
}

static void plan_copies(balance_plan *p, bool is_balanced)
{
    int64_t largest = 0, next = p->items->count;
    for (int c = 0; is_balanced && c < p->class_count; c++)
        largest = p->class_size[c] > largest ? p->class_size[c] : largest;
    for (int c = 0; c < p->class_count; c++) {
        p->copy_begin[c] = next;
        if (p->class_size[c] > 0 && largest > p->class_size[c])
            next += largest - p->class_size[c];
    }
    p->copy_begin[p->class_count] = next;
    p->total = next;
}

mien_status balance_plan_create(balance_plan *out, const dataset *d, const subset *items, bool is_balanced)
{
    balance_plan p = {.data = d, .items = items, .class_count = d->class_count};
    mien_status st;
    TRY_OUT(mem_zalloc(&p.class_size, p.class_count));
    TRY_OUT(mem_alloc(&p.copy_begin, p.class_count + 1));
    TRY_OUT(mem_alloc(&p.class_begin, p.class_count + 1));
    TRY_OUT(mem_alloc(&p.by_class, items->count));
    group_by_class(&p);
    plan_copies(&p, is_balanced);
    if (p.total > UINT32_MAX)
        st = mien_fail(MIEN_ERR_UNSUPPORTED, "%s: %" PRId64 " pictures with their copies (at most %u)", d->source,
                       p.total, UINT32_MAX);
    if (st == MIEN_OK) {
        *out = p;
        return MIEN_OK;
    }
out:
    balance_plan_free(&p);
    return st;
}

void balance_plan_free(balance_plan *p)
{
    mem_free(p->class_size);
    mem_free(p->copy_begin);
    mem_free(p->by_class);
    mem_free(p->class_begin);
    *p = (balance_plan){0};
}

/* The class among whose copies an item is. */
static int class_of_copy(const balance_plan *p, int64_t item)
{
    int low = 0, high = p->class_count - 1;
    while (low < high) {
        int middle = (low + high + 1) / 2;
        if (p->copy_begin[middle] <= item)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

int64_t balance_plan_item(const balance_plan *p, int64_t item, int64_t *out_copy)
{
    if (item < p->items->count) {
        *out_copy = -1;
        return p->items->index[item];
    }
    int c = class_of_copy(p, item);
    int64_t copy = item - p->copy_begin[c];
    *out_copy = copy;
    return p->items->index[p->by_class[p->class_begin[c] + copy % p->class_size[c]]];
}

int64_t balance_plan_position(const balance_plan *p, int64_t item)
{
    if (item >= p->items->count) {
        int c = class_of_copy(p, item);
        return p->class_begin[c] + (item - p->copy_begin[c]) % p->class_size[c];
    }
    int c = dataset_label(p->data, p->items->index[item]);
    int64_t low = p->class_begin[c], high = p->class_begin[c + 1] - 1; /* by_class ascends within a class */
    while (low < high) {
        int64_t middle = (low + high) / 2;
        if (p->by_class[middle] < item)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}
