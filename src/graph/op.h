/* The operator vocabulary. One file an operator in op/: its shape rule, its gradient rule and, in its first comment,
 * the formula, its gradient and the PyTorch call it equals. Backward operators live in the same file as their forward
 * one. Attributes that a kernel is given whole stand in attr.h.
 *
 * Below, an operator's function appends it to the graph; every failure names the node: "layer1.0.conv1: ...".
 * Shapes: x [n, h, w, c] unless stated. "act" = the graph's activation type; f32 where said. */
#ifndef GRAPH_OP_H
#define GRAPH_OP_H

#include "graph/graph.h"

struct op_def {
    const char *name; /* "conv2d", "conv2d_dx", "conv2d_dw" */
    /* Checks the inputs and creates the outputs (graph_add_output). */
    mien_status (*infer)(graph *g, node_id n);
    /* Appends the backward nodes of n (graph_add_backward). out_grads[i]: gradient of output i or NO_VALUE. Writes
     * in_grads[i] for inputs that want one (needs[i]). An operator that reads weights computes their gradients into
     * their slices: the backward node's shape rule makes those its outputs (graph_add_param_grad_output); a parameter
     * that is a plain operand gets in_grads[i] as any tensor does. What forward must save
     * for it and would not otherwise (mask, index) the rule adds to the forward node's outputs. NULL: not
     * differentiable. */
    mien_status (*grad)(graph *g, node_id n, const value_id *out_grads, const bool *needs, value_id *in_grads);
    /* Output 0 may take the memory of this input where the input dies here and both are as large, in the same layout
     * (graph_value.layout equal); -1 none. Kernels of such operators accept dst == src: activation, activation_dx, add,
     * sub, scale, scale_dx, dropout, softmax, batch_norm (y over x), batch_norm_dx (dx over dy), roi_embed_dx (dP over
     * P). */
    int inplace_input;
    /* Output 0 is a loss: its gradient is 1, which the gradient rule knows and no tensor holds (graph_differentiate
     * multiplies what comes of it with the loss's weight). */
    bool is_loss;
    /* Multiply-add pairs x 2 of one run, for profiles; NULL: counts as memory traffic alone. */
    double (*flops)(graph *g, node_id n);
    /* Appends what tells two nodes of this operator apart: " stride 2 relu". NULL: nothing. */
    mien_status (*print)(const graph_node *node, str *out);
};

/* For gradient rules: a backward node of `forward`, named "<forward's name>:<suffix>". */
MIEN_MUST_USE mien_status graph_add_backward(graph *g, node_id *out, const op_def *op, node_id forward,
                                             const char *suffix, const value_id *inputs, int input_count,
                                             const void *attr, size_t attr_bytes);
/* The VALUE_GRAD of a trainable parameter (created once). */
MIEN_MUST_USE mien_status graph_grad_of(graph *g, value_id *out, value_id param);
/* Called by shape rules of backward operators: the next output is the parameter's gradient slice, not a new tensor.
 * Where another reader has written the slice already it is a tensor, which graph_differentiate has added to it. */
MIEN_MUST_USE mien_status graph_add_param_grad_output(graph *g, node_id n, value_id param);

const char *activation_name(activation_kind kind);

/* --- input -------------------------------------------------------------------------------------------------------- */
/* images u8 [n, h, w, 3] -> (x/255 - mean) / std, act. */
typedef struct {
    float mean[3], std[3];
} normalise_attr;
MIEN_MUST_USE mien_status op_normalise(graph *g, value_id *y, const char *name, value_id images, const float mean[3],
                                       const float std[3]);

/* --- convolution and linear --------------------------------------------------------------------------------------- */
/* y = w * x + b. x [n, h, w, c], w [o, c/groups, kh, kw] f32 param, b [o] f32 param or NO_VALUE; y [n, oh, ow, o] act.
 * The node always has CONV_INPUTS inputs: x, w, b, then, where fuse folded batch_norm into it (is_folded):
 * gamma, beta, mean, var [o], and residual [as y] or NO_VALUE; then y = act(gamma (w*x + b - mean)/sqrt(var + eps) +
 * beta + residual). Backward, both with conv2d_grad_attr: conv2d_dx (dy, w) -> dx; conv2d_dw (x, dy, w) -> DW_WEIGHT,
 * DW_BIAS: the gradients of w and b, NO_VALUE where there is none to compute. */
typedef struct {
    int stride[2], pad_begin[2], pad_end[2], dilation[2]; /* h, w */
    int groups;
    bool is_folded;
    float eps;
    activation_kind act;
} conv2d_attr;
enum { CONV_X, CONV_W, CONV_B, CONV_GAMMA, CONV_BETA, CONV_MEAN, CONV_VAR, CONV_RESIDUAL, CONV_INPUTS };
typedef struct {
    conv2d_attr conv; /* of the forward node */
    shape x;          /* shape of the forward input */
} conv2d_grad_attr;
enum { DW_WEIGHT, DW_BIAS, DW_OUTPUTS }; /* outputs of conv2d_dw and linear_dw */
MIEN_MUST_USE mien_status op_conv2d(graph *g, value_id *y, const char *name, value_id x, value_id w, value_id b,
                                    const conv2d_attr *attr);

/* y = x w^T + b. x [n, k] (or [n, t, k]), w [o, k] f32 param, b [o] or NO_VALUE; y [.., o], act, or f32 where is_f32
 * (heads). inputs x, w, b. Backward, with linear_attr: linear_dx (dy, w) -> dx of x's type; linear_dw (x, dy, w) ->
 * DW_WEIGHT, DW_BIAS as for conv2d. */
typedef struct {
    bool is_f32;
} linear_attr;
MIEN_MUST_USE mien_status op_linear(graph *g, value_id *y, const char *name, value_id x, value_id w, value_id b,
                                    bool is_f32);

/* y [.., G o] = w x + b for each of G groups of the last dimension; x [.., G k], w [G o, k] and b [G o] f32, parameters
 * or not, b may be NO_VALUE; y act, or f32 where is_f32. Backward, with group_linear_attr: group_linear_dx (dy, w) ->
 * dx of x's type; group_linear_dw (x, dy) -> DW_WEIGHT, DW_BIAS as tensors. */
typedef struct {
    int groups;
    bool is_f32;
} group_linear_attr;
enum { GROUP_X, GROUP_W, GROUP_B, GROUP_INPUTS };
MIEN_MUST_USE mien_status op_group_linear(graph *g, value_id *y, const char *name, value_id x, value_id w, value_id b,
                                          const group_linear_attr *attr);
/* y [G d, d] f32: an orthogonal matrix of each of the G square ones in w [G d, d] f32. Backward: orthogonal_dx
 * (ORTHOGONAL_DX_*) -> dw. */
enum { ORTHOGONAL_DX_DY, ORTHOGONAL_DX_W, ORTHOGONAL_DX_Y, ORTHOGONAL_DX_INPUTS };
MIEN_MUST_USE mien_status op_orthogonal(graph *g, value_id *y, const char *name, value_id w);
/* The second half of R convolutions 3x3, one a region, of f (1 + attention of the region): products [n, h, w, 9 R d] of
 * f with all taps (kh, kw, region, channel), attention [n, h, w, R], bias [R d] param or NO_VALUE -> y [n, h, w, R d],
 * all act. Backward: roi_embed_dx, inputs ROI_DX_*; outputs the gradients of ROI_PRODUCTS, ROI_ATTENTION and ROI_BIAS,
 * NO_VALUE where not wanted. */
enum { ROI_PRODUCTS, ROI_ATTENTION, ROI_BIAS, ROI_INPUTS };
enum { ROI_DX_DY, ROI_DX_PRODUCTS, ROI_DX_ATTENTION, ROI_DX_INPUTS };
MIEN_MUST_USE mien_status op_roi_embed(graph *g, value_id *y, const char *name, value_id products, value_id attention,
                                       value_id bias);

/* --- normalisation ------------------------------------------------------------------------------------------------ */
/* y = act(gamma (x - m)/sqrt(v + eps) + beta + residual), m, v over n, h, w: of the batch (is_batch; biased variance
 * normalises, the unbiased one moves running_var) or the running ones. Running statistics move by `momentum` where
 * is_batch: they are inputs that the kernel also writes. residual: as x, or NO_VALUE (only fuse gives one).
 * Outputs, NO_VALUE where absent: y; batch mean and inverse deviation [c] f32, where is_batch; mask u8 [ceil(count/8)],
 * where act is ReLU and a gradient is wanted (bit i % 8 of byte i / 8: y > 0 at flat element i).
 * Backward, with batch_norm_attr: inputs as BN_DX_* below, NO_VALUE where not needed (batch statistics or running ones,
 * never both; mask for ReLU, beta and residual for SiLU, whose pre-activation is computed again); outputs BN_OUT_*:
 * dx, dresidual (where act is not NONE; without activation it is dy itself), gradients of gamma and beta. */
typedef struct {
    bool is_batch;
    float eps, momentum;
    activation_kind act; /* NONE, RELU or SILU */
} batch_norm_attr;
enum { BN_X, BN_GAMMA, BN_BETA, BN_RUNNING_MEAN, BN_RUNNING_VAR, BN_RESIDUAL, BN_INPUTS };
enum { BN_Y, BN_BATCH_MEAN, BN_BATCH_INV_STD, BN_MASK, BN_OUTPUTS };
enum {
    BN_DY,
    BN_DX_X,
    BN_DX_GAMMA,
    BN_DX_BETA,
    BN_DX_MEAN,
    BN_DX_INV_STD,
    BN_DX_RUNNING_MEAN,
    BN_DX_RUNNING_VAR,
    BN_DX_MASK,
    BN_DX_RESIDUAL,
    BN_DX_INPUTS
};
enum { BN_OUT_DX, BN_OUT_DRESIDUAL, BN_OUT_DGAMMA, BN_OUT_DBETA, BN_DX_OUTPUTS };
MIEN_MUST_USE mien_status op_batch_norm(graph *g, value_id *y, const char *name, value_id x, value_id gamma,
                                        value_id beta, value_id running_mean, value_id running_var,
                                        const batch_norm_attr *attr);

/* y = gamma (x - m)/sqrt(v + eps) + beta, m, v of each row (the last dimension); x f32 or act, y act. Outputs y; mean
 * and inverse deviation of each row, f32 [rows], where a gradient is wanted, else NO_VALUE. Backward: inputs LN_D*,
 * outputs LN_OUT_*: dx, gradients of gamma and beta. */
typedef struct {
    float eps;
} layer_norm_attr;
enum { LN_X, LN_GAMMA, LN_BETA, LN_INPUTS };
enum { LN_Y, LN_MEAN, LN_INV_STD };
enum { LN_DY, LN_DX_X, LN_DX_GAMMA, LN_DX_MEAN, LN_DX_INV_STD, LN_DX_INPUTS };
enum { LN_OUT_DX, LN_OUT_DGAMMA, LN_OUT_DBETA };
MIEN_MUST_USE mien_status op_layer_norm(graph *g, value_id *y, const char *name, value_id x, value_id gamma,
                                        value_id beta, float eps);

/* --- tokens ------------------------------------------------------------------------------------------------------- */
/* qkv [n, t, 3 d] -> y [n, t, d] = softmax(q k^T / sqrt(d / heads)) v, a head at a time; is_first_alone: its first
 * token alone, [n, d]. Outputs y; log_sum f32 [n, heads, t or 1] where a gradient is wanted, else NO_VALUE. Backward:
 * inputs ATTENTION_D*, output dqkv. */
typedef struct {
    int heads;
    bool is_first_alone;
} attention_attr;
enum { ATTENTION_Y, ATTENTION_LOG_SUM };
enum { ATTENTION_DY, ATTENTION_DX_QKV, ATTENTION_DX_Y, ATTENTION_DX_LOG_SUM, ATTENTION_DX_INPUTS };
MIEN_MUST_USE mien_status op_attention(graph *g, value_id *y, const char *name, value_id qkv, int heads,
                                       bool is_first_alone);
/* x [n, h, w, d], first [1, 1, d], position [1, 1 + h w, d] -> y [n, 1 + h w, d], act, or f32 where is_f32: the class
 * token, then the pixels, plus position. Backward: tokens_dx (dy) -> the three gradients, where TOKENS_* says. */
typedef struct {
    bool is_f32;
} tokens_attr;
enum { TOKENS_X, TOKENS_FIRST, TOKENS_POSITION, TOKENS_INPUTS };
MIEN_MUST_USE mien_status op_tokens(graph *g, value_id *y, const char *name, value_id x, value_id first,
                                    value_id position, bool is_f32);
/* y [n, d] = x[:, 0] of x [n, t, d]. Backward: first_token_dx (dy) -> dx. */
MIEN_MUST_USE mien_status op_first_token(graph *g, value_id *y, const char *name, value_id x);

/* --- pointwise ---------------------------------------------------------------------------------------------------- */
/* y = f(x). Backward: activation_dx (dy, x) -> dx; for ReLU the second input is y (same sign, and x may die). */
typedef struct {
    activation_kind kind;
} activation_attr;
MIEN_MUST_USE mien_status op_activation(graph *g, value_id *y, const char *name, value_id x, activation_kind kind);
/* y = a + b, same shapes, of a's type; b may be bf16 where a is f32. Also how gradients of several consumers are
 * summed. Backward: add_db (dy) -> db, where b is narrower; else db is dy. */
MIEN_MUST_USE mien_status op_add(graph *g, value_id *y, const char *name, value_id a, value_id b);
/* y = a - b + shift, same shapes; a NO_VALUE: 0 - b + shift. Backward: da is dy, db the same operator without a. */
typedef struct {
    float shift;
} sub_attr;
enum { SUB_A, SUB_B };
MIEN_MUST_USE mien_status op_sub(graph *g, value_id *y, const char *name, value_id a, value_id b, float shift);
/* y[n, h, w, c] = x[n, h, w, c] s[n, c] (squeeze-excite). Backward: scale_dx (dy, s) -> dx; scale_ds (dy, x) -> ds [n,
 * c]. */
MIEN_MUST_USE mien_status op_scale(graph *g, value_id *y, const char *name, value_id x, value_id s);
/* y = x times a number. Backward: the same operator on dy. It is also how a loss gets its weight. */
typedef struct {
    float factor;
} multiply_attr;
MIEN_MUST_USE mien_status op_multiply(graph *g, value_id *y, const char *name, value_id x, float factor);
/* y = a b, same shapes and types. Backward: the same operator, dy with the other. */
MIEN_MUST_USE mien_status op_mul(graph *g, value_id *y, const char *name, value_id a, value_id b);
/* y [m, r, c] = a b, m products of matrices: a [m, r, k], or [m, k, r] where it is transposed; b [m, k, c], or [m, c,
 * k]; one float type for all three, sums in f32. Backward: the same operator. */
typedef struct {
    bool is_a_transposed, is_b_transposed;
} matmul_attr;
MIEN_MUST_USE mien_status op_matmul(graph *g, value_id *y, const char *name, value_id a, value_id b,
                                    const matmul_attr *attr);

/* --- movement ----------------------------------------------------------------------------------------------------- */
/* y = `data`, copied, in type f32 or bf16: computed once, at refresh. No gradient. */
typedef struct {
    dtype type;
    shape shape;
    const float *data; /* in the graph's arena */
} constant_attr;
MIEN_MUST_USE mien_status op_constant(graph *g, value_id *y, const char *name, dtype type, shape s, const float *data);
/* y = x in another float type; x itself where it has that type. Backward: cast of dy. */
typedef struct {
    dtype type;
} cast_attr;
MIEN_MUST_USE mien_status op_cast(graph *g, value_id *y, const char *name, value_id x, dtype type);
/* The same elements in another shape. Backward: reshape. */
typedef struct {
    shape shape;
} reshape_attr;
MIEN_MUST_USE mien_status op_reshape(graph *g, value_id *y, const char *name, value_id x, shape s);
/* Dimension i of y is dimension order[i] of x. Backward: the inverse. */
typedef struct {
    int order[SHAPE_MAX_RANK];
} transpose_attr;
MIEN_MUST_USE mien_status op_transpose(graph *g, value_id *y, const char *name, value_id x, const int *order);
/* y = elements begin .. begin + length - 1 of x along `axis`. Backward: slice_dx (dy) -> dx, 0 elsewhere. */
typedef struct {
    int64_t begin, length;
    int axis;
} slice_attr;
MIEN_MUST_USE mien_status op_slice(graph *g, value_id *y, const char *name, value_id x, int axis, int64_t begin,
                                   int64_t length);
/* y [n, ..] = x [..], n times. Backward: repeat_dx (dy) -> sum over n. */
typedef struct {
    int64_t count;
} repeat_attr;
MIEN_MUST_USE mien_status op_repeat(graph *g, value_id *y, const char *name, value_id x, int64_t count);
/* Concatenation along the last dimension. Backward: slice. */
MIEN_MUST_USE mien_status op_concat(graph *g, value_id *y, const char *name, const value_id *parts, int count);

/* --- pooling ------------------------------------------------------------------------------------------------------ */
/* Max or average over windows. is_ceil: ceil-mode output size as PyTorch defines it (no window starts in the end
 * padding). Average divides by the window's part inside the padded image where count_pad, else inside the image. Max
 * takes the first of equals. Outputs y and, for max where a gradient is wanted, index u8 as y: position kh * window[1]
 * + kw within the window. Backward: pool_dx (dy, index or NO_VALUE) -> dx, with pool_grad_attr. */
typedef struct {
    pool_attr pool;
    shape x;
} pool_grad_attr;
MIEN_MUST_USE mien_status op_pool(graph *g, value_id *y, const char *name, value_id x, const pool_attr *attr);
/* y [n, c] = mean over h, w. Backward: global_mean_dx (dy) -> dx. */
typedef struct {
    shape x;
} global_mean_grad_attr;
MIEN_MUST_USE mien_status op_global_mean(graph *g, value_id *y, const char *name, value_id x);
/* y [n, d] = mean over t of x [n, t, d]: a reshape, "NAME:map", and op_global_mean. */
MIEN_MUST_USE mien_status op_token_mean(graph *g, value_id *y, const char *name, value_id x);

/* --- random ------------------------------------------------------------------------------------------------------- */
/* y = x m / (1 - p), m = 0 with probability p per element, or per sample (first dimension: drop path). Training graphs
 * only; in inference graphs, and with p = 0, it appends nothing and gives x back. No mask is saved, backward draws
 * again: element i (or sample i) is kept where number i of the stream rng_at(step.seed, step.step, stream, RNG_DROPOUT
 * or RNG_DROP_PATH), as rng_float makes it of a word, is at least p; word i is word i % 4 of the block with counter[0]
 * = i / 4. stream = the number of random nodes before this one. inputs: x, step. Backward: the same operator on dy. */
typedef struct {
    float p;
    uint32_t stream;
    bool is_per_sample;
} dropout_attr;
MIEN_MUST_USE mien_status op_dropout(graph *g, value_id *y, const char *name, value_id x, float p, bool is_per_sample);

/* --- ends --------------------------------------------------------------------------------------------------------- */
/* y f32 = softmax over the last dimension of x f32 [n, c] or [n, t, c]. Backward: softmax_dx (dy, y) -> dx. */
MIEN_MUST_USE mien_status op_softmax(graph *g, value_id *y, const char *name, value_id x);
/* A loss is a scalar, f32: a mean over what is present, 0 with gradient 0 where nothing is. `mask` u8 says what is: not
 * 0 = present; NO_VALUE: everything. What is absent is not read. Predictions and targets are f32.
 *
 * PyTorch's cross_entropy(logits, labels, weight, label_smoothing, reduction="mean"); rows with label -1 are absent.
 * Labels may be f32 [n, c] instead: probabilities of each class (mixed pictures); the mean is over all n then.
 * inputs logits [n, c] f32, labels i32 [n], class_weights f32 [c] input or NO_VALUE, mask u8 [n] or NO_VALUE (never
 * with probabilities). outputs loss (scalar f32; 0 where no row is present), probabilities [n, c] f32. A label that is
 * no class makes its row absent; refusing it is the caller's business. Backward: cross_entropy_dx (probabilities,
 * labels, class_weights, mask) -> dlogits. */
typedef struct {
    float smoothing;
} cross_entropy_attr;
MIEN_MUST_USE mien_status op_cross_entropy(graph *g, value_id *loss, value_id *probabilities, const char *name,
                                           value_id logits, value_id labels, value_id class_weights, float smoothing);
MIEN_MUST_USE mien_status op_cross_entropy_masked(graph *g, value_id *loss, value_id *probabilities, const char *name,
                                                  value_id logits, value_id labels, value_id class_weights,
                                                  value_id mask, float smoothing);
/* Mean of (x - t)^2, or of PyTorch's smooth_l1_loss with beta. prediction, target [..], mask of the same shape.
 * Backward: regression_dx (the inputs) -> dprediction. */
typedef enum { REGRESSION_SQUARED, REGRESSION_SMOOTH_L1 } regression_kind;
typedef struct {
    regression_kind kind;
    float beta; /* of smooth L1: above 0 */
} regression_attr;
MIEN_MUST_USE mien_status op_regression(graph *g, value_id *loss, const char *name, value_id prediction,
                                        value_id target, value_id mask, const regression_attr *attr);
/* PyTorch's binary_cross_entropy_with_logits(logits, target, pos_weight=positive_weights). logits, target [n, u], mask
 * [n, u], positive_weights f32 [u] or NO_VALUE. Backward: binary_cross_entropy_dx (the inputs) -> dlogits. */
enum { BINARY_LOGITS, BINARY_TARGET, BINARY_MASK, BINARY_WEIGHTS, BINARY_INPUTS };
MIEN_MUST_USE mien_status op_binary_cross_entropy(graph *g, value_id *loss, const char *name, value_id logits,
                                                  value_id target, value_id positive_weights, value_id mask);
/* Sum over columns of 1 - CCC of prediction and target, [n, k] with mask [n, k]; a column with fewer than two rows
 * present is left out. Backward: ccc_dx (the inputs) -> dprediction. */
MIEN_MUST_USE mien_status op_ccc(graph *g, value_id *loss, const char *name, value_id prediction, value_id target,
                                 value_id mask);
/* y = sum over i of weight i times x i, scalars f32: what the losses of graph_differentiate come to, for people and for
 * the optimizer's check. Not a loss itself: no gradient. */
MIEN_MUST_USE mien_status op_total(graph *g, value_id *y, const char *name, const graph_loss *losses, int count);

/* --- gradients of parameters ------------------------------------------------------------------------------------ */
/* Appends the node that adds `part`, f32 of its shape, to the gradient slice; without `is_sum` it begins the slice with
 * it. For graph_differentiate: inputs the slice or NO_VALUE, and part; the output is the slice. */
MIEN_MUST_USE mien_status op_contribute(graph *g, const char *name, value_id slice, value_id part, bool is_sum);

/* --- gradients of several batches --------------------------------------------------------------------------------- */
/* Gradients of several batches are summed in an arena of their own (param_memory.sums) before one update. Two nodes,
 * "NAME:first" and "NAME", of which a run takes one: the first batch's gradients begin the sums, all others' are added.
 * Inputs are the VALUE_GRADs and, last, the loss. A batch whose loss is not finite leaves NaN in the sums, as gradients
 * that are not finite do by themselves: nothing takes it out again before the next first batch, so the update finds it.
 * Call between graph_differentiate and op_optimizer, which then reads the sums. */
MIEN_MUST_USE mien_status op_accumulate(graph *g, const char *name, value_id loss);

/* --- update ------------------------------------------------------------------------------------------------------- */
/* One node that moves every trainable parameter that has a gradient: inputs are step, those VALUE_GRADs and, last, the
 * loss. The kernel walks `ranges` of the arenas. Adam as torch.optim.Adam (weight decay added to the gradient), AdamW
 * as torch.optim.AdamW, SGD as torch.optim.SGD (momentum, no dampening, no Nesterov). lr and the step number come from
 * step_params; a step whose loss or gradient is not finite sets step.is_nonfinite and changes nothing.
 * Call after graph_differentiate. `attr` without ranges: they are filled in here. Where the graph has op_accumulate the
 * gradients are its sums, and the loss read here is the last batch's. */
MIEN_MUST_USE mien_status op_optimizer(graph *g, const char *name, const optimizer_attr *attr);

/* All definitions, forward and backward, as a table for backends and tests. */
extern const op_def op_normalise_def, op_conv2d_def, op_conv2d_dx_def, op_conv2d_dw_def, op_linear_def,
    op_linear_dx_def, op_linear_dw_def, op_batch_norm_def, op_batch_norm_dx_def, op_activation_def,
    op_activation_dx_def, op_add_def, op_add_db_def, op_sub_def, op_scale_def, op_scale_dx_def, op_scale_ds_def,
    op_concat_def, op_slice_def, op_pool_def, op_pool_dx_def, op_global_mean_def, op_global_mean_dx_def, op_dropout_def,
    op_softmax_def, op_cross_entropy_def, op_cross_entropy_dx_def, op_optimizer_def, op_layer_norm_def,
    op_layer_norm_dx_def, op_attention_def, op_attention_dx_def, op_tokens_def, op_tokens_dx_def, op_first_token_def,
    op_first_token_dx_def, op_multiply_def, op_contribute_def, op_accumulate_def, op_mul_def, op_matmul_def,
    op_constant_def, op_cast_def, op_reshape_def, op_transpose_def, op_slice_dx_def, op_repeat_def, op_repeat_dx_def,
    op_softmax_dx_def, op_regression_def, op_regression_dx_def, op_binary_cross_entropy_def,
    op_binary_cross_entropy_dx_def, op_ccc_def, op_ccc_dx_def, op_total_def, op_group_linear_def,
    op_group_linear_dx_def, op_group_linear_dw_def, op_orthogonal_def, op_orthogonal_dx_def, op_roi_embed_def,
    op_roi_embed_dx_def;

#endif
