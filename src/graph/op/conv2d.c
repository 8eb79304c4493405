/* conv2d: y[n, p, q, o] = b[o] + sum over i, j, c of w[o, c, i, j] x[n, p s + i d - pad, q s + j d - pad, c'],
 * with c' = c of o's group; x is 0 outside the image.
 *
 * dx[n, u, v, c'] = sum over o, i, j that reach (u, v) of w[o, c, i, j] dy[n, p, q, o]      conv2d_dx
 * dw[o, c, i, j]  = sum over n, p, q of dy[n, p, q, o] x[n, p s + i d - pad, ...]           conv2d_dw
 * db[o]           = sum over n, p, q of dy[n, p, q, o]                                      conv2d_dw
 * PyTorch: torch.nn.functional.conv2d(x, w, b, stride, padding, dilation, groups); padding may differ at begin and end.
 *
 * Folded (is_folded, by fuse, where no gradient passes) the node goes on and has no gradient:
 * y = act(gamma (y - mean) / sqrt(var + eps) + beta + residual). */
#include "graph/op/rule.h"

#include <inttypes.h>

static mien_status conv2d_check_channels(const shape *x, const shape *w, int groups)
{
    if (groups < 1 || x->dim[3] % groups || w->dim[0] % groups)
        return mien_fail(MIEN_ERR_SHAPE, "%d groups (wanted a divisor of %" PRId64 " inputs and %" PRId64 " outputs)",
                         groups, x->dim[3], w->dim[0]);
    int64_t wanted;
    if (__builtin_mul_overflow(w->dim[1], (int64_t)groups, &wanted))
        return mien_fail(MIEN_ERR_SHAPE, "weight of %" PRId64 " channels in %d groups is too large", w->dim[1], groups);
    if (x->dim[3] != wanted)
        return mien_fail(MIEN_ERR_SHAPE, "input has %" PRId64 " channels (wanted %" PRId64 ")", x->dim[3], wanted);
    return MIEN_OK;
}

static mien_status conv2d_infer(graph *g, node_id n)
{
    const conv2d_attr *attr = graph_node_at(g, n)->attr;
    TRY(want_type(g, n, CONV_X, "input", graph_activation_type(g)));
    TRY(want_rank(g, n, CONV_X, "input", 4));
    TRY(want_rank(g, n, CONV_W, "weight", 4));
    shape x = input_of(g, n, CONV_X)->shape, w = input_of(g, n, CONV_W)->shape;
    TRY(want_param(g, n, CONV_W, "weight", w));
    TRY(conv2d_check_channels(&x, &w, attr->groups));
    if (input_of(g, n, CONV_B))
        TRY(want_param(g, n, CONV_B, "bias", shape_of(1, w.dim[0])));
    shape y = shape_of(4, x.dim[0], (int64_t)0, (int64_t)0, w.dim[0]);
    static const char *const axis[2] = {"height", "width"};
    for (int a = 0; a < 2; a++)
        TRY(window_positions(&y.dim[1 + a], axis[a], x.dim[1 + a], w.dim[2 + a], attr->dilation[a], attr->stride[a],
                             attr->pad_begin[a], attr->pad_end[a], false));
    return graph_add_output(g, n, graph_activation_type(g), y);
}

/* Every output element, or every element of dy, meets c/groups kh kw weights. */
static double conv2d_work(const shape *y, const shape *w)
{
    return 2.0 * (double)shape_count(y) * (double)w->dim[1] * (double)w->dim[2] * (double)w->dim[3];
}

static double conv2d_flops(graph *g, node_id n)
{
    return conv2d_work(&output_of(g, n, 0)->shape, &input_of(g, n, CONV_W)->shape);
}

static mien_status conv2d_grad(graph *g, node_id n, const value_id *out_grads, const bool *needs, value_id *in_grads)
{
    const graph_node *node = graph_node_at(g, n);
    const value_id x = node->inputs[CONV_X], w = node->inputs[CONV_W], dy = out_grads[0];
    conv2d_grad_attr attr = {.conv = *(const conv2d_attr *)node->attr, .x = input_of(g, n, CONV_X)->shape};
    node_id dw = NO_NODE;
    if (needs[CONV_W] || needs[CONV_B])
        TRY(graph_add_backward(g, &dw, &op_conv2d_dw_def, n, "dw", (value_id[]){x, dy, w}, 3, &attr, sizeof attr));
    if (needs[CONV_X])
        TRY(op_append_backward(g, &in_grads[CONV_X], &op_conv2d_dx_def, n, "dx", (value_id[]){dy, w}, 2, &attr,
                               sizeof attr));
    return MIEN_OK;
}

static mien_status conv2d_dx_infer(graph *g, node_id n)
{
    const conv2d_grad_attr *attr = graph_node_at(g, n)->attr;
    return graph_add_output(g, n, graph_activation_type(g), attr->x);
}

static double conv2d_dx_flops(graph *g, node_id n)
{
    return conv2d_work(&input_of(g, n, 0)->shape, &input_of(g, n, 1)->shape);
}

static double conv2d_dw_flops(graph *g, node_id n)
{
    return conv2d_work(&input_of(g, n, 1)->shape, &input_of(g, n, 2)->shape);
}

static mien_status conv2d_dw_infer(graph *g, node_id n)
{
    return dw_infer(g, n, CONV_W, CONV_B);
}

static mien_status conv2d_print(const graph_node *node, str *out)
{
    const conv2d_attr *attr = node->attr;
    if (attr->stride[0] != 1 || attr->stride[1] != 1)
        TRY(str_printf(out, " stride %d %d", attr->stride[0], attr->stride[1]));
    if (attr->groups != 1)
        TRY(str_printf(out, " groups %d", attr->groups));
    if (attr->is_folded)
        TRY(str_append(out, " folded"));
    return attr->act == ACT_NONE ? MIEN_OK : str_printf(out, " %s", activation_name(attr->act));
}

static mien_status conv2d_grad_print(const graph_node *node, str *out)
{
    const conv2d_grad_attr *attr = node->attr;
    const graph_node forward = {.attr = &attr->conv};
    return conv2d_print(&forward, out);
}

const op_def op_conv2d_def = {.name = "conv2d",
                              .infer = conv2d_infer,
                              .grad = conv2d_grad,
                              .inplace_input = -1,
                              .flops = conv2d_flops,
                              .print = conv2d_print};
const op_def op_conv2d_dx_def = {.name = "conv2d_dx",
                                 .infer = conv2d_dx_infer,
                                 .inplace_input = -1,
                                 .flops = conv2d_dx_flops,
                                 .print = conv2d_grad_print};
const op_def op_conv2d_dw_def = {.name = "conv2d_dw",
                                 .infer = conv2d_dw_infer,
                                 .inplace_input = -1,
                                 .flops = conv2d_dw_flops,
                                 .print = conv2d_grad_print};

mien_status op_conv2d(graph *g, value_id *y, const char *name, value_id x, value_id w, value_id b,
                      const conv2d_attr *attr)
{
    value_id inputs[CONV_INPUTS];
    for (int i = 0; i < CONV_INPUTS; i++)
        inputs[i] = NO_VALUE;
    inputs[CONV_X] = x, inputs[CONV_W] = w, inputs[CONV_B] = b;
    return op_append(g, y, &op_conv2d_def, name, inputs, CONV_INPUTS, attr, sizeof *attr);
}
