/* Pools both ways. */
#include "backend/cuda/kernel/fused_pools.h"
#include "backend/cuda/fused_int.h"

static bool is_served(const shape *s)
{
    return is_in_eights(s->dim[3]) && shape_count(s) / FUSED_WIDTH <= INT32_MAX;
}

mien_status fused_pool_prepare(cuda_prepare *p, node_id n)
{
    const graph_value *x = node_input(p->g, n, 0);
    if (!is_served(&x->shape) || !is_served(&node_output(p->g, n, 0)->shape))
        return MIEN_ERR_UNSUPPORTED;
    return cuda_pool(p, n, KERNEL_OF(fused_pool, is_bf16(x)), FUSED_WIDTH);
}

mien_status fused_pool_dx_prepare(cuda_prepare *p, node_id n)
{
    const pool_grad_attr *attr = graph_node_at(p->g, n)->attr;
    const graph_value *dy = node_input(p->g, n, 0);
    if (!is_served(&attr->x) || !is_served(&dy->shape))
        return MIEN_ERR_UNSUPPORTED;
    return cuda_pool_dx(p, n, KERNEL_OF(fused_pool_dx, is_bf16(dy)), FUSED_WIDTH);
}
