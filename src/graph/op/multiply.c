/* multiply: y = factor x, a number that is known when the graph is described.
 *
 * dx = factor dy: the operator itself. PyTorch: factor * x. */
#include "graph/op/rule.h"

#include <math.h>

static mien_status multiply_infer(graph *g, node_id n)
{
    const multiply_attr *attr = graph_node_at(g, n)->attr;
    if (!isfinite(attr->factor))
        return mien_fail(MIEN_ERR_ARG, "factor %g (wanted a finite one)", (double)attr->factor);
    TRY(want_float(g, n, 0, "input"));
    const graph_value *x = input_of(g, n, 0);
    return graph_add_output(g, n, x->type, x->shape);
}

static mien_status multiply_grad(graph *g, node_id n, const value_id *out_grads, const bool *needs, value_id *in_grads)
{
    if (!needs[0])
        return MIEN_OK;
    return op_append_backward(g, &in_grads[0], &op_multiply_def, n, "dx", &out_grads[0], 1, graph_node_at(g, n)->attr,
                              sizeof(multiply_attr));
}

static mien_status multiply_print(const graph_node *node, str *out)
{
    return str_printf(out, " %g", (double)((const multiply_attr *)node->attr)->factor);
}

const op_def op_multiply_def = {
    .name = "multiply", .infer = multiply_infer, .grad = multiply_grad, .inplace_input = 0, .print = multiply_print};

mien_status op_multiply(graph *g, value_id *y, const char *name, value_id x, float factor)
{
    const multiply_attr attr = {factor};
    return op_append(g, y, &op_multiply_def, name, &x, 1, &attr, sizeof attr);
}
