/* Pools both ways. */
#include "backend/cuda/kernel/fused_pools.h"
#include "backend/cuda/fused_int.h"

static bool is_served(const shape *s)
{
    return is_in_eights(s->dim[3]) && shape_count(s) / FUSED_WIDTH <= INT32_MAX;
}

mien_status fused_pool_prepare(cuda_prepare *p, node_id n)
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
    if (!is_served(&x->shape) || !is_served(&y->shape))
        return MIEN_ERR_UNSUPPORTED;
    return cuda_own(p, n, KERNEL_OF(fused_pool, is_bf16(x)),
                    grid_of_elements(p->b, shape_count(&y->shape) / FUSED_WIDTH), &args, sizeof args, bindings, 3);
}

mien_status fused_pool_dx_prepare(cuda_prepare *p, node_id n)
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
    if (!is_served(&attr->x) || !is_served(&dy->shape))
        return MIEN_ERR_UNSUPPORTED;
    return cuda_own(p, n, KERNEL_OF(fused_pool_dx, is_bf16(dy)),
                    grid_of_elements(p->b, shape_count(&attr->x) / FUSED_WIDTH), &args, sizeof args, bindings, 3);
}
