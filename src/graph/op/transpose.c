/* transpose: dimension i of y is dimension order[i] of x.
 *
 * dx = dy with the inverse order: the operator itself. PyTorch: x.permute(order). */
#include "graph/op/rule.h"

#include <string.h>

static mien_status transpose_infer(graph *g, node_id n)
{
    const transpose_attr *attr = graph_node_at(g, n)->attr;
    TRY(want_float(g, n, 0, "input"));
    const graph_value *x = input_of(g, n, 0);
    shape y = {.rank = x->shape.rank};
    unsigned seen = 0;
    for (int i = 0; i < y.rank; i++) {
        const int from = attr->order[i];
        if (from < 0 || from >= y.rank || (seen >> from & 1u))
            return mien_fail(MIEN_ERR_SHAPE, "dimension %d from %d (wanted each of %d once)", i, from, y.rank);
        seen |= 1u << from;
        y.dim[i] = x->shape.dim[from];
    }
    return graph_add_output(g, n, x->type, y);
}

static mien_status transpose_grad(graph *g, node_id n, const value_id *out_grads, const bool *needs, value_id *in_grads)
{
    const transpose_attr *attr = graph_node_at(g, n)->attr;
    transpose_attr back = {{0}};
    if (!needs[0])
        return MIEN_OK;
    for (int i = 0; i < input_of(g, n, 0)->shape.rank; i++)
        back.order[attr->order[i]] = i;
    return op_append_backward(g, &in_grads[0], &op_transpose_def, n, "dx", &out_grads[0], 1, &back, sizeof back);
}

const op_def op_transpose_def = {
    .name = "transpose", .infer = transpose_infer, .grad = transpose_grad, .inplace_input = -1};

mien_status op_transpose(graph *g, value_id *y, const char *name, value_id x, const int *order)
{
    transpose_attr attr = {{0}};
    const int rank = x == NO_VALUE ? 0 : graph_value_at(g, x)->shape.rank;
    if (rank)
        memcpy(attr.order, order, (size_t)rank * sizeof *order);
    return op_append(g, y, &op_transpose_def, name, &x, 1, &attr, sizeof attr);
}
