/* cast: y = x in another float type.
 *
 * dx = dy in x's type: the operator itself. PyTorch: x.to(dtype). */
#include "graph/op/rule.h"

static mien_status cast_infer(graph *g, node_id n)
{
    const cast_attr *attr = graph_node_at(g, n)->attr;
    TRY(want_float(g, n, 0, "input"));
    if (attr->type != DTYPE_F32 && attr->type != DTYPE_BF16)
        return mien_fail(MIEN_ERR_ARG, "to %s (wanted f32 or bf16)", dtype_name(attr->type));
    return graph_add_output(g, n, attr->type, input_of(g, n, 0)->shape);
}

static mien_status cast_grad(graph *g, node_id n, const value_id *out_grads, const bool *needs, value_id *in_grads)
{
    const cast_attr back = {input_of(g, n, 0)->type};
    if (!needs[0])
        return MIEN_OK;
    return op_append_backward(g, &in_grads[0], &op_cast_def, n, "dx", &out_grads[0], 1, &back, sizeof back);
}

const op_def op_cast_def = {.name = "cast", .infer = cast_infer, .grad = cast_grad, .inplace_input = -1};

mien_status op_cast(graph *g, value_id *y, const char *name, value_id x, dtype type)
{
    const cast_attr attr = {type};
    if (x != NO_VALUE && graph_value_at(g, x)->type == type) {
        *y = x;
        return MIEN_OK;
    }
    return op_append(g, y, &op_cast_def, name, &x, 1, &attr, sizeof attr);
}
