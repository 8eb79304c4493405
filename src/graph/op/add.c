/* add: y = a + b, same shapes, of a's type. b may be narrower: a sum in f32, to which a network adds bf16 (ViT's tokens
 * from block to block), would lose what it carries if it were rounded at every step.
 *
 * da = dy, db = dy: the same value, no node, but where b is narrower: add_db rounds dy to its type. It is also how the
 * gradients of a value with several readers are summed.
 * PyTorch: a + b. */
#include "graph/op/rule.h"

static mien_status add_infer(graph *g, node_id n)
{
    TRY(want_float(g, n, 0, "first input"));
    const graph_value *a = input_of(g, n, 0);
    TRY(want_shape(g, n, 1, "second input", a->shape));
    TRY(want_float(g, n, 1, "second input"));
    if (a->type != DTYPE_F32)
        TRY(want_type(g, n, 1, "second input", a->type));
    return graph_add_output(g, n, a->type, a->shape);
}

static mien_status add_grad(graph *g, node_id n, const value_id *out_grads, const bool *needs, value_id *in_grads)
{
    const bool is_mixed = input_of(g, n, 0)->type != input_of(g, n, 1)->type;
    if (needs[0])
        in_grads[0] = out_grads[0];
    if (needs[1] && !is_mixed)
        in_grads[1] = out_grads[0];
    if (needs[1] && is_mixed)
        TRY(op_append_backward(g, &in_grads[1], &op_add_db_def, n, "db", &out_grads[0], 1, NULL, 0));
    return MIEN_OK;
}

static mien_status add_db_infer(graph *g, node_id n)
{
    const graph_value *b = forward_input_of(g, n, 1);
    TRY(want_shape(g, n, 0, "gradient", b->shape));
    return graph_add_output(g, n, b->type, b->shape);
}

const op_def op_add_def = {.name = "add", .infer = add_infer, .grad = add_grad, .inplace_input = 0};
const op_def op_add_db_def = {.name = "add_db", .infer = add_db_infer, .inplace_input = -1};

mien_status op_add(graph *g, value_id *y, const char *name, value_id a, value_id b)
{
    return op_append(g, y, &op_add_def, name, (value_id[]){a, b}, 2, NULL, 0);
}
