/* Fast kernels of our own for what is bound by memory, and how their grids lie over rows of channels. */
#include "backend/cuda/fused_int.h"

/* Blocks that run at once on a processor; rows a thread takes at least, in flight together, and at most. */
enum { BLOCKS_A_PROCESSOR = 4, LEAST_ROWS = 4, MOST_ROWS = 32, MOST_VECTORS = 64 };

static int64_t ceil_div(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

static int64_t clamp(int64_t v, int64_t least, int64_t most)
{
    v = v < most ? v : most;
    return v > least ? v : least;
}

static column_grid grid_without_parts(int64_t rows, int64_t c)
{
    const int64_t vectors = c / FUSED_WIDTH, tiles = ceil_div(vectors, MOST_VECTORS), tile = ceil_div(vectors, tiles);
    return (column_grid){
        .rows = rows, .c = (int)c, .tile = (int)tile, .tiles = (int)tiles, .lanes = (int)(COLUMN_THREADS / tile)};
}

column_grid column_grid_for_sums(const cuda_backend *b, int64_t rows, int64_t c)
{
    column_grid g = grid_without_parts(rows, c);
    const int64_t most = ceil_div(rows, (int64_t)g.lanes * LEAST_ROWS);
    g.parts = (int)clamp((int64_t)b->device->processors * BLOCKS_A_PROCESSOR / g.tiles, 1, most);
    return g;
}

column_grid column_grid_for_all(const cuda_backend *b, int64_t rows, int64_t c)
{
    column_grid g = column_grid_for_sums(b, rows, c);
    const int64_t fine = ceil_div(rows, (int64_t)g.lanes * MOST_ROWS);
    g.parts = (int)clamp(fine, g.parts, INT32_MAX / g.tiles);
    return g;
}

column_grid column_grid_for_picture(int64_t pixels, int64_t c)
{
    column_grid g = grid_without_parts(pixels, c);
    g.parts = (int)ceil_div(pixels, (int64_t)g.lanes * MOST_ROWS);
    return g;
}

device_grid column_grid_blocks(const column_grid *g)
{
    return (device_grid){.blocks = (int64_t)g->parts * g->tiles, .threads = COLUMN_THREADS};
}

size_t column_sums_bytes(const column_grid *g)
{
    return (size_t)g->parts * 2 * (size_t)g->c * sizeof(float);
}

const cuda_rule cuda_fused_rules[] = {
    {&op_batch_norm_def, fused_batch_norm_prepare},
    {&op_batch_norm_dx_def, fused_batch_norm_dx_prepare},
    {&op_layer_norm_def, fused_layer_norm_prepare},
    {&op_layer_norm_dx_def, fused_layer_norm_dx_prepare},
    {&op_conv2d_def, fused_depthwise_prepare},
    {&op_conv2d_dx_def, fused_depthwise_dx_prepare},
    {&op_conv2d_dw_def, fused_depthwise_dw_prepare},
    {&op_add_def, fused_add_prepare},
    {&op_add_db_def, fused_convert_prepare},
    {&op_cast_def, fused_convert_prepare},
    {&op_mul_def, fused_mul_prepare},
    {&op_multiply_def, fused_multiply_prepare},
    {&op_activation_def, fused_activation_prepare},
    {&op_activation_dx_def, fused_activation_dx_prepare},
    {&op_normalise_def, fused_normalise_prepare},
    {&op_global_mean_def, fused_global_mean_prepare},
    {&op_global_mean_dx_def, fused_global_mean_dx_prepare},
    {&op_scale_def, fused_scale_prepare},
    {&op_scale_dx_def, fused_scale_prepare},
    {&op_scale_ds_def, fused_scale_ds_prepare},
    {&op_pool_def, fused_pool_prepare},
    {&op_pool_dx_def, fused_pool_dx_prepare},
    {0},
};
