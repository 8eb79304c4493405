/* Layers as model descriptions use them: parameters under torchvision's names, and the operators over them.
 *
 * A description is one long expression, so failure is sticky: after the first one every function does nothing and gives
 * NO_VALUE, and whoever began the description looks at net.status once. */
#ifndef NN_LAYER_H
#define NN_LAYER_H

#include "graph/op.h"
#include "nn/param_store.h"

typedef struct {
    graph *g;
    param_store *params;
    char prefix[128]; /* put before every name: "features.3.0." */
    mien_status status;
    const char *root;  /* put before the prefix: "face."; NULL: nothing. Borrowed */
    bool is_inference; /* no batch statistics and no dropout, also in a training graph: a mode of the nodes to come */
} net;

/* Sets the prefix (printf). Returns nothing: too long a name is a bug of ours and ends in status. */
void net_prefix(net *n, const char *format, ...) __attribute__((format(printf, 2, 3)));

typedef struct {
    int out, kernel, stride, pad;
    int groups; /* 0: 1 */
    bool has_bias;
} conv_spec;

/* Convolution "NAME.weight"[, "NAME.bias"], square, fresh weights He-normal over fan-out as torchvision draws them. */
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
value_id net_add(net *n, const char *name, value_id a, value_id b);
/* a - b + shift */
value_id net_sub(net *n, const char *name, value_id a, value_id b, float shift);
value_id net_max_pool(net *n, const char *name, value_id x, int window, int stride, int pad);
value_id net_global_mean(net *n, const char *name, value_id x);
value_id net_dropout(net *n, const char *name, value_id x, float p, bool is_per_sample);
/* x [n, k] -> [n, out]. Weights uniform within +-bound; bias the same, or zero where bias_bound is 0. weight_rank 4:
 * stored as a 1x1 convolution [out, k, 1, 1]. */
typedef struct {
    int out;
    float bound, bias_bound;
    int weight_rank; /* 2 or 4 */
    bool is_f32;     /* result f32 whatever the activation type: heads */
} linear_spec;
value_id net_linear(net *n, const char *name, value_id x, linear_spec spec);
value_id net_scale(net *n, const char *name, value_id x, value_id s);
/* Channels of x: its last dimension (0 after a failure). */
int net_channels(const net *n, value_id x);

#endif
