/* Convolutions by oneDNN on NHWC. Weights go in the layout that the primitive asks for (a pack node before it); weight
 * gradients come in such a layout and are laid out as torchvision's in the same kernel. Depthwise ones are ours
 * (depthwise.c). */
#include "backend/cpu/cpu_int.h"
#include "backend/cpu/kernel/channels.h"

#include <string.h>

/* Everything that a convolution's descriptors say. */
typedef struct {
    dnnl_memory_desc_t x, w, w_f32, w_plain, b, y; /* w, w_f32: in any layout; w_plain: f32 as stored */
    dnnl_dims_t stride, dilation, pad_begin, pad_end;
} conv_desc;

static void desc_free(conv_desc *d)
{
    dnnl_memory_desc_t all[] = {d->x, d->w, d->w_f32, d->w_plain, d->b, d->y};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (all[i])
            dnnl_memory_desc_destroy(all[i]);
    *d = (conv_desc){0};
}

static dnnl_data_type_t dnnl_type(const graph_value *v)
{
    return is_bf16(v) ? dnnl_bf16 : dnnl_f32;
}

/* x, y: shapes of the forward input and output; `act` a value of the activation type */
static mien_status desc_make(conv_desc *d, const conv2d_attr *attr, const shape *x, const shape *w, const shape *y,
                             const graph_value *act)
{
    mien_status st = MIEN_OK;
    *d = (conv_desc){0};
    int64_t g = attr->groups;
    dnnl_dims_t xs = {x->dim[0], x->dim[3], x->dim[1], x->dim[2]}, ys = {y->dim[0], y->dim[3], y->dim[1], y->dim[2]};
    dnnl_dims_t plain = {w->dim[0], w->dim[1], w->dim[2], w->dim[3]};
    dnnl_dims_t grouped = {g, w->dim[0] / g, w->dim[1], w->dim[2], w->dim[3]};
    dnnl_dims_t bs = {w->dim[0]};
    int rank = g > 1 ? 5 : 4;
    const dnnl_dim_t *ws = g > 1 ? grouped : plain;
    for (int i = 0; i < 2; i++) {
        d->stride[i] = attr->stride[i];
        d->dilation[i] = attr->dilation[i] - 1;
        d->pad_begin[i] = attr->pad_begin[i];
        d->pad_end[i] = attr->pad_end[i];
    }
    TRY_DNNL("shape", dnnl_memory_desc_create_with_tag(&d->x, 4, xs, dnnl_type(act), dnnl_nhwc));
    TRY_DNNL("shape", dnnl_memory_desc_create_with_tag(&d->y, 4, ys, dnnl_type(act), dnnl_nhwc));
    TRY_DNNL("shape", dnnl_memory_desc_create_with_tag(&d->w, rank, ws, dnnl_type(act), dnnl_format_tag_any));
    TRY_DNNL("shape", dnnl_memory_desc_create_with_tag(&d->w_f32, rank, ws, dnnl_f32, dnnl_format_tag_any));
    TRY_DNNL("shape",
             dnnl_memory_desc_create_with_tag(&d->w_plain, rank, ws, dnnl_f32, g > 1 ? dnnl_goihw : dnnl_oihw));
    TRY_DNNL("shape", dnnl_memory_desc_create_with_tag(&d->b, 1, bs, dnnl_f32, dnnl_a));
    return MIEN_OK;
out:
    desc_free(d);
    return st;
}

/* --- forward ------------------------------------------------------------------------------------------------------ */
static mien_status post_ops_append(dnnl_post_ops_t ops, activation_kind act, const_dnnl_memory_desc_t residual)
{
    mien_status st = MIEN_OK;
    if (residual)
        TRY_DNNL("residual", dnnl_post_ops_append_binary(ops, dnnl_binary_add, residual));
    if (act == ACT_RELU)
        TRY_DNNL("relu", dnnl_post_ops_append_eltwise(ops, dnnl_eltwise_relu, 0, 0));
    else if (act == ACT_SILU)
        TRY_DNNL("silu", dnnl_post_ops_append_eltwise(ops, dnnl_eltwise_swish, 1, 0));
    else if (act == ACT_SIGMOID)
        TRY_DNNL("sigmoid", dnnl_post_ops_append_eltwise(ops, dnnl_eltwise_logistic, 0, 0));
    else if (act != ACT_NONE)
        return mien_fail(MIEN_ERR_UNSUPPORTED, "convolution followed by %s", activation_name(act));
out:
    return st;
}

/* Scratchpads are ours, so that a program's memory is planned whole. */
static mien_status attr_make(dnnl_primitive_attr_t *out, activation_kind act, const_dnnl_memory_desc_t residual)
{
    mien_status st = MIEN_OK;
    dnnl_primitive_attr_t attr = NULL;
    dnnl_post_ops_t ops = NULL;
    TRY_DNNL("attributes", dnnl_primitive_attr_create(&attr));
    TRY_DNNL("attributes", dnnl_primitive_attr_set_scratchpad_mode(attr, dnnl_scratchpad_mode_user));
    if (act != ACT_NONE || residual) {
        TRY_DNNL("attributes", dnnl_post_ops_create(&ops));
        TRY_OUT(post_ops_append(ops, act, residual));
        TRY_DNNL("attributes", dnnl_primitive_attr_set_post_ops(attr, ops));
    }
    *out = attr;
    attr = NULL;
out:
    if (ops)
        dnnl_post_ops_destroy(ops);
    if (attr)
        dnnl_primitive_attr_destroy(attr);
    return st;
}

/* A folded convolution has no gradient, so it is the same primitive in a training graph as where nothing trains. */
static dnnl_prop_kind_t forward_kind(cpu_prepare *p, node_id n)
{
    const conv2d_attr *attr = graph_node_at(p->g, n)->attr;
    return graph_is_training(p->g) && !attr->is_folded ? dnnl_forward_training : dnnl_forward_inference;
}

static mien_status forward_desc(dnnl_primitive_desc_t *out, cpu_prepare *p, const conv_desc *d, dnnl_prop_kind_t kind,
                                bool has_bias, activation_kind act, bool has_residual)
{
    mien_status st = MIEN_OK;
    dnnl_primitive_attr_t attr = NULL;
    TRY_OUT(attr_make(&attr, act, has_residual ? d->y : NULL));
    TRY_DNNL("convolution", dnnl_convolution_forward_primitive_desc_create(
                                out, p->b->engine, kind, dnnl_convolution_direct, d->x, d->w, has_bias ? d->b : NULL,
                                d->y, d->stride, d->dilation, d->pad_begin, d->pad_end, attr));
out:
    if (attr)
        dnnl_primitive_attr_destroy(attr);
    return st;
}

/* Replaces input `index` of the node by its packed form where the primitive wants one. */
static mien_status pack_input(cpu_prepare *p, node_id n, int index, const_dnnl_memory_desc_t plain,
                              const_dnnl_memory_desc_t wanted, const char *suffix)
{
    if (dnnl_memory_desc_equal(plain, wanted))
        return MIEN_OK;
    value_id packed = NO_VALUE;
    TRY(pack_insert(p, &packed, n, graph_node_at(p->g, n)->inputs[index], plain, wanted, suffix));
    graph_node_at(p->g, n)->inputs[index] = packed;
    return MIEN_OK;
}

mien_status conv2d_prepare(cpu_prepare *p, node_id n)
{
    const conv2d_attr *attr = graph_node_at(p->g, n)->attr;
    const graph_value *x = node_input(p, n, CONV_X), *w = node_input(p, n, CONV_W), *y = node_output(p, n, 0);
    if (conv2d_is_depthwise(attr, &x->shape, &w->shape))
        return depthwise_prepare(p, n);
    mien_status st = MIEN_OK;
    conv_desc d = {0};
    dnnl_primitive_desc_t pd = NULL;
    cpu_kernel *k = NULL;
    bool has_bias = attr->is_folded || node_input(p, n, CONV_B), has_residual = node_input(p, n, CONV_RESIDUAL);
    TRY_OUT(desc_make(&d, attr, &x->shape, &w->shape, &y->shape, x));
    TRY_OUT(forward_desc(&pd, p, &d, forward_kind(p, n), has_bias, attr->act, has_residual));
    const_dnnl_memory_desc_t packed = dnnl_primitive_desc_query_md(pd, dnnl_query_weights_md, 0);
    if (attr->is_folded)
        TRY_OUT(pack_insert_folded(p, n, d.w_plain, packed));
    else
        TRY_OUT(pack_input(p, n, CONV_W, d.w_plain, packed, "pack"));
    TRY_OUT(cpu_kernel_create(&k, p->b));
    binding bindings[5] = {
        {FROM_INPUT, CONV_X, DNNL_ARG_SRC}, {FROM_INPUT, CONV_W, DNNL_ARG_WEIGHTS}, {FROM_OUTPUT, 0, DNNL_ARG_DST}};
    const_dnnl_memory_desc_t mds[5] = {d.x, packed, d.y};
    int count = 3;
    if (has_bias) {
        bindings[count] = (binding){FROM_INPUT, CONV_B, DNNL_ARG_BIAS};
        mds[count++] = d.b;
    }
    if (has_residual) {
        bindings[count] = (binding){FROM_INPUT, CONV_RESIDUAL, DNNL_ARG_ATTR_MULTIPLE_POST_OP(0) | DNNL_ARG_SRC_1};
        mds[count++] = d.y;
    }
    TRY_OUT(cpu_kernel_add_primitive(k, pd, bindings, mds, count, true));
    TRY_OUT(prepare_set(p, n, k));
    k = NULL;
out:
    if (pd)
        dnnl_primitive_desc_destroy(pd);
    cpu_kernel_free(k);
    desc_free(&d);
    return st;
}

/* --- backward ----------------------------------------------------------------------------------------------------- */
/* The forward descriptor is a hint that backward ones are made after. */
static mien_status backward_make(conv_desc *d, dnnl_primitive_desc_t *hint, dnnl_primitive_attr_t *attr, cpu_prepare *p,
                                 const conv2d_grad_attr *grad, const graph_value *w, const graph_value *dy)
{
    TRY(desc_make(d, &grad->conv, &grad->x, &w->shape, &dy->shape, dy));
    TRY(forward_desc(hint, p, d, dnnl_forward_training, false, ACT_NONE, false));
    return attr_make(attr, ACT_NONE, NULL);
}

mien_status conv2d_dx_prepare(cpu_prepare *p, node_id n)
{
    const conv2d_grad_attr *grad = graph_node_at(p->g, n)->attr;
    const graph_value *dy = node_input(p, n, 0), *w = node_input(p, n, 1);
    if (conv2d_is_depthwise(&grad->conv, &grad->x, &w->shape))
        return depthwise_dx_prepare(p, n);
    mien_status st = MIEN_OK;
    conv_desc d = {0};
    dnnl_primitive_desc_t hint = NULL, pd = NULL;
    dnnl_primitive_attr_t attr = NULL;
    cpu_kernel *k = NULL;
    TRY_OUT(backward_make(&d, &hint, &attr, p, grad, w, dy));
    TRY_DNNL("convolution dx", dnnl_convolution_backward_data_primitive_desc_create(
                                   &pd, p->b->engine, dnnl_convolution_direct, d.x, d.w, d.y, d.stride, d.dilation,
                                   d.pad_begin, d.pad_end, hint, attr));
    const_dnnl_memory_desc_t packed = dnnl_primitive_desc_query_md(pd, dnnl_query_weights_md, 0);
    TRY_OUT(pack_input(p, n, 1, d.w_plain, packed, "pack"));
    TRY_OUT(cpu_kernel_create(&k, p->b));
    const binding bindings[] = {
        {FROM_INPUT, 0, DNNL_ARG_DIFF_DST}, {FROM_INPUT, 1, DNNL_ARG_WEIGHTS}, {FROM_OUTPUT, 0, DNNL_ARG_DIFF_SRC}};
    TRY_OUT(cpu_kernel_add_primitive(k, pd, bindings, (const const_dnnl_memory_desc_t[]){d.y, packed, d.x}, 3, true));
    TRY_OUT(prepare_set(p, n, k));
    k = NULL;
out:
    if (pd)
        dnnl_primitive_desc_destroy(pd);
    if (hint)
        dnnl_primitive_desc_destroy(hint);
    if (attr)
        dnnl_primitive_attr_destroy(attr);
    cpu_kernel_free(k);
    desc_free(&d);
    return st;
}

static mien_status add_reorder(cpu_kernel *k, cpu_prepare *p, const_dnnl_memory_desc_t from, binding src,
                               const_dnnl_memory_desc_t to, binding dst)
{
    mien_status st = MIEN_OK;
    dnnl_primitive_desc_t pd = NULL;
    dnnl_primitive_attr_t attr = NULL;
    TRY_OUT(attr_make(&attr, ACT_NONE, NULL));
    TRY_DNNL("reorder", dnnl_reorder_primitive_desc_create(&pd, from, p->b->engine, to, p->b->engine, attr));
    TRY_OUT(cpu_kernel_add_primitive(k, pd, (const binding[]){src, dst}, (const const_dnnl_memory_desc_t[]){from, to},
                                     2, false));
out:
    if (pd)
        dnnl_primitive_desc_destroy(pd);
    if (attr)
        dnnl_primitive_attr_destroy(attr);
    return st;
}

/* oneDNN's jit_1x1 backward weights on NHWC writes past its workspace where the stride is above 1 and there are fewer
 * input channels than its block (its issue 6035): such a layer's x is subsampled first, and the stride is gone. */
static bool is_trap(const conv2d_attr *attr, const shape *w)
{
    return w->dim[2] == 1 && w->dim[3] == 1 && (attr->stride[0] > 1 || attr->stride[1] > 1) && w->dim[1] < 16;
}

/* Steps of the weight gradient alone; `out_w` says where the slice is. */
static mien_status dw_steps(cpu_kernel *k, cpu_prepare *p, const conv2d_grad_attr *grad, const graph_value *w,
                            const graph_value *dy, binding x_from, bool has_bias)
{
    mien_status st = MIEN_OK;
    conv_desc d = {0};
    dnnl_primitive_desc_t hint = NULL, pd = NULL;
    dnnl_primitive_attr_t attr = NULL;
    TRY_OUT(backward_make(&d, &hint, &attr, p, grad, w, dy));
    TRY_DNNL("convolution dw", dnnl_convolution_backward_weights_primitive_desc_create(
                                   &pd, p->b->engine, dnnl_convolution_direct, d.x, d.w_f32, has_bias ? d.b : NULL, d.y,
                                   d.stride, d.dilation, d.pad_begin, d.pad_end, hint, attr));
    const_dnnl_memory_desc_t packed = dnnl_primitive_desc_query_md(pd, dnnl_query_diff_weights_md, 0);
    bool is_plain = dnnl_memory_desc_equal(packed, d.w_plain);
    binding slice = {FROM_OUTPUT, DW_WEIGHT, DNNL_ARG_DIFF_WEIGHTS}, dw = slice;
    if (!is_plain)
        dw = (binding){FROM_SCRATCH, cpu_kernel_scratch(k, dnnl_memory_desc_get_size(packed)), DNNL_ARG_DIFF_WEIGHTS};
    const binding bindings[] = {
        x_from, {FROM_INPUT, 1, DNNL_ARG_DIFF_DST}, dw, {FROM_OUTPUT, DW_BIAS, DNNL_ARG_DIFF_BIAS}};
    const const_dnnl_memory_desc_t mds[] = {d.x, d.y, packed, d.b};
    TRY_OUT(cpu_kernel_add_primitive(k, pd, bindings, mds, has_bias ? 4 : 3, true));
    if (!is_plain) {
        dw.at = DNNL_ARG_FROM;
        slice.at = DNNL_ARG_TO;
        TRY_OUT(add_reorder(k, p, packed, dw, d.w_plain, slice));
    }
out:
    if (pd)
        dnnl_primitive_desc_destroy(pd);
    if (hint)
        dnnl_primitive_desc_destroy(hint);
    if (attr)
        dnnl_primitive_attr_destroy(attr);
    desc_free(&d);
    return st;
}

/* y [n, oh, ow, c] = every stride-th pixel of x */
typedef struct {
    const char *x;
    char *y;
    shape from, to;
    int stride[2];
    size_t pixel_bytes;
} subsample_args;

static void subsample(const void *args)
{
    const subsample_args *a = args;
    for (int64_t row = 0; row < a->to.dim[0] * a->to.dim[1]; row++)
        for (int64_t ox = 0; ox < a->to.dim[2]; ox++) {
            int64_t i = row / a->to.dim[1], iy = row % a->to.dim[1] * a->stride[0], ix = ox * a->stride[1];
            memcpy(a->y + (size_t)(row * a->to.dim[2] + ox) * a->pixel_bytes,
                   a->x + (size_t)((i * a->from.dim[1] + iy) * a->from.dim[2] + ix) * a->pixel_bytes, a->pixel_bytes);
        }
}

static mien_status add_subsample(cpu_kernel *k, conv2d_grad_attr *grad, const graph_value *x, const shape *y,
                                 binding *x_from)
{
    shape to = x->shape;
    to.dim[1] = y->dim[1];
    to.dim[2] = y->dim[2];
    subsample_args args = {.from = x->shape, .to = to, .stride = {grad->conv.stride[0], grad->conv.stride[1]}};
    args.pixel_bytes = (size_t)x->shape.dim[3] * dtype_bytes(x->type);
    size_t at = cpu_kernel_scratch(k, (size_t)shape_count(&to) * dtype_bytes(x->type));
    const binding bindings[] = {{FROM_INPUT, 0, offsetof(subsample_args, x)},
                                {FROM_SCRATCH, at, offsetof(subsample_args, y)}};
    *x_from = (binding){FROM_SCRATCH, at, DNNL_ARG_SRC};
    grad->x = to;
    grad->conv.stride[0] = grad->conv.stride[1] = 1;
    return cpu_kernel_add_own(k, subsample, &args, sizeof args, bindings, 2);
}

static mien_status dw_bias_alone(cpu_prepare *p, node_id n, const graph_value *dy)
{
    bias_gradient_args args = {.rows = shape_count(&dy->shape) / dy->shape.dim[3],
                               .c = dy->shape.dim[3],
                               .threads = p->b->threads,
                               .is_bf16 = is_bf16(dy)};
    static const binding bindings[] = {{FROM_INPUT, 1, offsetof(bias_gradient_args, dy)},
                                       {FROM_OUTPUT, DW_BIAS, offsetof(bias_gradient_args, dbias)},
                                       {FROM_SCRATCH, 0, offsetof(bias_gradient_args, scratch)}};
    return prepare_own(p, n, p->b->own->bias_gradient, &args, sizeof args, bindings, 3,
                       bias_gradient_scratch_bytes(args.c, args.threads));
}

mien_status conv2d_dw_prepare(cpu_prepare *p, node_id n)
{
    conv2d_grad_attr grad = *(const conv2d_grad_attr *)graph_node_at(p->g, n)->attr;
    const graph_value *x = node_input(p, n, 0), *dy = node_input(p, n, 1), *w = node_input(p, n, 2);
    if (!node_output(p, n, DW_WEIGHT))
        return dw_bias_alone(p, n, dy);
    if (conv2d_is_depthwise(&grad.conv, &grad.x, &w->shape))
        return depthwise_dw_prepare(p, n);
    mien_status st = MIEN_OK;
    cpu_kernel *k = NULL;
    binding x_from = {FROM_INPUT, 0, DNNL_ARG_SRC};
    const conv2d_attr *c = &grad.conv;
    bool has_pad = c->pad_begin[0] || c->pad_begin[1] || c->pad_end[0] || c->pad_end[1];
    TRY_OUT(cpu_kernel_create(&k, p->b));
    if (is_trap(c, &w->shape) && !has_pad)
        TRY_OUT(add_subsample(k, &grad, x, &dy->shape, &x_from));
    TRY_OUT(dw_steps(k, p, &grad, w, dy, x_from, node_output(p, n, DW_BIAS) != NULL));
    TRY_OUT(prepare_set(p, n, k));
    k = NULL;
out:
    cpu_kernel_free(k);
    return st;
}
