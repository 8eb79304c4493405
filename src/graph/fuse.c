/* Fusing turns chains into one node before gradients exist, so backward has no special cases:
 *
 *   no gradient conv2d -> batch_norm [-> add] [-> activation]    one conv2d with folded statistics: all of an inference
 *                                                                graph, and the frozen parts of a training graph
 *   any         batch_norm [-> add] [-> relu | silu]             one batch_norm
 *
 * A chain holds where each inner value has one reader and is no output. The fused node takes the place, and the output
 * value, of the chain's last node: by then the residual exists, whichever branch was described first. */
#include "graph/graph_int.h"
#include "graph/op.h"

/* What follows a node: [-> add residual] [-> activation]. */
typedef struct {
    node_id add, act;     /* NO_NODE where absent */
    value_id residual;    /* the add's other operand */
    activation_kind kind; /* ACT_NONE where there is no activation */
} tail;

static tail find_tail(graph *g, value_id y, bool (*takes)(activation_kind))
{
    tail t = {NO_NODE, NO_NODE, NO_VALUE, ACT_NONE};
    node_id next = graph_only_consumer(g, y);
    if (next != NO_NODE && graph_node_at(g, next)->op == &op_add_def) {
        const graph_node *add = graph_node_at(g, next);
        value_id other = add->inputs[0] == y ? add->inputs[1] : add->inputs[0];
        if (other != y) { /* y + y has no residual */
            t.add = next;
            t.residual = other;
            next = graph_only_consumer(g, add->outputs[0]);
        }
    }
    if (next != NO_NODE && graph_node_at(g, next)->op == &op_activation_def) {
        const activation_attr *attr = graph_node_at(g, next)->attr;
        if (takes(attr->kind)) {
            t.act = next;
            t.kind = attr->kind;
        }
    }
    return t;
}

/* `n` takes over the output and the place of the last of these nodes that exists; the others go. */
static void absorb(graph *g, node_id n, const node_id *chain, int count)
{
    node_id last = NO_NODE;
    for (int i = 0; i < count; i++)
        if (chain[i] != NO_NODE)
            last = chain[i];
    if (last == NO_NODE)
        return;
    graph_value_at(g, graph_node_at(g, n)->outputs[0])->producer = NO_NODE;
    graph_take_output(g, n, 0, graph_node_at(g, last)->outputs[0]);
    graph_move_after(g, n, last);
    for (int i = 0; i < count; i++)
        if (chain[i] != NO_NODE)
            graph_remove(g, chain[i]);
}

static bool batch_norm_takes(activation_kind kind)
{
    return activation_is_clipped(kind) || kind == ACT_SILU;
}

static mien_status fuse_batch_norm(graph *g, node_id n)
{
    graph_node *bn = graph_node_at(g, n);
    const batch_norm_attr *attr = bn->attr;
    if (attr->act != ACT_NONE || bn->inputs[BN_RESIDUAL] != NO_VALUE)
        return MIEN_OK;
    const tail t = find_tail(g, bn->outputs[BN_Y], batch_norm_takes);
    batch_norm_attr *fused = NULL;
    TRY(arena_alloc(graph_arena(g), &fused, 1));
    *fused = *attr;
    fused->act = t.kind;
    bn->attr = fused;
    bn->inputs[BN_RESIDUAL] = t.residual;
    absorb(g, n, (node_id[]){t.add, t.act}, 2);
    return MIEN_OK;
}

static bool conv2d_takes(activation_kind kind)
{
    return activation_is_clipped(kind) || kind == ACT_SILU || kind == ACT_SIGMOID;
}

/* The batch_norm with running statistics that alone reads conv2d n, and through which no gradient will pass; NO_NODE
 * where there is none. */
static node_id find_foldable(graph *g, node_id n)
{
    const graph_node *conv = graph_node_at(g, n);
    const conv2d_attr *attr = conv->attr;
    node_id next = graph_only_consumer(g, conv->outputs[0]);
    if (next == NO_NODE || attr->is_folded || attr->act != ACT_NONE)
        return NO_NODE;
    const graph_node *bn = graph_node_at(g, next);
    if (bn->op != &op_batch_norm_def || bn->inputs[BN_X] != conv->outputs[0])
        return NO_NODE;
    const bool has_gradient = graph_value_at(g, bn->outputs[BN_Y])->requires_grad;
    return ((const batch_norm_attr *)bn->attr)->is_batch || has_gradient ? NO_NODE : next;
}

static mien_status fold_batch_norm(graph *g, node_id n)
{
    graph_node *conv = graph_node_at(g, n);
    const node_id next = find_foldable(g, n);
    if (next == NO_NODE)
        return MIEN_OK;
    const graph_node *bn = graph_node_at(g, next);
    const batch_norm_attr *bn_attr = bn->attr;
    tail t = {NO_NODE, NO_NODE, bn->inputs[BN_RESIDUAL], bn_attr->act}; /* as described, or fused before */
    if (t.kind == ACT_NONE && t.residual == NO_VALUE)
        t = find_tail(g, bn->outputs[BN_Y], conv2d_takes);
    if (t.residual != NO_VALUE && graph_value_at(g, t.residual)->requires_grad) /* its gradient is the add's to give */
        t = (tail){NO_NODE, NO_NODE, NO_VALUE, ACT_NONE};
    conv2d_attr *folded = NULL;
    TRY(arena_alloc(graph_arena(g), &folded, 1));
    *folded = *(const conv2d_attr *)conv->attr;
    folded->is_folded = true;
    folded->eps = bn_attr->eps;
    folded->act = t.kind;
    conv->attr = folded;
    conv->inputs[CONV_GAMMA] = bn->inputs[BN_GAMMA];
    conv->inputs[CONV_BETA] = bn->inputs[BN_BETA];
    conv->inputs[CONV_MEAN] = bn->inputs[BN_RUNNING_MEAN];
    conv->inputs[CONV_VAR] = bn->inputs[BN_RUNNING_VAR];
    conv->inputs[CONV_RESIDUAL] = t.residual;
    absorb(g, n, (node_id[]){next, t.add, t.act}, 3);
    return MIEN_OK;
}

/* Node ids are stable: nodes move in the order while we walk them. */
static mien_status for_each(graph *g, const op_def *op, mien_status (*visit)(graph *g, node_id n))
{
    for (node_id n = 0; n < graph_node_count(g); n++)
        if (!graph_node_at(g, n)->is_removed && graph_node_at(g, n)->op == op)
            TRY(visit(g, n));
    return MIEN_OK;
}

mien_status graph_fuse(graph *g)
{
    TRY(for_each(g, &op_conv2d_def, fold_batch_norm));
    return for_each(g, &op_batch_norm_def, fuse_batch_norm);
}
