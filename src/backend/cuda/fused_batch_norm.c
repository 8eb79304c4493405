/* batch_norm both ways: a pass that sums, a small kernel that makes numbers of channels of the sums, a pass that
 * applies them. With running statistics forward is the last of them alone. */
#include "backend/cuda/kernel/fused_batch_norm.h"
#include "backend/cuda/fused_int.h"

/* --- forward ------------------------------------------------------------------------------------------------------ */
static mien_status add_statistics(cuda_kernel *k, const batch_norm_attr *attr, const graph_value *x)
{
    const int64_t c = x->shape.dim[3], rows = shape_count(&x->shape) / c;
    const column_grid grid = column_grid_for_sums(k->b, rows, c);
    const size_t sums = cuda_kernel_scratch(k, column_sums_bytes(&grid));
    const fused_bn_sums_args args = {.grid = grid};
    const binding bindings[] = {{FROM_INPUT, BN_X, offsetof(fused_bn_sums_args, x)},
                                {FROM_SCRATCH, sums, offsetof(fused_bn_sums_args, sums)}};
    const fused_bn_statistics_args finish = {.rows = rows,
                                             .c = (int)c,
                                             .parts = grid.parts,
                                             .eps = attr->eps,
                                             .momentum = attr->momentum,
                                             .is_bf16 = is_bf16(x)};
    const binding finish_bindings[] = {{FROM_INPUT, BN_X, offsetof(fused_bn_statistics_args, x)},
                                       {FROM_SCRATCH, sums, offsetof(fused_bn_statistics_args, sums)},
                                       {FROM_OUTPUT, BN_BATCH_MEAN, offsetof(fused_bn_statistics_args, mean)},
                                       {FROM_OUTPUT, BN_BATCH_INV_STD, offsetof(fused_bn_statistics_args, inv_std)},
                                       {FROM_INPUT, BN_RUNNING_MEAN, offsetof(fused_bn_statistics_args, running_mean)},
                                       {FROM_INPUT, BN_RUNNING_VAR, offsetof(fused_bn_statistics_args, running_var)}};
    const device_grid small = {.blocks = c / FUSED_WIDTH, .threads = COLUMN_THREADS};
    TRY(ADD_OWN(k, KERNEL_OF(fused_bn_sums, is_bf16(x)), column_grid_blocks(&grid), args, bindings));
    return ADD_OWN(k, &kernel_fused_bn_statistics, small, finish, finish_bindings);
}

static mien_status add_apply(cuda_kernel *k, const batch_norm_attr *attr, const graph_value *x)
{
    const int64_t c = x->shape.dim[3], rows = shape_count(&x->shape) / c;
    const fused_bn_apply_args args = {.grid = column_grid_for_all(k->b, rows, c), .eps = attr->eps, .act = attr->act};
    const binding mean = {FROM_OUTPUT, BN_BATCH_MEAN, offsetof(fused_bn_apply_args, mean)},
                  inv_std = {FROM_OUTPUT, BN_BATCH_INV_STD, offsetof(fused_bn_apply_args, inv_std)},
                  running_mean = {FROM_INPUT, BN_RUNNING_MEAN, offsetof(fused_bn_apply_args, mean)},
                  running_var = {FROM_INPUT, BN_RUNNING_VAR, offsetof(fused_bn_apply_args, var)};
    const binding bindings[] = {{FROM_INPUT, BN_X, offsetof(fused_bn_apply_args, x)},
                                {FROM_INPUT, BN_RESIDUAL, offsetof(fused_bn_apply_args, residual)},
                                {FROM_INPUT, BN_GAMMA, offsetof(fused_bn_apply_args, gamma)},
                                {FROM_INPUT, BN_BETA, offsetof(fused_bn_apply_args, beta)},
                                {FROM_OUTPUT, BN_Y, offsetof(fused_bn_apply_args, y)},
                                {FROM_OUTPUT, BN_MASK, offsetof(fused_bn_apply_args, mask)},
                                attr->is_batch ? mean : running_mean,
                                attr->is_batch ? inv_std : running_var};
    return ADD_OWN(k, KERNEL_OF(fused_bn_apply, is_bf16(x)), column_grid_blocks(&args.grid), args, bindings);
}

mien_status fused_batch_norm_prepare(cuda_prepare *p, node_id n)
{
    const batch_norm_attr *attr = graph_node_at(p->g, n)->attr;
    const graph_value *x = node_input(p->g, n, BN_X);
    mien_status st = MIEN_OK;
    cuda_kernel *k = NULL;
    if (!is_in_eights(x->shape.dim[3]))
        return MIEN_ERR_UNSUPPORTED;
    TRY(cuda_kernel_create(&k, p->b));
    if (attr->is_batch)
        TRY_OUT(add_statistics(k, attr, x));
    TRY_OUT(add_apply(k, attr, x));
    return cuda_set(p, n, k);
out:
    k->base.free(&k->base);
    return st;
}

/* --- backward ----------------------------------------------------------------------------------------------------- */
/* What both passes read. */
enum { READ = 10 };
static void bind_read(binding *out, bool is_batch)
{
    const binding all[READ] = {
        {FROM_INPUT, BN_DY, offsetof(fused_bn_dx_args, dy)},
        {FROM_INPUT, BN_DX_X, offsetof(fused_bn_dx_args, x)},
        {FROM_INPUT, BN_DX_GAMMA, offsetof(fused_bn_dx_args, gamma)},
        {FROM_INPUT, BN_DX_BETA, offsetof(fused_bn_dx_args, beta)},
        {FROM_INPUT, BN_DX_MASK, offsetof(fused_bn_dx_args, mask)},
        {FROM_INPUT, BN_DX_RESIDUAL, offsetof(fused_bn_dx_args, residual)},
        {FROM_INPUT, is_batch ? BN_DX_MEAN : BN_DX_RUNNING_MEAN, offsetof(fused_bn_dx_args, mean)},
        {FROM_INPUT, BN_DX_INV_STD, offsetof(fused_bn_dx_args, inv_std)},
        {FROM_INPUT, BN_DX_RUNNING_VAR, offsetof(fused_bn_dx_args, var)},
        {FROM_OUTPUT, BN_OUT_DX, offsetof(fused_bn_dx_args, dx)},
    };
    for (int i = 0; i < READ; i++)
        out[i] = all[i];
}

/* The sums, and terms of them at `terms` of the scratch, where dx wants them. */
static mien_status add_dx_sums(cuda_kernel *k, fused_bn_dx_args args, size_t terms, bool is_batch, bool is_bf16)
{
    args.grid = column_grid_for_sums(k->b, args.grid.rows, args.grid.c);
    const size_t sums = cuda_kernel_scratch(k, column_sums_bytes(&args.grid));
    const fused_bn_dx_terms_args finish = {
        .rows = args.grid.rows, .c = args.grid.c, .parts = args.grid.parts, .eps = args.eps};
    const binding spread = {FROM_INPUT, is_batch ? BN_DX_INV_STD : BN_DX_RUNNING_VAR,
                            is_batch ? offsetof(fused_bn_dx_terms_args, inv_std)
                                     : offsetof(fused_bn_dx_terms_args, var)};
    const binding finish_bindings[] = {{FROM_SCRATCH, sums, offsetof(fused_bn_dx_terms_args, sums)},
                                       {FROM_OUTPUT, BN_OUT_DGAMMA, offsetof(fused_bn_dx_terms_args, dgamma)},
                                       {FROM_OUTPUT, BN_OUT_DBETA, offsetof(fused_bn_dx_terms_args, dbeta)},
                                       spread,
                                       {FROM_SCRATCH, terms, offsetof(fused_bn_dx_terms_args, terms)}};
    const device_grid small = {.blocks = args.grid.c / FUSED_WIDTH, .threads = COLUMN_THREADS};
    binding bindings[READ + 1];
    bind_read(bindings, is_batch);
    bindings[READ] = (binding){FROM_SCRATCH, sums, offsetof(fused_bn_dx_args, sums)};
    TRY(ADD_OWN(k, KERNEL_OF(fused_bn_dx_sums, is_bf16), column_grid_blocks(&args.grid), args, bindings));
    return ADD_OWN(k, &kernel_fused_bn_dx_terms, small, finish, finish_bindings);
}

static mien_status add_dx_apply(cuda_kernel *k, fused_bn_dx_args args, size_t terms, bool is_batch, bool is_bf16)
{
    args.grid = column_grid_for_all(k->b, args.grid.rows, args.grid.c);
    binding bindings[READ + 2];
    bind_read(bindings, is_batch);
    bindings[READ] = (binding){FROM_OUTPUT, BN_OUT_DRESIDUAL, offsetof(fused_bn_dx_args, dresidual)};
    bindings[READ + 1] = (binding){FROM_SCRATCH, terms, offsetof(fused_bn_dx_args, terms)};
    return cuda_kernel_add_own(k, KERNEL_OF(fused_bn_dx_apply, is_bf16), column_grid_blocks(&args.grid), &args,
                               sizeof args, bindings, is_batch ? READ + 2 : READ + 1);
}

mien_status fused_batch_norm_dx_prepare(cuda_prepare *p, node_id n)
{
    const batch_norm_attr *attr = graph_node_at(p->g, n)->attr;
    const graph_value *x = node_input(p->g, n, BN_DX_X);
    const int64_t c = x->shape.dim[3];
    const bool is_batch = node_input(p->g, n, BN_DX_MEAN) != NULL;
    bool is_wanted[BN_DX_OUTPUTS];
    for (int i = 0; i < BN_DX_OUTPUTS; i++)
        is_wanted[i] = node_output(p->g, n, i) != NULL;
    const bool is_applied = is_wanted[BN_OUT_DX] || is_wanted[BN_OUT_DRESIDUAL];
    mien_status st = MIEN_OK;
    cuda_kernel *k = NULL;
    if (!is_in_eights(c))
        return MIEN_ERR_UNSUPPORTED;
    fused_bn_dx_args args = {.eps = attr->eps, .act = attr->act};
    args.grid.rows = shape_count(&x->shape) / c;
    args.grid.c = (int)c;
    TRY(cuda_kernel_create(&k, p->b));
    const size_t terms = cuda_kernel_scratch(k, 2 * (size_t)c * sizeof(float));
    if (is_batch || is_wanted[BN_OUT_DGAMMA] || is_wanted[BN_OUT_DBETA])
        TRY_OUT(add_dx_sums(k, args, terms, is_batch, is_bf16(x)));
    if (is_applied)
        TRY_OUT(add_dx_apply(k, args, terms, is_batch, is_bf16(x)));
    return cuda_set(p, n, k);
out:
    k->base.free(&k->base);
    return st;
}
