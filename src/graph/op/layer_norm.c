/* layer_norm: y = gamma xhat + beta, xhat = (x - m) k, k = 1 / sqrt(v + eps), a row (the last dimension, of c) at a
 * time: m, v its mean and biased variance, in f32.
 *
 * With g = gamma dy, means over the row:
 *   dx = k (g - mean(g) - xhat mean(g xhat))
 *   dgamma = sum over rows of dy xhat, dbeta = sum over rows of dy
 * all three by layer_norm_dx, which reads m and k as forward saved them.
 * PyTorch: torch.nn.functional.layer_norm(x, x.shape[-1:], gamma, beta, eps). */
#include "graph/op/rule.h"

#include <math.h>

static mien_status layer_norm_infer(graph *g, node_id n)
{
    const layer_norm_attr *attr = graph_node_at(g, n)->attr;
    if (!(attr->eps > 0) || !isfinite(attr->eps))
        return mien_fail(MIEN_ERR_ARG, "eps %g (wanted above 0)", (double)attr->eps);
    TRY(want_float(g, n, LN_X, "input"));
    if (input_of(g, n, LN_X)->type != DTYPE_F32) /* a sum kept in f32 may be read in any graph */
        TRY(want_type(g, n, LN_X, "input", graph_activation_type(g)));
    const shape x = input_of(g, n, LN_X)->shape;
    if (x.rank < 1)
        return mien_fail(MIEN_ERR_SHAPE, "input is a scalar (wanted at least 1 dimension)");
    const shape c = shape_of(1, x.dim[x.rank - 1]);
    TRY(want_param(g, n, LN_GAMMA, "weight", c));
    TRY(want_param(g, n, LN_BETA, "bias", c));
    TRY(graph_add_output(g, n, graph_activation_type(g), x));
    graph_skip_output(g, n); /* mean and inverse deviation: only a gradient asks for them */
    graph_skip_output(g, n);
    return MIEN_OK;
}

static mien_status layer_norm_grad(graph *g, node_id n, const value_id *out_grads, const bool *needs,
                                   value_id *in_grads)
{
    const graph_node *node = graph_node_at(g, n);
    const shape x = input_of(g, n, LN_X)->shape, rows = shape_of(1, shape_count(&x) / x.dim[x.rank - 1]);
    TRY(graph_fill_output(g, n, LN_MEAN, DTYPE_F32, rows));
    TRY(graph_fill_output(g, n, LN_INV_STD, DTYPE_F32, rows));
    const value_id in[LN_DX_INPUTS] = {[LN_DY] = out_grads[LN_Y],
                                       [LN_DX_X] = node->inputs[LN_X],
                                       [LN_DX_GAMMA] = node->inputs[LN_GAMMA],
                                       [LN_DX_MEAN] = node->outputs[LN_MEAN],
                                       [LN_DX_INV_STD] = node->outputs[LN_INV_STD]};
    node_id dx = NO_NODE;
    TRY(graph_add_backward(g, &dx, &op_layer_norm_dx_def, n, "dx", in, LN_DX_INPUTS, NULL, 0));
    if (needs[LN_X])
        in_grads[LN_X] = graph_node_at(g, dx)->outputs[LN_OUT_DX];
    return MIEN_OK;
}

static mien_status layer_norm_dx_infer(graph *g, node_id n)
{
    const graph_node *forward = graph_node_at(g, graph_node_at(g, n)->forward);
    if (forward_wants_grad(g, n, LN_X))
        TRY(graph_add_output(g, n, input_of(g, n, LN_DX_X)->type, input_of(g, n, LN_DX_X)->shape));
    else
        graph_skip_output(g, n);
    for (int i = LN_GAMMA; i <= LN_BETA; i++)
        if (forward_wants_grad(g, n, i))
            TRY(graph_add_param_grad_output(g, n, forward->inputs[i]));
        else
            graph_skip_output(g, n);
    return MIEN_OK;
}

const op_def op_layer_norm_def = {
    .name = "layer_norm", .infer = layer_norm_infer, .grad = layer_norm_grad, .inplace_input = LN_X};
const op_def op_layer_norm_dx_def = {.name = "layer_norm_dx", .infer = layer_norm_dx_infer, .inplace_input = LN_DY};

mien_status op_layer_norm(graph *g, value_id *y, const char *name, value_id x, value_id gamma, value_id beta, float eps)
{
    const layer_norm_attr attr = {.eps = eps};
    const value_id inputs[LN_INPUTS] = {[LN_X] = x, [LN_GAMMA] = gamma, [LN_BETA] = beta};
    return op_append(g, y, &op_layer_norm_def, name, inputs, LN_INPUTS, &attr, sizeof attr);
}
