/* Global mean and squeeze-excite's products, both ways. */
#include "backend/cuda/kernel/fused_maps.h"
#include "backend/cuda/fused_int.h"

/* Blocks of n pictures of this grid; is_served: can CUDA count them? */
static device_grid picture_blocks(const column_grid *g, int64_t n, bool *is_served)
{
    device_grid grid = column_grid_blocks(g);
    grid.blocks *= n;
    *is_served = grid.blocks <= INT32_MAX;
    return grid;
}

/* y [n, c], of input 0 and, where is_product, of input 1. */
static mien_status prepare_sum(cuda_prepare *p, node_id n, bool is_product, bool is_mean)
{
    static const binding bindings[] = {{FROM_INPUT, 0, offsetof(fused_map_sum_args, x)},
                                       {FROM_OUTPUT, 0, offsetof(fused_map_sum_args, y)},
                                       {FROM_INPUT, 1, offsetof(fused_map_sum_args, other)}};
    const graph_value *x = node_input(p->g, n, 0);
    const int64_t *dim = x->shape.dim, pixels = dim[1] * dim[2];
    bool is_served;
    if (!is_in_eights(dim[3]))
        return MIEN_ERR_UNSUPPORTED;
    fused_map_sum_args args = {.grid = column_grid_for_sums(p->b, pixels, dim[3]),
                               .factor = is_mean ? (float)(1 / (double)pixels) : 1};
    args.grid.parts = 1;
    const device_grid blocks = picture_blocks(&args.grid, dim[0], &is_served);
    return is_served ? cuda_own(p, n, KERNEL_OF(fused_map_sum, is_bf16(x)), blocks, &args, sizeof args, bindings,
                                is_product ? 3 : 2)
                     : MIEN_ERR_UNSUPPORTED;
}

mien_status fused_global_mean_prepare(cuda_prepare *p, node_id n)
{
    return prepare_sum(p, n, false, true);
}

mien_status fused_scale_ds_prepare(cuda_prepare *p, node_id n)
{
    return prepare_sum(p, n, true, false);
}

/* y [n, h, w, c] of a number a channel, and of a map where has_map: its inputs are in this order, map first. */
static mien_status prepare_scale(cuda_prepare *p, node_id n, bool has_map)
{
    const binding bindings[] = {{FROM_INPUT, has_map ? 1 : 0, offsetof(fused_map_scale_args, s)},
                                {FROM_OUTPUT, 0, offsetof(fused_map_scale_args, y)},
                                {FROM_INPUT, 0, offsetof(fused_map_scale_args, x)}};
    const graph_value *y = node_output(p->g, n, 0);
    const int64_t *dim = y->shape.dim, pixels = dim[1] * dim[2];
    bool is_served;
    if (!is_in_eights(dim[3]))
        return MIEN_ERR_UNSUPPORTED;
    const fused_map_scale_args args = {.grid = column_grid_for_picture(pixels, dim[3]),
                                       .factor = has_map ? 1 : (float)(1 / (double)pixels)};
    const device_grid blocks = picture_blocks(&args.grid, dim[0], &is_served);
    return is_served ? cuda_own(p, n, KERNEL_OF(fused_map_scale, is_bf16(y)), blocks, &args, sizeof args, bindings,
                                has_map ? 3 : 2)
                     : MIEN_ERR_UNSUPPORTED;
}

mien_status fused_scale_prepare(cuda_prepare *p, node_id n)
{
    return prepare_scale(p, n, true);
}

mien_status fused_global_mean_dx_prepare(cuda_prepare *p, node_id n)
{
    return prepare_scale(p, n, false);
}
