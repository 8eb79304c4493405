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

/* The parameter whose gradient slice this is moves from now on. */
static void mark_mutated(graph *g, size_t offset)
{
    for (value_id v = 0; v < graph_value_count(g); v++) {
        graph_value *p = graph_value_at(g, v);
        if (p->kind == VALUE_PARAM && p->param_offset == offset)
            p->is_mutated = true;
    }
}

static bool is_accumulating(graph *g)
{
    for (node_id n = 0; n < graph_node_count(g); n++)
        if (graph_node_at(g, n)->op == &op_accumulate_def)
            return true;
    return false;
}

mien_status op_optimizer(graph *g, const char *name, const optimizer_attr *attr)
{
    all_gradients all = {0};
    value_id *inputs = NULL;
    TRY(gradients_collect(g, &all, name, attr->loss));
    TRY(arena_alloc(graph_arena(g), &inputs, all.count + 2));
    inputs[0] = graph_step(g);
    memcpy(inputs + 1, all.values, (size_t)(all.count + 1) * sizeof *inputs);
    for (int i = 0; i < all.count; i++)
        mark_mutated(g, graph_value_at(g, all.values[i])->param_offset);
    optimizer_attr full = *attr;
    full.ranges = all.ranges;
    full.range_count = all.range_count;
    full.is_summed = is_accumulating(g);
    graph_set_phase(g, PHASE_UPDATE);
    node_id n = NO_NODE;
    return graph_add(g, &n, &op_optimizer_def, name, inputs, all.count + 2, &full, sizeof full);
}
