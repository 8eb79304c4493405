/* Depthwise convolution both ways, as networks have it: windows of 3 or 5, padded by half, strides of 1 or 2. */
#include "backend/cuda/kernel/fused_depthwise.h"
#include "backend/cuda/fused_int.h"

enum { BLOCKS_A_PROCESSOR = 6, DW_BLOCKS_A_PROCESSOR = 3, WARP_THREADS = 32 };

static bool is_served(const conv2d_attr *a, const graph_value *x, const graph_value *w)
{
    const int window = (int)w->shape.dim[2], stride = a->stride[0];
    return a->groups == x->shape.dim[3] && w->shape.dim[0] == x->shape.dim[3] && is_in_eights(x->shape.dim[3]) &&
           (window == 3 || window == 5) && w->shape.dim[3] == window && (stride == 1 || stride == 2) &&
           a->stride[1] == stride && a->dilation[0] == 1 && a->dilation[1] == 1 && a->pad_begin[0] == window / 2 &&
           a->pad_begin[1] == window / 2;
}

/* Over the strips of y [n, h, w, c]; `rows` threads stand at the same strip. False: more strips than an int counts. */
static bool strip_grid_make(strip_grid *out, const cuda_backend *b, const shape *y, int rows, int blocks_a_processor)
{
    const int64_t vectors = y->dim[3] / FUSED_WIDTH, tiles = (vectors + DEPTHWISE_TILE - 1) / DEPTHWISE_TILE;
    const int64_t tile = (vectors + tiles - 1) / tiles, lanes = DEPTHWISE_THREADS / (tile * rows);
    const int64_t a_row = (y->dim[2] + STRIP - 1) / STRIP, strips = y->dim[0] * y->dim[1] * a_row;
    const int64_t most = (strips + lanes - 1) / lanes, filling = b->device->processors * blocks_a_processor / tiles;
    const int64_t parts = filling < most ? filling : most;
    *out = (strip_grid){.strips = (int)strips,
                        .strips_a_row = (int)a_row,
                        .c = (int)y->dim[3],
                        .tile = (int)tile,
                        .tiles = (int)tiles,
                        .lanes = (int)lanes,
                        .parts = (int)(parts > 1 ? parts : 1)};
    return strips <= INT32_MAX && y->dim[1] <= INT32_MAX && y->dim[2] <= INT32_MAX;
}

static device_grid strip_blocks(const strip_grid *g)
{
    return (device_grid){.blocks = (int64_t)g->parts * g->tiles, .threads = DEPTHWISE_THREADS};
}

/* [is 5][is f32] */
static const device_kernel *const forward_kernels[2][2] = {
    {&kernel_fused_depthwise_3_bf16, &kernel_fused_depthwise_3_f32},
    {&kernel_fused_depthwise_5_bf16, &kernel_fused_depthwise_5_f32}};
static const device_kernel *const dx_kernels[2][2] = {
    {&kernel_fused_depthwise_dx_3_bf16, &kernel_fused_depthwise_dx_3_f32},
    {&kernel_fused_depthwise_dx_5_bf16, &kernel_fused_depthwise_dx_5_f32}};
static const device_kernel *const dw_kernels[2][2] = {
    {&kernel_fused_depthwise_dw_3_bf16, &kernel_fused_depthwise_dw_3_f32},
    {&kernel_fused_depthwise_dw_5_bf16, &kernel_fused_depthwise_dw_5_f32}};

/* From the picture `from` to the picture `to`. */
static fused_depthwise_args args_make(const strip_grid *grid, const shape *from, const shape *to, int stride)
{
    return (fused_depthwise_args){.grid = *grid,
                                  .h = (int)from->dim[1],
                                  .width = (int)from->dim[2],
                                  .oh = (int)to->dim[1],
                                  .ow = (int)to->dim[2],
                                  .stride = stride};
}

mien_status fused_depthwise_prepare(cuda_prepare *p, node_id n)
{
    static const binding bindings[] = {{FROM_INPUT, CONV_X, offsetof(fused_depthwise_args, x)},
                                       {FROM_INPUT, CONV_W, offsetof(fused_depthwise_args, w)},
                                       {FROM_INPUT, CONV_B, offsetof(fused_depthwise_args, bias)},
                                       {FROM_OUTPUT, 0, offsetof(fused_depthwise_args, y)},
                                       {FROM_INPUT, CONV_GAMMA, offsetof(fused_depthwise_args, gamma)},
                                       {FROM_INPUT, CONV_BETA, offsetof(fused_depthwise_args, beta)},
                                       {FROM_INPUT, CONV_MEAN, offsetof(fused_depthwise_args, mean)},
                                       {FROM_INPUT, CONV_VAR, offsetof(fused_depthwise_args, var)}};
    enum { PLAIN = 4, FOLDED = 8 };
    const conv2d_attr *attr = graph_node_at(p->g, n)->attr;
    const graph_value *x = node_input(p->g, n, CONV_X), *w = node_input(p->g, n, CONV_W);
    const graph_value *y = node_output(p->g, n, 0);
    strip_grid grid;
    if (!is_served(attr, x, w) || node_input(p->g, n, CONV_RESIDUAL) ||
        !strip_grid_make(&grid, p->b, &y->shape, 1, BLOCKS_A_PROCESSOR))
        return MIEN_ERR_UNSUPPORTED;
    fused_depthwise_args args = args_make(&grid, &x->shape, &y->shape, attr->stride[0]);
    args.eps = attr->eps;
    args.act = attr->act;
    return cuda_own(p, n, forward_kernels[w->shape.dim[2] == 5][!is_bf16(x)], strip_blocks(&grid), &args, sizeof args,
                    bindings, attr->is_folded ? FOLDED : PLAIN);
}

mien_status fused_depthwise_dx_prepare(cuda_prepare *p, node_id n)
{
    static const binding bindings[] = {{FROM_INPUT, 0, offsetof(fused_depthwise_args, x)},
                                       {FROM_INPUT, 1, offsetof(fused_depthwise_args, w)},
                                       {FROM_OUTPUT, 0, offsetof(fused_depthwise_args, y)}};
    const conv2d_grad_attr *attr = graph_node_at(p->g, n)->attr;
    const graph_value *dy = node_input(p->g, n, 0), *w = node_input(p->g, n, 1), *dx = node_output(p->g, n, 0);
    const bool is_5 = w->shape.dim[2] == 5, is_f32 = !is_bf16(dy), is_stride1 = attr->conv.stride[0] == 1;
    strip_grid grid;
    if (!is_served(&attr->conv, dx, w) || !strip_grid_make(&grid, p->b, &dx->shape, 1, BLOCKS_A_PROCESSOR))
        return MIEN_ERR_UNSUPPORTED;
    fused_depthwise_args args = args_make(&grid, &dy->shape, &dx->shape, attr->conv.stride[0]);
    args.is_turned = is_stride1;
    return cuda_own(p, n, (is_stride1 ? forward_kernels : dx_kernels)[is_5][is_f32], strip_blocks(&grid), &args,
                    sizeof args, bindings, 3);
}

mien_status fused_depthwise_dw_prepare(cuda_prepare *p, node_id n)
{
    const conv2d_grad_attr *attr = graph_node_at(p->g, n)->attr;
    const graph_value *x = node_input(p->g, n, 0), *dy = node_input(p->g, n, 1), *w = node_input(p->g, n, 2);
    const int window = (int)w->shape.dim[2], taps = window * window;
    mien_status st = MIEN_OK;
    cuda_kernel *k = NULL;
    strip_grid grid;
    if (!is_served(&attr->conv, x, w) || !node_output(p->g, n, DW_WEIGHT) || node_output(p->g, n, DW_BIAS) ||
        !strip_grid_make(&grid, p->b, &dy->shape, window, DW_BLOCKS_A_PROCESSOR))
        return MIEN_ERR_UNSUPPORTED;
    const fused_depthwise_dw_args args = {.grid = grid,
                                          .h = (int)x->shape.dim[1],
                                          .width = (int)x->shape.dim[2],
                                          .oh = (int)dy->shape.dim[1],
                                          .ow = (int)dy->shape.dim[2],
                                          .stride = attr->conv.stride[0]};
    const fused_depthwise_dw_sum_args sum = {.c = grid.c, .taps = taps, .parts = grid.parts};
    const device_grid sum_blocks = {.blocks = ((int64_t)grid.c * taps + WARP_THREADS - 1) / WARP_THREADS,
                                    .threads = DEPTHWISE_THREADS};
    TRY(cuda_kernel_create(&k, p->b));
    const size_t sums = cuda_kernel_scratch(k, (size_t)grid.parts * (size_t)taps * (size_t)grid.c * sizeof(float));
    const binding bindings[] = {{FROM_INPUT, 0, offsetof(fused_depthwise_dw_args, x)},
                                {FROM_INPUT, 1, offsetof(fused_depthwise_dw_args, dy)},
                                {FROM_SCRATCH, sums, offsetof(fused_depthwise_dw_args, sums)}};
    const binding sum_bindings[] = {{FROM_SCRATCH, sums, offsetof(fused_depthwise_dw_sum_args, sums)},
                                    {FROM_OUTPUT, DW_WEIGHT, offsetof(fused_depthwise_dw_sum_args, dw)}};
    TRY_OUT(cuda_kernel_add_own(k, dw_kernels[window == 5][!is_bf16(x)], strip_blocks(&grid), &args, sizeof args,
                                bindings, 3));
    TRY_OUT(ADD_OWN(k, &kernel_fused_depthwise_dw_sum, sum_blocks, sum, sum_bindings));
    return cuda_set(p, n, k);
out:
    k->base.free(&k->base);
    return st;
}
