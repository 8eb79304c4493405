/* sub: y = a - b + shift, same shapes and types; a may be absent and is 0 then.
 *
 * da = dy (the same value, no node), db = -dy: the operator itself, without a.
 * PyTorch: a - b + shift. The deviation of a face from its identity is one (spec 1.6), shift 1e-6 while it trains. */
#include "graph/op/rule.h"

#include <math.h>

static mien_status sub_infer(graph *g, node_id n)
{
    const sub_attr *attr = graph_node_at(g, n)->attr;
    if (!isfinite(attr->shift))
        return mien_fail(MIEN_ERR_ARG, "shift %g (wanted a finite one)", (double)attr->shift);
    TRY(want_float(g, n, SUB_B, "second input"));
    const graph_value *a = input_of(g, n, SUB_A), *b = input_of(g, n, SUB_B);
    if (a) {
        TRY(want_float(g, n, SUB_A, "first input"));
        TRY(want_shape(g, n, SUB_B, "second input", a->shape));
        TRY(want_type(g, n, SUB_B, "second input", a->type));
    }
    return graph_add_output(g, n, b->type, b->shape);
}

static mien_status sub_grad(graph *g, node_id n, const value_id *out_grads, const bool *needs, value_id *in_grads)
{
    const sub_attr attr = {0};
    if (needs[SUB_A])
        in_grads[SUB_A] = out_grads[0];
    if (!needs[SUB_B])
        return MIEN_OK;
    return op_append_backward(g, &in_grads[SUB_B], &op_sub_def, n, "db", (value_id[]){NO_VALUE, out_grads[0]}, 2, &attr,
                              sizeof attr);
}

static mien_status sub_print(const graph_node *node, str *out)
{
    const sub_attr *attr = node->attr;
    return attr->shift == 0 ? MIEN_OK : str_printf(out, " + %g", (double)attr->shift);
}

const op_def op_sub_def = {
    .name = "sub", .infer = sub_infer, .grad = sub_grad, .inplace_input = SUB_A, .print = sub_print};

mien_status op_sub(graph *g, value_id *y, const char *name, value_id a, value_id b, float shift)
{
    const sub_attr attr = {shift};
    return op_append(g, y, &op_sub_def, name, (value_id[]){a, b}, 2, &attr, sizeof attr);
}
