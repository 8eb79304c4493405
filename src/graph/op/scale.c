/* scale: y[n, h, w, c] = x[n, h, w, c] s[n, c], squeeze-excite's product.
 *
 * dx[n, h, w, c] = dy[n, h, w, c] s[n, c]                    scale_dx
 * ds[n, c] = sum over h, w of dy[n, h, w, c] x[n, h, w, c]   scale_ds
 * PyTorch: x * s[:, :, None, None] in NCHW. */
#include "graph/op/rule.h"

enum { SCALE_X, SCALE_S };

static mien_status scale_infer(graph *g, node_id n)
{
    TRY(want_float(g, n, SCALE_X, "input"));
    TRY(want_rank(g, n, SCALE_X, "input", 4));
    const graph_value *x = input_of(g, n, SCALE_X);
    TRY(want_shape(g, n, SCALE_S, "scale", shape_of(2, x->shape.dim[0], x->shape.dim[3])));
    TRY(want_type(g, n, SCALE_S, "scale", x->type));
    return graph_add_output(g, n, x->type, x->shape);
}

static mien_status scale_grad(graph *g, node_id n, const value_id *out_grads, const bool *needs, value_id *in_grads)
{
    const graph_node *node = graph_node_at(g, n);
    const value_id x = node->inputs[SCALE_X], s = node->inputs[SCALE_S], dy = out_grads[0];
    if (needs[SCALE_S])
        TRY(op_append_backward(g, &in_grads[SCALE_S], &op_scale_ds_def, n, "ds", (value_id[]){dy, x}, 2, NULL, 0));
    if (needs[SCALE_X])
        TRY(op_append_backward(g, &in_grads[SCALE_X], &op_scale_dx_def, n, "dx", (value_id[]){dy, s}, 2, NULL, 0));
    return MIEN_OK;
}

static mien_status scale_dx_infer(graph *g, node_id n)
{
    const graph_value *x = forward_input_of(g, n, SCALE_X);
    return graph_add_output(g, n, x->type, x->shape);
}

static mien_status scale_ds_infer(graph *g, node_id n)
{
    const graph_value *s = forward_input_of(g, n, SCALE_S);
    return graph_add_output(g, n, s->type, s->shape);
}

const op_def op_scale_def = {.name = "scale", .infer = scale_infer, .grad = scale_grad, .inplace_input = SCALE_X};
const op_def op_scale_dx_def = {.name = "scale_dx", .infer = scale_dx_infer, .inplace_input = 0};
const op_def op_scale_ds_def = {.name = "scale_ds", .infer = scale_ds_infer, .inplace_input = -1};

mien_status op_scale(graph *g, value_id *y, const char *name, value_id x, value_id s)
{
    return op_append(g, y, &op_scale_def, name, (value_id[]){x, s}, 2, NULL, 0);
}
