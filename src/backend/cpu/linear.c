/* linear: small ones by our own kernel, which reads the weights as they lie; the others by oneDNN's matmul. In bf16 its
 * gradient of the weights is faster as an inner product's, which sums the bias on the way. */
#include "backend/cpu/kernel/linear.h"
#include "backend/cpu/cpu_int.h"
#include "backend/cpu/kernel/channels.h"

enum { SMALL_ROWS = 64 };

/* x [rows, k], w [o, k], y [rows, o] */
typedef struct {
    const graph_value *x, *y;
    int64_t rows, k, o;
} linear_shape;

static linear_shape shape_make(const graph_value *x, const graph_value *w, const graph_value *y)
{
    return (linear_shape){x, y, shape_count(&x->shape) / w->shape.dim[1], w->shape.dim[1], w->shape.dim[0]};
}

static bool is_small(const linear_shape *s)
{
    return s->rows <= SMALL_ROWS || s->x->type != s->y->type;
}

bool linear_is_small(graph *g, node_id n)
{
    const graph_node *node = graph_node_at(g, n);
    const linear_shape s = shape_make(graph_value_at(g, node->inputs[0]), graph_value_at(g, node->inputs[1]),
                                      graph_value_at(g, node->outputs[0]));
    return is_small(&s);
}

static linear_args args_make(cpu_prepare *p, const linear_shape *s)
{
    return (linear_args){.rows = s->rows,
                         .k = s->k,
                         .o = s->o,
                         .threads = p->b->threads,
                         .x_is_bf16 = is_bf16(s->x),
                         .y_is_bf16 = is_bf16(s->y)};
}

/* --- matmul ------------------------------------------------------------------------------------------------------- */
/* A matrix [rows, columns] in some type; is_transposed: stored as [columns, rows]. */
typedef struct {
    int64_t rows, columns;
    bool is_half, is_transposed;
} matrix;

static mien_status matrix_desc(dnnl_memory_desc_t *out, matrix m)
{
    mien_status st = MIEN_OK;
    dnnl_dims_t dims = {m.rows, m.columns}, strides = {m.columns, 1};
    if (m.is_transposed) {
        strides[0] = 1;
        strides[1] = m.rows;
    }
    TRY_DNNL("matrix", dnnl_memory_desc_create_with_strides(out, 2, dims, m.is_half ? dnnl_bf16 : dnnl_f32, strides));
out:
    return st;
}

/* dst = a b (+ bias [columns]). pack_at: the node's input that b is, a parameter, packed first where its type or the
 * primitive wants it; -1: b is no parameter. from[]: where a, b, dst and bias come from; bias where has_bias. */
static mien_status matmul_step(cpu_prepare *p, node_id n, cpu_kernel *k, matrix a, matrix b, matrix dst,
                               const binding from[4], bool has_bias, int pack_at)
{
    mien_status st = MIEN_OK;
    dnnl_memory_desc_t mds[4] = {0}, stored = NULL;
    dnnl_primitive_attr_t attr = NULL;
    dnnl_primitive_desc_t pd = NULL;
    dnnl_dims_t dims = {b.rows, b.columns}, bias_dims = {1, dst.columns};
    TRY_OUT(matrix_desc(&mds[0], a));
    TRY_OUT(matrix_desc(&mds[2], dst));
    if (pack_at >= 0 && b.is_half)
        TRY_DNNL("matrix", dnnl_memory_desc_create_with_tag(&mds[1], 2, dims, dnnl_bf16, dnnl_format_tag_any));
    else
        TRY_OUT(matrix_desc(&mds[1], b));
    if (has_bias)
        TRY_DNNL("bias", dnnl_memory_desc_create_with_tag(&mds[3], 2, bias_dims, dnnl_f32, dnnl_ab));
    TRY_DNNL("attributes", dnnl_primitive_attr_create(&attr));
    TRY_DNNL("attributes", dnnl_primitive_attr_set_scratchpad_mode(attr, dnnl_scratchpad_mode_user));
    TRY_DNNL("matmul", dnnl_matmul_primitive_desc_create(&pd, p->b->engine, mds[0], mds[1], mds[3], mds[2], attr));
    const_dnnl_memory_desc_t wanted = dnnl_primitive_desc_query_md(pd, dnnl_query_weights_md, 0);
    if (pack_at >= 0 && b.is_half) {
        value_id packed = NO_VALUE;
        b.is_half = false;
        TRY_OUT(matrix_desc(&stored, b));
        TRY_OUT(pack_insert(p, &packed, n, graph_node_at(p->g, n)->inputs[pack_at], stored, wanted, "pack"));
        graph_node_at(p->g, n)->inputs[pack_at] = packed;
    }
    const const_dnnl_memory_desc_t used[4] = {mds[0], wanted, mds[2], mds[3]};
    TRY_OUT(cpu_kernel_add_primitive(k, pd, from, used, has_bias ? 4 : 3, true));
out:
    for (int i = 0; i < 4; i++)
        if (mds[i])
            dnnl_memory_desc_destroy(mds[i]);
    if (stored)
        dnnl_memory_desc_destroy(stored);
    if (attr)
        dnnl_primitive_attr_destroy(attr);
    if (pd)
        dnnl_primitive_desc_destroy(pd);
    return st;
}

static mien_status product_prepare(cpu_prepare *p, node_id n, matrix a, matrix b, matrix dst, const binding from[4],
                                   bool has_bias, int pack_at)
{
    mien_status st = MIEN_OK;
    cpu_kernel *k = NULL;
    TRY(cpu_kernel_create(&k, p->b));
    TRY_OUT(matmul_step(p, n, k, a, b, dst, from, has_bias, pack_at));
    TRY_OUT(prepare_set(p, n, k));
    k = NULL;
out:
    cpu_kernel_free(k);
    return st;
}

/* --- the three operators ------------------------------------------------------------------------------------------ */
mien_status linear_prepare(cpu_prepare *p, node_id n)
{
    static const binding own[] = {{FROM_INPUT, 0, offsetof(linear_args, x)},
                                  {FROM_INPUT, 1, offsetof(linear_args, w)},
                                  {FROM_INPUT, 2, offsetof(linear_args, bias)},
                                  {FROM_OUTPUT, 0, offsetof(linear_args, y)},
                                  {FROM_SCRATCH, 0, offsetof(linear_args, scratch)}};
    static const binding product[] = {{FROM_INPUT, 0, DNNL_ARG_SRC},
                                      {FROM_INPUT, 1, DNNL_ARG_WEIGHTS},
                                      {FROM_OUTPUT, 0, DNNL_ARG_DST},
                                      {FROM_INPUT, 2, DNNL_ARG_BIAS}};
    linear_shape s = shape_make(node_input(p->g, n, 0), node_input(p->g, n, 1), node_output(p->g, n, 0));
    if (is_small(&s)) {
        linear_args args = args_make(p, &s);
        if (s.o > s.k && !node_input(p->g, n, 1)->is_mutated) { /* what the kernel wants, once and not at each run */
            value_id packed = NO_VALUE;
            TRY(pack_insert_transposed(p, &packed, n, graph_node_at(p->g, n)->inputs[1]));
            graph_node_at(p->g, n)->inputs[1] = packed;
            args.is_transposed = true;
        }
        return prepare_own(p, n, p->b->own->linear, &args, sizeof args, own, 5, linear_scratch_bytes(s.rows, s.k, s.o));
    }
    bool half = is_bf16(s.x);
    return product_prepare(p, n, (matrix){s.rows, s.k, half, false}, (matrix){s.k, s.o, half, true},
                           (matrix){s.rows, s.o, half, false}, product, node_input(p->g, n, 2) != NULL, 1);
}

mien_status linear_dx_prepare(cpu_prepare *p, node_id n)
{
    static const binding own[] = {{FROM_INPUT, 0, offsetof(linear_args, y)},
                                  {FROM_INPUT, 1, offsetof(linear_args, w)},
                                  {FROM_OUTPUT, 0, offsetof(linear_args, x)},
                                  {FROM_SCRATCH, 0, offsetof(linear_args, scratch)}};
    static const binding product[] = {
        {FROM_INPUT, 0, DNNL_ARG_SRC}, {FROM_INPUT, 1, DNNL_ARG_WEIGHTS}, {FROM_OUTPUT, 0, DNNL_ARG_DST}, {0}};
    linear_shape s = shape_make(node_output(p->g, n, 0), node_input(p->g, n, 1), node_input(p->g, n, 0));
    if (is_small(&s)) {
        linear_args args = args_make(p, &s);
        return prepare_own(p, n, p->b->own->linear_dx, &args, sizeof args, own, 4,
                           linear_scratch_bytes(s.rows, s.k, s.o));
    }
    bool half = is_bf16(s.x);
    return product_prepare(p, n, (matrix){s.rows, s.o, half, false}, (matrix){s.o, s.k, half, false},
                           (matrix){s.rows, s.k, half, false}, product, false, 1);
}

/* dw = dy^T x and, where wanted, dbias, both bf16 to f32 as stored. */
static mien_status inner_product_dw_step(cpu_prepare *p, cpu_kernel *k, const linear_shape *s, bool has_bias)
{
    static const binding from[] = {{FROM_INPUT, 0, DNNL_ARG_SRC},
                                   {FROM_INPUT, 1, DNNL_ARG_DIFF_DST},
                                   {FROM_OUTPUT, DW_WEIGHT, DNNL_ARG_DIFF_WEIGHTS},
                                   {FROM_OUTPUT, DW_BIAS, DNNL_ARG_DIFF_BIAS}};
    mien_status st = MIEN_OK;
    dnnl_memory_desc_t mds[4] = {0}, w = NULL;
    dnnl_primitive_attr_t attr = NULL;
    dnnl_primitive_desc_t hint = NULL, pd = NULL;
    dnnl_dims_t w_dims = {s->o, s->k}, b_dims = {s->o};
    TRY_OUT(matrix_desc(&mds[0], (matrix){s->rows, s->k, true, false}));
    TRY_OUT(matrix_desc(&mds[1], (matrix){s->rows, s->o, true, false}));
    TRY_OUT(matrix_desc(&mds[2], (matrix){s->o, s->k, false, false}));
    TRY_DNNL("weight", dnnl_memory_desc_create_with_tag(&w, 2, w_dims, dnnl_bf16, dnnl_format_tag_any));
    if (has_bias)
        TRY_DNNL("bias", dnnl_memory_desc_create_with_tag(&mds[3], 1, b_dims, dnnl_f32, dnnl_a));
    TRY_DNNL("attributes", dnnl_primitive_attr_create(&attr));
    TRY_DNNL("attributes", dnnl_primitive_attr_set_scratchpad_mode(attr, dnnl_scratchpad_mode_user));
    TRY_DNNL("inner product", dnnl_inner_product_forward_primitive_desc_create(
                                  &hint, p->b->engine, dnnl_forward_training, mds[0], w, mds[3], mds[1], attr));
    TRY_DNNL("inner product dw", dnnl_inner_product_backward_weights_primitive_desc_create(
                                     &pd, p->b->engine, mds[0], mds[2], mds[3], mds[1], hint, attr));
    TRY_OUT(cpu_kernel_add_primitive(k, pd, from, (const const_dnnl_memory_desc_t *)mds, has_bias ? 4 : 3, true));
out:
    for (int i = 0; i < 4; i++)
        if (mds[i])
            dnnl_memory_desc_destroy(mds[i]);
    if (w)
        dnnl_memory_desc_destroy(w);
    if (attr)
        dnnl_primitive_attr_destroy(attr);
    if (hint)
        dnnl_primitive_desc_destroy(hint);
    if (pd)
        dnnl_primitive_desc_destroy(pd);
    return st;
}

mien_status linear_dw_prepare(cpu_prepare *p, node_id n)
{
    static const binding outputs[] = {{FROM_OUTPUT, DW_WEIGHT, offsetof(linear_args, dw)},
                                      {FROM_OUTPUT, DW_BIAS, offsetof(linear_args, dbias)}};
    static const binding own[] = {{FROM_INPUT, 0, offsetof(linear_args, x)},
                                  {FROM_INPUT, 1, offsetof(linear_args, y)},
                                  {FROM_SCRATCH, 0, offsetof(linear_args, scratch)}};
    static const binding product[] = {
        {FROM_INPUT, 1, DNNL_ARG_SRC}, {FROM_INPUT, 0, DNNL_ARG_WEIGHTS}, {FROM_OUTPUT, DW_WEIGHT, DNNL_ARG_DST}, {0}};
    static const binding bias[] = {{FROM_INPUT, 1, offsetof(bias_gradient_args, dy)},
                                   {FROM_OUTPUT, DW_BIAS, offsetof(bias_gradient_args, dbias)}};
    mien_status st = MIEN_OK;
    cpu_kernel *k = NULL;
    linear_shape s = shape_make(node_input(p->g, n, 0), node_input(p->g, n, 2), node_input(p->g, n, 1));
    bool half = is_bf16(s.x);
    TRY(cpu_kernel_create(&k, p->b));
    if (is_small(&s)) {
        linear_args args = args_make(p, &s);
        TRY_OUT(cpu_kernel_add_own(k, p->b->own->linear_dw, &args, sizeof args, own, 3));
        cpu_kernel_scratch(k, linear_scratch_bytes(s.rows, s.k, s.o));
        for (int i = 0; i < DW_OUTPUTS; i++)
            if (node_output(p->g, n, i))
                cpu_kernel_bind(k, outputs[i]);
    } else if (half && node_output(p->g, n, DW_WEIGHT)) {
        TRY_OUT(inner_product_dw_step(p, k, &s, node_output(p->g, n, DW_BIAS) != NULL));
    } else {
        if (node_output(p->g, n, DW_WEIGHT)) /* dw = dy^T x */
            TRY_OUT(matmul_step(p, n, k, (matrix){s.o, s.rows, half, true}, (matrix){s.rows, s.k, half, false},
                                (matrix){s.o, s.k, false, false}, product, false, -1));
        if (node_output(p->g, n, DW_BIAS)) {
            bias_gradient_args args = {.rows = s.rows, .c = s.o, .threads = p->b->threads, .is_bf16 = half};
            size_t at = cpu_kernel_scratch(k, bias_gradient_scratch_bytes(s.o, args.threads));
            TRY_OUT(cpu_kernel_add_own(k, p->b->own->bias_gradient, &args, sizeof args, bias, 2));
            cpu_kernel_bind(k, (binding){FROM_SCRATCH, at, offsetof(bias_gradient_args, scratch)});
        }
    }
    TRY_OUT(prepare_set(p, n, k));
    k = NULL;
out:
    cpu_kernel_free(k);
    return st;
}
