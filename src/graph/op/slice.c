/* slice: y = elements begin to begin + length - 1 of x along one axis.
 *
 * dx = dy there, 0 elsewhere   slice_dx
 * PyTorch: x.narrow(axis, begin, length). */
#include "graph/op/rule.h"

#include <inttypes.h>

static mien_status slice_infer(graph *g, node_id n)
{
    const slice_attr *attr = graph_node_at(g, n)->attr;
    TRY(want_float(g, n, 0, "input"));
    const graph_value *x = input_of(g, n, 0);
    shape y = x->shape;
    if (attr->axis < 0 || attr->axis >= y.rank)
        return mien_fail(MIEN_ERR_SHAPE, "axis %d (wanted one of %d)", attr->axis, y.rank);
    int64_t *extent = &y.dim[attr->axis];
    if (attr->begin < 0 || attr->length < 1 || attr->length > *extent || attr->begin > *extent - attr->length)
        return mien_fail(MIEN_ERR_SHAPE, "elements %" PRId64 " to %" PRId64 " (wanted some of %" PRId64 ")",
                         attr->begin, attr->begin + attr->length, *extent);
    *extent = attr->length;
    return graph_add_output(g, n, x->type, y);
}

static mien_status slice_grad(graph *g, node_id n, const value_id *out_grads, const bool *needs, value_id *in_grads)
{
    if (!needs[0])
        return MIEN_OK;
    return op_append_backward(g, &in_grads[0], &op_slice_dx_def, n, "dx", &out_grads[0], 1, graph_node_at(g, n)->attr,
                              sizeof(slice_attr));
}

static mien_status slice_dx_infer(graph *g, node_id n)
{
    const graph_value *x = forward_input_of(g, n, 0);
    return graph_add_output(g, n, x->type, x->shape);
}

static mien_status slice_print(const graph_node *node, str *out)
{
    const slice_attr *attr = node->attr;
    return str_printf(out, " %" PRId64 ":%" PRId64, attr->begin, attr->begin + attr->length);
}

const op_def op_slice_def = {
    .name = "slice", .infer = slice_infer, .grad = slice_grad, .inplace_input = -1, .print = slice_print};
const op_def op_slice_dx_def = {.name = "slice_dx", .infer = slice_dx_infer, .inplace_input = -1, .print = slice_print};

mien_status op_slice(graph *g, value_id *y, const char *name, value_id x, int axis, int64_t begin, int64_t length)
{
    const slice_attr attr = {begin, length, axis};
    return op_append(g, y, &op_slice_def, name, &x, 1, &attr, sizeof attr);
}
