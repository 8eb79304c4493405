/* Reverse mode over the forward nodes that lead to a loss and depend on something whose gradient is wanted. Every
 * operator's gradient rule appends backward nodes; the gradients of a value with several readers are added as they
 * arrive, so at most two are alive. A parameter's are added into its slice of the gradient arena: its first reader
 * writes the slice, each further one a tensor that is added right after. */
#include "graph/graph_int.h"
#include "graph/op.h"

#include <math.h>

typedef struct {
    graph *g;
    bool *leads_to_loss; /* by forward node */
    float *weight;       /* by forward node: what its loss is multiplied with; 0 where it is none */
    value_id *grad;      /* by forward value: its gradient so far, or NO_VALUE */
    int sums;            /* nodes made that add, for their names */
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

static void mark_leading(backward *b)
{
    graph *g = b->g;
    for (node_id n = 0; n < graph_node_count(g); n++)
        b->leads_to_loss[n] = b->weight[n] != 0;
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

/* "NAME:sumN", for a node that adds to v's gradient. */
static mien_status name_sum(backward *b, char **out, value_id v)
{
    return arena_printf(graph_arena(b->g), out, "%s:sum%d", graph_value_at(b->g, v)->name, b->sums++);
}

/* Adds `part` into the gradient slice of a parameter. */
static mien_status add_to_slice(backward *b, value_id param, value_id part)
{
    value_id slice = NO_VALUE;
    char *name = NULL;
    TRY(graph_grad_of(b->g, &slice, param));
    TRY(name_sum(b, &name, param));
    return op_contribute(b->g, name, slice, part, graph_value_at(b->g, slice)->producer != NO_NODE);
}

static mien_status add_to_gradient(backward *b, value_id v, value_id part)
{
    if (graph_value_at(b->g, v)->kind == VALUE_PARAM)
        return add_to_slice(b, v, part);
    if (b->grad[v] == NO_VALUE) {
        b->grad[v] = part;
        return MIEN_OK;
    }
    char *name = NULL;
    TRY(name_sum(b, &name, v));
    return op_add(b->g, &b->grad[v], name, b->grad[v], part);
}

/* What nodes from `first` on computed of slices that others have written already. */
static mien_status add_parts(backward *b, node_id first)
{
    graph *g = b->g;
    const int end = graph_node_count(g);
    for (node_id n = first; n < end; n++) {
        const graph_node *node = graph_node_at(g, n);
        for (int k = 0; k < node->output_count; k++) {
            const value_id part = node->outputs[k];
            const value_id slice = part == NO_VALUE ? NO_VALUE : graph_value_at(g, part)->adds_to;
            char *name = NULL;
            if (slice == NO_VALUE)
                continue;
            TRY(name_sum(b, &name, slice));
            TRY(op_contribute(g, name, slice, part, true));
        }
    }
    return MIEN_OK;
}

/* The gradients of a loss's inputs, times its weight. */
static mien_status weigh(backward *b, node_id n, value_id *in_grads)
{
    const graph_node *node = graph_node_at(b->g, n);
    for (int i = 0; i < node->input_count; i++) {
        char *name = NULL;
        if (in_grads[i] == NO_VALUE)
            continue;
        TRY(arena_printf(graph_arena(b->g), &name, "%s:weighed%d", node->name, i));
        TRY(op_multiply(b->g, &in_grads[i], name, in_grads[i], b->weight[n]));
    }
    return MIEN_OK;
}

static mien_status differentiate_node(backward *b, node_id n)
{
    graph *g = b->g;
    const graph_node *node = graph_node_at(g, n);
    const bool is_loss = b->weight[n] != 0;
    bool *needs = NULL, has_grad = is_loss;
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
    if (node->op->is_loss && out_grads[0] != NO_VALUE)
        return mien_fail(MIEN_ERR_UNSUPPORTED, "%s: a loss as an operand (wanted it among the losses)", node->name);
    if (!node->op->grad)
        return mien_fail(MIEN_ERR_UNSUPPORTED, "%s: %s has no gradient (wanted an operator that has one)", node->name,
                         node->op->name);
    for (int i = 0; i < node->input_count; i++) {
        needs[i] = node->inputs[i] != NO_VALUE && graph_value_at(g, node->inputs[i])->requires_grad;
        in_grads[i] = NO_VALUE;
    }
    const node_id first = graph_node_count(g);
    TRY(node->op->grad(g, n, out_grads, needs, in_grads));
    TRY(add_parts(b, first));
    if (is_loss && b->weight[n] != 1)
        TRY(weigh(b, n, in_grads));
    for (int i = 0; i < node->input_count; i++)
        if (in_grads[i] != NO_VALUE && needs[i])
            TRY(add_to_gradient(b, node->inputs[i], in_grads[i]));
    return MIEN_OK;
}

static mien_status check_loss(graph *g, const graph_loss *row)
{
    const value_id loss = row->value;
    if (loss < 0 || loss >= graph_value_count(g))
        return mien_fail(MIEN_ERR_ARG, "loss is no value of this graph");
    const graph_value *v = graph_value_at(g, loss);
    if (v->producer == NO_NODE || !graph_node_at(g, v->producer)->op->is_loss ||
        graph_node_at(g, v->producer)->outputs[0] != loss)
        return mien_fail(MIEN_ERR_ARG, "%s: not a loss (wanted what cross_entropy gives)", v->name);
    if (!isfinite(row->weight))
        return mien_fail(MIEN_ERR_ARG, "%s: weight %g (wanted a finite one)", v->name, (double)row->weight);
    if (!v->requires_grad)
        return mien_fail(MIEN_ERR_ARG, "%s: depends on nothing that trains", v->name);
    return MIEN_OK;
}

static mien_status check_graph(graph *g, const graph_loss *losses, int loss_count)
{
    if (!graph_is_training(g))
        return mien_fail(MIEN_ERR_ARG, "gradient of an inference graph (wanted a training graph)");
    bool is_any = false;
    for (int i = 0; i < loss_count; i++)
        is_any = is_any || losses[i].weight != 0;
    if (!is_any)
        return mien_fail(MIEN_ERR_ARG, "no losses (wanted at least one with a weight)");
    for (int i = 0; i < graph_order_count(g); i++)
        if (graph_node_at(g, graph_order_at(g, i))->phase != PHASE_FORWARD)
            return mien_fail(MIEN_ERR_ARG, "the graph has gradients already");
    return MIEN_OK;
}

static mien_status walk_back(backward *b, const graph_loss *losses, int loss_count)
{
    graph *g = b->g;
    const int value_count = graph_value_count(g), forward_count = graph_order_count(g);
    TRY(arena_alloc(graph_arena(g), &b->leads_to_loss, graph_node_count(g)));
    TRY(arena_alloc(graph_arena(g), &b->weight, graph_node_count(g)));
    TRY(arena_alloc(graph_arena(g), &b->grad, value_count));
    for (value_id v = 0; v < value_count; v++)
        b->grad[v] = NO_VALUE;
    for (int i = 0; i < loss_count; i++)
        b->weight[graph_value_at(g, losses[i].value)->producer] += losses[i].weight;
    mark_leading(b);
    graph_set_phase(g, PHASE_BACKWARD);
    for (int i = forward_count - 1; i >= 0; i--) {
        node_id n = graph_order_at(g, i);
        if (b->leads_to_loss[n] && reads_wanted(g, graph_node_at(g, n)))
            TRY(differentiate_node(b, n));
    }
    return MIEN_OK;
}

static mien_status check_input(graph *g, value_id input_grad)
{
    if (input_grad < 0 || input_grad >= graph_value_count(g))
        return mien_fail(MIEN_ERR_ARG, "input_grad is no value of this graph");
    const graph_value *v = graph_value_at(g, input_grad);
    if (v->kind != VALUE_INPUT && v->kind != VALUE_TENSOR)
        return mien_fail(MIEN_ERR_ARG, "%s: gradient of a parameter (wanted an input or a tensor)", v->name);
    return MIEN_OK;
}

mien_status graph_differentiate(graph *g, const graph_loss *losses, int loss_count, value_id input_grad,
                                value_id *out_input_grad)
{
    TRY(check_graph(g, losses, loss_count));
    if (input_grad != NO_VALUE) {
        TRY(check_input(g, input_grad));
        spread_requires_grad(g, input_grad);
    }
    for (int i = 0; i < loss_count; i++)
        TRY(check_loss(g, &losses[i]));
    backward b = {.g = g};
    TRY(walk_back(&b, losses, loss_count));
    if (input_grad == NO_VALUE)
        return MIEN_OK;
    if (b.grad[input_grad] == NO_VALUE)
        return mien_fail(MIEN_ERR_ARG, "%s: the loss does not depend on it", graph_value_at(g, input_grad)->name);
    graph_mark_output(g, b.grad[input_grad]);
    if (out_input_grad)
        *out_input_grad = b.grad[input_grad];
    return MIEN_OK;
}
