/* binary_cross_entropy: loss = mean over present elements of w_u t log(1 + e^-x) + (1 - t) log(1 + e^x), 0 where none
 * is present; x a logit, t its target (0, 1, or between), w_u the weight of positives of its column.
 *
 * dx = ((1 - t) s(x) - w_u t (1 - s(x))) / how many are present, 0 where absent; s(x) = 1 / (1 + e^-x)
 *                                                                                      binary_cross_entropy_dx
 * PyTorch: binary_cross_entropy_with_logits(x, t, pos_weight=w, reduction="none")[mask].mean(). */
#include "graph/op/rule.h"

static mien_status binary_cross_entropy_infer(graph *g, node_id n)
{
    TRY(want_targets(g, n, "logits"));
    TRY(want_rank(g, n, BINARY_LOGITS, "logits", 2));
    if (input_of(g, n, BINARY_WEIGHTS)) {
        TRY(want_type(g, n, BINARY_WEIGHTS, "positive weights", DTYPE_F32));
        TRY(want_shape(g, n, BINARY_WEIGHTS, "positive weights",
                       shape_of(1, input_of(g, n, BINARY_LOGITS)->shape.dim[1])));
    }
    return graph_add_output(g, n, DTYPE_F32, shape_of(0));
}

static mien_status binary_cross_entropy_grad(graph *g, node_id n, const value_id *out_grads, const bool *needs,
                                             value_id *in_grads)
{
    (void)out_grads;
    if (!needs[BINARY_LOGITS])
        return MIEN_OK;
    return op_append_backward(g, &in_grads[BINARY_LOGITS], &op_binary_cross_entropy_dx_def, n, "dx",
                              graph_node_at(g, n)->inputs, BINARY_INPUTS, NULL, 0);
}

const op_def op_binary_cross_entropy_def = {.name = "binary_cross_entropy",
                                            .infer = binary_cross_entropy_infer,
                                            .grad = binary_cross_entropy_grad,
                                            .inplace_input = -1,
                                            .is_loss = true};
const op_def op_binary_cross_entropy_dx_def = {
    .name = "binary_cross_entropy_dx", .infer = loss_dx_infer, .inplace_input = -1};

mien_status op_binary_cross_entropy(graph *g, value_id *loss, const char *name, value_id logits, value_id target,
                                    value_id positive_weights, value_id mask)
{
    const value_id inputs[BINARY_INPUTS] = {logits, target, mask, positive_weights};
    return op_append(g, loss, &op_binary_cross_entropy_def, name, inputs, BINARY_INPUTS, NULL, 0);
}
