/* softmax: y[.., i] = exp(x[.., i] - max) / sum over j of exp(x[.., j] - max), over the last dimension, f32.
 *
 * No gradient: training takes the softmax inside cross_entropy.
 * PyTorch: torch.softmax(x, dim=-1). */
#include "graph/op/rule.h"

static mien_status softmax_infer(graph *g, node_id n)
{
    TRY(want_type(g, n, 0, "input", DTYPE_F32));
    TRY(want_rank(g, n, 0, "input", 2));
    return graph_add_output(g, n, DTYPE_F32, input_of(g, n, 0)->shape);
}

const op_def op_softmax_def = {.name = "softmax", .infer = softmax_infer, .inplace_input = 0};

mien_status op_softmax(graph *g, value_id *y, const char *name, value_id x)
{
    return op_append(g, y, &op_softmax_def, name, &x, 1, NULL, 0);
}
