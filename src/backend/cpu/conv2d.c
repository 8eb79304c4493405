/* Convolutions by oneDNN on NHWC, forward and for the gradient of their input. Weights go in the layout that the
 * primitive asks for (a pack node before it). Depthwise ones are ours (depthwise.c), and some 1x1 ones (conv1x1.c). */
#include "backend/cpu/conv2d.h"

void conv_desc_free(conv_desc *d)
{
    dnnl_memory_desc_t all[] = {d->x, d->w, d->w_f32, d->w_plain, d->b, d->y};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (all[i])
            dnnl_memory_desc_destroy(all[i]);
    *d = (conv_desc){0};
}

mien_status conv_desc_make(conv_desc *d, const conv2d_attr *attr, const shape *x, const shape *w, const shape *y,
                           bool half)
{
    dnnl_data_type_t type = half ? dnnl_bf16 : dnnl_f32;
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
    TRY_DNNL("shape", dnnl_memory_desc_create_with_tag(&d->x, 4, xs, type, dnnl_nhwc));
    TRY_DNNL("shape", dnnl_memory_desc_create_with_tag(&d->y, 4, ys, type, dnnl_nhwc));
    TRY_DNNL("shape", dnnl_memory_desc_create_with_tag(&d->w, rank, ws, type, dnnl_format_tag_any));
    TRY_DNNL("shape", dnnl_memory_desc_create_with_tag(&d->w_f32, rank, ws, dnnl_f32, dnnl_format_tag_any));
    TRY_DNNL("shape",
             dnnl_memory_desc_create_with_tag(&d->w_plain, rank, ws, dnnl_f32, g > 1 ? dnnl_goihw : dnnl_oihw));
    TRY_DNNL("shape", dnnl_memory_desc_create_with_tag(&d->b, 1, bs, dnnl_f32, dnnl_a));
    return MIEN_OK;
out:
    conv_desc_free(d);
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
    else if (act == ACT_RELU6)
        TRY_DNNL("relu6", dnnl_post_ops_append_eltwise(ops, dnnl_eltwise_clip, 0, 6));
    else if (act == ACT_SILU)
        TRY_DNNL("silu", dnnl_post_ops_append_eltwise(ops, dnnl_eltwise_swish, 1, 0));
    else if (act == ACT_SIGMOID)
        TRY_DNNL("sigmoid", dnnl_post_ops_append_eltwise(ops, dnnl_eltwise_logistic, 0, 0));
    else if (act != ACT_NONE)
        return mien_fail(MIEN_ERR_UNSUPPORTED, "convolution followed by %s", activation_name(act));
out:
    return st;
}

mien_status conv_attr_make(dnnl_primitive_attr_t *out, activation_kind act, const_dnnl_memory_desc_t residual)
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
    TRY_OUT(conv_attr_make(&attr, act, has_residual ? d->y : NULL));
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
    const graph_value *x = node_input(p->g, n, CONV_X), *w = node_input(p->g, n, CONV_W), *y = node_output(p->g, n, 0);
    if (conv2d_is_depthwise(attr, &x->shape, &w->shape))
        return depthwise_prepare(p, n);
    if (conv1x1_is_own(p->g, n))
        return conv1x1_prepare(p, n);
    mien_status st = MIEN_OK;
    conv_desc d = {0};
    dnnl_primitive_desc_t pd = NULL;
    cpu_kernel *k = NULL;
    bool has_bias = attr->is_folded || node_input(p->g, n, CONV_B), has_residual = node_input(p->g, n, CONV_RESIDUAL);
    TRY_OUT(conv_desc_make(&d, attr, &x->shape, &w->shape, &y->shape, is_bf16(x)));
    TRY_OUT(forward_desc(&pd, p, &d, forward_kind(p, n), has_bias, attr->act, has_residual));
    const_dnnl_memory_desc_t packed = dnnl_primitive_desc_query_md(pd, dnnl_query_weights_md, 0);
    if (attr->is_folded)
        TRY_OUT(pack_insert_folded(p, n, CONV_W, attr->eps, &(pack_form){.from = d.w_plain, .to = packed}));
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
    conv_desc_free(&d);
    return st;
}

/* --- backward ----------------------------------------------------------------------------------------------------- */
mien_status conv_backward_make(conv_desc *d, dnnl_primitive_desc_t *hint, dnnl_primitive_attr_t *attr, cpu_prepare *p,
                               const conv2d_attr *conv, const shape *x, const shape *w, const shape *dy, bool half)
{
    TRY(conv_desc_make(d, conv, x, w, dy, half));
    TRY(forward_desc(hint, p, d, dnnl_forward_training, false, ACT_NONE, false));
    return conv_attr_make(attr, ACT_NONE, NULL);
}

mien_status conv2d_dx_prepare(cpu_prepare *p, node_id n)
{
    const conv2d_grad_attr *grad = graph_node_at(p->g, n)->attr;
    const graph_value *dy = node_input(p->g, n, 0), *w = node_input(p->g, n, 1);
    if (conv2d_is_depthwise(&grad->conv, &grad->x, &w->shape))
        return depthwise_dx_prepare(p, n);
    mien_status st = MIEN_OK;
    conv_desc d = {0};
    dnnl_primitive_desc_t hint = NULL, pd = NULL;
    dnnl_primitive_attr_t attr = NULL;
    cpu_kernel *k = NULL;
    TRY_OUT(conv_backward_make(&d, &hint, &attr, p, &grad->conv, &grad->x, &w->shape, &dy->shape, is_bf16(dy)));
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
    conv_desc_free(&d);
    return st;
}
