/* Batch norm and layer norm. */
#include "backend/cuda/kernel/norms.h"
#include "backend/cuda/columns.h"

enum { SUMS = 2 }; /* that are taken side by side, each of slices */

static size_t parts_bytes(int64_t slices, int64_t c)
{
    return (size_t)(SUMS * slices * c) * sizeof(double);
}

/* --- batch norm --------------------------------------------------------------------------------------------------- */
static mien_status batch_statistics_add(cuda_kernel *k, const batch_norm_attr *attr, int64_t rows, int64_t c,
                                        bool is_x_bf16)
{
    const int64_t slices = column_slices(k->b, rows, c);
    const size_t parts = cuda_kernel_scratch(k, parts_bytes(slices, c));
    const binding moments[] = {{FROM_INPUT, BN_X, offsetof(batch_moments_args, x)},
                               {FROM_SCRATCH, parts, offsetof(batch_moments_args, parts)}};
    const binding statistics[] = {
        {FROM_SCRATCH, parts, offsetof(batch_statistics_args, parts)},
        {FROM_OUTPUT, BN_BATCH_MEAN, offsetof(batch_statistics_args, mean)},
        {FROM_OUTPUT, BN_BATCH_INV_STD, offsetof(batch_statistics_args, inv_std)},
        {FROM_INPUT, BN_RUNNING_MEAN, offsetof(batch_statistics_args, running_mean)},
        {FROM_INPUT, BN_RUNNING_VAR, offsetof(batch_statistics_args, running_var)},
    };
    const batch_moments_args of_slices = {.rows = rows, .c = c, .slices = slices, .is_bf16 = is_x_bf16};
    const batch_statistics_args of_all = {
        .rows = rows, .c = c, .slices = slices, .eps = attr->eps, .momentum = attr->momentum};
    TRY(cuda_kernel_add_own(k, &kernel_batch_moments, grid_of_elements(k->b, slices * c), &of_slices, sizeof of_slices,
                            moments, 2));
    return cuda_kernel_add_own(k, &kernel_batch_statistics, grid_of_elements(k->b, c), &of_all, sizeof of_all,
                               statistics, 5);
}

static mien_status batch_norm_add(cuda_kernel *k, const batch_norm_attr *attr, int64_t rows, int64_t c, bool is_x_bf16)
{
    const binding_source from = attr->is_batch ? FROM_OUTPUT : FROM_INPUT;
    const binding bindings[] = {
        {FROM_INPUT, BN_X, offsetof(batch_norm_args, x)},
        {FROM_INPUT, BN_RESIDUAL, offsetof(batch_norm_args, residual)},
        {FROM_INPUT, BN_GAMMA, offsetof(batch_norm_args, gamma)},
        {FROM_INPUT, BN_BETA, offsetof(batch_norm_args, beta)},
        {from, attr->is_batch ? BN_BATCH_MEAN : BN_RUNNING_MEAN, offsetof(batch_norm_args, mean)},
        {FROM_OUTPUT, BN_BATCH_INV_STD, offsetof(batch_norm_args, inv_std)},
        {FROM_INPUT, BN_RUNNING_VAR, offsetof(batch_norm_args, var)},
        {FROM_OUTPUT, BN_Y, offsetof(batch_norm_args, y)},
        {FROM_OUTPUT, BN_MASK, offsetof(batch_norm_args, mask)},
    };
    const batch_norm_args args = {.rows = rows, .c = c, .eps = attr->eps, .act = attr->act, .is_bf16 = is_x_bf16};
    return cuda_kernel_add_own(k, &kernel_batch_norm, grid_of_elements(k->b, (rows * c + 7) / 8), &args, sizeof args,
                               bindings, 9);
}

static mien_status prepare_batch_norm(cuda_prepare *p, node_id n)
{
    const batch_norm_attr *attr = graph_node_at(p->g, n)->attr;
    const graph_value *x = node_input(p->g, n, BN_X);
    const int64_t c = x->shape.dim[3], rows = shape_count(&x->shape) / c;
    cuda_kernel *k = NULL;
    mien_status st = MIEN_OK;
    TRY(cuda_kernel_create(&k, p->b));
    if (attr->is_batch)
        TRY_OUT(batch_statistics_add(k, attr, rows, c, is_bf16(x)));
    TRY_OUT(batch_norm_add(k, attr, rows, c, is_bf16(x)));
    return cuda_set(p, n, k);
out:
    k->base.free(&k->base);
    return st;
}

static mien_status prepare_batch_norm_dx(cuda_prepare *p, node_id n)
{
    const batch_norm_attr *attr = graph_node_at(p->g, n)->attr;
    const graph_value *x = node_input(p->g, n, BN_DX_X);
    const int64_t c = x->shape.dim[3], rows = shape_count(&x->shape) / c, slices = column_slices(p->b, rows, c);
    const bool has_dx = node_output(p->g, n, BN_OUT_DX), has_dresidual = node_output(p->g, n, BN_OUT_DRESIDUAL);
    const bool has_sums = node_output(p->g, n, BN_OUT_DGAMMA) || node_output(p->g, n, BN_OUT_DBETA);
    cuda_kernel *k = NULL;
    mien_status st = MIEN_OK;
    TRY(cuda_kernel_create(&k, p->b));
    const size_t parts = cuda_kernel_scratch(k, parts_bytes(slices, c));
    const size_t sums = cuda_kernel_scratch(k, (size_t)(SUMS * c) * sizeof(double));
    const binding bindings[] = {
        {FROM_INPUT, BN_DY, offsetof(batch_norm_dx_args, dy)},
        {FROM_INPUT, BN_DX_X, offsetof(batch_norm_dx_args, x)},
        {FROM_INPUT, BN_DX_RESIDUAL, offsetof(batch_norm_dx_args, residual)},
        {FROM_INPUT, BN_DX_GAMMA, offsetof(batch_norm_dx_args, gamma)},
        {FROM_INPUT, BN_DX_BETA, offsetof(batch_norm_dx_args, beta)},
        {FROM_INPUT, attr->is_batch ? BN_DX_MEAN : BN_DX_RUNNING_MEAN, offsetof(batch_norm_dx_args, mean)},
        {FROM_INPUT, BN_DX_INV_STD, offsetof(batch_norm_dx_args, inv_std)},
        {FROM_INPUT, BN_DX_RUNNING_VAR, offsetof(batch_norm_dx_args, var)},
        {FROM_INPUT, BN_DX_MASK, offsetof(batch_norm_dx_args, mask)},
        {FROM_SCRATCH, parts, offsetof(batch_norm_dx_args, parts)},
        {FROM_SCRATCH, sums, offsetof(batch_norm_dx_args, sums)},
        {FROM_OUTPUT, BN_OUT_DX, offsetof(batch_norm_dx_args, dx)},
        {FROM_OUTPUT, BN_OUT_DRESIDUAL, offsetof(batch_norm_dx_args, dresidual)},
        {FROM_OUTPUT, BN_OUT_DGAMMA, offsetof(batch_norm_dx_args, dgamma)},
        {FROM_OUTPUT, BN_OUT_DBETA, offsetof(batch_norm_dx_args, dbeta)},
    };
    enum { COUNT = sizeof bindings / sizeof *bindings };
    const batch_norm_dx_args args = {.rows = rows,
                                     .c = c,
                                     .slices = slices,
                                     .eps = attr->eps,
                                     .act = attr->act,
                                     .is_batch = attr->is_batch,
                                     .is_bf16 = is_bf16(x)};
    if (has_sums || (has_dx && attr->is_batch)) {
        TRY_OUT(cuda_kernel_add_own(k, &kernel_batch_norm_dx_parts, grid_of_elements(p->b, slices * c), &args,
                                    sizeof args, bindings, COUNT));
        TRY_OUT(cuda_kernel_add_own(k, &kernel_batch_norm_dx_sums, grid_of_elements(p->b, c), &args, sizeof args,
                                    bindings, COUNT));
    }
    if (has_dx || has_dresidual)
        TRY_OUT(cuda_kernel_add_own(k, &kernel_batch_norm_dx, grid_of_elements(p->b, rows * c), &args, sizeof args,
                                    bindings, COUNT));
    return cuda_set(p, n, k);
out:
    k->base.free(&k->base);
    return st;
}

/* --- layer norm --------------------------------------------------------------------------------------------------- */
enum { ROW_THREADS = 32 };

mien_status cuda_layer_norm(cuda_prepare *p, node_id n, const device_kernel *fn, device_grid grid)
{
    static const binding bindings[] = {{FROM_INPUT, LN_X, offsetof(layer_norm_args, x)},
                                       {FROM_INPUT, LN_GAMMA, offsetof(layer_norm_args, gamma)},
                                       {FROM_INPUT, LN_BETA, offsetof(layer_norm_args, beta)},
                                       {FROM_OUTPUT, LN_Y, offsetof(layer_norm_args, y)},
                                       {FROM_OUTPUT, LN_MEAN, offsetof(layer_norm_args, mean)},
                                       {FROM_OUTPUT, LN_INV_STD, offsetof(layer_norm_args, inv_std)}};
    const layer_norm_attr *attr = graph_node_at(p->g, n)->attr;
    const graph_value *x = node_input(p->g, n, LN_X);
    const int64_t c = x->shape.dim[x->shape.rank - 1];
    const layer_norm_args args = {.rows = shape_count(&x->shape) / c,
                                  .c = c,
                                  .eps = attr->eps,
                                  .is_x_bf16 = is_bf16(x),
                                  .is_y_bf16 = is_bf16(node_output(p->g, n, LN_Y))};
    return cuda_own(p, n, fn, grid, &args, sizeof args, bindings, 6);
}

static mien_status prepare_layer_norm(cuda_prepare *p, node_id n)
{
    const graph_value *x = node_input(p->g, n, LN_X);
    const int64_t rows = shape_count(&x->shape) / x->shape.dim[x->shape.rank - 1];
    return cuda_layer_norm(p, n, &kernel_layer_norm, grid_of_rows(p->b, rows, ROW_THREADS));
}

/* The sums come first: dx may lie over dy. */
static mien_status prepare_layer_norm_dx(cuda_prepare *p, node_id n)
{
    const graph_value *x = node_input(p->g, n, LN_DX_X);
    const int64_t c = x->shape.dim[x->shape.rank - 1], rows = shape_count(&x->shape) / c;
    const int64_t slices = column_slices(p->b, rows, c);
    const bool has_dgamma = node_output(p->g, n, LN_OUT_DGAMMA), has_dbeta = node_output(p->g, n, LN_OUT_DBETA);
    cuda_kernel *k = NULL;
    mien_status st = MIEN_OK;
    TRY(cuda_kernel_create(&k, p->b));
    const size_t parts = cuda_kernel_scratch(k, parts_bytes(slices, c));
    const binding bindings[] = {{FROM_INPUT, LN_DY, offsetof(layer_norm_dx_args, dy)},
                                {FROM_INPUT, LN_DX_X, offsetof(layer_norm_dx_args, x)},
                                {FROM_INPUT, LN_DX_GAMMA, offsetof(layer_norm_dx_args, gamma)},
                                {FROM_INPUT, LN_DX_MEAN, offsetof(layer_norm_dx_args, mean)},
                                {FROM_INPUT, LN_DX_INV_STD, offsetof(layer_norm_dx_args, inv_std)},
                                {FROM_SCRATCH, parts, offsetof(layer_norm_dx_args, parts)},
                                {FROM_OUTPUT, LN_OUT_DX, offsetof(layer_norm_dx_args, dx)}};
    const layer_norm_dx_args args = {.rows = rows,
                                     .c = c,
                                     .slices = slices,
                                     .is_dy_bf16 = is_bf16(node_input(p->g, n, LN_DY)),
                                     .is_x_bf16 = is_bf16(x)};
    if (has_dgamma || has_dbeta)
        TRY_OUT(cuda_kernel_add_own(k, &kernel_layer_norm_dw, grid_of_elements(p->b, slices * c), &args, sizeof args,
                                    bindings, 7));
    if (has_dgamma)
        TRY_OUT(slice_sum_add(k, parts, LN_OUT_DGAMMA, c, slices));
    if (has_dbeta)
        TRY_OUT(slice_sum_add(k, parts + parts_bytes(slices, c) / SUMS, LN_OUT_DBETA, c, slices));
    if (node_output(p->g, n, LN_OUT_DX))
        TRY_OUT(cuda_kernel_add_own(k, &kernel_layer_norm_dx, grid_of_rows(p->b, rows, ROW_THREADS), &args, sizeof args,
                                    bindings, 7));
    return cuda_set(p, n, k);
out:
    k->base.free(&k->base);
    return st;
}

const cuda_rule cuda_norms_rules[] = {{&op_batch_norm_def, prepare_batch_norm},
                                      {&op_batch_norm_dx_def, prepare_batch_norm_dx},
                                      {&op_layer_norm_def, prepare_layer_norm},
                                      {&op_layer_norm_dx_def, prepare_layer_norm_dx},
                                      {0}};
