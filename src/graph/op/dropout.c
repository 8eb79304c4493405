/* dropout: y = x m / (1 - p), m = 0 with probability p: an element at a time, or a sample at a time (drop path).
 *
 * dx = dy m / (1 - p): the same operator with the same stream on dy, so no mask is kept. op.h says how m is drawn.
 * PyTorch: torch.nn.functional.dropout(x, p, training=True), torchvision.ops.stochastic_depth(x, p, "row"). */
#include "graph/op/rule.h"

static mien_status dropout_infer(graph *g, node_id n)
{
    const dropout_attr *attr = graph_node_at(g, n)->attr;
    if (!(attr->p > 0 && attr->p < 1))
        return mien_fail(MIEN_ERR_ARG, "probability %g (wanted 0 to below 1)", (double)attr->p);
    TRY(want_float(g, n, 0, "input"));
    const graph_value *x = input_of(g, n, 0);
    return graph_add_output(g, n, x->type, x->shape);
}

static mien_status dropout_grad(graph *g, node_id n, const value_id *out_grads, const bool *needs, value_id *in_grads)
{
    const graph_node *node = graph_node_at(g, n);
    if (!needs[0])
        return MIEN_OK;
    return op_append_backward(g, &in_grads[0], &op_dropout_def, n, "dx", (value_id[]){out_grads[0], node->inputs[1]}, 2,
                              node->attr, sizeof(dropout_attr));
}

static mien_status dropout_print(const graph_node *node, str *out)
{
    const dropout_attr *attr = node->attr;
    return str_printf(out, " %g%s", (double)attr->p, attr->is_per_sample ? " per sample" : "");
}

const op_def op_dropout_def = {
    .name = "dropout", .infer = dropout_infer, .grad = dropout_grad, .inplace_input = 0, .print = dropout_print};

/* Random nodes described so far. */
static uint32_t count_streams(graph *g)
{
    uint32_t count = 0;
    for (node_id n = 0; n < graph_node_count(g); n++)
        count += graph_node_at(g, n)->op == &op_dropout_def;
    return count;
}

mien_status op_dropout(graph *g, value_id *y, const char *name, value_id x, float p, bool is_per_sample)
{
    if (!graph_is_training(g) || p == 0) {
        *y = x;
        return MIEN_OK;
    }
    const dropout_attr attr = {.p = p, .stream = count_streams(g), .is_per_sample = is_per_sample};
    return op_append(g, y, &op_dropout_def, name, (value_id[]){x, graph_step(g)}, 2, &attr, sizeof attr);
}
