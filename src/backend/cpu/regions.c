/* Operators of networks that look at regions of a face: their embeddings, their own linear layers, and orthogonal
 * matrices. */
#include "backend/cpu/cpu_int.h"
#include "backend/cpu/kernel/channels.h"
#include "backend/cpu/kernel/group_linear.h"
#include "backend/cpu/kernel/roi_embed.h"
#include "graph/cayley.h"

/* --- region embeddings -------------------------------------------------------------------------------------------- */
static roi_embed_args roi_embed_of(cpu_prepare *p, const graph_value *y, const graph_value *attention)
{
    const int64_t *dim = y->shape.dim, regions = attention->shape.dim[3];
    return (roi_embed_args){.n = dim[0],
                            .h = dim[1],
                            .w = dim[2],
                            .regions = regions,
                            .d = dim[3] / regions,
                            .threads = p->b->threads,
                            .is_bf16 = is_bf16(y)};
}

mien_status roi_embed_prepare(cpu_prepare *p, node_id n)
{
    static const binding bindings[] = {{FROM_INPUT, ROI_PRODUCTS, offsetof(roi_embed_args, products)},
                                       {FROM_INPUT, ROI_ATTENTION, offsetof(roi_embed_args, attention)},
                                       {FROM_INPUT, ROI_BIAS, offsetof(roi_embed_args, bias)},
                                       {FROM_OUTPUT, 0, offsetof(roi_embed_args, y)}};
    const roi_embed_args args = roi_embed_of(p, node_output(p->g, n, 0), node_input(p->g, n, ROI_ATTENTION));
    return prepare_own(p, n, p->b->own->roi_embed, &args, sizeof args, bindings, 4, 0);
}

mien_status roi_embed_dx_prepare(cpu_prepare *p, node_id n)
{
    static const binding own[] = {{FROM_INPUT, ROI_DX_DY, offsetof(roi_embed_args, y)},
                                  {FROM_INPUT, ROI_DX_PRODUCTS, offsetof(roi_embed_args, products)},
                                  {FROM_INPUT, ROI_DX_ATTENTION, offsetof(roi_embed_args, attention)},
                                  {FROM_OUTPUT, ROI_PRODUCTS, offsetof(roi_embed_args, dproducts)},
                                  {FROM_OUTPUT, ROI_ATTENTION, offsetof(roi_embed_args, dattention)}};
    static const binding bias[] = {{FROM_INPUT, ROI_DX_DY, offsetof(bias_gradient_args, dy)},
                                   {FROM_OUTPUT, ROI_BIAS, offsetof(bias_gradient_args, dbias)},
                                   {FROM_SCRATCH, 0, offsetof(bias_gradient_args, scratch)}};
    mien_status st = MIEN_OK;
    cpu_kernel *k = NULL;
    const graph_value *dy = node_input(p->g, n, ROI_DX_DY);
    const roi_embed_args args = roi_embed_of(p, dy, node_input(p->g, n, ROI_DX_ATTENTION));
    TRY(cpu_kernel_create(&k, p->b));
    if (node_output(p->g, n, ROI_PRODUCTS) || node_output(p->g, n, ROI_ATTENTION))
        TRY_OUT(cpu_kernel_add_own(k, p->b->own->roi_embed_dx, &args, sizeof args, own, 5));
    if (node_output(p->g, n, ROI_BIAS)) {
        const int64_t c = args.regions * args.d;
        const bias_gradient_args sums = {
            .rows = args.n * args.h * args.w, .c = c, .threads = args.threads, .is_bf16 = args.is_bf16};
        cpu_kernel_scratch(k, bias_gradient_scratch_bytes(c, args.threads));
        TRY_OUT(cpu_kernel_add_own(k, p->b->own->bias_gradient, &sums, sizeof sums, bias, 3));
    }
    st = prepare_set(p, n, k);
    k = NULL;
out:
    cpu_kernel_free(k);
    return st;
}

/* --- linear layers of groups -------------------------------------------------------------------------------------- */
/* x and y, or their gradients */
static group_linear_args group_linear_of(cpu_prepare *p, node_id n, const graph_value *x, const graph_value *y)
{
    const group_linear_attr *attr = graph_node_at(p->g, n)->attr;
    const int64_t wide = x->shape.dim[x->shape.rank - 1], out = y->shape.dim[y->shape.rank - 1];
    return (group_linear_args){.rows = shape_count(&x->shape) / wide,
                               .groups = attr->groups,
                               .k = wide / attr->groups,
                               .o = out / attr->groups,
                               .threads = p->b->threads,
                               .x_is_bf16 = is_bf16(x),
                               .y_is_bf16 = is_bf16(y)};
}

static mien_status group_linear_own(cpu_prepare *p, node_id n, kernel_fn *fn, const group_linear_args *a,
                                    const binding *bindings, int count)
{
    return prepare_own(p, n, fn, a, sizeof *a, bindings, count,
                       group_linear_scratch_bytes(a->groups, a->k, a->o, a->threads));
}

mien_status group_linear_prepare(cpu_prepare *p, node_id n)
{
    static const binding bindings[] = {{FROM_INPUT, GROUP_X, offsetof(group_linear_args, x)},
                                       {FROM_INPUT, GROUP_W, offsetof(group_linear_args, w)},
                                       {FROM_INPUT, GROUP_B, offsetof(group_linear_args, bias)},
                                       {FROM_OUTPUT, 0, offsetof(group_linear_args, y)},
                                       {FROM_SCRATCH, 0, offsetof(group_linear_args, scratch)}};
    const group_linear_args args = group_linear_of(p, n, node_input(p->g, n, GROUP_X), node_output(p->g, n, 0));
    return group_linear_own(p, n, p->b->own->group_linear, &args, bindings, 5);
}

mien_status group_linear_dx_prepare(cpu_prepare *p, node_id n)
{
    static const binding bindings[] = {{FROM_INPUT, 0, offsetof(group_linear_args, y)},
                                       {FROM_INPUT, 1, offsetof(group_linear_args, w)},
                                       {FROM_OUTPUT, 0, offsetof(group_linear_args, x)},
                                       {FROM_SCRATCH, 0, offsetof(group_linear_args, scratch)}};
    const group_linear_args args = group_linear_of(p, n, node_output(p->g, n, 0), node_input(p->g, n, 0));
    return group_linear_own(p, n, p->b->own->group_linear_dx, &args, bindings, 4);
}

mien_status group_linear_dw_prepare(cpu_prepare *p, node_id n)
{
    static const binding bindings[] = {{FROM_INPUT, 0, offsetof(group_linear_args, x)},
                                       {FROM_INPUT, 1, offsetof(group_linear_args, y)},
                                       {FROM_OUTPUT, DW_WEIGHT, offsetof(group_linear_args, dw)},
                                       {FROM_OUTPUT, DW_BIAS, offsetof(group_linear_args, dbias)},
                                       {FROM_SCRATCH, 0, offsetof(group_linear_args, scratch)}};
    const group_linear_args args = group_linear_of(p, n, node_input(p->g, n, 0), node_input(p->g, n, 1));
    return group_linear_own(p, n, p->b->own->group_linear_dw, &args, bindings, 5);
}

/* --- orthogonal matrices ------------------------------------------------------------------------------------------ */
/* w, y [groups, d, d]; backward dy of y to dw of w. scratch: a matrix beside another. */
typedef struct {
    const float *w, *dy;
    float *y, *dw;
    double *scratch; /* [d, 2 d] */
    int64_t groups, d;
} orthogonal_args;

static void orthogonal(const void *args)
{
    const orthogonal_args *a = args;
    const int64_t count = a->d * a->d;
    for (int64_t g = 0; g < a->groups; g++)
        cayley(a->y + g * count, a->w + g * count, a->scratch, a->d);
}

static void orthogonal_dx(const void *args)
{
    const orthogonal_args *a = args;
    const int64_t count = a->d * a->d;
    for (int64_t g = 0; g < a->groups; g++)
        cayley_dx(a->dw + g * count, a->w + g * count, a->y + g * count, a->dy + g * count, a->scratch, a->d);
}

static mien_status orthogonal_own(cpu_prepare *p, node_id n, kernel_fn *fn, const graph_value *w,
                                  const binding *bindings, int count)
{
    const int64_t d = w->shape.dim[1];
    const orthogonal_args args = {.groups = w->shape.dim[0] / d, .d = d};
    return prepare_own(p, n, fn, &args, sizeof args, bindings, count, (size_t)(2 * d * d) * sizeof(double));
}

mien_status orthogonal_prepare(cpu_prepare *p, node_id n)
{
    static const binding bindings[] = {{FROM_INPUT, 0, offsetof(orthogonal_args, w)},
                                       {FROM_OUTPUT, 0, offsetof(orthogonal_args, y)},
                                       {FROM_SCRATCH, 0, offsetof(orthogonal_args, scratch)}};
    return orthogonal_own(p, n, orthogonal, node_input(p->g, n, 0), bindings, 3);
}

mien_status orthogonal_dx_prepare(cpu_prepare *p, node_id n)
{
    static const binding bindings[] = {{FROM_INPUT, ORTHOGONAL_DX_DY, offsetof(orthogonal_args, dy)},
                                       {FROM_INPUT, ORTHOGONAL_DX_W, offsetof(orthogonal_args, w)},
                                       {FROM_INPUT, ORTHOGONAL_DX_Y, offsetof(orthogonal_args, y)},
                                       {FROM_OUTPUT, 0, offsetof(orthogonal_args, dw)},
                                       {FROM_SCRATCH, 0, offsetof(orthogonal_args, scratch)}};
    return orthogonal_own(p, n, orthogonal_dx, node_input(p->g, n, ORTHOGONAL_DX_W), bindings, 5);
}
