/* Layers as model descriptions use them: parameters under torchvision's names, and the operators over them.
 *
 * A description is one long expression, so failure is sticky: after the first one every function does nothing and gives
 * NO_VALUE, and whoever began the description looks at net.status once. */
#ifndef NN_LAYER_H
#define NN_LAYER_H

#include "graph/op.h"
#include "nn/param_store.h"

/* Whose definition of an architecture the weights come from, where there is more than one (efficientnet_b0). */
typedef enum { VARIANT_TORCHVISION, VARIANT_TENSORFLOW } model_variant;

typedef struct {
    graph *g;
    param_store *params;
    char prefix[128]; /* put before every name: "features.3.0." */
    mien_status status;
    model_variant variant;
    const char *root;  /* put before the prefix: "face."; NULL: nothing. Borrowed */
    bool is_inference; /* no batch statistics and no dropout, also in a training graph: a mode of the nodes to come */
} net;

/* Sets the prefix (printf). Returns nothing: too long a name is a bug of ours and ends in status. */
void net_prefix(net *n, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Do nodes to come take batch statistics, and drop? */
bool net_is_training(const net *n);

typedef struct {
    int out, kernel, stride, pad;
    int kernel_w, pad_w; /* where kernel_w is not 0: the width's, and kernel and pad are the height's alone */
    int groups;          /* 0: 1 */
    bool has_bias;
    bool is_same;   /* instead of pad: TensorFlow's "same" padding, which depends on the input's size and puts the odd
                     * pixel after it */
    float init_std; /* of fresh weights; 0: He-normal over fan-out, as torchvision draws most of them */
} conv_spec;

/* Convolution "NAME.weight"[, "NAME.bias"]. */
value_id net_conv2d(net *n, const char *name, value_id x, conv_spec spec);
/* "NAME.weight", ".bias", ".running_mean", ".running_var", ".num_batches_tracked"; momentum 0.1. ends_branch: the last
 * of a residual branch, whose fresh weight is 0, so that a fresh network begins as its shortcuts and learns from the
 * first steps (Goyal et al. 2017, section 5.1). */
typedef struct {
    float eps;
    bool ends_branch;
} batch_norm_spec;
value_id net_batch_norm(net *n, const char *name, value_id x, batch_norm_spec spec);
value_id net_activation(net *n, const char *name, value_id x, activation_kind kind);
/* torchvision's BasicConv2d, which both Inception networks are built of: "NAME.conv.weight", "NAME.bn.*" with eps 1e-3,
 * ReLU. Torchvision draws its weights from a truncated normal of one width for all (0.01 in GoogLeNet, 0.1 in Inception
 * v3). Batch norm hides the width from the forward pass, but not from eps (at 0.01 the variance behind a narrow 1x1 is
 * less than 1e-3, and nine blocks of that shrink the signal) nor from Adam, whose steps have one length whatever the
 * weight's: He-normal as elsewhere, each layer's steps are alike for its weights. */
value_id net_conv_bn_relu(net *n, const char *name, value_id x, conv_spec spec);
/* The same with "pool" between the convolution and its batch norm; without where pool is NULL. */
value_id net_conv_pool_bn_relu(net *n, const char *name, value_id x, conv_spec spec, const pool_attr *pool);
value_id net_add(net *n, const char *name, value_id a, value_id b);
/* a - b + shift */
value_id net_sub(net *n, const char *name, value_id a, value_id b, float shift);
value_id net_max_pool(net *n, const char *name, value_id x, int window, int stride, int pad);
value_id net_pool(net *n, const char *name, value_id x, const pool_attr *attr);
/* Channels side by side. */
value_id net_concat(net *n, const char *name, const value_id *parts, int count);
value_id net_global_mean(net *n, const char *name, value_id x);
value_id net_dropout(net *n, const char *name, value_id x, float p, bool is_per_sample);
/* x [.., k] -> [.., out]. Weights uniform within +-bound; bias the same, or zero where bias_bound is 0. weight_rank 4:
 * stored as a 1x1 convolution [out, k, 1, 1]. */
typedef struct {
    int out;
    float bound, bias_bound;
    int weight_rank; /* 2 or 4 */
    bool is_f32;     /* result f32 whatever the activation type: heads */
} linear_spec;
value_id net_linear(net *n, const char *name, value_id x, linear_spec spec);
/* The same product with its fresh values said one by one, f32 or not as the activations are. is_joined: "NAME_weight",
 * "NAME_bias", as a projection inside torch.nn.MultiheadAttention is called. */
typedef struct {
    int out;
    param_init weight, bias;
    bool is_joined;
} projection_spec;
value_id net_projection(net *n, const char *name, value_id x, projection_spec spec);
/* x, each group of channels [.., groups k] through a linear layer of its own to [.., groups out]: "NAME.weight" [groups
 * out, k] and, where has_bias, "NAME.bias", both fresh uniform within +-bound. is_orthogonal: square ones, the matrices
 * that op_orthogonal makes of the weight. is_f32: as net_linear's. */
typedef struct {
    int groups, out;
    bool has_bias;
    float bound;
    bool is_f32, is_orthogonal;
} group_linear_spec;
value_id net_group_linear(net *n, const char *name, value_id x, group_linear_spec spec);
/* A 3x3 convolution to d channels for each region of attention [n, h, w, regions], of f [n, h, w, c] as that region's
 * attention brightens it, f (1 + attention): [n, h, w, regions d]. "NAME.weight" [3, 3, regions d, c], "NAME.bias". */
value_id net_roi_embed(net *n, const char *name, value_id f, value_id attention, int d);
value_id net_scale(net *n, const char *name, value_id x, value_id s);
/* "NAME.weight", "NAME.bias" over the last dimension */
value_id net_layer_norm(net *n, const char *name, value_id x, float eps);
/* qkv [n, t, 3 d] -> [n, t, d], or the first token's row alone, [n, d] */
value_id net_attention(net *n, const char *name, value_id qkv, int heads, bool is_first_alone);
/* x [n, h, w, d] -> [n, 1 + h w, d], f32 whatever the activation type, with the parameters `first` [1, 1, d], fresh 0,
 * and `position` [1, 1 + h w, d], fresh normal with 0.02 */
value_id net_tokens(net *n, const char *name, value_id x, const char *first, const char *position);
value_id net_first_token(net *n, const char *name, value_id x);
/* [n, t, d] of x's shape and type f32: sine and cosine of t at frequencies from 1 to 1/10000, as Vaswani et al. 2017
 * number the places of a sequence. */
value_id net_positions(net *n, const char *name, value_id x);
/* x [n, t, d] -> [n, d] */
value_id net_token_mean(net *n, const char *name, value_id x);
/* x [n, h, w, c] -> [n, c], its largest values; of equals the first takes the gradient. h and w at most 256. */
value_id net_global_max(net *n, const char *name, value_id x);
value_id net_reshape(net *n, const char *name, value_id x, shape s);
/* Elements begin .. begin + length - 1 along an axis. */
value_id net_slice(net *n, const char *name, value_id x, int axis, int64_t begin, int64_t length);
/* Over the last dimension of x, f32. */
value_id net_softmax(net *n, const char *name, value_id x);
/* Channels of x: its last dimension (0 after a failure); and its first, the batch (likewise). */
int net_channels(const net *n, value_id x);
int64_t net_batch(const net *n, value_id x);

#endif
