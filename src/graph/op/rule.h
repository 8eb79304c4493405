/* What shape and gradient rules say often. Their messages begin after the node's name: "input has 64 channels (wanted
 * 3)". For operator files only. */
#ifndef GRAPH_OP_RULE_H
#define GRAPH_OP_RULE_H

#include "graph/graph_int.h"
#include "graph/op.h"

/* The value at input (output) `index` of n; NULL where it is absent. */
graph_value *input_of(graph *g, node_id n, int index);
graph_value *output_of(graph *g, node_id n, int index);
/* The value at input `index` of the forward node that backward node n belongs to; NULL where it is absent. */
graph_value *forward_input_of(graph *g, node_id n, int index);
/* Whether that input exists and a gradient of it is wanted. */
bool forward_wants_grad(graph *g, node_id n, int index);

/* Each checks one input and fails with MIEN_ERR_SHAPE; `what` names it for people: "weight". */
mien_status want_present(graph *g, node_id n, int index, const char *what);
mien_status want_type(graph *g, node_id n, int index, const char *what, dtype type);
mien_status want_rank(graph *g, node_id n, int index, const char *what, int rank);
mien_status want_shape(graph *g, node_id n, int index, const char *what, shape wanted);
/* A parameter, f32, of that shape. */
mien_status want_param(graph *g, node_id n, int index, const char *what, shape wanted);
/* f32 or bf16 */
mien_status want_float(graph *g, node_id n, int index, const char *what);

/* Appends a forward node and gives its output 0. */
mien_status op_append(graph *g, value_id *y, const op_def *op, const char *name, const value_id *inputs,
                      int input_count, const void *attr, size_t attr_bytes);
/* Appends a backward node and gives its output 0. */
mien_status op_append_backward(graph *g, value_id *dx, const op_def *op, node_id forward, const char *suffix,
                               const value_id *inputs, int input_count, const void *attr, size_t attr_bytes);

/* Shape rule of conv2d_dw and linear_dw: the gradients of the forward node's inputs `weight` and `bias`, where wanted.
 */
mien_status dw_infer(graph *g, node_id n, int weight, int bias);

/* Positions of a window of `window` taps, `dilation` apart, that moves by `stride` over `in` + padding. is_ceil: a last
 * window may hang over the end as long as it starts before the end padding. */
mien_status window_positions(int64_t *out, const char *axis, int64_t in, int64_t window, int dilation, int stride,
                             int pad_begin, int pad_end, bool is_ceil);

/* For losses against numbers: inputs 0 and 1, f32 of the same shape, and a mask u8 of that shape at 2, or none. */
mien_status want_targets(graph *g, node_id n, const char *what);
/* Shape rule of a loss's backward node: the gradient of the forward node's input 0. */
mien_status loss_dx_infer(graph *g, node_id n);

/* The gradient slices of a differentiated graph, and where they lie in the arenas, adjacent ones joined. */
typedef struct {
    value_id *values; /* `count` slices, then the loss */
    int count;
    const param_range *ranges;
    int range_count;
} all_gradients;
MIEN_MUST_USE mien_status gradients_collect(graph *g, all_gradients *out, const char *name, value_id loss);

#endif
