/* Convolutions both ways by plain kernels of ours. */
#include "backend/cuda/kernel/convolution.h"
#include "backend/cuda/columns.h"

static conv_size conv_size_of(const conv2d_attr *attr, const shape *x, const shape *w, const shape *y)
{
    conv_size s = {.n = x->dim[0],
                   .h = x->dim[1],
                   .w = x->dim[2],
                   .c = x->dim[3],
                   .p = y->dim[1],
                   .q = y->dim[2],
                   .o = y->dim[3],
                   .kh = w->dim[2],
                   .kw = w->dim[3],
                   .group_in = w->dim[1],
                   .group_out = w->dim[0] / attr->groups};
    for (int i = 0; i < 2; i++) {
        s.stride[i] = attr->stride[i];
        s.pad[i] = attr->pad_begin[i];
        s.dilation[i] = attr->dilation[i];
    }
    return s;
}

static mien_status prepare_conv2d(cuda_prepare *p, node_id n)
{
    static const binding bindings[] = {{FROM_INPUT, CONV_X, offsetof(conv2d_args, x)},
                                       {FROM_INPUT, CONV_W, offsetof(conv2d_args, w)},
                                       {FROM_INPUT, CONV_B, offsetof(conv2d_args, b)},
                                       {FROM_INPUT, CONV_GAMMA, offsetof(conv2d_args, gamma)},
                                       {FROM_INPUT, CONV_BETA, offsetof(conv2d_args, beta)},
                                       {FROM_INPUT, CONV_MEAN, offsetof(conv2d_args, mean)},
                                       {FROM_INPUT, CONV_VAR, offsetof(conv2d_args, var)},
                                       {FROM_INPUT, CONV_RESIDUAL, offsetof(conv2d_args, residual)},
                                       {FROM_OUTPUT, 0, offsetof(conv2d_args, y)}};
    const conv2d_attr *attr = graph_node_at(p->g, n)->attr;
    const graph_value *x = node_input(p->g, n, CONV_X), *y = node_output(p->g, n, 0);
    const conv2d_args args = {.size = conv_size_of(attr, &x->shape, &node_input(p->g, n, CONV_W)->shape, &y->shape),
                              .eps = attr->eps,
                              .act = attr->act,
                              .is_bf16 = is_bf16(x)};
    return cuda_own(p, n, &kernel_conv2d, grid_of_elements(p->b, shape_count(&y->shape)), &args, sizeof args, bindings,
                    9);
}

static mien_status prepare_conv2d_dx(cuda_prepare *p, node_id n)
{
    static const binding bindings[] = {{FROM_INPUT, 0, offsetof(conv2d_dx_args, dy)},
                                       {FROM_INPUT, 1, offsetof(conv2d_dx_args, w)},
                                       {FROM_OUTPUT, 0, offsetof(conv2d_dx_args, dx)}};
    const conv2d_grad_attr *attr = graph_node_at(p->g, n)->attr;
    const graph_value *dy = node_input(p->g, n, 0);
    const conv2d_dx_args args = {.size =
                                     conv_size_of(&attr->conv, &attr->x, &node_input(p->g, n, 1)->shape, &dy->shape),
                                 .is_bf16 = is_bf16(dy)};
    return cuda_own(p, n, &kernel_conv2d_dx, grid_of_elements(p->b, shape_count(&attr->x)), &args, sizeof args,
                    bindings, 3);
}

/* The gradient of the weight: of slices of the pixels, and their sum. */
static mien_status weight_gradient_add(cuda_kernel *k, conv_size size, bool is_x_bf16)
{
    const int64_t count = size.o * size.group_in * size.kh * size.kw;
    const int64_t slices = column_slices(k->b, size.n * size.p * size.q, count);
    const size_t parts = cuda_kernel_scratch(k, (size_t)(slices * count) * sizeof(double));
    const binding bindings[] = {{FROM_INPUT, 0, offsetof(conv2d_dw_args, x)},
                                {FROM_INPUT, 1, offsetof(conv2d_dw_args, dy)},
                                {FROM_SCRATCH, parts, offsetof(conv2d_dw_args, parts)}};
    const conv2d_dw_args args = {.size = size, .slices = slices, .is_bf16 = is_x_bf16};
    TRY(cuda_kernel_add_own(k, &kernel_conv2d_dw, grid_of_elements(k->b, slices * count), &args, sizeof args, bindings,
                            3));
    return slice_sum_add(k, parts, DW_WEIGHT, count, slices);
}

static mien_status prepare_conv2d_dw(cuda_prepare *p, node_id n)
{
    const conv2d_grad_attr *attr = graph_node_at(p->g, n)->attr;
    const graph_value *x = node_input(p->g, n, 0), *dy = node_input(p->g, n, 1);
    const conv_size size = conv_size_of(&attr->conv, &attr->x, &node_input(p->g, n, 2)->shape, &dy->shape);
    cuda_kernel *k = NULL;
    mien_status st = MIEN_OK;
    TRY(cuda_kernel_create(&k, p->b));
    if (node_output(p->g, n, DW_WEIGHT))
        TRY_OUT(weight_gradient_add(k, size, is_bf16(x)));
    if (node_output(p->g, n, DW_BIAS))
        TRY_OUT(column_sum_add(k, 1, DW_BIAS, size.n * size.p * size.q, size.o, is_bf16(dy)));
    return cuda_set(p, n, k);
out:
    k->base.free(&k->base);
    return st;
}

const cuda_rule cuda_convolution_rules[] = {{&op_conv2d_def, prepare_conv2d},
                                            {&op_conv2d_dx_def, prepare_conv2d_dx},
                                            {&op_conv2d_dw_def, prepare_conv2d_dw},
                                            {0}};
