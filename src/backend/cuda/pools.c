/* Pools, global mean and the scaling of channels. */
#include "backend/cuda/kernel/pools.h"
#include "backend/cuda/cuda_int.h"

/* --- a number a channel ------------------------------------------------------------------------------------------- */
/* y [n, c], of input 0 and, where is_product, of input 1. */
static mien_status prepare_sum(cuda_prepare *p, node_id n, bool is_product, bool is_mean)
{
    static const binding bindings[] = {{FROM_INPUT, 0, offsetof(map_sum_args, x)},
                                       {FROM_OUTPUT, 0, offsetof(map_sum_args, y)},
                                       {FROM_INPUT, 1, offsetof(map_sum_args, other)}};
    const graph_value *x = node_input(p->g, n, 0);
    const int64_t *dim = x->shape.dim;
    map_sum_args args = {.n = dim[0], .pixels = dim[1] * dim[2], .c = dim[3], .factor = 1, .is_bf16 = is_bf16(x)};
    if (is_mean)
        args.factor = 1 / (double)args.pixels;
    return cuda_own(p, n, &kernel_map_sum, grid_of_elements(p->b, args.n * args.c), &args, sizeof args, bindings,
                    is_product ? 3 : 2);
}

static mien_status prepare_global_mean(cuda_prepare *p, node_id n)
{
    return prepare_sum(p, n, false, true);
}

static mien_status prepare_scale_ds(cuda_prepare *p, node_id n)
{
    return prepare_sum(p, n, true, false);
}

/* y [n, h, w, c] of a number a channel, and of a map where has_map: its inputs are in this order, map first. */
static mien_status prepare_map_scale(cuda_prepare *p, node_id n, bool has_map)
{
    const binding bindings[] = {{FROM_INPUT, has_map ? 1 : 0, offsetof(map_scale_args, s)},
                                {FROM_OUTPUT, 0, offsetof(map_scale_args, y)},
                                {FROM_INPUT, 0, offsetof(map_scale_args, x)}};
    const graph_value *y = node_output(p->g, n, 0);
    const int64_t *dim = y->shape.dim;
    map_scale_args args = {.n = dim[0], .pixels = dim[1] * dim[2], .c = dim[3], .factor = 1, .is_bf16 = is_bf16(y)};
    if (!has_map)
        args.factor = 1 / (double)args.pixels;
    return cuda_own(p, n, &kernel_map_scale, grid_of_elements(p->b, shape_count(&y->shape)), &args, sizeof args,
                    bindings, has_map ? 3 : 2);
}

static mien_status prepare_global_mean_dx(cuda_prepare *p, node_id n)
{
    return prepare_map_scale(p, n, false);
}

static mien_status prepare_scale(cuda_prepare *p, node_id n)
{
    return prepare_map_scale(p, n, true);
}

const cuda_rule cuda_pools_rules[] = {{&op_global_mean_def, prepare_global_mean},
                                      {&op_global_mean_dx_def, prepare_global_mean_dx},
                                      {&op_scale_def, prepare_scale},
                                      {&op_scale_dx_def, prepare_scale},
                                      {&op_scale_ds_def, prepare_scale_ds},
                                      {0}};
