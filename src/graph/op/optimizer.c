/* optimizer: one step of every trainable parameter p with gradient g; t = step_params.step, from 1; d = weight_decay.
 *
 *   adam   g += d p; m = b1 m + (1 - b1) g; v = b2 v + (1 - b2) g^2;
 *          p -= lr (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + eps)
 *   adamw  p -= lr d p, then adam with d = 0
 *   sgd    g += d p; u = momentum u + g (u = g at t = 1); p -= lr u
 * m or u is state1, v is state2. step.gradient_norm = sqrt(sum g^2), of the gradients as they came. Where it or the
 * loss is not finite, step.is_nonfinite is set and nothing moves. PyTorch: torch.optim.Adam, AdamW, SGD(momentum,
 * weight_decay) with their defaults else. */
#include "graph/op/rule.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static mien_status optimizer_infer(graph *g, node_id n)
{
    const optimizer_attr *attr = graph_node_at(g, n)->attr;
    bool is_rate_fine = attr->beta1 >= 0 && attr->beta1 < 1 && attr->beta2 >= 0 && attr->beta2 < 1;
    bool is_adam = attr->kind != OPTIMIZER_SGD;
    if (is_adam && (!is_rate_fine || !(attr->eps > 0)))
        return mien_fail(MIEN_ERR_ARG, "beta1 %g, beta2 %g, eps %g (wanted 0 to below 1, eps above 0)",
                         (double)attr->beta1, (double)attr->beta2, (double)attr->eps);
    if (!is_adam && !(attr->momentum >= 0 && attr->momentum < 1))
        return mien_fail(MIEN_ERR_ARG, "momentum %g (wanted 0 to below 1)", (double)attr->momentum);
    if (!(attr->weight_decay >= 0) || !isfinite(attr->weight_decay))
        return mien_fail(MIEN_ERR_ARG, "weight decay %g (wanted 0 or more)", (double)attr->weight_decay);
    return MIEN_OK;
}

static mien_status optimizer_print(const graph_node *node, str *out)
{
    static const char *const names[] = {
        [OPTIMIZER_ADAM] = "adam", [OPTIMIZER_SGD] = "sgd", [OPTIMIZER_ADAMW] = "adamw"};
    const optimizer_attr *attr = node->attr;
    size_t elements = 0;
    for (int i = 0; i < attr->range_count; i++)
        elements += attr->ranges[i].count;
    return str_printf(out, " %s: %zu elements in %d ranges", names[attr->kind], elements, attr->range_count);
}

const op_def op_optimizer_def = {
    .name = "optimizer", .infer = optimizer_infer, .inplace_input = -1, .print = optimizer_print};

static int compare_offsets(const void *a, const void *b)
{
    size_t x = ((const param_range *)a)->offset, y = ((const param_range *)b)->offset;
    return (x > y) - (x < y);
}

/* Sorts ranges and joins those that touch; returns how many are left. */
static int merge_ranges(param_range *ranges, int count)
{
    qsort(ranges, (size_t)count, sizeof *ranges, compare_offsets);
    int kept = 0;
    for (int i = 0; i < count; i++)
        if (kept > 0 && ranges[kept - 1].offset + ranges[kept - 1].count == ranges[i].offset)
            ranges[kept - 1].count += ranges[i].count;
        else
            ranges[kept++] = ranges[i];
    return kept;
}

/* The parameter whose gradient slice this is moves from now on. */
static void mark_mutated(graph *g, size_t offset)
{
    for (value_id v = 0; v < graph_value_count(g); v++) {
        graph_value *p = graph_value_at(g, v);
        if (p->kind == VALUE_PARAM && p->param_offset == offset)
            p->is_mutated = true;
    }
}

mien_status op_optimizer(graph *g, const char *name, const optimizer_attr *attr)
{
    value_id *inputs = NULL;
    param_range *ranges = NULL;
    int value_count = graph_value_count(g), count = 0;
    if (attr->loss < 0 || attr->loss >= value_count)
        return mien_fail(MIEN_ERR_ARG, "%s: no loss (wanted a value of this graph)", name);
    TRY(arena_alloc(graph_arena(g), &inputs, value_count + 2));
    TRY(arena_alloc(graph_arena(g), &ranges, value_count));
    inputs[0] = graph_step(g);
    for (value_id v = 0; v < value_count; v++) {
        const graph_value *grad = graph_value_at(g, v);
        if (grad->kind != VALUE_GRAD || grad->producer == NO_NODE)
            continue;
        mark_mutated(g, grad->param_offset);
        ranges[count] = (param_range){grad->param_offset, (size_t)shape_count(&grad->shape)};
        inputs[++count] = v;
    }
    if (count == 0)
        return mien_fail(MIEN_ERR_ARG, "%s: no gradients (wanted graph_differentiate first)", name);
    inputs[count + 1] = attr->loss;
    optimizer_attr full = *attr;
    full.ranges = ranges;
    full.range_count = merge_ranges(ranges, count);
    graph_set_phase(g, PHASE_UPDATE);
    node_id n = NO_NODE;
    return graph_add(g, &n, &op_optimizer_def, name, inputs, count + 2, &full, sizeof full);
}
