/* Depthwise convolutions: our own kernels on NHWC (kernel/depthwise.c), because oneDNN 3.2 has none for the gradients
 * of 5x5 weights and of strided bf16 inputs and falls to code tens of times slower. */
#include "backend/cpu/kernel/depthwise.h"
#include "backend/cpu/cpu_int.h"
#include "backend/cpu/kernel/channels.h"

bool conv2d_is_depthwise(const conv2d_attr *attr, const shape *x, const shape *w)
{
    return attr->groups == x->dim[3] && attr->groups == w->dim[0] && attr->groups > 1 && attr->dilation[0] == 1 &&
           attr->dilation[1] == 1;
}

static depthwise_args args_make(cpu_prepare *p, const conv2d_attr *attr, const shape *x, const shape *y, const shape *w,
                                bool is_half)
{
    return (depthwise_args){.n = x->dim[0],
                            .h = x->dim[1],
                            .width = x->dim[2],
                            .c = x->dim[3],
                            .oh = y->dim[1],
                            .ow = y->dim[2],
                            .kernel = {(int)w->dim[2], (int)w->dim[3]},
                            .stride = {attr->stride[0], attr->stride[1]},
                            .pad = {attr->pad_begin[0], attr->pad_begin[1]},
                            .act = attr->act,
                            .threads = p->b->threads,
                            .is_bf16 = is_half};
}

mien_status depthwise_prepare(cpu_prepare *p, node_id n)
{
    static const binding bindings[] = {{FROM_INPUT, CONV_X, offsetof(depthwise_args, x)},
                                       {FROM_INPUT, CONV_W, offsetof(depthwise_args, w)},
                                       {FROM_INPUT, CONV_B, offsetof(depthwise_args, bias)},
                                       {FROM_INPUT, CONV_RESIDUAL, offsetof(depthwise_args, residual)},
                                       {FROM_OUTPUT, 0, offsetof(depthwise_args, y)}};
    const conv2d_attr *attr = graph_node_at(p->g, n)->attr;
    const graph_value *x = node_input(p->g, n, CONV_X);
    depthwise_args args =
        args_make(p, attr, &x->shape, &node_output(p->g, n, 0)->shape, &node_input(p->g, n, CONV_W)->shape, is_bf16(x));
    if (attr->act == ACT_GELU || attr->act == ACT_CLIP)
        return mien_fail(MIEN_ERR_UNSUPPORTED, "convolution followed by %s", activation_name(attr->act));
    if (attr->is_folded) {
        TRY(pack_insert_folded(p, n, CONV_W, attr->eps, &(pack_form){0}));
    } else {
        value_id packed = NO_VALUE;
        TRY(pack_insert_transposed(p, &packed, n, graph_node_at(p->g, n)->inputs[CONV_W]));
        graph_node_at(p->g, n)->inputs[CONV_W] = packed;
    }
    return prepare_own(p, n, p->b->own->depthwise, &args, sizeof args, bindings, 5, 0);
}

mien_status depthwise_dx_prepare(cpu_prepare *p, node_id n)
{
    static const binding bindings[] = {{FROM_INPUT, 0, offsetof(depthwise_args, y)},
                                       {FROM_INPUT, 1, offsetof(depthwise_args, w)},
                                       {FROM_OUTPUT, 0, offsetof(depthwise_args, x)}};
    const conv2d_grad_attr *grad = graph_node_at(p->g, n)->attr;
    const graph_value *dy = node_input(p->g, n, 0);
    depthwise_args args = args_make(p, &grad->conv, &grad->x, &dy->shape, &node_input(p->g, n, 1)->shape, is_bf16(dy));
    value_id packed = NO_VALUE;
    TRY(pack_insert_transposed(p, &packed, n, graph_node_at(p->g, n)->inputs[1]));
    graph_node_at(p->g, n)->inputs[1] = packed;
    return prepare_own(p, n, p->b->own->depthwise_dx, &args, sizeof args, bindings, 3, 0);
}

mien_status depthwise_dw_prepare(cpu_prepare *p, node_id n)
{
    static const binding bindings[] = {{FROM_INPUT, 0, offsetof(depthwise_args, x)},
                                       {FROM_INPUT, 1, offsetof(depthwise_args, y)},
                                       {FROM_OUTPUT, DW_WEIGHT, offsetof(depthwise_args, dw)}};
    static const binding bias_bindings[] = {{FROM_INPUT, 1, offsetof(bias_gradient_args, dy)},
                                            {FROM_OUTPUT, DW_BIAS, offsetof(bias_gradient_args, dbias)}};
    mien_status st = MIEN_OK;
    cpu_kernel *k = NULL;
    const conv2d_grad_attr *grad = graph_node_at(p->g, n)->attr;
    const graph_value *dy = node_input(p->g, n, 1);
    depthwise_args args = args_make(p, &grad->conv, &grad->x, &dy->shape, &node_input(p->g, n, 2)->shape, is_bf16(dy));
    TRY_OUT(cpu_kernel_create(&k, p->b));
    TRY_OUT(cpu_kernel_add_own(k, p->b->own->depthwise_dw, &args, sizeof args, bindings, 3));
    size_t bytes = depthwise_dw_scratch_bytes(args.c, args.kernel[0] * args.kernel[1], args.threads);
    cpu_kernel_bind(k, (binding){FROM_SCRATCH, cpu_kernel_scratch(k, bytes), offsetof(depthwise_args, scratch)});
    if (node_output(p->g, n, DW_BIAS)) {
        bias_gradient_args bias = {
            .rows = shape_count(&dy->shape) / args.c, .c = args.c, .threads = args.threads, .is_bf16 = args.is_bf16};
        TRY_OUT(cpu_kernel_add_own(k, p->b->own->bias_gradient, &bias, sizeof bias, bias_bindings, 2));
        bytes = bias_gradient_scratch_bytes(args.c, args.threads);
        cpu_kernel_bind(k,
                        (binding){FROM_SCRATCH, cpu_kernel_scratch(k, bytes), offsetof(bias_gradient_args, scratch)});
    }
    TRY_OUT(prepare_set(p, n, k));
    k = NULL;
out:
    cpu_kernel_free(k);
    return st;
}
