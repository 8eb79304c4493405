/* cross_entropy: loss = sum over present rows r of [ (1 - e) w_t (-log p_rt) + e/C sum over c of w_c (-log p_rc) ] / W,
 * with p = softmax(logits), t the row's label, e the smoothing, C classes, w the class weights (1 without), and
 * W = sum over present rows of w_t. A row is present where its label is a class and its mask not 0; none present: loss
 * 0.
 *
 * dlogits[r, c] = [ p_rc ((1 - e) w_t + e/C sum of w) - (1 - e) w_t [c = t] - e/C w_c ] / W, 0 in absent rows
 *                                                                                                    cross_entropy_dx
 * With probabilities q [n, c] in place of labels, s_rc = (1 - e) q_rc + e/C: every row counts, whatever q sums to, and
 * loss = sum over r, c of w_c s_rc (-log p_rc) / n,  dlogits[r, c] = [ p_rc (sum over k of w_k s_rk) - w_c s_rc ] / n.
 *
 * PyTorch: torch.nn.functional.cross_entropy(logits, labels or q, weight=w, ignore_index=-1, label_smoothing=e). */
#include "graph/op/rule.h"

enum { CE_LOGITS, CE_LABELS, CE_WEIGHTS, CE_MASK, CE_INPUTS };
enum { CE_LOSS, CE_PROBABILITIES };

/* What the logits are held against: classes, or probabilities of each. */
static mien_status want_target(graph *g, node_id n, const shape *logits)
{
    const graph_value *target = input_of(g, n, CE_LABELS);
    if (target && target->type == DTYPE_F32)
        return want_shape(g, n, CE_LABELS, "target probabilities", *logits);
    TRY(want_type(g, n, CE_LABELS, "labels", DTYPE_I32));
    return want_shape(g, n, CE_LABELS, "labels", shape_of(1, logits->dim[0]));
}

static mien_status cross_entropy_infer(graph *g, node_id n)
{
    const cross_entropy_attr *attr = graph_node_at(g, n)->attr;
    if (!(attr->smoothing >= 0 && attr->smoothing <= 1))
        return mien_fail(MIEN_ERR_ARG, "label smoothing %g (wanted 0 to 1)", (double)attr->smoothing);
    TRY(want_type(g, n, CE_LOGITS, "logits", DTYPE_F32));
    TRY(want_rank(g, n, CE_LOGITS, "logits", 2));
    shape s = input_of(g, n, CE_LOGITS)->shape;
    TRY(want_target(g, n, &s));
    if (input_of(g, n, CE_WEIGHTS)) {
        TRY(want_type(g, n, CE_WEIGHTS, "class weights", DTYPE_F32));
        TRY(want_shape(g, n, CE_WEIGHTS, "class weights", shape_of(1, s.dim[1])));
    }
    if (input_of(g, n, CE_MASK)) {
        TRY(want_type(g, n, CE_LABELS, "labels of a mask", DTYPE_I32));
        TRY(want_type(g, n, CE_MASK, "mask", DTYPE_U8));
        TRY(want_shape(g, n, CE_MASK, "mask", shape_of(1, s.dim[0])));
    }
    TRY(graph_add_output(g, n, DTYPE_F32, shape_of(0)));
    return graph_add_output(g, n, DTYPE_F32, s);
}

static mien_status cross_entropy_grad(graph *g, node_id n, const value_id *out_grads, const bool *needs,
                                      value_id *in_grads)
{
    const graph_node *node = graph_node_at(g, n);
    if (out_grads[CE_PROBABILITIES] != NO_VALUE)
        return mien_fail(MIEN_ERR_UNSUPPORTED, "%s: gradient through the probabilities (wanted the loss alone)",
                         node->name);
    if (!needs[CE_LOGITS])
        return MIEN_OK;
    const value_id in[] = {node->outputs[CE_PROBABILITIES], node->inputs[CE_LABELS], node->inputs[CE_WEIGHTS],
                           node->inputs[CE_MASK]};
    return op_append_backward(g, &in_grads[CE_LOGITS], &op_cross_entropy_dx_def, n, "dx", in, 4, node->attr,
                              sizeof(cross_entropy_attr));
}

static mien_status cross_entropy_dx_infer(graph *g, node_id n)
{
    return graph_add_output(g, n, DTYPE_F32, input_of(g, n, 0)->shape);
}

const op_def op_cross_entropy_def = {.name = "cross_entropy",
                                     .infer = cross_entropy_infer,
                                     .grad = cross_entropy_grad,
                                     .inplace_input = -1,
                                     .is_loss = true};
const op_def op_cross_entropy_dx_def = {
    .name = "cross_entropy_dx", .infer = cross_entropy_dx_infer, .inplace_input = -1};

mien_status op_cross_entropy(graph *g, value_id *loss, value_id *probabilities, const char *name, value_id logits,
                             value_id labels, value_id class_weights, float smoothing)
{
    return op_cross_entropy_masked(g, loss, probabilities, name, logits, labels, class_weights, NO_VALUE, smoothing);
}

mien_status op_cross_entropy_masked(graph *g, value_id *loss, value_id *probabilities, const char *name,
                                    value_id logits, value_id labels, value_id class_weights, value_id mask,
                                    float smoothing)
{
    const cross_entropy_attr attr = {.smoothing = smoothing};
    node_id n = NO_NODE;
    TRY(graph_add(g, &n, &op_cross_entropy_def, name, (value_id[]){logits, labels, class_weights, mask}, CE_INPUTS,
                  &attr, sizeof attr));
    *loss = graph_node_at(g, n)->outputs[CE_LOSS];
    *probabilities = graph_node_at(g, n)->outputs[CE_PROBABILITIES];
    return MIEN_OK;
}
