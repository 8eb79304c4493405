/* global_mean: y[n, c] = mean over h, w of x[n, h, w, c].
 *
 * dx[n, h, w, c] = dy[n, c] / (h w)   global_mean_dx
 * PyTorch: x.mean((2, 3)) in NCHW, or adaptive_avg_pool2d(x, 1).flatten(1). */
#include "graph/op/rule.h"

static mien_status global_mean_infer(graph *g, node_id n)
{
    TRY(want_float(g, n, 0, "input"));
    TRY(want_rank(g, n, 0, "input", 4));
    const graph_value *x = input_of(g, n, 0);
    return graph_add_output(g, n, x->type, shape_of(2, x->shape.dim[0], x->shape.dim[3]));
}

static mien_status global_mean_grad(graph *g, node_id n, const value_id *out_grads, const bool *needs,
                                    value_id *in_grads)
{
    const global_mean_grad_attr attr = {.x = input_of(g, n, 0)->shape};
    if (!needs[0])
        return MIEN_OK;
    return op_append_backward(g, &in_grads[0], &op_global_mean_dx_def, n, "dx", &out_grads[0], 1, &attr, sizeof attr);
}

static mien_status global_mean_dx_infer(graph *g, node_id n)
{
    const global_mean_grad_attr *attr = graph_node_at(g, n)->attr;
    return graph_add_output(g, n, input_of(g, n, 0)->type, attr->x);
}

const op_def op_global_mean_def = {
    .name = "global_mean", .infer = global_mean_infer, .grad = global_mean_grad, .inplace_input = -1};
const op_def op_global_mean_dx_def = {.name = "global_mean_dx", .infer = global_mean_dx_infer, .inplace_input = -1};

mien_status op_global_mean(graph *g, value_id *y, const char *name, value_id x)
{
    return op_append(g, y, &op_global_mean_def, name, &x, 1, NULL, 0);
}

mien_status op_token_mean(graph *g, value_id *y, const char *name, value_id x)
{
    char *map = NULL;
    if (x == NO_VALUE || graph_value_at(g, x)->shape.rank != 3)
        return mien_fail(MIEN_ERR_SHAPE, "%s: input is no tokens (wanted 3 dimensions)", name);
    const shape s = graph_value_at(g, x)->shape;
    TRY(arena_printf(graph_arena(g), &map, "%s:map", name));
    TRY(op_reshape(g, y, map, x, shape_of(4, s.dim[0], s.dim[1], (int64_t)1, s.dim[2])));
    return op_global_mean(g, y, name, *y);
}
