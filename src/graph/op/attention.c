/* attention: multi-head self-attention over tokens, after the projections. qkv [n, t, 3 d] holds a token's query, key
 * and value side by side, each d = heads x c wide; with q, k, v [t, c] of one sample and head:
 *
 *   s = q k^T / sqrt(c),  p = softmax of each row of s,  y = p v
 *
 * in f32 but for the operands of the three products, which have the activation type. Forward saves log_sum[n, heads,
 * t], the logarithm of each row's denominator, so that p = exp(s - log_sum) is computed again and nothing of t x t is
 * kept. attention_dx:
 *   dv = p^T dy,  ds = p (dy v^T - rowsum(dy y)) / sqrt(c),  dq = ds k,  dk = ds^T q
 * is_first_alone: only the first token asks, y [n, d] is its row: what follows needs no other (the class token in the
 * last block); dq of all others is 0.
 * PyTorch: q, k, v = qkv.reshape(n, t, 3, heads, c).permute(2, 0, 3, 1, 4);
 * scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(n, t, d), of which y[:, 0] for the first alone. */
#include "graph/op/rule.h"

#include <inttypes.h>

static mien_status attention_infer(graph *g, node_id n)
{
    const attention_attr *attr = graph_node_at(g, n)->attr;
    TRY(want_type(g, n, 0, "input", graph_activation_type(g)));
    TRY(want_rank(g, n, 0, "input", 3));
    const shape x = input_of(g, n, 0)->shape;
    if (attr->heads < 1 || x.dim[2] % (3 * (int64_t)attr->heads) != 0)
        return mien_fail(MIEN_ERR_SHAPE,
                         "input has %" PRId64 " features (wanted 3 for each of %d heads, or a multiple)", x.dim[2],
                         attr->heads);
    const int64_t d = x.dim[2] / 3;
    TRY(graph_add_output(g, n, graph_activation_type(g),
                         attr->is_first_alone ? shape_of(2, x.dim[0], d) : shape_of(3, x.dim[0], x.dim[1], d)));
    graph_skip_output(g, n); /* log_sum: only a gradient asks for it */
    return MIEN_OK;
}

/* Tokens that ask. */
static int64_t query_count(const attention_attr *attr, const shape *qkv)
{
    return attr->is_first_alone ? 1 : qkv->dim[1];
}

/* `products` of [queries, c] x [c, t] and their like */
static double attention_work(const attention_attr *attr, const shape *qkv, int products)
{
    return 2.0 * products * (double)(qkv->dim[0] * qkv->dim[1] * qkv->dim[2] / 3) * (double)query_count(attr, qkv);
}

static double attention_flops(graph *g, node_id n)
{
    return attention_work(graph_node_at(g, n)->attr, &input_of(g, n, 0)->shape, 2);
}

static double attention_dx_flops(graph *g, node_id n)
{
    return attention_work(graph_node_at(g, n)->attr, &input_of(g, n, ATTENTION_DX_QKV)->shape, 5);
}

static mien_status attention_grad(graph *g, node_id n, const value_id *out_grads, const bool *needs, value_id *in_grads)
{
    const graph_node *node = graph_node_at(g, n);
    const attention_attr *attr = node->attr;
    if (!needs[0])
        return MIEN_OK;
    const shape qkv = input_of(g, n, 0)->shape;
    TRY(graph_fill_output(g, n, ATTENTION_LOG_SUM, DTYPE_F32,
                          shape_of(3, qkv.dim[0], (int64_t)attr->heads, query_count(attr, &qkv))));
    const value_id in[ATTENTION_DX_INPUTS] = {[ATTENTION_DY] = out_grads[ATTENTION_Y],
                                              [ATTENTION_DX_QKV] = node->inputs[0],
                                              [ATTENTION_DX_Y] = node->outputs[ATTENTION_Y],
                                              [ATTENTION_DX_LOG_SUM] = node->outputs[ATTENTION_LOG_SUM]};
    return op_append_backward(g, &in_grads[0], &op_attention_dx_def, n, "dx", in, ATTENTION_DX_INPUTS, attr,
                              sizeof *attr);
}

static mien_status attention_dx_infer(graph *g, node_id n)
{
    const graph_value *qkv = input_of(g, n, ATTENTION_DX_QKV);
    return graph_add_output(g, n, qkv->type, qkv->shape);
}

static mien_status attention_print(const graph_node *node, str *out)
{
    const attention_attr *attr = node->attr;
    return str_printf(out, " %d heads%s", attr->heads, attr->is_first_alone ? " first alone" : "");
}

const op_def op_attention_def = {.name = "attention",
                                 .infer = attention_infer,
                                 .grad = attention_grad,
                                 .inplace_input = -1,
                                 .flops = attention_flops,
                                 .print = attention_print};
const op_def op_attention_dx_def = {.name = "attention_dx",
                                    .infer = attention_dx_infer,
                                    .inplace_input = -1,
                                    .flops = attention_dx_flops,
                                    .print = attention_print};

mien_status op_attention(graph *g, value_id *y, const char *name, value_id qkv, int heads, bool is_first_alone)
{
    const attention_attr attr = {.heads = heads, .is_first_alone = is_first_alone};
    return op_append(g, y, &op_attention_def, name, &qkv, 1, &attr, sizeof attr);
}
