/* Reverse mode over the forward nodes that lead to the loss and depend on something whose gradient is wanted. Every
 * operator's gradient rule appends backward nodes; the gradients of a value with several readers are added as they
 * arrive, so at most two are alive. */
#include "graph/graph_int.h"
#include "graph/op.h"

typedef struct {
    graph *g;
    bool *leads_to_loss; /* by forward node */
    value_id *grad;      /* by forward value: its gradient so far, or NO_VALUE */
    int sums;            /* op_add nodes made, for their names */
} backward;

static bool reads_wanted(graph *g, const graph_node *node)
{
    for (int i = 0; i < node->input_count; i++)
        if (node->inputs[i] != NO_VALUE && graph_value_at(g, node->inputs[i])->requires_grad)
            return true;
    return false;
}

/* From now on requires_grad also says "depends on input_grad". */
static void spread_requires_grad(graph *g, value_id input_grad)
{
    graph_value_at(g, input_grad)->requires_grad = true;
    for (int i = 0; i < graph_order_count(g); i++) {
        const graph_node *node = graph_node_at(g, graph_order_at(g, i));
        if (!reads_wanted(g, node))
            continue;
        for (int k = 0; k < node->output_count; k++)
            if (node->outputs[k] != NO_VALUE)
                graph_value_at(g, node->outputs[k])->requires_grad = true;
    }
}

static void mark_leading(backward *b, value_id loss)
{
    graph *g = b->g;
    b->leads_to_loss[graph_value_at(g, loss)->producer] = true;
    for (int i = graph_order_count(g) - 1; i >= 0; i--) {
        node_id n = graph_order_at(g, i);
        const graph_node *node = graph_node_at(g, n);
        if (!b->leads_to_loss[n])
            continue;
        for (int k = 0; k < node->input_count; k++) {
            node_id from = node->inputs[k] == NO_VALUE ? NO_NODE : graph_value_at(g, node->inputs[k])->producer;
            if (from != NO_NODE)
                b->leads_to_loss[from] = true;
        }
    }
}

static mien_status add_to_gradient(backward *b, value_id v, value_id part)
{
    if (graph_value_at(b->g, v)->kind == VALUE_PARAM)
        return mien_fail(MIEN_ERR_UNSUPPORTED, "%s: a trainable parameter as a plain operand (wanted a weight)",
                         graph_value_at(b->g, v)->name);
    if (b->grad[v] == NO_VALUE) {
        b->grad[v] = part;
        return MIEN_OK;
    }
    char *name = NULL;
    TRY(arena_printf(graph_arena(b->g), &name, "%s:sum%d", graph_value_at(b->g, v)->name, b->sums++));
    return op_add(b->g, &b->grad[v], name, b->grad[v], part);
}

static mien_status differentiate_node(backward *b, node_id n)
{
    graph *g = b->g;
    const graph_node *node = graph_node_at(g, n);
    bool *needs = NULL, has_grad = node->op->is_loss;
    value_id *out_grads = NULL, *in_grads = NULL;
    TRY(arena_alloc(graph_arena(g), &needs, node->input_count));
    TRY(arena_alloc(graph_arena(g), &in_grads, node->input_count));
    TRY(arena_alloc(graph_arena(g), &out_grads, node->output_count));
    for (int i = 0; i < node->output_count; i++) {
        out_grads[i] = node->outputs[i] == NO_VALUE ? NO_VALUE : b->grad[node->outputs[i]];
        has_grad = has_grad || out_grads[i] != NO_VALUE;
    }
    if (!has_grad)
        return MIEN_OK; /* it leads to the loss only through values that carry no gradient */
    if (!node->op->grad)
        return mien_fail(MIEN_ERR_UNSUPPORTED, "%s: %s has no gradient (wanted an operator that has one)", node->name,
                         node->op->name);
    for (int i = 0; i < node->input_count; i++) {
        needs[i] = node->inputs[i] != NO_VALUE && graph_value_at(g, node->inputs[i])->requires_grad;
        in_grads[i] = NO_VALUE;
    }
    TRY(node->op->grad(g, n, out_grads, needs, in_grads));
    for (int i = 0; i < node->input_count; i++)
        if (in_grads[i] != NO_VALUE && needs[i])
            TRY(add_to_gradient(b, node->inputs[i], in_grads[i]));
    return MIEN_OK;
}

static mien_status check_loss(graph *g, value_id loss)
{
    if (!graph_is_training(g))
        return mien_fail(MIEN_ERR_ARG, "gradient of an inference graph (wanted a training graph)");
    if (loss < 0 || loss >= graph_value_count(g))
        return mien_fail(MIEN_ERR_ARG, "loss is no value of this graph");
    const graph_value *v = graph_value_at(g, loss);
    if (v->producer == NO_NODE || !graph_node_at(g, v->producer)->op->is_loss ||
        graph_node_at(g, v->producer)->outputs[0] != loss)
        return mien_fail(MIEN_ERR_ARG, "%s: not a loss (wanted what cross_entropy gives)", v->name);
    for (int i = 0; i < graph_order_count(g); i++)
        if (graph_node_at(g, graph_order_at(g, i))->phase != PHASE_FORWARD)
            return mien_fail(MIEN_ERR_ARG, "%s: the graph has gradients already", v->name);
    return MIEN_OK;
}

static mien_status walk_back(backward *b, value_id loss, value_id input_grad)
{
    graph *g = b->g;
    const int value_count = graph_value_count(g), forward_count = graph_order_count(g);
    TRY(arena_alloc(graph_arena(g), &b->leads_to_loss, graph_node_count(g)));
    TRY(arena_alloc(graph_arena(g), &b->grad, value_count));
    for (value_id v = 0; v < value_count; v++)
        b->grad[v] = NO_VALUE;
    if (input_grad != NO_VALUE)
        spread_requires_grad(g, input_grad);
    if (!graph_value_at(g, loss)->requires_grad)
        return mien_fail(MIEN_ERR_ARG, "%s: depends on nothing that trains", graph_value_at(g, loss)->name);
    mark_leading(b, loss);
    graph_set_phase(g, PHASE_BACKWARD);
    for (int i = forward_count - 1; i >= 0; i--) {
        node_id n = graph_order_at(g, i);
        if (b->leads_to_loss[n] && reads_wanted(g, graph_node_at(g, n)))
            TRY(differentiate_node(b, n));
    }
    return MIEN_OK;
}

mien_status graph_differentiate(graph *g, value_id loss, value_id input_grad, value_id *out_input_grad)
{
    TRY(check_loss(g, loss));
    if (input_grad != NO_VALUE) {
        if (input_grad < 0 || input_grad >= graph_value_count(g))
            return mien_fail(MIEN_ERR_ARG, "input_grad is no value of this graph");
        const graph_value *v = graph_value_at(g, input_grad);
        if (v->kind != VALUE_INPUT && v->kind != VALUE_TENSOR)
            return mien_fail(MIEN_ERR_ARG, "%s: gradient of a parameter (wanted an input or a tensor)", v->name);
    }
    backward b = {.g = g};
    TRY(walk_back(&b, loss, input_grad));
    if (input_grad == NO_VALUE)
        return MIEN_OK;
    if (b.grad[input_grad] == NO_VALUE)
        return mien_fail(MIEN_ERR_ARG, "%s: the loss does not depend on it", graph_value_at(g, input_grad)->name);
    graph_mark_output(g, b.grad[input_grad]);
    if (out_input_grad)
        *out_input_grad = b.grad[input_grad];
    return MIEN_OK;
}
