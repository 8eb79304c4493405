/* total: y = sum over i of weight_i x_i, scalars: what several losses come to. It is told and checked, not
 * differentiated: graph_differentiate begins at the losses themselves.
 *
 * PyTorch: w0 * loss0 + w1 * loss1 + ... */
#include "graph/op/rule.h"

#include <math.h>
#include <stdio.h>

static mien_status total_infer(graph *g, node_id n)
{
    const graph_node *node = graph_node_at(g, n);
    const float *weights = node->attr;
    if (node->input_count < 1)
        return mien_fail(MIEN_ERR_ARG, "no losses (wanted at least one)");
    for (int i = 0; i < node->input_count; i++) {
        char what[32];
        snprintf(what, sizeof what, "loss %d", i);
        TRY(want_type(g, n, i, what, DTYPE_F32));
        TRY(want_shape(g, n, i, what, shape_of(0)));
        if (!isfinite(weights[i]))
            return mien_fail(MIEN_ERR_ARG, "%s: weight %g (wanted a finite one)", what, (double)weights[i]);
    }
    return graph_add_output(g, n, DTYPE_F32, shape_of(0));
}

const op_def op_total_def = {.name = "total", .infer = total_infer, .inplace_input = -1};

mien_status op_total(graph *g, value_id *y, const char *name, const graph_loss *losses, int count)
{
    value_id *values = NULL;
    float *weights = NULL;
    TRY(arena_alloc(graph_arena(g), &values, count + 1));
    TRY(arena_alloc(graph_arena(g), &weights, count + 1));
    for (int i = 0; i < count; i++) {
        values[i] = losses[i].value;
        weights[i] = losses[i].weight;
    }
    return op_append(g, y, &op_total_def, name, values, count, weights, (size_t)count * sizeof *weights);
}
