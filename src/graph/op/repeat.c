/* repeat: y [n, ..] = x [..], n times: a parameter or a constant for each sample of a batch.
 *
 * dx = sum over n of dy   repeat_dx
 * PyTorch: x.expand(n, *x.shape). */
#include "graph/op/rule.h"

#include <inttypes.h>

static mien_status repeat_infer(graph *g, node_id n)
{
    const repeat_attr *attr = graph_node_at(g, n)->attr;
    TRY(want_float(g, n, 0, "input"));
    const graph_value *x = input_of(g, n, 0);
    if (attr->count < 1 || x->shape.rank == SHAPE_MAX_RANK)
        return mien_fail(MIEN_ERR_SHAPE, "%" PRId64 " times %d dimensions (wanted 1 or more, at most %d)", attr->count,
                         x->shape.rank, SHAPE_MAX_RANK - 1);
    shape y = {.rank = x->shape.rank + 1, .dim = {attr->count}};
    for (int i = 0; i < x->shape.rank; i++)
        y.dim[i + 1] = x->shape.dim[i];
    return graph_add_output(g, n, x->type, y);
}

static mien_status repeat_grad(graph *g, node_id n, const value_id *out_grads, const bool *needs, value_id *in_grads)
{
    if (!needs[0])
        return MIEN_OK;
    return op_append_backward(g, &in_grads[0], &op_repeat_dx_def, n, "dx", &out_grads[0], 1, NULL, 0);
}

static mien_status repeat_dx_infer(graph *g, node_id n)
{
    const graph_value *x = forward_input_of(g, n, 0);
    return graph_add_output(g, n, x->type, x->shape);
}

const op_def op_repeat_def = {.name = "repeat", .infer = repeat_infer, .grad = repeat_grad, .inplace_input = -1};
const op_def op_repeat_dx_def = {.name = "repeat_dx", .infer = repeat_dx_infer, .inplace_input = -1};

mien_status op_repeat(graph *g, value_id *y, const char *name, value_id x, int64_t count)
{
    const repeat_attr attr = {count};
    return op_append(g, y, &op_repeat_def, name, &x, 1, &attr, sizeof attr);
}
