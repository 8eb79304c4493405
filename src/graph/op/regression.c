/* regression: loss = mean over present elements of f(d), d = x - t, 0 where none is present.
 *
 *   squared    f = d^2                                            f' = 2 d
 *   smooth l1  f = d^2 / (2 beta) for |d| < beta, |d| - beta / 2  f' = d / beta, else the sign of d
 * dx = f'(d) / how many are present, 0 where absent   regression_dx
 * PyTorch: torch.nn.functional.mse_loss(x, t) and smooth_l1_loss(x, t, beta=beta), of x[mask], t[mask]. */
#include "graph/op/rule.h"

#include <math.h>

enum { REGRESSION_X, REGRESSION_TARGET, REGRESSION_MASK, REGRESSION_INPUTS };

static mien_status regression_infer(graph *g, node_id n)
{
    const regression_attr *attr = graph_node_at(g, n)->attr;
    if (attr->kind == REGRESSION_SMOOTH_L1 && !(attr->beta > 0 && isfinite(attr->beta)))
        return mien_fail(MIEN_ERR_ARG, "beta %g (wanted above 0)", (double)attr->beta);
    TRY(want_targets(g, n, "prediction"));
    return graph_add_output(g, n, DTYPE_F32, shape_of(0));
}

static mien_status regression_grad(graph *g, node_id n, const value_id *out_grads, const bool *needs,
                                   value_id *in_grads)
{
    (void)out_grads;
    const graph_node *node = graph_node_at(g, n);
    if (!needs[REGRESSION_X])
        return MIEN_OK;
    return op_append_backward(g, &in_grads[REGRESSION_X], &op_regression_dx_def, n, "dx", node->inputs,
                              REGRESSION_INPUTS, node->attr, sizeof(regression_attr));
}

static mien_status regression_print(const graph_node *node, str *out)
{
    const regression_attr *attr = node->attr;
    return attr->kind == REGRESSION_SQUARED ? str_append(out, " squared")
                                            : str_printf(out, " smooth l1 %g", (double)attr->beta);
}

const op_def op_regression_def = {.name = "regression",
                                  .infer = regression_infer,
                                  .grad = regression_grad,
                                  .inplace_input = -1,
                                  .is_loss = true,
                                  .print = regression_print};
const op_def op_regression_dx_def = {
    .name = "regression_dx", .infer = loss_dx_infer, .inplace_input = -1, .print = regression_print};

mien_status op_regression(graph *g, value_id *loss, const char *name, value_id prediction, value_id target,
                          value_id mask, const regression_attr *attr)
{
    return op_append(g, loss, &op_regression_def, name, (value_id[]){prediction, target, mask}, REGRESSION_INPUTS, attr,
                     sizeof *attr);
}
