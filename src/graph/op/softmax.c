/* softmax: y[.., i] = exp(x[.., i] - max) / sum over j of exp(x[.., j] - max), over the last dimension, f32.
 *
 * dx[.., i] = y[.., i] (dy[.., i] - sum over j of dy[.., j] y[.., j])   softmax_dx
 * PyTorch: torch.softmax(x, dim=-1). */
#include "graph/op/rule.h"

static mien_status softmax_infer(graph *g, node_id n)
{
    TRY(want_type(g, n, 0, "input", DTYPE_F32));
    if (input_of(g, n, 0)->shape.rank != 3)
        TRY(want_rank(g, n, 0, "input", 2));
    return graph_add_output(g, n, DTYPE_F32, input_of(g, n, 0)->shape);
}

static mien_status softmax_grad(graph *g, node_id n, const value_id *out_grads, const bool *needs, value_id *in_grads)
{
    if (!needs[0])
        return MIEN_OK;
    const value_id in[] = {out_grads[0], graph_node_at(g, n)->outputs[0]};
    return op_append_backward(g, &in_grads[0], &op_softmax_dx_def, n, "dx", in, 2, NULL, 0);
}

static mien_status softmax_dx_infer(graph *g, node_id n)
{
    return graph_add_output(g, n, DTYPE_F32, input_of(g, n, 0)->shape);
}

const op_def op_softmax_def = {.name = "softmax", .infer = softmax_infer, .grad = softmax_grad, .inplace_input = 0};
const op_def op_softmax_dx_def = {.name = "softmax_dx", .infer = softmax_dx_infer, .inplace_input = 0};

mien_status op_softmax(graph *g, value_id *y, const char *name, value_id x)
{
    return op_append(g, y, &op_softmax_def, name, &x, 1, NULL, 0);
}
