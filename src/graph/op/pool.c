/* pool: y[n, p, q, c] = max or mean of x[n, p s - pad + i, q s - pad + j, c] over the window's i, j.
 *
 * Max: padding never wins, the first of equals does, and the position i window[1] + j is the index that backward reads.
 * Mean: divided by the number of window positions inside the image, or, where count_pad, inside the padded image.
 * dx[n, u, v, c] = sum over windows that chose (u, v) of dy, or over all that hold it of dy / divisor      pool_dx
 * PyTorch: torch.nn.functional.max_pool2d(x, window, stride, pad, ceil_mode=is_ceil),
 *          avg_pool2d(x, window, stride, pad, ceil_mode=is_ceil, count_include_pad=count_pad). */
#include "graph/op/rule.h"

static mien_status pool_infer(graph *g, node_id n)
{
    const pool_attr *attr = graph_node_at(g, n)->attr;
    TRY(want_type(g, n, 0, "input", graph_activation_type(g)));
    TRY(want_rank(g, n, 0, "input", 4));
    const shape x = input_of(g, n, 0)->shape;
    shape y = x;
    static const char *const axis[2] = {"height", "width"};
    for (int a = 0; a < 2; a++) {
        if (attr->pad[a] > attr->window[a] / 2)
            return mien_fail(MIEN_ERR_ARG, "%s: padding %d of a window of %d (wanted at most half)", axis[a],
                             attr->pad[a], attr->window[a]);
        TRY(window_positions(&y.dim[1 + a], axis[a], x.dim[1 + a], attr->window[a], 1, attr->stride[a], attr->pad[a],
                             attr->pad[a], attr->is_ceil));
    }
    TRY(graph_add_output(g, n, graph_activation_type(g), y));
    graph_skip_output(g, n); /* the index: only a gradient asks for it */
    return MIEN_OK;
}

static mien_status pool_grad(graph *g, node_id n, const value_id *out_grads, const bool *needs, value_id *in_grads)
{
    const graph_node *node = graph_node_at(g, n);
    const pool_grad_attr attr = {.pool = *(const pool_attr *)node->attr, .x = input_of(g, n, 0)->shape};
    if (!needs[0])
        return MIEN_OK;
    if (attr.pool.is_max && (int64_t)attr.pool.window[0] * attr.pool.window[1] > UINT8_MAX + 1)
        return mien_fail(MIEN_ERR_UNSUPPORTED, "%s: gradient of a window of %d x %d (wanted at most 256 positions)",
                         node->name, attr.pool.window[0], attr.pool.window[1]);
    if (attr.pool.is_max)
        TRY(graph_fill_output(g, n, 1, DTYPE_U8, output_of(g, n, 0)->shape));
    return op_append_backward(g, &in_grads[0], &op_pool_dx_def, n, "dx", (value_id[]){out_grads[0], node->outputs[1]},
                              2, &attr, sizeof attr);
}

static mien_status pool_dx_infer(graph *g, node_id n)
{
    const pool_grad_attr *attr = graph_node_at(g, n)->attr;
    return graph_add_output(g, n, graph_activation_type(g), attr->x);
}

static mien_status pool_print(const graph_node *node, str *out)
{
    const pool_attr *attr = node->attr;
    return str_printf(out, " %s %dx%d stride %d %d", attr->is_max ? "max" : "mean", attr->window[0], attr->window[1],
                      attr->stride[0], attr->stride[1]);
}

static mien_status pool_grad_print(const graph_node *node, str *out)
{
    const pool_grad_attr *attr = node->attr;
    const graph_node forward = {.attr = &attr->pool};
    return pool_print(&forward, out);
}

const op_def op_pool_def = {
    .name = "pool", .infer = pool_infer, .grad = pool_grad, .inplace_input = -1, .print = pool_print};
const op_def op_pool_dx_def = {
    .name = "pool_dx", .infer = pool_dx_infer, .inplace_input = -1, .print = pool_grad_print};

mien_status op_pool(graph *g, value_id *y, const char *name, value_id x, const pool_attr *attr)
{
    return op_append(g, y, &op_pool_def, name, &x, 1, attr, sizeof *attr);
}
