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

/* options: as cuda_pointwise's; both types of the kernel. */
static mien_status prepare(cuda_prepare *p, node_id n, const device_kernel *in_bf16, const device_kernel *in_f32,
                           int inputs, const pointwise_args *options)
{
    const graph_value *y = node_output(p->g, n, 0);
    const int64_t count = shape_count(&y->shape);
    if (count % FUSED_WIDTH != 0)
        return MIEN_ERR_UNSUPPORTED;
    return cuda_pointwise(p, n, is_bf16(y) ? in_bf16 : in_f32, grid_of_eights(p->b, count), inputs, options);
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
    const int64_t count = shape_count(&node_output(p->g, n, 0)->shape);
    if (count % FUSED_WIDTH != 0)
        return MIEN_ERR_UNSUPPORTED;
    return cuda_convert(p, n, &kernel_fused_convert, grid_of_eights(p->b, count));
}

mien_status fused_normalise_prepare(cuda_prepare *p, node_id n)
{
    if (shape_count(&node_output(p->g, n, 0)->shape) % FUSED_WIDTH != 0)
        return MIEN_ERR_UNSUPPORTED;
    return cuda_normalise(p, n, &kernel_fused_normalise, FUSED_WIDTH);
}
