/* Greedy by size: the largest buffers choose first, each the tightest gap among those that live when it does. Close to
 * the lower bound (the largest sum alive at once) on chains and residual networks, and quick enough for thousands. */
#include "graph/plan.h"

#include "base/mem.h"
#include "base/size.h"
#include "graph/op.h"

#include <stdlib.h>

size_t value_bytes(const graph_value *v)
{
    return v->layout != LAYOUT_PLAIN ? v->layout_bytes : (size_t)shape_count(&v->shape) * dtype_bytes(v->type);
}

/* --- what runs when ----------------------------------------------------------------------------------------------- */

/* Whether node n depends on nothing, or only on parameters that nothing in this graph changes. */
static bool is_constant(graph *g, const plan *p, node_id n)
{
    const graph_node *node = graph_node_at(g, n);
    for (int i = 0; i < node->input_count; i++) {
        if (node->inputs[i] == NO_VALUE)
            continue;
        const graph_value *v = graph_value_at(g, node->inputs[i]);
        bool is_fixed = (v->kind == VALUE_PARAM && !v->is_mutated) ||
                        (v->kind == VALUE_TENSOR && p->values[node->inputs[i]].place == PLACE_CONSTANT);
        if (!is_fixed)
            return false;
    }
    for (int i = 0; i < node->output_count; i++)
        if (node->outputs[i] != NO_VALUE && graph_value_at(g, node->outputs[i])->kind != VALUE_TENSOR)
            return false;
    return node->output_count > 0;
}

static void place_outputs(graph *g, plan *p, node_id n, plan_place place)
{
    const graph_node *node = graph_node_at(g, n);
    for (int i = 0; i < node->output_count; i++)
        if (node->outputs[i] != NO_VALUE && graph_value_at(g, node->outputs[i])->kind == VALUE_TENSOR)
            p->values[node->outputs[i]].place = place;
}

static mien_status split_order(plan *p, graph *g)
{
    const int count = graph_order_count(g);
    TRY(arena_alloc(graph_arena(g), &p->run, count));
    TRY(arena_alloc(graph_arena(g), &p->refresh, count));
    for (int i = 0; i < count; i++) {
        const node_id n = graph_order_at(g, i);
        const bool is_once = is_constant(g, p, n);
        if (is_once)
            p->refresh[p->refresh_count++] = n;
        else
            p->run[p->run_count++] = n;
        place_outputs(g, p, n, is_once ? PLACE_CONSTANT : PLACE_REUSED);
    }
    for (value_id v = 0; v < graph_value_count(g); v++) {
        const value_kind kind = graph_value_at(g, v)->kind;
        if (kind == VALUE_INPUT || kind == VALUE_STEP)
            p->values[v].place = PLACE_KEPT;
    }
    return MIEN_OK;
}

/* --- lifetimes ---------------------------------------------------------------------------------------------------- */

static void live_until(plan *p, value_id v, int position)
{
    if (v != NO_VALUE && p->values[v].last < position)
        p->values[v].last = position;
}

static void find_lifetimes(plan *p, graph *g)
{
    for (int i = 0; i < p->run_count; i++) {
        const graph_node *node = graph_node_at(g, p->run[i]);
        for (int k = 0; k < node->output_count; k++)
            if (node->outputs[k] != NO_VALUE && p->values[node->outputs[k]].place == PLACE_REUSED) {
                value_plan *v = &p->values[node->outputs[k]];
                v->first = i;
                live_until(p, node->outputs[k], graph_value_at(g, node->outputs[k])->is_output ? p->run_count : i);
            }
        for (int k = 0; k < node->input_count; k++)
            live_until(p, node->inputs[k], i);
    }
}

/* The value whose memory v finally lives in. */
static value_id owner_of(const plan *p, value_id v)
{
    while (p->values[v].shares != NO_VALUE)
        v = p->values[v].shares;
    return v;
}

/* Output 0 takes the memory of the operator's in-place input where that dies at this node. */
static void share_in_place(plan *p, graph *g)
{
    for (int i = 0; i < p->run_count; i++) {
        const graph_node *node = graph_node_at(g, p->run[i]);
        const int from = node->op->inplace_input;
        if (from < 0 || from >= node->input_count || node->inputs[from] == NO_VALUE || node->outputs[0] == NO_VALUE)
            continue;
        const value_id x = node->inputs[from], y = node->outputs[0];
        if (p->values[x].place != PLACE_REUSED || p->values[y].place != PLACE_REUSED || p->values[x].last != i)
            continue;
        const graph_value *vx = graph_value_at(g, x), *vy = graph_value_at(g, y);
        if (vx->layout == vy->layout && p->values[x].bytes == p->values[y].bytes)
            p->values[y].shares = x;
    }
}

/* --- offsets ------------------------------------------------------------------------------------------------------ */

/* A piece of the reused region: a value and all that took its memory in place. */
typedef struct {
    value_id owner;
    size_t bytes, offset;
    int first, last;
} piece;

static int larger_first(const void *a, const void *b)
{
    const piece *x = a, *y = b;
    if (x->bytes != y->bytes)
        return x->bytes < y->bytes ? 1 : -1;
    return (x->owner > y->owner) - (x->owner < y->owner);
}

/* The tightest gap below, between or above the placed pieces (ordered by offset) that live when q does. */
static size_t find_offset(const piece *placed, int count, const piece *q)
{
    size_t end = 0, best = 0, best_gap = SIZE_MAX;
    for (int i = 0; i < count; i++) {
        if (placed[i].last < q->first || q->last < placed[i].first)
            continue;
        if (placed[i].offset > end) {
            size_t gap = placed[i].offset - end;
            if (gap >= q->bytes && gap < best_gap)
                best = end, best_gap = gap;
        }
        if (placed[i].offset + placed[i].bytes > end)
            end = placed[i].offset + placed[i].bytes;
    }
    return best_gap == SIZE_MAX ? end : best;
}

/* Collects the pieces into `pieces`; returns how many. */
static int collect_pieces(piece *pieces, const plan *p, int value_count)
{
    int count = 0;
    for (value_id v = 0; v < value_count; v++)
        if (p->values[v].place == PLACE_REUSED && p->values[v].shares == NO_VALUE)
            pieces[count++] =
                (piece){v, size_align(p->values[v].bytes, PLAN_ALIGNMENT), 0, p->values[v].first, p->values[v].last};
    for (value_id v = 0; v < value_count; v++)
        if (p->values[v].place == PLACE_REUSED && p->values[v].shares != NO_VALUE)
            for (int i = 0; i < count; i++)
                if (pieces[i].owner == owner_of(p, v) && pieces[i].last < p->values[v].last)
                    pieces[i].last = p->values[v].last;
    return count;
}

/* Gives every piece an offset from the start of the reused region, whose size is written to the plan. */
static mien_status place_reused(plan *p, const graph *g)
{
    const int value_count = graph_value_count(g);
    piece *pieces = NULL, *placed = NULL;
    mien_status st = MIEN_OK;
    TRY_OUT(mem_alloc(&pieces, value_count));
    TRY_OUT(mem_alloc(&placed, value_count));
    const int count = collect_pieces(pieces, p, value_count);
    qsort(pieces, (size_t)count, sizeof *pieces, larger_first);
    for (int i = 0; i < count; i++) {
        piece q = pieces[i];
        size_t end;
        q.offset = find_offset(placed, i, &q);
        if (!size_add(&end, q.offset, q.bytes)) {
            st = mien_fail(MIEN_ERR_NOMEM, "out of memory (planned tensors exceed the address space)");
            goto out;
        }
        if (end > p->reused_bytes)
            p->reused_bytes = end;
        int at = i;
        for (; at > 0 && placed[at - 1].offset > q.offset; at--)
            placed[at] = placed[at - 1];
        placed[at] = q;
        p->values[q.owner].offset = q.offset;
    }
out:
    mem_free(pieces);
    mem_free(placed);
    return st;
}

/* Adds a room of `bytes` to a block of *block_bytes; *offset = where it begins. */
static bool block_add(size_t *block_bytes, size_t *offset, size_t bytes)
{
    size_t end;
    if (!size_add(&end, *block_bytes, bytes) || end > SIZE_MAX - PLAN_ALIGNMENT)
        return false;
    *offset = *block_bytes;
    *block_bytes = size_align(end, PLAN_ALIGNMENT);
    return true;
}

/* Adds values one after another to a block. */
static bool place_side_by_side(plan *p, int value_count, plan_place place, size_t *block_bytes)
{
    for (value_id v = 0; v < value_count; v++)
        if (p->values[v].place == place && !block_add(block_bytes, &p->values[v].offset, p->values[v].bytes))
            return false;
    return true;
}

mien_status plan_make(plan *out, graph *g, size_t scratch_bytes)
{
    const int value_count = graph_value_count(g);
    plan p = {.scratch_bytes = size_align(scratch_bytes, PLAN_ALIGNMENT)};
    TRY(arena_alloc(graph_arena(g), &p.values, value_count));
    for (value_id v = 0; v < value_count; v++)
        p.values[v] = (value_plan){.bytes = value_bytes(graph_value_at(g, v)), .last = -1, .shares = NO_VALUE};
    TRY(split_order(&p, g));
    find_lifetimes(&p, g);
    share_in_place(&p, g);
    TRY(place_reused(&p, g));
    size_t reused_offset = 0;
    if (!place_side_by_side(&p, value_count, PLACE_CONSTANT, &p.constant_bytes) ||
        !place_side_by_side(&p, value_count, PLACE_KEPT, &p.kept_bytes))
        return mien_fail(MIEN_ERR_NOMEM, "out of memory (planned tensors exceed the address space)");
    p.block_bytes = p.kept_bytes;
    if (!block_add(&p.block_bytes, &reused_offset, p.reused_bytes) ||
        !block_add(&p.block_bytes, &p.scratch_offset, p.scratch_bytes))
        return mien_fail(MIEN_ERR_NOMEM, "out of memory (planned tensors exceed the address space)");
    p.sum_bytes = p.kept_bytes + p.scratch_bytes;
    for (value_id v = 0; v < value_count; v++)
        if (p.values[v].place == PLACE_REUSED) {
            if (p.values[v].shares == NO_VALUE)
                p.values[v].offset += reused_offset;
            p.sum_bytes += size_align(p.values[v].bytes, PLAN_ALIGNMENT);
        }
    for (value_id v = 0; v < value_count; v++)
        if (p.values[v].shares != NO_VALUE)
            p.values[v].offset = p.values[owner_of(&p, v)].offset;
    *out = p;
    return MIEN_OK;
}
