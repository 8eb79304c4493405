/* layer_norm both ways, for rows that a warp can hold. */
#include "backend/cuda/kernel/fused_layer_norm.h"
#include "backend/cuda/fused_int.h"

enum { DX_BLOCKS_A_PROCESSOR = 2, ROWS_A_BLOCK = LAYER_NORM_THREADS / 32 };

static device_grid grid_of_warps(int64_t rows, int64_t most)
{
    const int64_t blocks = (rows + ROWS_A_BLOCK - 1) / ROWS_A_BLOCK;
    return (device_grid){.blocks = blocks < most ? blocks : most, .threads = LAYER_NORM_THREADS};
}

mien_status fused_layer_norm_prepare(cuda_prepare *p, node_id n)
{
    const graph_value *x = node_input(p->g, n, LN_X), *y = node_output(p->g, n, LN_Y);
    const int64_t c = x->shape.dim[x->shape.rank - 1], rows = shape_count(&x->shape) / c;
    const bool is_mixed = is_bf16(y) && !is_bf16(x);
    if (!is_in_eights(c) || c > LAYER_NORM_MOST || (is_bf16(x) && !is_bf16(y)))
        return MIEN_ERR_UNSUPPORTED;
    return cuda_layer_norm(p, n, is_mixed ? &kernel_fused_layer_norm_f32_bf16 : KERNEL_OF(fused_layer_norm, is_bf16(x)),
                           grid_of_warps(rows, grid_of_elements(p->b, INT64_MAX / 2).blocks));
}

mien_status fused_layer_norm_dx_prepare(cuda_prepare *p, node_id n)
{
    const graph_value *dy = node_input(p->g, n, LN_DY), *x = node_input(p->g, n, LN_DX_X);
    const int64_t c = x->shape.dim[x->shape.rank - 1], rows = shape_count(&x->shape) / c;
    const bool is_mixed = is_bf16(dy) && !is_bf16(x);
    const bool has_sums = node_output(p->g, n, LN_OUT_DGAMMA) || node_output(p->g, n, LN_OUT_DBETA);
    const device_grid grid = grid_of_warps(rows, (int64_t)p->b->device->processors * DX_BLOCKS_A_PROCESSOR);
    mien_status st = MIEN_OK;
    cuda_kernel *k = NULL;
    if (!is_in_eights(c) || c > LAYER_NORM_MOST || (is_bf16(x) && !is_bf16(dy)))
        return MIEN_ERR_UNSUPPORTED;
    const fused_layer_norm_dx_args args = {.rows = rows, .c = (int)c};
    const fused_layer_norm_sum_args sum = {.c = (int)c, .parts = (int)grid.blocks};
    const device_grid small = {.blocks = c / FUSED_WIDTH, .threads = COLUMN_THREADS};
    TRY(cuda_kernel_create(&k, p->b));
    const size_t sums = cuda_kernel_scratch(k, (size_t)grid.blocks * 2 * (size_t)c * sizeof(float));
    const binding bindings[] = {{FROM_INPUT, LN_DY, offsetof(fused_layer_norm_dx_args, dy)},
                                {FROM_INPUT, LN_DX_X, offsetof(fused_layer_norm_dx_args, x)},
                                {FROM_INPUT, LN_DX_GAMMA, offsetof(fused_layer_norm_dx_args, gamma)},
                                {FROM_INPUT, LN_DX_MEAN, offsetof(fused_layer_norm_dx_args, mean)},
                                {FROM_INPUT, LN_DX_INV_STD, offsetof(fused_layer_norm_dx_args, inv_std)},
                                {FROM_OUTPUT, LN_OUT_DX, offsetof(fused_layer_norm_dx_args, dx)},
                                {FROM_SCRATCH, sums, offsetof(fused_layer_norm_dx_args, sums)}};
    const binding sum_bindings[] = {{FROM_SCRATCH, sums, offsetof(fused_layer_norm_sum_args, sums)},
                                    {FROM_OUTPUT, LN_OUT_DGAMMA, offsetof(fused_layer_norm_sum_args, dgamma)},
                                    {FROM_OUTPUT, LN_OUT_DBETA, offsetof(fused_layer_norm_sum_args, dbeta)}};
    TRY_OUT(cuda_kernel_add_own(
        k, is_mixed ? &kernel_fused_layer_norm_dx_f32_bf16 : KERNEL_OF(fused_layer_norm_dx, is_bf16(x)), grid, &args,
        sizeof args, bindings, has_sums ? 7 : 6));
    if (has_sums)
        TRY_OUT(ADD_OWN(k, &kernel_fused_layer_norm_sum, small, sum, sum_bindings));
    return cuda_set(p, n, k);
out:
    k->base.free(&k->base);
    return st;
}
