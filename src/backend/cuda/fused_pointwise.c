/* Operators of one element at a time, where their counts are multiples of eight. */
#include "backend/cuda/kernel/fused_pointwise.h"
#include "backend/cuda/fused_int.h"

static device_grid grid_of_eights(const cuda_backend *b, int64_t count)
{
    enum { A_BLOCK = FUSED_WIDTH * FUSED_POINTWISE_THREADS * FUSED_POINTWISE_AT_ONCE };
    const device_grid grid = {.blocks = (count + A_BLOCK - 1) / A_BLOCK, .threads = FUSED_POINTWISE_THREADS};
    const int64_t most = grid_of_elements(b, INT64_MAX / 2).blocks;
    return (device_grid){.blocks = grid.blocks < most ? grid.blocks : most, .threads = grid.threads};
}

/* a and b are inputs 0 and 1, y output 0; options: kind, factor; both types of the kernel. */
static mien_status prepare(cuda_prepare *p, node_id n, const device_kernel *in_bf16, const device_kernel *in_f32,
                           int inputs, const pointwise_args *options)
{
    static const binding bindings[] = {{FROM_OUTPUT, 0, offsetof(pointwise_args, y)},
                                       {FROM_INPUT, 0, offsetof(pointwise_args, a)},
                                       {FROM_INPUT, 1, offsetof(pointwise_args, b)}};
    const graph_value *y = node_output(p->g, n, 0);
    pointwise_args args = *options;
    args.count = shape_count(&y->shape);
    if (args.count % FUSED_WIDTH != 0)
        return MIEN_ERR_UNSUPPORTED;
    return cuda_own(p, n, is_bf16(y) ? in_bf16 : in_f32, grid_of_eights(p->b, args.count), &args, sizeof args, bindings,
                    1 + inputs);
}

#define BOTH_TYPES(name) &kernel_##name##_bf16, &kernel_##name##_f32

mien_status fused_add_prepare(cuda_prepare *p, node_id n)
{
    const bool is_b_bf16 = is_bf16(node_input(p->g, n, 1));
    return prepare(p, n, &kernel_fused_add_bf16, is_b_bf16 ? &kernel_fused_add_f32_bf16 : &kernel_fused_add_f32, 2,
                   &(pointwise_args){0});
}

mien_status fused_mul_prepare(cuda_prepare *p, node_id n)
{
    return prepare(p, n, BOTH_TYPES(fused_mul), 2, &(pointwise_args){0});
}

mien_status fused_multiply_prepare(cuda_prepare *p, node_id n)
{
    const multiply_attr *attr = graph_node_at(p->g, n)->attr;
    return prepare(p, n, BOTH_TYPES(fused_multiply), 1, &(pointwise_args){.factor = attr->factor});
}

mien_status fused_activation_prepare(cuda_prepare *p, node_id n)
{
    const activation_attr *attr = graph_node_at(p->g, n)->attr;
    return prepare(p, n, BOTH_TYPES(fused_activation), 1, &(pointwise_args){.kind = attr->kind});
}

mien_status fused_activation_dx_prepare(cuda_prepare *p, node_id n)
{
    const activation_attr *attr = graph_node_at(p->g, n)->attr;
    return prepare(p, n, BOTH_TYPES(fused_activation_dx), 2, &(pointwise_args){.kind = attr->kind});
}

/* cast and add_db: input 0 in output 0's type. */
mien_status fused_convert_prepare(cuda_prepare *p, node_id n)
{
    static const binding bindings[] = {{FROM_INPUT, 0, offsetof(convert_args, x)},
                                       {FROM_OUTPUT, 0, offsetof(convert_args, y)}};
    const graph_value *y = node_output(p->g, n, 0);
    const convert_args args = {
        .count = shape_count(&y->shape), .is_x_bf16 = is_bf16(node_input(p->g, n, 0)), .is_y_bf16 = is_bf16(y)};
    if (args.count % FUSED_WIDTH != 0)
        return MIEN_ERR_UNSUPPORTED;
    return cuda_own(p, n, &kernel_fused_convert, grid_of_eights(p->b, args.count), &args, sizeof args, bindings, 2);
}

mien_status fused_normalise_prepare(cuda_prepare *p, node_id n)
{
    static const binding bindings[] = {{FROM_INPUT, 0, offsetof(normalise_args, x)},
                                       {FROM_OUTPUT, 0, offsetof(normalise_args, y)}};
    const normalise_attr *attr = graph_node_at(p->g, n)->attr;
    const graph_value *y = node_output(p->g, n, 0);
    normalise_args args = {.count = shape_count(&y->shape), .is_bf16 = is_bf16(y)};
    for (int c = 0; c < 3; c++) {
        args.scale[c] = (float)(1 / (255 * (double)attr->std[c]));
        args.shift[c] = (float)(-(double)attr->mean[c] / (double)attr->std[c]);
    }
    if (args.count % FUSED_WIDTH != 0)
        return MIEN_ERR_UNSUPPORTED;
    return cuda_own(p, n, &kernel_fused_normalise, grid_of_elements(p->b, args.count / FUSED_WIDTH), &args, sizeof args,
                    bindings, 2);
}
