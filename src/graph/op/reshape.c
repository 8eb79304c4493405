/* reshape: y = x's elements, in their order, in another shape.
 *
 * dx = dy in x's shape: the operator itself. PyTorch: x.reshape(shape). */
#include "graph/op/rule.h"

static mien_status reshape_infer(graph *g, node_id n)
{
    const reshape_attr *attr = graph_node_at(g, n)->attr;
    TRY(want_float(g, n, 0, "input"));
    TRY(shape_check(&attr->shape));
    const graph_value *x = input_of(g, n, 0);
    char from[SHAPE_TEXT_BYTES], to[SHAPE_TEXT_BYTES];
    if (shape_count(&x->shape) != shape_count(&attr->shape))
        return mien_fail(MIEN_ERR_SHAPE, "%s as %s (wanted as many elements)",
                         shape_print(from, sizeof from, &x->shape), shape_print(to, sizeof to, &attr->shape));
    return graph_add_output(g, n, x->type, attr->shape);
}

static mien_status reshape_grad(graph *g, node_id n, const value_id *out_grads, const bool *needs, value_id *in_grads)
{
    const reshape_attr back = {input_of(g, n, 0)->shape};
    if (!needs[0])
        return MIEN_OK;
    return op_append_backward(g, &in_grads[0], &op_reshape_def, n, "dx", &out_grads[0], 1, &back, sizeof back);
}

const op_def op_reshape_def = {.name = "reshape", .infer = reshape_infer, .grad = reshape_grad, .inplace_input = 0};

mien_status op_reshape(graph *g, value_id *y, const char *name, value_id x, shape s)
{
    const reshape_attr attr = {s};
    return op_append(g, y, &op_reshape_def, name, &x, 1, &attr, sizeof attr);
}
