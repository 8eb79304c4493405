/* batch_norm: y = act(z), z = gamma (x - m) k + beta + residual, k = 1 / sqrt(v + eps), a channel at a time.
 *
 * is_batch: m, v = mean and biased variance of x over n, h, w (N of them), and the running statistics move:
 *   running_mean += momentum (m - running_mean), running_var += momentum (v N / (N - 1) - running_var).
 * Else m, v are the running statistics, constants.
 *
 * With dz = dy act'(z) (ReLU, ReLU6: by the saved mask; SiLU: z is computed again), xhat = (x - m) k:
 *   dbeta = sum dz, dgamma = sum dz xhat, dresidual = dz
 *   dx = gamma k (dz - dbeta / N - xhat dgamma / N)   where is_batch
 *   dx = gamma k dz                                   else
 * PyTorch: act(torch.nn.functional.batch_norm(x, running_mean, running_var, gamma, beta, is_batch, momentum, eps) +
 * residual). A batch of one value a channel is refused, as PyTorch does: its variance is 0, its unbiased one 0 / 0. */
#include "graph/op/rule.h"

#include <math.h>

static mien_status batch_norm_check_attr(const graph *g, const batch_norm_attr *attr)
{
    if (!(attr->eps > 0) || !isfinite(attr->eps) || !(attr->momentum >= 0 && attr->momentum <= 1))
        return mien_fail(MIEN_ERR_ARG, "eps %g, momentum %g (wanted eps above 0, momentum 0 to 1)", (double)attr->eps,
                         (double)attr->momentum);
    if (attr->act != ACT_NONE && !activation_is_clipped(attr->act) && attr->act != ACT_SILU)
        return mien_fail(MIEN_ERR_ARG, "activation %s (wanted none, relu, relu6 or silu)", activation_name(attr->act));
    if (attr->is_batch && !graph_is_training(g))
        return mien_fail(MIEN_ERR_ARG, "batch statistics in an inference graph (wanted running ones)");
    return MIEN_OK;
}

static mien_status batch_norm_infer(graph *g, node_id n)
{
    const graph_node *node = graph_node_at(g, n);
    const batch_norm_attr *attr = node->attr;
    static const char *const params[] = {[BN_GAMMA] = "weight",
                                         [BN_BETA] = "bias",
                                         [BN_RUNNING_MEAN] = "running mean",
                                         [BN_RUNNING_VAR] = "running var"};
    TRY(batch_norm_check_attr(g, attr));
    TRY(want_type(g, n, BN_X, "input", graph_activation_type(g)));
    TRY(want_rank(g, n, BN_X, "input", 4));
    shape x = input_of(g, n, BN_X)->shape, c = shape_of(1, x.dim[3]);
    for (int i = BN_GAMMA; i <= BN_RUNNING_VAR; i++)
        TRY(want_param(g, n, i, params[i], c));
    if (attr->is_batch && shape_count(&x) == x.dim[3])
        return mien_fail(MIEN_ERR_SHAPE, "batch statistics of one value a channel (wanted at least 2)");
    TRY(graph_add_output(g, n, graph_activation_type(g), x));
    if (!attr->is_batch) {
        for (int i = BN_BATCH_MEAN; i < BN_OUTPUTS; i++)
            graph_skip_output(g, n);
        return MIEN_OK;
    }
    TRY(graph_add_output(g, n, DTYPE_F32, c));
    TRY(graph_add_output(g, n, DTYPE_F32, c));
    graph_skip_output(g, n); /* the mask: only a gradient asks for it */
    graph_value_at(g, node->inputs[BN_RUNNING_MEAN])->is_mutated = true;
    graph_value_at(g, node->inputs[BN_RUNNING_VAR])->is_mutated = true;
    return MIEN_OK;
}

/* The backward of ReLU and of ReLU6 reads a bit an element instead of y. */
static mien_status batch_norm_save_mask(graph *g, node_id n)
{
    int64_t count = shape_count(&input_of(g, n, BN_X)->shape);
    return graph_fill_output(g, n, BN_MASK, DTYPE_U8, shape_of(1, (count + 7) / 8));
}

static mien_status batch_norm_grad(graph *g, node_id n, const value_id *out_grads, const bool *needs,
                                   value_id *in_grads)
{
    const graph_node *node = graph_node_at(g, n);
    const batch_norm_attr *attr = node->attr;
    const bool is_silu = attr->act == ACT_SILU;
    if (needs[BN_RESIDUAL] && attr->act == ACT_NONE)
        in_grads[BN_RESIDUAL] = out_grads[BN_Y];
    if (!needs[BN_X] && !needs[BN_GAMMA] && !needs[BN_BETA] && in_grads[BN_RESIDUAL] != NO_VALUE)
        return MIEN_OK;
    if (activation_is_clipped(attr->act))
        TRY(batch_norm_save_mask(g, n));
    value_id in[BN_DX_INPUTS];
    for (int i = 0; i < BN_DX_INPUTS; i++)
        in[i] = NO_VALUE;
    in[BN_DY] = out_grads[BN_Y];
    in[BN_DX_X] = node->inputs[BN_X];
    in[BN_DX_GAMMA] = node->inputs[BN_GAMMA];
    if (attr->is_batch) {
        in[BN_DX_MEAN] = node->outputs[BN_BATCH_MEAN];
        in[BN_DX_INV_STD] = node->outputs[BN_BATCH_INV_STD];
    } else {
        in[BN_DX_RUNNING_MEAN] = node->inputs[BN_RUNNING_MEAN];
        in[BN_DX_RUNNING_VAR] = node->inputs[BN_RUNNING_VAR];
    }
    in[BN_DX_MASK] = node->outputs[BN_MASK];
    if (is_silu) {
        in[BN_DX_BETA] = node->inputs[BN_BETA];
        in[BN_DX_RESIDUAL] = node->inputs[BN_RESIDUAL];
    }
    node_id dx = NO_NODE;
    TRY(graph_add_backward(g, &dx, &op_batch_norm_dx_def, n, "dx", in, BN_DX_INPUTS, attr, sizeof *attr));
    const value_id *out = graph_node_at(g, dx)->outputs;
    in_grads[BN_X] = out[BN_OUT_DX];
    if (needs[BN_RESIDUAL] && attr->act != ACT_NONE)
        in_grads[BN_RESIDUAL] = out[BN_OUT_DRESIDUAL];
    return MIEN_OK;
}

static mien_status batch_norm_dx_infer(graph *g, node_id n)
{
    const graph_node *forward = graph_node_at(g, graph_node_at(g, n)->forward);
    const batch_norm_attr *attr = forward->attr;
    const shape x = input_of(g, n, BN_DX_X)->shape;
    const bool is_wanted[] = {
        [BN_OUT_DX] = forward_wants_grad(g, n, BN_X),
        [BN_OUT_DRESIDUAL] = attr->act != ACT_NONE && forward_wants_grad(g, n, BN_RESIDUAL),
    };
    for (int i = BN_OUT_DX; i <= BN_OUT_DRESIDUAL; i++)
        if (is_wanted[i])
            TRY(graph_add_output(g, n, graph_activation_type(g), x));
        else
            graph_skip_output(g, n);
    for (int i = BN_GAMMA; i <= BN_BETA; i++)
        if (forward_wants_grad(g, n, i))
            TRY(graph_add_param_grad_output(g, n, forward->inputs[i]));
        else
            graph_skip_output(g, n);
    return MIEN_OK;
}

static mien_status batch_norm_print(const graph_node *node, str *out)
{
    const batch_norm_attr *attr = node->attr;
    TRY(str_append(out, attr->is_batch ? " batch" : " running"));
    return attr->act == ACT_NONE ? MIEN_OK : str_printf(out, " %s", activation_name(attr->act));
}

const op_def op_batch_norm_def = {.name = "batch_norm",
                                  .infer = batch_norm_infer,
                                  .grad = batch_norm_grad,
                                  .inplace_input = BN_X,
                                  .print = batch_norm_print};
const op_def op_batch_norm_dx_def = {
    .name = "batch_norm_dx", .infer = batch_norm_dx_infer, .inplace_input = BN_DY, .print = batch_norm_print};

mien_status op_batch_norm(graph *g, value_id *y, const char *name, value_id x, value_id gamma, value_id beta,
                          value_id running_mean, value_id running_var, const batch_norm_attr *attr)
{
    const value_id inputs[BN_INPUTS] = {[BN_X] = x,
                                        [BN_GAMMA] = gamma,
                                        [BN_BETA] = beta,
                                        [BN_RUNNING_MEAN] = running_mean,
                                        [BN_RUNNING_VAR] = running_var,
                                        [BN_RESIDUAL] = NO_VALUE};
    return op_append(g, y, &op_batch_norm_def, name, inputs, BN_INPUTS, attr, sizeof *attr);
}
