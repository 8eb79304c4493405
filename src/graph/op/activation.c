/* activation: y = f(x), any shape.
 *
 *   relu     max(x, 0)                   f' = 1 where x > 0, else 0
 *   relu6    min(max(x, 0), 6)           f' = 1 where 0 < x < 6, else 0
 *   silu     x s(x)                      f' = s(x) (1 + x (1 - s(x))),  s(x) = 1 / (1 + exp(-x))
 *   sigmoid  s(x)                        f' = s(x) (1 - s(x))
 *   gelu     x P(x), the exact one       f' = P(x) + x p(x),            P, p: the normal distribution and its density
 *   clip     x within -1 .. 1            f' = 1 there, ends included, else 0
 * dx = dy f'(x)   activation_dx; for ReLU and ReLU6 it reads y, which says as much, so that x may die.
 * PyTorch: torch.nn.functional.relu(x), relu6(x), silu(x), torch.sigmoid(x), gelu(x), torch.clamp(x, -1, 1). */
#include "graph/op/rule.h"

const char *activation_name(activation_kind kind)
{
    static const char *const names[ACT_COUNT] = {
        [ACT_NONE] = "none", [ACT_RELU] = "relu",   [ACT_SILU] = "silu", [ACT_SIGMOID] = "sigmoid",
        [ACT_GELU] = "gelu", [ACT_RELU6] = "relu6", [ACT_CLIP] = "clip"};
    return (unsigned)kind < ACT_COUNT ? names[kind] : "unknown";
}

static mien_status activation_infer(graph *g, node_id n)
{
    const activation_attr *attr = graph_node_at(g, n)->attr;
    if (attr->kind <= ACT_NONE || attr->kind >= ACT_COUNT)
        return mien_fail(MIEN_ERR_ARG, "activation %s (wanted relu, relu6, silu, sigmoid, gelu or clip)",
                         activation_name(attr->kind));
    TRY(want_float(g, n, 0, "input"));
    const graph_value *x = input_of(g, n, 0);
    return graph_add_output(g, n, x->type, x->shape);
}

static mien_status activation_grad(graph *g, node_id n, const value_id *out_grads, const bool *needs,
                                   value_id *in_grads)
{
    const graph_node *node = graph_node_at(g, n);
    const activation_attr *attr = node->attr;
    const value_id x = activation_is_clipped(attr->kind) ? node->outputs[0] : node->inputs[0];
    if (!needs[0])
        return MIEN_OK;
    return op_append_backward(g, &in_grads[0], &op_activation_dx_def, n, "dx", (value_id[]){out_grads[0], x}, 2, attr,
                              sizeof *attr);
}

static mien_status activation_dx_infer(graph *g, node_id n)
{
    const graph_value *x = input_of(g, n, 1);
    TRY(want_shape(g, n, 0, "gradient", x->shape));
    return graph_add_output(g, n, x->type, x->shape);
}

static mien_status activation_print(const graph_node *node, str *out)
{
    return str_printf(out, " %s", activation_name(((const activation_attr *)node->attr)->kind));
}

const op_def op_activation_def = {.name = "activation",
                                  .infer = activation_infer,
                                  .grad = activation_grad,
                                  .inplace_input = 0,
                                  .print = activation_print};
const op_def op_activation_dx_def = {
    .name = "activation_dx", .infer = activation_dx_infer, .inplace_input = 0, .print = activation_print};

mien_status op_activation(graph *g, value_id *y, const char *name, value_id x, activation_kind kind)
{
    const activation_attr attr = {.kind = kind};
    return op_append(g, y, &op_activation_def, name, &x, 1, &attr, sizeof attr);
}
