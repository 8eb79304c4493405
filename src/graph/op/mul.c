/* mul: y = a b, element by element, same shapes and types.
 *
 * da = dy b, db = dy a: the operator itself.
 * PyTorch: a * b. */
#include "graph/op/rule.h"

static mien_status mul_infer(graph *g, node_id n)
{
    TRY(want_float(g, n, 0, "first input"));
    const graph_value *a = input_of(g, n, 0);
    TRY(want_shape(g, n, 1, "second input", a->shape));
    TRY(want_type(g, n, 1, "second input", a->type));
    return graph_add_output(g, n, a->type, a->shape);
}

static mien_status mul_grad(graph *g, node_id n, const value_id *out_grads, const bool *needs, value_id *in_grads)
{
    static const char *const suffixes[] = {"da", "db"};
    for (int i = 0; i < 2; i++) {
        const value_id other = graph_node_at(g, n)->inputs[1 - i];
        if (needs[i])
            TRY(op_append_backward(g, &in_grads[i], &op_mul_def, n, suffixes[i], (value_id[]){out_grads[0], other}, 2,
                                   NULL, 0));
    }
    return MIEN_OK;
}

const op_def op_mul_def = {.name = "mul", .infer = mul_infer, .grad = mul_grad, .inplace_input = 0};

mien_status op_mul(graph *g, value_id *y, const char *name, value_id a, value_id b)
{
    return op_append(g, y, &op_mul_def, name, (value_id[]){a, b}, 2, NULL, 0);
}
