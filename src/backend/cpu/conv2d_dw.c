/* Weight gradients of convolutions. In bf16 they are our own kernel's where that is faster (kernel/conv2d_dw.c), else
 * oneDNN's, divided among threads here and not by oneDNN: its own division has barriers within the kernels, where a
 * thread spins for others that may have lost their core to another process. Each piece is a primitive made for one
 * thread: of some of the pictures, their gradients summed after, where weights are few; of some output channels where
 * they are many. A 1x1 convolution's gradient is a product of matrices, whose output channels are columns of dy as it
 * lies; for others a piece first copies its columns. */
#include "backend/cpu/kernel/conv2d_dw.h"
#include "backend/cpu/conv2d.h"
#include "backend/cpu/kernel/channels.h"
#include "backend/cpu/kernel/pointwise.h"

#include "base/mem.h"

#include <string.h>

/* One piece: its own shapes, and where its operands are. */
typedef struct {
    shape x, w, dy;
    binding x_from, dy_from, dw_to; /* dw as torchvision lays it out */
} dw_piece;

/* The whole gradient, and how it is divided. */
typedef struct {
    conv2d_attr conv;
    shape x, w, dy;
    binding x_from;
    bool half, by_pictures;
    int parts;
} dw_plan;

static size_t type_bytes(const dw_plan *plan)
{
    return dtype_bytes(plan->half ? DTYPE_BF16 : DTYPE_F32);
}

/* --- steps of a piece ----------------------------------------------------------------------------------------------
 */
/* y [rows, row_bytes] = x, rows of `pitch` bytes */
typedef struct {
    const char *x;
    char *y;
    int64_t rows;
    size_t row_bytes, pitch;
} columns_args;

static void copy_columns(const void *args)
{
    const columns_args *a = args;
    for (int64_t r = 0; r < a->rows; r++)
        memcpy(a->y + (size_t)r * a->row_bytes, a->x + (size_t)r * a->pitch, a->row_bytes);
}

static mien_status add_copy(cpu_kernel *k, const dw_plan *plan, dw_piece *piece)
{
    columns_args args = {.rows = shape_count(&piece->dy) / piece->dy.dim[3],
                         .row_bytes = (size_t)piece->dy.dim[3] * type_bytes(plan),
                         .pitch = (size_t)plan->dy.dim[3] * type_bytes(plan)};
    size_t at = cpu_kernel_scratch(k, (size_t)args.rows * args.row_bytes);
    binding bindings[] = {piece->dy_from, {FROM_SCRATCH, at, offsetof(columns_args, y)}};
    bindings[0].at = offsetof(columns_args, x);
    piece->dy_from = (binding){FROM_SCRATCH, at, 0};
    return cpu_kernel_add_own(k, copy_columns, &args, sizeof args, bindings, 2);
}

static binding as(binding b, size_t at)
{
    b.at = at;
    return b;
}

static mien_status add_convolution(cpu_kernel *k, cpu_prepare *p, const dw_plan *plan, const dw_piece *piece)
{
    mien_status st = MIEN_OK;
    conv_desc d = {0};
    dnnl_primitive_desc_t hint = NULL, pd = NULL;
    dnnl_primitive_attr_t attr = NULL;
    TRY_OUT(conv_backward_make(&d, &hint, &attr, p, &plan->conv, &piece->x, &piece->w, &piece->dy, plan->half));
    TRY_DNNL("convolution dw", dnnl_convolution_backward_weights_primitive_desc_create(
                                   &pd, p->b->engine, dnnl_convolution_direct, d.x, d.w_f32, NULL, d.y, d.stride,
                                   d.dilation, d.pad_begin, d.pad_end, hint, attr));
    const_dnnl_memory_desc_t packed = dnnl_primitive_desc_query_md(pd, dnnl_query_diff_weights_md, 0);
    bool is_plain = dnnl_memory_desc_equal(packed, d.w_plain);
    binding dw = piece->dw_to;
    if (!is_plain)
        dw = (binding){FROM_SCRATCH, cpu_kernel_scratch(k, dnnl_memory_desc_get_size(packed)), 0};
    const binding bindings[] = {as(piece->x_from, DNNL_ARG_SRC), as(piece->dy_from, DNNL_ARG_DIFF_DST),
                                as(dw, DNNL_ARG_DIFF_WEIGHTS)};
    TRY_OUT(cpu_kernel_add_primitive(k, pd, bindings, (const const_dnnl_memory_desc_t[]){d.x, d.y, packed}, 3, true));
    if (!is_plain)
        TRY_OUT(cpu_kernel_add_reorder(k, packed, dw, d.w_plain, piece->dw_to, false));
out:
    if (pd)
        dnnl_primitive_desc_destroy(pd);
    if (hint)
        dnnl_primitive_desc_destroy(hint);
    if (attr)
        dnnl_primitive_attr_destroy(attr);
    conv_desc_free(&d);
    return st;
}

/* The product dw [o, c] = dy^T x of a 1x1 convolution, dy in rows of all channels. *out stays NULL where oneDNN has
 * none that is as good as its convolution. */
static mien_status product_desc(dnnl_primitive_desc_t *out, dnnl_memory_desc_t mds[3], cpu_prepare *p,
                                const dw_plan *plan, const dw_piece *piece)
{
    mien_status st = MIEN_OK;
    dnnl_primitive_attr_t attr = NULL;
    dnnl_primitive_desc_t pd = NULL;
    const char *name = "";
    int64_t o = piece->w.dim[0], c = piece->w.dim[1], rows = shape_count(&piece->x) / c;
    dnnl_data_type_t type = plan->half ? dnnl_bf16 : dnnl_f32;
    dnnl_dims_t dy = {o, rows}, x = {rows, c}, dw = {o, c};
    TRY_DNNL("matrix", dnnl_memory_desc_create_with_strides(&mds[0], 2, dy, type, (dnnl_dims_t){1, plan->dy.dim[3]}));
    TRY_DNNL("matrix", dnnl_memory_desc_create_with_strides(&mds[1], 2, x, type, (dnnl_dims_t){c, 1}));
    TRY_DNNL("matrix", dnnl_memory_desc_create_with_strides(&mds[2], 2, dw, dnnl_f32, (dnnl_dims_t){c, 1}));
    TRY_OUT(conv_attr_make(&attr, ACT_NONE, NULL));
    TRY_DNNL("matmul", dnnl_matmul_primitive_desc_create(&pd, p->b->engine, mds[0], mds[1], NULL, mds[2], attr));
    TRY_DNNL("matmul", dnnl_primitive_desc_query(pd, dnnl_query_impl_info_str, 0, (void *)&name));
    if (strncmp(name, "brg", 3) == 0) {
        *out = pd;
        pd = NULL;
    }
out:
    if (pd)
        dnnl_primitive_desc_destroy(pd);
    if (attr)
        dnnl_primitive_attr_destroy(attr);
    return st;
}

static bool is_product(const conv2d_attr *c, const shape *w)
{
    return w->dim[2] == 1 && w->dim[3] == 1 && c->stride[0] == 1 && c->stride[1] == 1 && c->groups == 1 &&
           !(c->pad_begin[0] || c->pad_begin[1] || c->pad_end[0] || c->pad_end[1]);
}

static mien_status add_product(bool *is_done, cpu_kernel *k, cpu_prepare *p, const dw_plan *plan, const dw_piece *piece)
{
    mien_status st = MIEN_OK;
    dnnl_memory_desc_t mds[3] = {0};
    dnnl_primitive_desc_t pd = NULL;
    TRY_OUT(product_desc(&pd, mds, p, plan, piece));
    *is_done = pd != NULL;
    if (pd) {
        const binding bindings[] = {as(piece->dy_from, DNNL_ARG_SRC), as(piece->x_from, DNNL_ARG_WEIGHTS),
                                    as(piece->dw_to, DNNL_ARG_DST)};
        TRY_OUT(cpu_kernel_add_primitive(k, pd, bindings, (const const_dnnl_memory_desc_t *)mds, 3, true));
    }
out:
    if (pd)
        dnnl_primitive_desc_destroy(pd);
    for (int i = 0; i < 3; i++)
        if (mds[i])
            dnnl_memory_desc_destroy(mds[i]);
    return st;
}

static mien_status add_piece(cpu_kernel *k, cpu_prepare *p, const dw_plan *plan, dw_piece piece)
{
    bool is_done = false;
    if (!plan->by_pictures && is_product(&plan->conv, &plan->w))
        TRY(add_product(&is_done, k, p, plan, &piece));
    if (is_done)
        return MIEN_OK;
    if (piece.dy.dim[3] < plan->dy.dim[3])
        TRY(add_copy(k, plan, &piece));
    return add_convolution(k, p, plan, &piece);
}

/* --- the division ------------------------------------------------------------------------------------------------- */
enum { CHANNEL_GRAIN = 16 };

static bool is_even(int64_t count, int64_t grain, int parts)
{
    int64_t grains = (count + grain - 1) / grain, most = (grains + parts - 1) / parts;
    return most * parts * 4 <= grains * 5;
}

/* By pictures where the sums that this makes are small beside what is read anyway, and each thread gets as many. */
static void divide(dw_plan *plan, int threads)
{
    int64_t n = plan->dy.dim[0], o = plan->dy.dim[3], grains = (o + CHANNEL_GRAIN - 1) / CHANNEL_GRAIN;
    int64_t read = (shape_count(&plan->x) + shape_count(&plan->dy)) * (int64_t)type_bytes(plan);
    int64_t sums = 2 * threads * shape_count(&plan->w) * (int64_t)sizeof(float);
    bool even_pictures = is_even(n, 1, threads), even_channels = is_even(o, CHANNEL_GRAIN, threads);
    plan->by_pictures = plan->conv.groups > 1 || (even_pictures && (sums <= read / 4 || !even_channels));
    int64_t most = plan->by_pictures ? n : grains;
    plan->parts = most < threads ? (int)most : threads;
    if (plan->parts == 1)
        plan->by_pictures = false;
}

static void move(binding *from, size_t *input_offset, size_t bytes)
{
    if (from->from == FROM_SCRATCH)
        from->index += bytes;
    else
        *input_offset = bytes;
}

/* Piece `index`, and how far its operands lie behind the node's. */
static dw_piece piece_make(cpu_part *where, const dw_plan *plan, int index, size_t sums_at)
{
    dw_piece piece = {.x = plan->x,
                      .w = plan->w,
                      .dy = plan->dy,
                      .x_from = plan->x_from,
                      .dy_from = {FROM_INPUT, 1, 0},
                      .dw_to = {FROM_OUTPUT, DW_WEIGHT, 0}};
    size_t w_bytes = (size_t)shape_count(&plan->w) * sizeof(float);
    if (plan->by_pictures) {
        part mine = part_of(plan->dy.dim[0], 1, plan->parts, index);
        piece.x.dim[0] = piece.dy.dim[0] = mine.end - mine.begin;
        size_t x_bytes = (size_t)(shape_count(&plan->x) / plan->x.dim[0]) * type_bytes(plan);
        size_t dy_bytes = (size_t)(shape_count(&plan->dy) / plan->dy.dim[0]) * type_bytes(plan);
        move(&piece.x_from, &where->input_offset[0], (size_t)mine.begin * x_bytes);
        where->input_offset[1] = (size_t)mine.begin * dy_bytes;
        piece.dw_to = (binding){FROM_SCRATCH, sums_at + (size_t)index * w_bytes, 0};
    } else {
        part mine = part_of(plan->dy.dim[3], CHANNEL_GRAIN, plan->parts, index);
        piece.w.dim[0] = piece.dy.dim[3] = mine.end - mine.begin;
        where->input_offset[1] = (size_t)mine.begin * type_bytes(plan);
        where->output_offset = (size_t)mine.begin * (w_bytes / (size_t)plan->w.dim[0]);
    }
    return piece;
}

/* Pieces are made as for one thread: oneDNN asks when a primitive is made. */
static mien_status add_pieces(cpu_kernel *k, cpu_prepare *p, const dw_plan *plan, size_t sums_at)
{
    mien_status st = MIEN_OK;
    cpu_part *parts = NULL;
    team *before = openmp_enter(p->b->alone);
    TRY_OUT(mem_zalloc(&parts, plan->parts));
    for (int i = 0; i < plan->parts; i++) {
        dw_piece piece = piece_make(&parts[i], plan, i, sums_at);
        TRY_OUT(cpu_kernel_create(&parts[i].kernel, p->b));
        parts[i].kernel->base.scratch_bytes =
            k->base.scratch_bytes; /* pieces lie side by side in the whole's scratch */
        TRY_OUT(add_piece(parts[i].kernel, p, plan, piece));
        k->base.scratch_bytes = parts[i].kernel->base.scratch_bytes;
    }
    st = cpu_kernel_add_parts(k, parts, plan->parts);
    parts = NULL;
out:
    openmp_enter(before);
    cpu_parts_free(parts, plan->parts);
    return st;
}

static mien_status add_sum(cpu_kernel *k, cpu_prepare *p, const dw_plan *plan, size_t sums_at)
{
    sum_args args = {.count = shape_count(&plan->w), .terms = plan->parts, .threads = p->b->threads};
    const binding bindings[] = {{FROM_SCRATCH, sums_at, offsetof(sum_args, x)},
                                {FROM_OUTPUT, DW_WEIGHT, offsetof(sum_args, y)}};
    return cpu_kernel_add_own(k, p->b->own->sum, &args, sizeof args, bindings, 2);
}

static mien_status add_weight(cpu_kernel *k, cpu_prepare *p, dw_plan *plan)
{
    divide(plan, p->b->threads);
    if (plan->parts == 1) {
        cpu_part whole = {0};
        return add_piece(k, p, plan, piece_make(&whole, plan, 0, 0));
    }
    size_t sums_at = 0;
    if (plan->by_pictures)
        sums_at = cpu_kernel_scratch(k, (size_t)(plan->parts * shape_count(&plan->w)) * sizeof(float));
    TRY(add_pieces(k, p, plan, sums_at));
    return plan->by_pictures ? add_sum(k, p, plan, sums_at) : MIEN_OK;
}

/* --- our own kernel ----------------------------------------------------------------------------------------------- */
/* Ours adds products of bf16 in pairs of pictures and tiles of channels; where these would be filled up with zeros for
 * more than a quarter of the work, and on machines with tiles of their own (amx), oneDNN's is better. */
static bool is_ours(const cpu_backend *b, const dw_plan *plan)
{
    const int64_t n = plan->x.dim[0], c = plan->x.dim[3], o = plan->dy.dim[3];
    const int64_t filled = conv2d_dw_up(n, 2) * conv2d_dw_up(c, CONV2D_DW_LANES) * conv2d_dw_up(o, CONV2D_DW_O);
    return b->own->conv2d_dw && b->isa == ISA_AVX512_BF16 && plan->half && plan->conv.groups == 1 &&
           4 * filled <= 5 * n * c * o;
}

static mien_status add_ours(cpu_kernel *k, cpu_prepare *p, const dw_plan *plan)
{
    const conv2d_attr *c = &plan->conv;
    conv2d_dw_args args = {.n = plan->x.dim[0],
                           .h = plan->x.dim[1],
                           .w = plan->x.dim[2],
                           .c = plan->x.dim[3],
                           .oh = plan->dy.dim[1],
                           .ow = plan->dy.dim[2],
                           .o = plan->dy.dim[3],
                           .kernel = {(int)plan->w.dim[2], (int)plan->w.dim[3]},
                           .stride = {c->stride[0], c->stride[1]},
                           .dilation = {c->dilation[0], c->dilation[1]},
                           .pad = {c->pad_begin[0], c->pad_begin[1]},
                           .threads = p->b->threads};
    const size_t at = cpu_kernel_scratch(k, conv2d_dw_divide(&args));
    const binding bindings[] = {{FROM_INPUT, 0, offsetof(conv2d_dw_args, x)},
                                {FROM_INPUT, 1, offsetof(conv2d_dw_args, dy)},
                                {FROM_OUTPUT, DW_WEIGHT, offsetof(conv2d_dw_args, dw)},
                                {FROM_SCRATCH, at, offsetof(conv2d_dw_args, scratch)}};
    return cpu_kernel_add_own(k, p->b->own->conv2d_dw, &args, sizeof args, bindings, 4);
}

/* --- around it ---------------------------------------------------------------------------------------------------- */
/* oneDNN's jit_1x1 backward weights on NHWC writes past its workspace where the stride is above 1 and there are fewer
 * input channels than its block (its issue 6035): such a layer's x is subsampled first, and the stride is gone. */
static bool is_trap(const conv2d_attr *attr, const shape *w)
{
    return w->dim[2] == 1 && w->dim[3] == 1 && (attr->stride[0] > 1 || attr->stride[1] > 1) && w->dim[1] < 16;
}

/* y [n, oh, ow, c] = every stride-th pixel of x */
typedef struct {
    const char *x;
    char *y;
    shape from, to;
    int stride[2];
    size_t pixel_bytes;
} subsample_args;

static void subsample(const void *args)
{
    const subsample_args *a = args;
    for (int64_t row = 0; row < a->to.dim[0] * a->to.dim[1]; row++)
        for (int64_t ox = 0; ox < a->to.dim[2]; ox++) {
            int64_t i = row / a->to.dim[1], iy = row % a->to.dim[1] * a->stride[0], ix = ox * a->stride[1];
            memcpy(a->y + (size_t)(row * a->to.dim[2] + ox) * a->pixel_bytes,
                   a->x + (size_t)((i * a->from.dim[1] + iy) * a->from.dim[2] + ix) * a->pixel_bytes, a->pixel_bytes);
        }
}

static mien_status add_subsample(cpu_kernel *k, dw_plan *plan)
{
    shape to = plan->x;
    to.dim[1] = plan->dy.dim[1];
    to.dim[2] = plan->dy.dim[2];
    subsample_args args = {.from = plan->x, .to = to, .stride = {plan->conv.stride[0], plan->conv.stride[1]}};
    args.pixel_bytes = (size_t)to.dim[3] * type_bytes(plan);
    size_t at = cpu_kernel_scratch(k, (size_t)shape_count(&to) * type_bytes(plan));
    const binding bindings[] = {{FROM_INPUT, 0, offsetof(subsample_args, x)},
                                {FROM_SCRATCH, at, offsetof(subsample_args, y)}};
    plan->x_from = (binding){FROM_SCRATCH, at, 0};
    plan->x = to;
    plan->conv.stride[0] = plan->conv.stride[1] = 1;
    return cpu_kernel_add_own(k, subsample, &args, sizeof args, bindings, 2);
}

static mien_status add_bias(cpu_kernel *k, cpu_prepare *p, const graph_value *dy)
{
    bias_gradient_args args = {.rows = shape_count(&dy->shape) / dy->shape.dim[3],
                               .c = dy->shape.dim[3],
                               .threads = p->b->threads,
                               .is_bf16 = is_bf16(dy)};
    size_t at = cpu_kernel_scratch(k, bias_gradient_scratch_bytes(args.c, args.threads));
    const binding bindings[] = {{FROM_INPUT, 1, offsetof(bias_gradient_args, dy)},
                                {FROM_OUTPUT, DW_BIAS, offsetof(bias_gradient_args, dbias)},
                                {FROM_SCRATCH, at, offsetof(bias_gradient_args, scratch)}};
    return cpu_kernel_add_own(k, p->b->own->bias_gradient, &args, sizeof args, bindings, 3);
}

mien_status conv2d_dw_prepare(cpu_prepare *p, node_id n)
{
    const conv2d_grad_attr *grad = graph_node_at(p->g, n)->attr;
    const graph_value *dy = node_input(p->g, n, 1), *w = node_input(p->g, n, 2);
    bool has_weight = node_output(p->g, n, DW_WEIGHT);
    if (has_weight && conv2d_is_depthwise(&grad->conv, &grad->x, &w->shape))
        return depthwise_dw_prepare(p, n);
    const conv2d_attr *c = &grad->conv;
    dw_plan plan = {
        .conv = *c, .x = grad->x, .w = w->shape, .dy = dy->shape, .x_from = {FROM_INPUT, 0, 0}, .half = is_bf16(dy)};
    bool has_pad = c->pad_begin[0] || c->pad_begin[1] || c->pad_end[0] || c->pad_end[1];
    mien_status st = MIEN_OK;
    cpu_kernel *k = NULL;
    TRY_OUT(cpu_kernel_create(&k, p->b));
    if (has_weight && is_ours(p->b, &plan)) {
        TRY_OUT(add_ours(k, p, &plan));
    } else if (has_weight) {
        if (is_trap(c, &w->shape) && !has_pad)
            TRY_OUT(add_subsample(k, &plan));
        TRY_OUT(add_weight(k, p, &plan));
    }
    if (node_output(p->g, n, DW_BIAS))
        TRY_OUT(add_bias(k, p, dy));
    TRY_OUT(prepare_set(p, n, k));
    k = NULL;
out:
    cpu_kernel_free(k);
    return st;
}
