/* group_linear: a linear layer for each of G groups of the last dimension, none of which sees another's numbers.
 * x [.., G k], w [G o, k], b [G o]; y [.., G o]:
 *
 *   y[.., (g, j)] = b[(g, j)] + sum over i of w[(g, j), i] x[.., (g, i)]
 *
 * w and b are f32 and plain operands: parameters, or tensors that were computed of some.
 *   dx[.., (g, i)] = sum over j of w[(g, j), i] dy[.., (g, j)]                                group_linear_dx
 *   dw[(g, j), i] = sum over rows of dy[.., (g, j)] x[.., (g, i)], db = sum over rows of dy   group_linear_dw
 * PyTorch: einsum("ngi,gji->ngj", x, w) + b; conv2d(x, w, b, groups=G) of a 1x1 window in NCHW. */
#include "graph/op/rule.h"

#include <inttypes.h>

static mien_status group_linear_infer(graph *g, node_id n)
{
    const group_linear_attr *attr = graph_node_at(g, n)->attr;
    TRY(want_float(g, n, GROUP_X, "input"));
    TRY(want_type(g, n, GROUP_W, "weight", DTYPE_F32));
    TRY(want_rank(g, n, GROUP_W, "weight", 2));
    const shape x = input_of(g, n, GROUP_X)->shape, w = input_of(g, n, GROUP_W)->shape;
    if (x.rank < 1)
        return mien_fail(MIEN_ERR_SHAPE, "input is a scalar (wanted at least 1 dimension)");
    if (attr->groups < 1 || x.dim[x.rank - 1] != attr->groups * w.dim[1] || w.dim[0] % attr->groups != 0)
        return mien_fail(MIEN_ERR_SHAPE,
                         "input has %" PRId64 " features, weight [%" PRId64 ", %" PRId64 "] (wanted %d groups of both)",
                         x.dim[x.rank - 1], w.dim[0], w.dim[1], attr->groups);
    if (input_of(g, n, GROUP_B)) {
        TRY(want_type(g, n, GROUP_B, "bias", DTYPE_F32));
        TRY(want_shape(g, n, GROUP_B, "bias", shape_of(1, w.dim[0])));
    }
    shape y = x;
    y.dim[y.rank - 1] = w.dim[0];
    return graph_add_output(g, n, attr->is_f32 ? DTYPE_F32 : graph_activation_type(g), y);
}

/* One group's products for each row: as many as w has elements. */
static double group_work(const shape *rows, const shape *w)
{
    return 2.0 * (double)(shape_count(rows) / rows->dim[rows->rank - 1]) * (double)shape_count(w);
}

static double group_linear_flops(graph *g, node_id n)
{
    return group_work(&input_of(g, n, GROUP_X)->shape, &input_of(g, n, GROUP_W)->shape);
}

static mien_status group_linear_grad(graph *g, node_id n, const value_id *out_grads, const bool *needs,
                                     value_id *in_grads)
{
    const graph_node *node = graph_node_at(g, n);
    const value_id x = node->inputs[GROUP_X], w = node->inputs[GROUP_W], dy = out_grads[0];
    node_id dw = NO_NODE;
    if (needs[GROUP_W] || needs[GROUP_B]) {
        TRY(graph_add_backward(g, &dw, &op_group_linear_dw_def, n, "dw", (value_id[]){x, dy}, 2, node->attr,
                               sizeof(group_linear_attr)));
        in_grads[GROUP_W] = graph_node_at(g, dw)->outputs[DW_WEIGHT];
        in_grads[GROUP_B] = graph_node_at(g, dw)->outputs[DW_BIAS];
    }
    if (needs[GROUP_X])
        TRY(op_append_backward(g, &in_grads[GROUP_X], &op_group_linear_dx_def, n, "dx", (value_id[]){dy, w}, 2,
                               node->attr, sizeof(group_linear_attr)));
    return MIEN_OK;
}

static mien_status group_linear_dx_infer(graph *g, node_id n)
{
    const graph_value *x = forward_input_of(g, n, GROUP_X);
    return graph_add_output(g, n, x->type, x->shape);
}

static mien_status group_linear_dw_infer(graph *g, node_id n)
{
    static const int at[DW_OUTPUTS] = {[DW_WEIGHT] = GROUP_W, [DW_BIAS] = GROUP_B};
    for (int i = 0; i < DW_OUTPUTS; i++)
        if (forward_wants_grad(g, n, at[i]))
            TRY(graph_add_output(g, n, DTYPE_F32, forward_input_of(g, n, at[i])->shape));
        else
            graph_skip_output(g, n);
    return MIEN_OK;
}

static mien_status group_linear_print(const graph_node *node, str *out)
{
    const group_linear_attr *attr = node->attr;
    return str_printf(out, " groups %d", attr->groups);
}

static double group_linear_dx_flops(graph *g, node_id n)
{
    return group_work(&input_of(g, n, 0)->shape, &input_of(g, n, 1)->shape);
}

static double group_linear_dw_flops(graph *g, node_id n)
{
    return group_work(&input_of(g, n, 0)->shape, &forward_input_of(g, n, GROUP_W)->shape);
}

const op_def op_group_linear_def = {.name = "group_linear",
                                    .infer = group_linear_infer,
                                    .grad = group_linear_grad,
                                    .inplace_input = -1,
                                    .flops = group_linear_flops,
                                    .print = group_linear_print};
const op_def op_group_linear_dx_def = {.name = "group_linear_dx",
                                       .infer = group_linear_dx_infer,
                                       .inplace_input = -1,
                                       .flops = group_linear_dx_flops,
                                       .print = group_linear_print};
const op_def op_group_linear_dw_def = {.name = "group_linear_dw",
                                       .infer = group_linear_dw_infer,
                                       .inplace_input = -1,
                                       .flops = group_linear_dw_flops,
                                       .print = group_linear_print};

mien_status op_group_linear(graph *g, value_id *y, const char *name, value_id x, value_id w, value_id b,
                            const group_linear_attr *attr)
{
    return op_append(g, y, &op_group_linear_def, name, (value_id[]){x, w, b}, GROUP_INPUTS, attr, sizeof *attr);
}
