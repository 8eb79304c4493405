/* orthogonal: an orthogonal matrix of each square one, by Cayley's transform. w [G d, d] holds G matrices W [d, d]; of
 * each, with A = (W - W^T) / 2, which is skew, so that I + A has an inverse whatever W is:
 *
 *   y = (I + A)^-1 (I - A),   y^T y = I,   and y = I where W is symmetric
 *
 * dy into it gives dA = -(I - A)^-1 dy (y^T + I), since A^T = -A, and dW = (dA - dA^T) / 2   orthogonal_dx
 * All f32; gradient of w as of any plain operand.
 * PyTorch: torch.nn.utils.parametrizations.orthogonal(.., orthogonal_map="cayley") has the same map of another A. */
#include "graph/op/rule.h"

#include <inttypes.h>

static mien_status orthogonal_infer(graph *g, node_id n)
{
    TRY(want_type(g, n, 0, "input", DTYPE_F32));
    TRY(want_rank(g, n, 0, "input", 2));
    const shape w = input_of(g, n, 0)->shape;
    if (w.dim[0] % w.dim[1] != 0)
        return mien_fail(MIEN_ERR_SHAPE,
                         "input is [%" PRId64 ", %" PRId64 "] (wanted square matrices, one below another)", w.dim[0],
                         w.dim[1]);
    return graph_add_output(g, n, DTYPE_F32, w);
}

static mien_status orthogonal_grad(graph *g, node_id n, const value_id *out_grads, const bool *needs,
                                   value_id *in_grads)
{
    const graph_node *node = graph_node_at(g, n);
    if (!needs[0])
        return MIEN_OK;
    return op_append_backward(g, &in_grads[0], &op_orthogonal_dx_def, n, "dx",
                              (value_id[]){out_grads[0], node->inputs[0], node->outputs[0]}, ORTHOGONAL_DX_INPUTS, NULL,
                              0);
}

static mien_status orthogonal_dx_infer(graph *g, node_id n)
{
    return graph_add_output(g, n, DTYPE_F32, input_of(g, n, ORTHOGONAL_DX_W)->shape);
}

const op_def op_orthogonal_def = {
    .name = "orthogonal", .infer = orthogonal_infer, .grad = orthogonal_grad, .inplace_input = -1};
const op_def op_orthogonal_dx_def = {.name = "orthogonal_dx", .infer = orthogonal_dx_infer, .inplace_input = -1};

mien_status op_orthogonal(graph *g, value_id *y, const char *name, value_id w)
{
    return op_append(g, y, &op_orthogonal_def, name, &w, 1, NULL, 0);
}
