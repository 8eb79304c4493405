/* tokens: a map's pixels as tokens, the class token before them, and where each stands added.
 * x [n, h, w, d], first [1, 1, d], position [1, 1 + h w, d] -> y [n, 1 + h w, d]:
 *
 *   y[n, 0] = first + position[0],  y[n, 1 + i] = x[n, pixel i] + position[1 + i]
 * dx = dy without its first row, dposition = sum over n of dy, dfirst = dposition[0]   tokens_dx
 * PyTorch: torch.cat([first.expand(n, -1, -1), x.flatten(1, 2)], 1) + position.
 *
 * first_token: y [n, d] = x[:, 0] of x [n, t, d]; dx is dy in row 0, else 0   first_token_dx
 * PyTorch: x[:, 0]. */
#include "graph/op/rule.h"

static mien_status tokens_infer(graph *g, node_id n)
{
    TRY(want_type(g, n, TOKENS_X, "input", graph_activation_type(g)));
    TRY(want_rank(g, n, TOKENS_X, "input", 4));
    const shape x = input_of(g, n, TOKENS_X)->shape;
    const int64_t t = 1 + x.dim[1] * x.dim[2], d = x.dim[3];
    TRY(want_param(g, n, TOKENS_FIRST, "class token", shape_of(3, (int64_t)1, (int64_t)1, d)));
    TRY(want_param(g, n, TOKENS_POSITION, "position embedding", shape_of(3, (int64_t)1, t, d)));
    const tokens_attr *attr = graph_node_at(g, n)->attr;
    return graph_add_output(g, n, attr->is_f32 ? DTYPE_F32 : graph_activation_type(g), shape_of(3, x.dim[0], t, d));
}

static mien_status tokens_grad(graph *g, node_id n, const value_id *out_grads, const bool *needs, value_id *in_grads)
{
    node_id dx = NO_NODE;
    TRY(graph_add_backward(g, &dx, &op_tokens_dx_def, n, "dx", &out_grads[0], 1, NULL, 0));
    if (needs[TOKENS_X])
        in_grads[TOKENS_X] = graph_node_at(g, dx)->outputs[TOKENS_X];
    return MIEN_OK;
}

/* Outputs stand where the forward node's inputs do. */
static mien_status tokens_dx_infer(graph *g, node_id n)
{
    const graph_node *forward = graph_node_at(g, graph_node_at(g, n)->forward);
    if (forward_wants_grad(g, n, TOKENS_X))
        TRY(graph_add_output(g, n, graph_activation_type(g), forward_input_of(g, n, TOKENS_X)->shape));
    else
        graph_skip_output(g, n);
    for (int i = TOKENS_FIRST; i <= TOKENS_POSITION; i++)
        if (forward_wants_grad(g, n, i))
            TRY(graph_add_param_grad_output(g, n, forward->inputs[i]));
        else
            graph_skip_output(g, n);
    return MIEN_OK;
}

static mien_status first_token_infer(graph *g, node_id n)
{
    TRY(want_float(g, n, 0, "input"));
    TRY(want_rank(g, n, 0, "input", 3));
    const graph_value *x = input_of(g, n, 0);
    return graph_add_output(g, n, x->type, shape_of(2, x->shape.dim[0], x->shape.dim[2]));
}

static mien_status first_token_grad(graph *g, node_id n, const value_id *out_grads, const bool *needs,
                                    value_id *in_grads)
{
    if (!needs[0])
        return MIEN_OK;
    return op_append_backward(g, &in_grads[0], &op_first_token_dx_def, n, "dx", &out_grads[0], 1, NULL, 0);
}

static mien_status first_token_dx_infer(graph *g, node_id n)
{
    const graph_value *x = forward_input_of(g, n, 0);
    return graph_add_output(g, n, x->type, x->shape);
}

const op_def op_tokens_def = {.name = "tokens", .infer = tokens_infer, .grad = tokens_grad, .inplace_input = -1};
const op_def op_tokens_dx_def = {.name = "tokens_dx", .infer = tokens_dx_infer, .inplace_input = -1};
const op_def op_first_token_def = {
    .name = "first_token", .infer = first_token_infer, .grad = first_token_grad, .inplace_input = -1};
const op_def op_first_token_dx_def = {.name = "first_token_dx", .infer = first_token_dx_infer, .inplace_input = -1};

mien_status op_tokens(graph *g, value_id *y, const char *name, value_id x, value_id first, value_id position,
                      bool is_f32)
{
    const tokens_attr attr = {.is_f32 = is_f32};
    const value_id inputs[TOKENS_INPUTS] = {[TOKENS_X] = x, [TOKENS_FIRST] = first, [TOKENS_POSITION] = position};
    return op_append(g, y, &op_tokens_def, name, inputs, TOKENS_INPUTS, &attr, sizeof attr);
}

mien_status op_first_token(graph *g, value_id *y, const char *name, value_id x)
{
    return op_append(g, y, &op_first_token_def, name, &x, 1, NULL, 0);
}
