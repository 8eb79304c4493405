/* batch_norm and its gradient: our kernels, fused with the residual and the activation. */
#include "backend/cpu/kernel/batch_norm.h"
#include "backend/cpu/cpu_int.h"

mien_status batch_norm_prepare(cpu_prepare *p, node_id n)
{
    static const binding bindings[] = {{FROM_INPUT, BN_X, offsetof(batch_norm_args, x)},
                                       {FROM_INPUT, BN_GAMMA, offsetof(batch_norm_args, gamma)},
                                       {FROM_INPUT, BN_BETA, offsetof(batch_norm_args, beta)},
                                       {FROM_INPUT, BN_RUNNING_MEAN, offsetof(batch_norm_args, running_mean)},
                                       {FROM_INPUT, BN_RUNNING_VAR, offsetof(batch_norm_args, running_var)},
                                       {FROM_INPUT, BN_RESIDUAL, offsetof(batch_norm_args, residual)},
                                       {FROM_OUTPUT, BN_Y, offsetof(batch_norm_args, y)},
                                       {FROM_OUTPUT, BN_BATCH_MEAN, offsetof(batch_norm_args, mean)},
                                       {FROM_OUTPUT, BN_BATCH_INV_STD, offsetof(batch_norm_args, inv_std)},
                                       {FROM_OUTPUT, BN_MASK, offsetof(batch_norm_args, mask)},
                                       {FROM_SCRATCH, 0, offsetof(batch_norm_args, scratch)}};
    const batch_norm_attr *attr = graph_node_at(p->g, n)->attr;
    const graph_value *x = node_input(p->g, n, BN_X);
    batch_norm_args args = {.c = x->shape.dim[3],
                            .rows = shape_count(&x->shape) / x->shape.dim[3],
                            .eps = attr->eps,
                            .momentum = attr->momentum,
                            .act = attr->act,
                            .threads = p->b->threads,
                            .is_batch = attr->is_batch,
                            .is_bf16 = is_bf16(x)};
    return prepare_own(p, n, p->b->own->batch_norm, &args, sizeof args, bindings, sizeof bindings / sizeof *bindings,
                       batch_norm_scratch_bytes(args.c, args.threads));
}

mien_status batch_norm_dx_prepare(cpu_prepare *p, node_id n)
{
    static const binding read[] = {{FROM_INPUT, BN_DY, offsetof(batch_norm_dx_args, dy)},
                                   {FROM_INPUT, BN_DX_X, offsetof(batch_norm_dx_args, x)},
                                   {FROM_INPUT, BN_DX_GAMMA, offsetof(batch_norm_dx_args, gamma)},
                                   {FROM_INPUT, BN_DX_BETA, offsetof(batch_norm_dx_args, beta)},
                                   {FROM_INPUT, BN_DX_MASK, offsetof(batch_norm_dx_args, mask)},
                                   {FROM_INPUT, BN_DX_RESIDUAL, offsetof(batch_norm_dx_args, residual)}};
    static const binding statistics[2][2] = {
        {{FROM_INPUT, BN_DX_RUNNING_MEAN, offsetof(batch_norm_dx_args, running_mean)},
         {FROM_INPUT, BN_DX_RUNNING_VAR, offsetof(batch_norm_dx_args, running_var)}},
        {{FROM_INPUT, BN_DX_MEAN, offsetof(batch_norm_dx_args, mean)},
         {FROM_INPUT, BN_DX_INV_STD, offsetof(batch_norm_dx_args, inv_std)}}};
    static const binding written[] = {{FROM_OUTPUT, BN_OUT_DX, offsetof(batch_norm_dx_args, dx)},
                                      {FROM_OUTPUT, BN_OUT_DRESIDUAL, offsetof(batch_norm_dx_args, dresidual)},
                                      {FROM_OUTPUT, BN_OUT_DGAMMA, offsetof(batch_norm_dx_args, dgamma)},
                                      {FROM_OUTPUT, BN_OUT_DBETA, offsetof(batch_norm_dx_args, dbeta)}};
    mien_status st = MIEN_OK;
    cpu_kernel *k = NULL;
    const batch_norm_attr *attr = graph_node_at(p->g, n)->attr;
    const graph_value *x = node_input(p->g, n, BN_DX_X);
    bool is_batch = node_input(p->g, n, BN_DX_MEAN) != NULL;
    batch_norm_dx_args args = {.c = x->shape.dim[3],
                               .rows = shape_count(&x->shape) / x->shape.dim[3],
                               .eps = attr->eps,
                               .act = attr->act,
                               .threads = p->b->threads,
                               .is_bf16 = is_bf16(x)};
    TRY(cpu_kernel_create(&k, p->b));
    TRY_OUT(cpu_kernel_add_own(k, p->b->own->batch_norm_dx, &args, sizeof args, read, 6));
    for (int i = 0; i < 2; i++)
        cpu_kernel_bind(k, statistics[is_batch][i]);
    for (int i = 0; i < 4; i++)
        if (node_output(p->g, n, (int)written[i].index))
            cpu_kernel_bind(k, written[i]);
    cpu_kernel_scratch(k, batch_norm_scratch_bytes(args.c, args.threads));
    cpu_kernel_bind(k, (binding){FROM_SCRATCH, 0, offsetof(batch_norm_dx_args, scratch)});
    TRY_OUT(prepare_set(p, n, k));
    k = NULL;
out:
    cpu_kernel_free(k);
    return st;
}
