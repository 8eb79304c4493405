/* Padding, names and shapes are settled here once, as torchvision settles them, so that an architecture's file is the
 * list of its layers. Parameters are declared in the order of description, which is the order in the arenas. */
#include "nn/layer.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#define NET_NAME_BYTES 192

void net_prefix(net *n, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int length = vsnprintf(n->prefix, sizeof n->prefix, format, args);
    va_end(args);
    if (length < 0 || length >= (int)sizeof n->prefix)
        n->status = mien_fail(MIEN_ERR_INTERNAL, "%s: layer prefix too long", n->prefix);
}

/* root + prefix + name + suffix into dst */
static const char *full_name(char dst[NET_NAME_BYTES], net *n, const char *name, const char *suffix)
{
    int length = snprintf(dst, NET_NAME_BYTES, "%s%s%s%s", n->root ? n->root : "", n->prefix, name, suffix);
    if (length < 0 || length >= NET_NAME_BYTES)
        n->status = mien_fail(MIEN_ERR_INTERNAL, "%s%s: layer name too long", n->prefix, name);
    return dst;
}

/* Keeps the first failure; gives the value that the call wrote, or NO_VALUE. */
static value_id keep(net *n, mien_status st, const value_id *v)
{
    n->status = st;
    return st == MIEN_OK ? *v : NO_VALUE;
}

int net_channels(const net *n, value_id x)
{
    if (n->status != MIEN_OK)
        return 0;
    const shape *s = &graph_value_at(n->g, x)->shape;
    return (int)s->dim[s->rank - 1];
}

int64_t net_batch(const net *n, value_id x)
{
    return n->status == MIEN_OK ? graph_value_at(n->g, x)->shape.dim[0] : 0;
}

/* Declares the slice "root+prefix+name+suffix" with `stored` dims and gives the graph a parameter of `used` dims over
 * it. */
static value_id param(net *n, const char *name, const char *suffix, shape stored, shape used, slice_kind kind,
                      param_init init)
{
    char full[NET_NAME_BYTES];
    full_name(full, n, name, suffix);
    if (n->status != MIEN_OK)
        return NO_VALUE;
    int slice = -1;
    n->status = param_store_declare(n->params, &slice, full, stored, kind, init);
    if (n->status != MIEN_OK || kind == SLICE_COUNTER)
        return NO_VALUE;
    const param_slice *p = param_store_at(n->params, slice);
    value_id v = NO_VALUE;
    return keep(n, graph_param(n->g, &v, full, used, p->offset, p->is_trainable), &v);
}

/* Padding of one dimension: ceil(size / stride) windows, as little as they need. */
static void same_padding(conv2d_attr *attr, int axis, int64_t size, int window)
{
    int stride = attr->stride[axis];
    int64_t wanted = ((size + stride - 1) / stride - 1) * stride + window - size, all = wanted > 0 ? wanted : 0;
    attr->pad_begin[axis] = (int)(all / 2);
    attr->pad_end[axis] = (int)(all - all / 2);
}

value_id net_conv2d(net *n, const char *name, value_id x, conv_spec spec)
{
    int groups = spec.groups ? spec.groups : 1, kh = spec.kernel;
    int kw = spec.kernel_w ? spec.kernel_w : kh, pad_w = spec.kernel_w ? spec.pad_w : spec.pad;
    shape w_shape = shape_of(4, (int64_t)spec.out, (int64_t)(net_channels(n, x) / groups), (int64_t)kh, (int64_t)kw);
    shape b_shape = shape_of(1, (int64_t)spec.out);
    float std = spec.init_std > 0 ? spec.init_std : sqrtf(2.0f / (float)(spec.out * kh * kw));
    value_id w = param(n, name, ".weight", w_shape, w_shape, SLICE_PARAMETER, (param_init){INIT_NORMAL, std});
    value_id b = spec.has_bias
                     ? param(n, name, ".bias", b_shape, b_shape, SLICE_PARAMETER, (param_init){INIT_CONSTANT, 0})
                     : NO_VALUE;
    conv2d_attr attr = {.stride = {spec.stride, spec.stride},
                        .pad_begin = {spec.pad, pad_w},
                        .pad_end = {spec.pad, pad_w},
                        .dilation = {1, 1},
                        .groups = groups};
    if (spec.is_same && n->status == MIEN_OK) {
        const shape *in = &graph_value_at(n->g, x)->shape; /* [n, h, w, c] */
        same_padding(&attr, 0, in->dim[1], kh);
        same_padding(&attr, 1, in->dim[2], kw);
    }
    char full[NET_NAME_BYTES];
    full_name(full, n, name, "");
    value_id y = NO_VALUE;
    return n->status != MIEN_OK ? NO_VALUE : keep(n, op_conv2d(n->g, &y, full, x, w, b, &attr), &y);
}

bool net_is_training(const net *n)
{
    return graph_is_training(n->g) && !n->is_inference;
}

value_id net_batch_norm(net *n, const char *name, value_id x, batch_norm_spec spec)
{
    shape c = shape_of(1, (int64_t)net_channels(n, x));
    param_init zero = {INIT_CONSTANT, 0}, one = {INIT_CONSTANT, 1};
    value_id gamma = param(n, name, ".weight", c, c, SLICE_PARAMETER, spec.ends_branch ? zero : one);
    value_id beta = param(n, name, ".bias", c, c, SLICE_PARAMETER, zero);
    value_id mean = param(n, name, ".running_mean", c, c, SLICE_BUFFER, zero);
    value_id var = param(n, name, ".running_var", c, c, SLICE_BUFFER, one);
    shape scalar = shape_of(0);
    (void)param(n, name, ".num_batches_tracked", scalar, scalar, SLICE_COUNTER, zero);
    batch_norm_attr attr = {.is_batch = net_is_training(n), .eps = spec.eps, .momentum = 0.1f, .act = ACT_NONE};
    char full[NET_NAME_BYTES];
    full_name(full, n, name, "");
    value_id y = NO_VALUE;
    return n->status != MIEN_OK ? NO_VALUE
                                : keep(n, op_batch_norm(n->g, &y, full, x, gamma, beta, mean, var, &attr), &y);
}

value_id net_linear(net *n, const char *name, value_id x, linear_spec spec)
{
    int64_t k = net_channels(n, x), out = spec.out;
    shape used = shape_of(2, out, k);
    shape stored = spec.weight_rank == 4 ? shape_of(4, out, k, (int64_t)1, (int64_t)1) : used;
    shape b_shape = shape_of(1, out);
    value_id w = param(n, name, ".weight", stored, used, SLICE_PARAMETER, (param_init){INIT_UNIFORM, spec.bound});
    value_id b =
        param(n, name, ".bias", b_shape, b_shape, SLICE_PARAMETER, (param_init){INIT_UNIFORM, spec.bias_bound});
    char full[NET_NAME_BYTES];
    full_name(full, n, name, "");
    value_id y = NO_VALUE;
    return n->status != MIEN_OK ? NO_VALUE : keep(n, op_linear(n->g, &y, full, x, w, b, spec.is_f32), &y);
}

value_id net_projection(net *n, const char *name, value_id x, projection_spec spec)
{
    shape w_shape = shape_of(2, (int64_t)spec.out, (int64_t)net_channels(n, x)), b_shape = shape_of(1, w_shape.dim[0]);
    value_id w = param(n, name, spec.is_joined ? "_weight" : ".weight", w_shape, w_shape, SLICE_PARAMETER, spec.weight);
    value_id b = param(n, name, spec.is_joined ? "_bias" : ".bias", b_shape, b_shape, SLICE_PARAMETER, spec.bias);
    char full[NET_NAME_BYTES];
    full_name(full, n, name, "");
    value_id y = NO_VALUE;
    return n->status != MIEN_OK ? NO_VALUE : keep(n, op_linear(n->g, &y, full, x, w, b, false), &y);
}

value_id net_group_linear(net *n, const char *name, value_id x, group_linear_spec spec)
{
    shape w_shape = shape_of(2, (int64_t)spec.groups * spec.out, (int64_t)(net_channels(n, x) / spec.groups));
    shape b_shape = shape_of(1, w_shape.dim[0]);
    const param_init uniform = {INIT_UNIFORM, spec.bound};
    const group_linear_attr attr = {.groups = spec.groups, .is_f32 = spec.is_f32};
    value_id w = param(n, name, ".weight", w_shape, w_shape, SLICE_PARAMETER, uniform);
    value_id b = spec.has_bias ? param(n, name, ".bias", b_shape, b_shape, SLICE_PARAMETER, uniform) : NO_VALUE,
             y = NO_VALUE;
    char full[NET_NAME_BYTES];
    full_name(full, n, name, ".orthogonal");
    if (n->status == MIEN_OK && spec.is_orthogonal)
        w = keep(n, op_orthogonal(n->g, &y, full, w), &y);
    full_name(full, n, name, "");
    return n->status != MIEN_OK ? NO_VALUE : keep(n, op_group_linear(n->g, &y, full, x, w, b, &attr), &y);
}

value_id net_roi_embed(net *n, const char *name, value_id f, value_id attention, int d)
{
    const int64_t window = 3, one = 1, c = net_channels(n, f), out = (int64_t)net_channels(n, attention) * d;
    shape stored = shape_of(4, window, window, out, c), used = shape_of(4, window * window * out, c, one, one);
    shape b_shape = shape_of(1, out);
    const conv2d_attr product = {.stride = {1, 1}, .dilation = {1, 1}, .groups = 1};
    const param_init uniform = {INIT_UNIFORM, 1 / sqrtf((float)(c ? window * window * c : 1))};
    value_id w = param(n, name, ".weight", stored, used, SLICE_PARAMETER, uniform);
    value_id b = param(n, name, ".bias", b_shape, b_shape, SLICE_PARAMETER, uniform), products = NO_VALUE;
    char full[NET_NAME_BYTES];
    full_name(full, n, name, ".products");
    value_id y = NO_VALUE;
    if (n->status == MIEN_OK)
        products = keep(n, op_conv2d(n->g, &y, full, f, w, NO_VALUE, &product), &y);
    full_name(full, n, name, "");
    return n->status != MIEN_OK ? NO_VALUE : keep(n, op_roi_embed(n->g, &y, full, products, attention, b), &y);
}

value_id net_positions(net *n, const char *name, value_id x)
{
    if (n->status != MIEN_OK)
        return NO_VALUE;
    const shape s = graph_value_at(n->g, x)->shape;
    const int64_t t = s.dim[1], d = s.dim[2];
    float *data = NULL;
    char full[NET_NAME_BYTES], each[NET_NAME_BYTES];
    n->status = arena_alloc(graph_arena(n->g), &data, t * d);
    for (int64_t i = 0; n->status == MIEN_OK && i < t * d; i++) {
        const double angle = (double)(i / d) * pow(10000, -(double)(i % d / 2 * 2) / (double)d);
        data[i] = (float)(i % 2 ? cos(angle) : sin(angle));
    }
    full_name(full, n, name, "");
    full_name(each, n, name, ".each");
    value_id table = NO_VALUE, y = NO_VALUE;
    if (n->status == MIEN_OK)
        table = keep(n, op_constant(n->g, &y, full, DTYPE_F32, shape_of(2, t, d), data), &y);
    return n->status != MIEN_OK ? NO_VALUE : keep(n, op_repeat(n->g, &y, each, table, s.dim[0]), &y);
}

/* Rows first, then a column: so of equal values the first one in the order of rows is the largest. */
value_id net_global_max(net *n, const char *name, value_id x)
{
    if (n->status != MIEN_OK)
        return NO_VALUE;
    const shape s = graph_value_at(n->g, x)->shape;
    const int h = (int)s.dim[1], w = (int)s.dim[2];
    char part[64];
    snprintf(part, sizeof part, "%s.rows", name);
    x = net_pool(n, part, x, &(pool_attr){.window = {1, w}, .stride = {1, 1}, .is_max = true});
    snprintf(part, sizeof part, "%s.map", name);
    x = net_pool(n, part, x, &(pool_attr){.window = {h, 1}, .stride = {1, 1}, .is_max = true});
    return net_reshape(n, name, x, shape_of(2, s.dim[0], s.dim[3]));
}

value_id net_layer_norm(net *n, const char *name, value_id x, float eps)
{
    shape c = shape_of(1, (int64_t)net_channels(n, x));
    value_id gamma = param(n, name, ".weight", c, c, SLICE_PARAMETER, (param_init){INIT_CONSTANT, 1});
    value_id beta = param(n, name, ".bias", c, c, SLICE_PARAMETER, (param_init){INIT_CONSTANT, 0});
    char full[NET_NAME_BYTES];
    full_name(full, n, name, "");
    value_id y = NO_VALUE;
    return n->status != MIEN_OK ? NO_VALUE : keep(n, op_layer_norm(n->g, &y, full, x, gamma, beta, eps), &y);
}

value_id net_tokens(net *n, const char *name, value_id x, const char *first, const char *position)
{
    if (n->status != MIEN_OK)
        return NO_VALUE;
    const shape *map = &graph_value_at(n->g, x)->shape;
    shape one = shape_of(3, (int64_t)1, (int64_t)1, map->dim[3]), all = one;
    all.dim[1] = 1 + map->dim[1] * map->dim[2];
    value_id f = param(n, first, "", one, one, SLICE_PARAMETER, (param_init){INIT_CONSTANT, 0});
    value_id p = param(n, position, "", all, all, SLICE_PARAMETER, (param_init){INIT_NORMAL, 0.02f});
    char full[NET_NAME_BYTES];
    if (n->status == MIEN_OK)
        param_store_mark_positions(n->params, param_store_find(n->params, full_name(full, n, position, "")));
    full_name(full, n, name, "");
    value_id y = NO_VALUE;
    return n->status != MIEN_OK ? NO_VALUE : keep(n, op_tokens(n->g, &y, full, x, f, p, true), &y);
}

/* The operators without parameters: one line each over the same guard. */
#define NET_OP(n, name, call)                                                                                          \
    char full[NET_NAME_BYTES];                                                                                         \
    full_name(full, n, name, "");                                                                                      \
    value_id y = NO_VALUE;                                                                                             \
    return (n)->status != MIEN_OK ? NO_VALUE : keep(n, call, &y)

value_id net_activation(net *n, const char *name, value_id x, activation_kind kind)
{
    NET_OP(n, name, op_activation(n->g, &y, full, x, kind));
}

value_id net_add(net *n, const char *name, value_id a, value_id b)
{
    NET_OP(n, name, op_add(n->g, &y, full, a, b));
}

value_id net_sub(net *n, const char *name, value_id a, value_id b, float shift)
{
    NET_OP(n, name, op_sub(n->g, &y, full, a, b, shift));
}

value_id net_max_pool(net *n, const char *name, value_id x, int window, int stride, int pad)
{
    pool_attr attr = {.window = {window, window}, .stride = {stride, stride}, .pad = {pad, pad}, .is_max = true};
    return net_pool(n, name, x, &attr);
}

value_id net_pool(net *n, const char *name, value_id x, const pool_attr *attr)
{
    NET_OP(n, name, op_pool(n->g, &y, full, x, attr));
}

value_id net_concat(net *n, const char *name, const value_id *parts, int count)
{
    NET_OP(n, name, op_concat(n->g, &y, full, parts, count));
}

value_id net_global_mean(net *n, const char *name, value_id x)
{
    NET_OP(n, name, op_global_mean(n->g, &y, full, x));
}

value_id net_dropout(net *n, const char *name, value_id x, float p, bool is_per_sample)
{
    if (n->is_inference)
        return x;
    NET_OP(n, name, op_dropout(n->g, &y, full, x, p, is_per_sample));
}

value_id net_scale(net *n, const char *name, value_id x, value_id s)
{
    NET_OP(n, name, op_scale(n->g, &y, full, x, s));
}

value_id net_token_mean(net *n, const char *name, value_id x)
{
    NET_OP(n, name, op_token_mean(n->g, &y, full, x));
}

value_id net_reshape(net *n, const char *name, value_id x, shape s)
{
    NET_OP(n, name, op_reshape(n->g, &y, full, x, s));
}

value_id net_slice(net *n, const char *name, value_id x, int axis, int64_t begin, int64_t length)
{
    NET_OP(n, name, op_slice(n->g, &y, full, x, axis, begin, length));
}

value_id net_softmax(net *n, const char *name, value_id x)
{
    NET_OP(n, name, op_softmax(n->g, &y, full, x));
}

value_id net_conv_bn_relu(net *n, const char *name, value_id x, conv_spec spec)
{
    return net_conv_pool_bn_relu(n, name, x, spec, NULL);
}

value_id net_conv_pool_bn_relu(net *n, const char *name, value_id x, conv_spec spec, const pool_attr *pool)
{
    char conv[NET_NAME_BYTES], bn[NET_NAME_BYTES], relu[NET_NAME_BYTES];
    snprintf(conv, sizeof conv, "%s.conv", name);
    snprintf(bn, sizeof bn, "%s.bn", name);
    snprintf(relu, sizeof relu, "%s.relu", name);
    x = net_conv2d(n, conv, x, spec);
    if (pool)
        x = net_pool(n, "pool", x, pool);
    x = net_batch_norm(n, bn, x, (batch_norm_spec){.eps = 1e-3f});
    return net_activation(n, relu, x, ACT_RELU);
}

value_id net_attention(net *n, const char *name, value_id qkv, int heads, bool is_first_alone)
{
    NET_OP(n, name, op_attention(n->g, &y, full, qkv, heads, is_first_alone));
}

value_id net_first_token(net *n, const char *name, value_id x)
{
    NET_OP(n, name, op_first_token(n->g, &y, full, x));
}
