/* add: y = a + b, same shapes and types.
 *
 * da = dy, db = dy: the same value, no node. It is also how the gradients of a value with several readers are summed.
 * PyTorch: a + b. */
#include "graph/op/rule.h"

static mien_status add_infer(graph *g, node_id n)
{
    TRY(want_float(g, n, 0, "first input"));
    const graph_value *a = input_of(g, n, 0);
    TRY(want_shape(g, n, 1, "second input", a->shape));
    TRY(want_type(g, n, 1, "second input", a->type));
    return graph_add_output(g, n, a->type, a->shape);
}

static mien_status add_grad(graph *g, node_id n, const value_id *out_grads, const bool *needs, value_id *in_grads)
{
    (void)g, (void)n;
    for (int i = 0; i < 2; i++)
        if (needs[i])
            in_grads[i] = out_grads[0];
    return MIEN_OK;
}

const op_def op_add_def = {.name = "add", .infer = add_infer, .grad = add_grad, .inplace_input = 0};

mien_status op_add(graph *g, value_id *y, const char *name, value_id a, value_id b)
{
    return op_append(g, y, &op_add_def, name, (value_id[]){a, b}, 2, NULL, 0);
}
