/* Pools, global mean and the scaling of channels. */
#include "backend/cuda/kernel/pools.h"
#include "backend/cuda/cuda_int.h"

/* --- windows ------------------------------------------------------------------------------------------------------ */
mien_status cuda_pool(cuda_prepare *p, node_id n, const device_kernel *fn, int width)
{
    static const binding bindings[] = {{FROM_INPUT, 0, offsetof(pool_args, x)},
                                       {FROM_OUTPUT, 0, offsetof(pool_args, y)},
                                       {FROM_OUTPUT, 1, offsetof(pool_args, index)}};
    const graph_value *x = node_input(p->g, n, 0), *y = node_output(p->g, n, 0);
    const int64_t *in = x->shape.dim, *out = y->shape.dim;
    const pool_args args = {.n = in[0],
                            .h = in[1],
                            .w = in[2],
                            .c = in[3],
                            .p = out[1],
                            .q = out[2],
                            .pool = *(const pool_attr *)graph_node_at(p->g, n)->attr,
                            .is_bf16 = is_bf16(x)};
    return cuda_own(p, n, fn, grid_of_elements(p->b, shape_count(&y->shape) / width), &args, sizeof args, bindings, 3);
}

mien_status cuda_pool_dx(cuda_prepare *p, node_id n, const device_kernel *fn, int width)
{
    static const binding bindings[] = {{FROM_INPUT, 0, offsetof(pool_dx_args, dy)},
                                       {FROM_INPUT, 1, offsetof(pool_dx_args, index)},
                                       {FROM_OUTPUT, 0, offsetof(pool_dx_args, dx)}};
    const pool_grad_attr *attr = graph_node_at(p->g, n)->attr;
    const graph_value *dy = node_input(p->g, n, 0);
    const int64_t *in = attr->x.dim, *out = dy->shape.dim;
    const pool_dx_args args = {.n = in[0],
                               .h = in[1],
                               .w = in[2],
                               .c = in[3],
                               .p = out[1],
                               .q = out[2],
                               .pool = attr->pool,
                               .is_bf16 = is_bf16(dy)};
    return cuda_own(p, n, fn, grid_of_elements(p->b, shape_count(&attr->x) / width), &args, sizeof args, bindings, 3);
}

static mien_status prepare_pool(cuda_prepare *p, node_id n)
{
    return cuda_pool(p, n, &kernel_pool, 1);
}

static mien_status prepare_pool_dx(cuda_prepare *p, node_id n)
{
    return cuda_pool_dx(p, n, &kernel_pool_dx, 1);
}

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

const cuda_rule cuda_pools_rules[] = {{&op_pool_def, prepare_pool},
                                      {&op_pool_dx_def, prepare_pool_dx},
                                      {&op_global_mean_def, prepare_global_mean},
                                      {&op_global_mean_dx_def, prepare_global_mean_dx},
                                      {&op_scale_def, prepare_scale},
                                      {&op_scale_dx_def, prepare_scale},
                                      {&op_scale_ds_def, prepare_scale_ds},
                                      {0}};
