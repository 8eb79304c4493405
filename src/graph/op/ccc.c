/* ccc: loss = sum over columns of 1 - CCC, CCC = 2 s_xy / D, D = s_x^2 + s_y^2 + (m_x - m_y)^2 + 1e-8, of the column's
 * present rows: means m, variances s^2 and covariance s_xy divide by rows - 1. By covariance there is no square root,
 * and so no infinite gradient where a prediction is constant. A column with fewer than two rows present counts 0.
 *
 * dx_i = -(2 (y_i - m_y) / (n - 1) - CCC (2 (x_i - m_x) / (n - 1) + 2 (m_x - m_y) / n)) / D, 0 where absent   ccc_dx
 * PyTorch: 1 - 2 cov / (x.var() + y.var() + (x.mean() - y.mean())**2 + 1e-8) of x = prediction[mask[:, k], k]. */
#include "graph/op/rule.h"

enum { CCC_INPUTS = 3 };

static mien_status ccc_infer(graph *g, node_id n)
{
    TRY(want_targets(g, n, "prediction"));
    TRY(want_rank(g, n, 0, "prediction", 2));
    return graph_add_output(g, n, DTYPE_F32, shape_of(0));
}

static mien_status ccc_grad(graph *g, node_id n, const value_id *out_grads, const bool *needs, value_id *in_grads)
{
    (void)out_grads;
    if (!needs[0])
        return MIEN_OK;
    return op_append_backward(g, &in_grads[0], &op_ccc_dx_def, n, "dx", graph_node_at(g, n)->inputs, CCC_INPUTS, NULL,
                              0);
}

const op_def op_ccc_def = {.name = "ccc", .infer = ccc_infer, .grad = ccc_grad, .inplace_input = -1, .is_loss = true};
const op_def op_ccc_dx_def = {.name = "ccc_dx", .infer = loss_dx_infer, .inplace_input = -1};

mien_status op_ccc(graph *g, value_id *loss, const char *name, value_id prediction, value_id target, value_id mask)
{
    return op_append(g, loss, &op_ccc_def, name, (value_id[]){prediction, target, mask}, CCC_INPUTS, NULL, 0);
}
