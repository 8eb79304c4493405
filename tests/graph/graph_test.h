/* What the tests of this room begin with. */
#ifndef TESTS_GRAPH_GRAPH_TEST_H
#define TESTS_GRAPH_GRAPH_TEST_H

#include "graph/op.h"
#include "testing.h"

static inline graph *new_graph(bool is_training)
{
    graph *g = NULL;
    assert_ok(graph_create(&g, DTYPE_F32, is_training));
    return g;
}

static inline value_id new_input(graph *g, const char *name, shape s)
{
    value_id v = NO_VALUE;
    assert_ok(graph_input(g, &v, name, DTYPE_F32, s));
    return v;
}

/* A parameter behind all earlier ones. */
static inline value_id new_param(graph *g, const char *name, shape s, bool is_trainable)
{
    size_t offset = 0;
    for (value_id v = 0; v < graph_value_count(g); v++) {
        const graph_value *p = graph_value_at(g, v);
        const size_t end = p->param_offset + (size_t)shape_count(&p->shape);
        offset = p->kind == VALUE_PARAM && end > offset ? end : offset;
    }
    value_id v = NO_VALUE;
    assert_ok(graph_param(g, &v, name, s, offset, is_trainable));
    return v;
}

/* conv2d, window k x k, stride 1, "same" padding, without bias: NAME.weight. */
static inline value_id new_conv(graph *g, const char *name, value_id x, int64_t out, int64_t k, bool is_trainable)
{
    char weight[64];
    snprintf(weight, sizeof weight, "%s.weight", name);
    const int64_t in = graph_value_at(g, x)->shape.dim[3];
    const int pad = (int)(k - 1) / 2;
    const value_id w = new_param(g, weight, shape_of(4, out, in, k, k), is_trainable);
    const conv2d_attr attr = {
        .stride = {1, 1}, .pad_begin = {pad, pad}, .pad_end = {pad, pad}, .dilation = {1, 1}, .groups = 1};
    value_id y = NO_VALUE;
    assert_ok(op_conv2d(g, &y, name, x, w, NO_VALUE, &attr));
    return y;
}

static inline value_id new_batch_norm(graph *g, const char *name, value_id x, bool is_batch, bool is_trainable)
{
    static const char *const suffixes[4] = {"weight", "bias", "running_mean", "running_var"};
    const int64_t c = graph_value_at(g, x)->shape.dim[3];
    value_id v[4], y = NO_VALUE;
    for (int i = 0; i < 4; i++) {
        char full[64];
        snprintf(full, sizeof full, "%s.%s", name, suffixes[i]);
        v[i] = new_param(g, full, shape_of(1, c), is_trainable && i < 2);
    }
    const batch_norm_attr attr = {.is_batch = is_batch, .eps = 1e-5f, .momentum = 0.1f};
    assert_ok(op_batch_norm(g, &y, name, x, v[0], v[1], v[2], v[3], &attr));
    return y;
}

static inline value_id new_activation(graph *g, const char *name, value_id x, activation_kind kind)
{
    value_id y = NO_VALUE;
    assert_ok(op_activation(g, &y, name, x, kind));
    return y;
}

static inline value_id new_add(graph *g, const char *name, value_id a, value_id b)
{
    value_id y = NO_VALUE;
    assert_ok(op_add(g, &y, name, a, b));
    return y;
}

/* x [n, h, w, c] -> global_mean -> linear "fc" to 3 classes -> cross_entropy "loss" */
static inline value_id new_loss(graph *g, value_id x)
{
    value_id pooled = NO_VALUE, logits = NO_VALUE, labels = NO_VALUE, loss = NO_VALUE, probabilities = NO_VALUE;
    const shape s = graph_value_at(g, x)->shape;
    assert_ok(op_global_mean(g, &pooled, "pool", x));
    const value_id w = new_param(g, "fc.weight", shape_of(2, (int64_t)3, s.dim[3]), true);
    assert_ok(op_linear(g, &logits, "fc", pooled, w, NO_VALUE, true));
    assert_ok(graph_input(g, &labels, "labels", DTYPE_I32, shape_of(1, s.dim[0])));
    assert_ok(op_cross_entropy(g, &loss, &probabilities, "loss", logits, labels, NO_VALUE, 0));
    graph_mark_output(g, loss);
    return loss;
}

/* Nodes in order with this operator; -1 counts all. */
static inline int count_nodes(graph *g, const op_def *op)
{
    int count = 0;
    for (int i = 0; i < graph_order_count(g); i++)
        count += !op || graph_node_at(g, graph_order_at(g, i))->op == op;
    return count;
}

/* The node of this name in the order; NO_NODE where there is none. */
static inline node_id find_node(graph *g, const char *name)
{
    for (int i = 0; i < graph_order_count(g); i++)
        if (strcmp(graph_node_at(g, graph_order_at(g, i))->name, name) == 0)
            return graph_order_at(g, i);
    return NO_NODE;
}

#endif
