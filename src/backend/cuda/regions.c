/* The shifted sums of SMM-EmotionNet's regions. */
#include "backend/cuda/kernel/regions.h"
#include "backend/cuda/columns.h"

static roi_size roi_size_of(const graph_value *y, const graph_value *attention)
{
    const int64_t *dim = y->shape.dim, regions = attention->shape.dim[3];
    return (roi_size){.n = dim[0], .h = dim[1], .w = dim[2], .regions = regions, .d = dim[3] / regions};
}

static mien_status prepare_roi_embed(cuda_prepare *p, node_id n)
{
    static const binding bindings[] = {{FROM_INPUT, ROI_PRODUCTS, offsetof(roi_embed_args, products)},
                                       {FROM_INPUT, ROI_ATTENTION, offsetof(roi_embed_args, attention)},
                                       {FROM_INPUT, ROI_BIAS, offsetof(roi_embed_args, bias)},
                                       {FROM_OUTPUT, 0, offsetof(roi_embed_args, y)}};
    const graph_value *y = node_output(p->g, n, 0);
    const roi_embed_args args = {.size = roi_size_of(y, node_input(p->g, n, ROI_ATTENTION)), .is_bf16 = is_bf16(y)};
    return cuda_own(p, n, &kernel_roi_embed, grid_of_elements(p->b, shape_count(&y->shape)), &args, sizeof args,
                    bindings, 4);
}

static mien_status prepare_roi_embed_dx(cuda_prepare *p, node_id n)
{
    static const binding bindings[] = {{FROM_INPUT, ROI_DX_DY, offsetof(roi_embed_dx_args, dy)},
                                       {FROM_INPUT, ROI_DX_PRODUCTS, offsetof(roi_embed_dx_args, products)},
                                       {FROM_INPUT, ROI_DX_ATTENTION, offsetof(roi_embed_dx_args, attention)},
                                       {FROM_OUTPUT, ROI_ATTENTION, offsetof(roi_embed_dx_args, dattention)},
                                       {FROM_OUTPUT, ROI_PRODUCTS, offsetof(roi_embed_dx_args, dproducts)}};
    const graph_value *dy = node_input(p->g, n, ROI_DX_DY), *attention = node_input(p->g, n, ROI_DX_ATTENTION);
    const roi_embed_dx_args args = {.size = roi_size_of(dy, attention), .is_bf16 = is_bf16(dy)};
    const int64_t wide = dy->shape.dim[3];
    cuda_kernel *k = NULL;
    mien_status st = MIEN_OK;
    TRY(cuda_kernel_create(&k, p->b));
    if (node_output(p->g, n, ROI_ATTENTION))
        TRY_OUT(cuda_kernel_add_own(k, &kernel_roi_embed_dattention,
                                    grid_of_elements(p->b, shape_count(&attention->shape)), &args, sizeof args,
                                    bindings, 5));
    if (node_output(p->g, n, ROI_BIAS))
        TRY_OUT(column_sum_add(k, ROI_DX_DY, ROI_BIAS, shape_count(&dy->shape) / wide, wide, is_bf16(dy)));
    if (node_output(p->g, n, ROI_PRODUCTS))
        TRY_OUT(cuda_kernel_add_own(k, &kernel_roi_embed_dproducts,
                                    grid_of_elements(p->b, shape_count(&node_output(p->g, n, ROI_PRODUCTS)->shape)),
                                    &args, sizeof args, bindings, 5));
    return cuda_set(p, n, k);
out:
    k->base.free(&k->base);
    return st;
}

const cuda_rule cuda_regions_rules[] = {
    {&op_roi_embed_def, prepare_roi_embed}, {&op_roi_embed_dx_def, prepare_roi_embed_dx}, {0}};
