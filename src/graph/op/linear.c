/* linear: y = x w^T + b over the last dimension. x [n, k] or [n, t, k], w [o, k], b [o]; y [n, o] or [n, t, o].
 *
 * dx = dy w                                   linear_dx
 * dw = dy^T x, db = sum of dy over its rows   linear_dw
 * PyTorch: torch.nn.functional.linear(x, w, b). */
#include "graph/op/rule.h"

#include <inttypes.h>

enum { LINEAR_X, LINEAR_W, LINEAR_B, LINEAR_INPUTS };

static mien_status linear_infer(graph *g, node_id n)
{
    const linear_attr *attr = graph_node_at(g, n)->attr;
    TRY(want_float(g, n, LINEAR_X, "input"));
    TRY(want_rank(g, n, LINEAR_W, "weight", 2));
    shape x = input_of(g, n, LINEAR_X)->shape, w = input_of(g, n, LINEAR_W)->shape;
    if (x.rank != 2 && x.rank != 3)
        return mien_fail(MIEN_ERR_SHAPE, "input has %d dimensions (wanted 2 or 3)", x.rank);
    TRY(want_param(g, n, LINEAR_W, "weight", w));
    if (x.dim[x.rank - 1] != w.dim[1])
        return mien_fail(MIEN_ERR_SHAPE, "input has %" PRId64 " features (wanted %" PRId64 ")", x.dim[x.rank - 1],
                         w.dim[1]);
    if (input_of(g, n, LINEAR_B))
        TRY(want_param(g, n, LINEAR_B, "bias", shape_of(1, w.dim[0])));
    shape y = x;
    y.dim[y.rank - 1] = w.dim[0];
    return graph_add_output(g, n, attr->is_f32 ? DTYPE_F32 : graph_activation_type(g), y);
}

/* rows of x, or of dy, times k times o */
static double linear_work(const shape *rows, const shape *w)
{
    return 2.0 * (double)(shape_count(rows) / rows->dim[rows->rank - 1]) * (double)shape_count(w);
}

static double linear_flops(graph *g, node_id n)
{
    return linear_work(&input_of(g, n, LINEAR_X)->shape, &input_of(g, n, LINEAR_W)->shape);
}

static mien_status linear_grad(graph *g, node_id n, const value_id *out_grads, const bool *needs, value_id *in_grads)
{
    const graph_node *node = graph_node_at(g, n);
    const value_id x = node->inputs[LINEAR_X], w = node->inputs[LINEAR_W], dy = out_grads[0];
    node_id dw = NO_NODE;
    if (needs[LINEAR_W] || needs[LINEAR_B])
        TRY(graph_add_backward(g, &dw, &op_linear_dw_def, n, "dw", (value_id[]){x, dy, w}, 3, node->attr,
                               sizeof(linear_attr)));
    if (needs[LINEAR_X])
        TRY(op_append_backward(g, &in_grads[LINEAR_X], &op_linear_dx_def, n, "dx", (value_id[]){dy, w}, 2, node->attr,
                               sizeof(linear_attr)));
    return MIEN_OK;
}

static mien_status linear_dx_infer(graph *g, node_id n)
{
    const graph_value *x = forward_input_of(g, n, LINEAR_X);
    return graph_add_output(g, n, x->type, x->shape);
}

static double linear_dx_flops(graph *g, node_id n)
{
    return linear_work(&input_of(g, n, 0)->shape, &input_of(g, n, 1)->shape);
}

static mien_status linear_dw_infer(graph *g, node_id n)
{
    return dw_infer(g, n, LINEAR_W, LINEAR_B);
}

static double linear_dw_flops(graph *g, node_id n)
{
    return linear_work(&input_of(g, n, 0)->shape, &input_of(g, n, 2)->shape);
}

const op_def op_linear_def = {
    .name = "linear", .infer = linear_infer, .grad = linear_grad, .inplace_input = -1, .flops = linear_flops};
const op_def op_linear_dx_def = {
    .name = "linear_dx", .infer = linear_dx_infer, .inplace_input = -1, .flops = linear_dx_flops};
const op_def op_linear_dw_def = {
    .name = "linear_dw", .infer = linear_dw_infer, .inplace_input = -1, .flops = linear_dw_flops};

mien_status op_linear(graph *g, value_id *y, const char *name, value_id x, value_id w, value_id b, bool is_f32)
{
    const linear_attr attr = {.is_f32 = is_f32};
    return op_append(g, y, &op_linear_def, name, (value_id[]){x, w, b}, LINEAR_INPUTS, &attr, sizeof attr);
}
