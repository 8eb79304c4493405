/* Products of matrices by cuBLASLt: bf16 or f32 with sums in f32, a bias or its gradient on the way. The algorithm is
 * chosen once, when the kernel is made.
 *
 * cuBLASLt's matrices are by columns, ours by rows: what we call y = l r is y^T = r^T l^T there, so that r is its A, l
 * its B, and each is taken as it lies, turned where we turn it.
 *
 * Deterministic: an algorithm that is given gives the same bits in each run. Where a sum is divided among blocks
 * ("split K"), its parts lie in the workspace in f32 and are added in a separate step; schemes that add up in the
 * output, and so in bf16, are not let in. */
#include "backend/cuda/columns.h"
#include "backend/cuda/cublas_int.h"
#include "backend/cuda/kernel/library.h"

#include "base/mem.h"

#include <stdio.h>

typedef struct {
    cuda_call base;
    const cuda_libraries *l;
    lt_matmul matmul;
    lt_layout left, right, y;
    lt_algorithm algorithm;
    size_t workspace_bytes;
    bool has_bias;
} product;

static int lt_type(dtype type)
{
    return type == DTYPE_BF16 ? LT_R_16BF : LT_R_32F;
}

/* --- the call ----------------------------------------------------------------------------------------------------- */
static mien_status product_bind(cuda_call *base)
{
    product *c = (product *)base;
    if (c->has_bias)
        TRY_LT(c->l, "bias",
               c->l->lt.matmul_desc_set_attribute(c->matmul, LT_MATMUL_DESC_BIAS_POINTER, &base->operands[PRODUCT_BIAS],
                                                  sizeof(void *)));
    return MIEN_OK;
}

static mien_status product_run(cuda_call *base, device *d)
{
    const product *c = (const product *)base;
    const float one = 1, zero = 0;
    void *const *at = base->operands;
    void *workspace = c->workspace_bytes ? cuda_workspace_at(at[PRODUCT_WORKSPACE]) : NULL;
    TRY_LT(c->l, "product",
           c->l->lt.matmul(c->l->lt_handle, c->matmul, &one, at[PRODUCT_RIGHT], c->right, at[PRODUCT_LEFT], c->left,
                           &zero, at[PRODUCT_Y], c->y, at[PRODUCT_Y], c->y, &c->algorithm, workspace,
                           c->workspace_bytes, d->stream));
    return MIEN_OK;
}

static void product_free(cuda_call *base)
{
    product *c = (product *)base;
    if (c->matmul)
        (void)c->l->lt.matmul_desc_destroy(c->matmul);
    const lt_layout layouts[] = {c->left, c->right, c->y};
    for (size_t i = 0; i < sizeof layouts / sizeof *layouts; i++)
        if (layouts[i])
            (void)c->l->lt.layout_destroy(layouts[i]);
    mem_free(c);
}

/* --- making it ---------------------------------------------------------------------------------------------------- */
static mien_status layout_make(lt_layout *out, const cuda_libraries *l, const matrix *m, int64_t batch)
{
    const int32_t count = (int32_t)batch;
    TRY_LT(l, "matrix", l->lt.layout_create(out, lt_type(m->type), (uint64_t)m->columns, (uint64_t)m->rows, m->stride));
    if (batch == 1)
        return MIEN_OK;
    TRY_LT(l, "matrix", l->lt.layout_set_attribute(*out, LT_MATRIX_LAYOUT_BATCH_COUNT, &count, sizeof count));
    TRY_LT(l, "matrix",
           l->lt.layout_set_attribute(*out, LT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, &m->batch_stride,
                                      sizeof m->batch_stride));
    return MIEN_OK;
}

static mien_status set_u32(const cuda_libraries *l, lt_matmul matmul, int attribute, int value)
{
    const uint32_t v = (uint32_t)value;
    TRY_LT(l, "product", l->lt.matmul_desc_set_attribute(matmul, attribute, &v, sizeof v));
    return MIEN_OK;
}

static mien_status matmul_make(product *c, const product_plan *plan, bool is_tf32)
{
    const cuda_libraries *l = c->l;
    const bool is_half = plan->left.type == DTYPE_BF16;
    const int compute = is_tf32 && !is_half ? LT_COMPUTE_32F_FAST_TF32 : LT_COMPUTE_32F;
    TRY_LT(l, "product", l->lt.matmul_desc_create(&c->matmul, compute, LT_R_32F));
    TRY(set_u32(l, c->matmul, LT_MATMUL_DESC_TRANSA, plan->right.is_turned ? LT_OP_T : LT_OP_N));
    TRY(set_u32(l, c->matmul, LT_MATMUL_DESC_TRANSB, plan->left.is_turned ? LT_OP_T : LT_OP_N));
    TRY(set_u32(l, c->matmul, LT_MATMUL_DESC_EPILOGUE, plan->epilogue));
    c->has_bias = plan->epilogue != LT_EPILOGUE_DEFAULT;
    if (c->has_bias) {
        /* The heuristic reads the pointer's alignment, and refuses NULL; the address itself comes with bind. */
        const void *somewhere = (const void *)(uintptr_t)64;
        TRY_LT(l, "bias",
               l->lt.matmul_desc_set_attribute(c->matmul, LT_MATMUL_DESC_BIAS_POINTER, &somewhere, sizeof somewhere));
    }
    if (c->has_bias && plan->batch > 1)
        TRY_LT(l, "bias",
               l->lt.matmul_desc_set_attribute(c->matmul, LT_MATMUL_DESC_BIAS_BATCH_STRIDE, &plan->bias_stride,
                                               sizeof plan->bias_stride));
    return MIEN_OK;
}

/* What an algorithm may use and take for granted. */
static mien_status preference_fill(const cuda_libraries *l, lt_preference preference, const product_plan *plan)
{
    const uint64_t workspace = 32 << 20; /* what NVIDIA recommends for Hopper */
    const uint32_t scheme = LT_REDUCTION_SCHEME_NONE | LT_REDUCTION_SCHEME_COMPUTE_TYPE;
    const uint32_t a = (uint32_t)plan->right.alignment, b = (uint32_t)plan->left.alignment,
                   y = (uint32_t)plan->y.alignment;
    const struct {
        int attribute;
        const void *value;
        size_t bytes;
    } settings[] = {{LT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &workspace, sizeof workspace},
                    {LT_MATMUL_PREF_REDUCTION_SCHEME_MASK, &scheme, sizeof scheme},
                    {LT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, &a, sizeof a},
                    {LT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, &b, sizeof b},
                    {LT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, &y, sizeof y},
                    {LT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, &y, sizeof y}};
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
        TRY_LT(l, "preference",
               l->lt.preference_set_attribute(preference, settings[i].attribute, settings[i].value, settings[i].bytes));
    return MIEN_OK;
}

static mien_status choose_algorithm(product *c, const product_plan *plan)
{
    const cuda_libraries *l = c->l;
    lt_preference preference = NULL;
    lt_result result = {0};
    int found = 0;
    TRY_LT(l, "preference", l->lt.preference_create(&preference));
    mien_status st = preference_fill(l, preference, plan);
    int status = LT_STATUS_SUCCESS;
    if (st == MIEN_OK)
        status =
            l->lt.get_heuristic(l->lt_handle, c->matmul, c->right, c->left, c->y, c->y, preference, 1, &result, &found);
    (void)l->lt.preference_destroy(preference);
    TRY(st);
    if (status != LT_STATUS_SUCCESS)
        return lt_fail(l, "algorithm", status);
    if (found == 0 || result.state != LT_STATUS_SUCCESS)
        return mien_fail(MIEN_ERR_UNSUPPORTED, "cuBLASLt: no algorithm");
    c->algorithm = result.algorithm;
    c->workspace_bytes = result.workspace_bytes;
    return MIEN_OK;
}

mien_status cuda_product_create(cuda_product *out, const cuda_backend *b, const product_plan *plan)
{
    product *c = NULL;
    mien_status st = MIEN_OK;
    TRY(mem_zalloc(&c, 1));
    c->base = (cuda_call){.bind = product_bind, .run = product_run, .free = product_free};
    c->l = b->libraries;
    TRY_OUT(matmul_make(c, plan, b->options.is_tf32));
    TRY_OUT(layout_make(&c->left, c->l, &plan->left, plan->batch));
    TRY_OUT(layout_make(&c->right, c->l, &plan->right, plan->batch));
    TRY_OUT(layout_make(&c->y, c->l, &plan->y, plan->batch));
    TRY_OUT(choose_algorithm(c, plan));
    *out = (cuda_product){&c->base, c->workspace_bytes};
    return MIEN_OK;
out:
    product_free(&c->base);
    return st;
}

bool cuda_has_products(const cuda_backend *b)
{
    return b->libraries && b->libraries->lt_handle;
}

/* --- kernels ------------------------------------------------------------------------------------------------------ */
/* Types that a product may have: both factors of one, and a result of the same or f32. */
static bool is_served(const cuda_prepare *p, const product_plan *plan)
{
    const dtype left = plan->left.type, right = plan->right.type, y = plan->y.type;
    return cuda_has_products(p->b) && left == right && (y == left || y == DTYPE_F32);
}

/* Where the operands are among the node's; bias.at is not read where the plan has no epilogue. */
typedef struct {
    size_t left, right, y;
    binding bias;
} product_places;

static mien_status add_product(cuda_kernel *k, const product_plan *plan, product_places at)
{
    char name[96];
    cuda_product c;
    TRY(cuda_product_create(&c, k->b, plan));
    binding bindings[PRODUCT_OPERANDS] = {
        {FROM_INPUT, at.left, PRODUCT_LEFT}, {FROM_INPUT, at.right, PRODUCT_RIGHT}, {FROM_OUTPUT, at.y, PRODUCT_Y}};
    int count = PRODUCT_Y + 1;
    if (plan->epilogue != LT_EPILOGUE_DEFAULT)
        bindings[count++] = (binding){at.bias.from, at.bias.index, PRODUCT_BIAS};
    if (c.workspace_bytes)
        bindings[count++] = (binding){FROM_SCRATCH, cuda_workspace(k, c.workspace_bytes), PRODUCT_WORKSPACE};
    snprintf(name, sizeof name, "cublaslt:%s", plan->left.type == DTYPE_BF16 ? "bf16" : "f32");
    return cuda_kernel_add_call(k, c.call, name, bindings, count);
}

static mien_status prepare_product(cuda_prepare *p, node_id n, const product_plan *plan, product_places at)
{
    cuda_kernel *k = NULL;
    TRY(cuda_kernel_create(&k, p->b));
    mien_status st = add_product(k, plan, at);
    if (st == MIEN_OK)
        return cuda_set(p, n, k);
    k->base.free(&k->base);
    return cuda_refused(p, n, st);
}

/* --- layers of groups, of which linear has one -------------------------------------------------------------------- */
/* x [rows, groups, in], w [groups, out, in], y [rows, groups, out] */
static matrix rows_of(const graph_value *v, int64_t groups)
{
    const int64_t all = v->shape.dim[v->shape.rank - 1];
    return (matrix){v->type, cuda_alignment(v), shape_count(&v->shape) / all, all / groups, all, all / groups, false};
}

static matrix weights_of(const graph_value *w, int64_t groups)
{
    const int64_t out = w->shape.dim[0] / groups, in = w->shape.dim[1];
    return (matrix){w->type, cuda_alignment(w), out, in, in, out * in, false};
}

static int64_t groups_of(graph *g, node_id n)
{
    const graph_node *node = graph_node_at(g, n);
    const bool is_linear = node->op == &op_linear_def || node->op == &op_linear_dx_def || node->op == &op_linear_dw_def;
    return is_linear ? 1 : ((const group_linear_attr *)node->attr)->groups;
}

/* Weights as the product will read them: packed where their type is another than the other factor's. */
static matrix weights_as_read(graph *g, node_id n, dtype type)
{
    enum { PACKED_ALIGNMENT = 64 };
    const graph_value *w = node_input(g, n, 1);
    matrix m = weights_of(w, groups_of(g, n));
    if (w->type != type) {
        m.type = type;
        m.alignment = PACKED_ALIGNMENT;
    }
    return m;
}

/* Once the product is there: its node reads weights, and a bias (has_bias), as it takes them. */
static mien_status pack_inputs(cuda_prepare *p, node_id n, dtype type, bool has_bias, dtype bias_type)
{
    enum { WEIGHTS = 1, BIAS = 2 };
    value_id *inputs = graph_node_at(p->g, n)->inputs;
    value_id packed = NO_VALUE;
    TRY(cuda_pack(p, &packed, n, inputs[WEIGHTS], type));
    inputs[WEIGHTS] = packed;
    if (!has_bias)
        return MIEN_OK;
    TRY(cuda_pack_bias(p, &packed, n, inputs[BIAS], bias_type));
    inputs[BIAS] = packed;
    return MIEN_OK;
}

/* y = x w^T + b, the bias by a step of ours where the library does not take it along. */
static mien_status add_forward(cuda_kernel *k, product_plan *plan)
{
    static const binding bindings[] = {{FROM_OUTPUT, 0, offsetof(epilogue_args, y)},
                                       {FROM_INPUT, 2, offsetof(epilogue_args, bias)}};
    const product_places at = {.left = 0, .right = 1, .bias = {FROM_INPUT, 2, 0}};
    const bool has_bias = plan->epilogue != LT_EPILOGUE_DEFAULT;
    const epilogue_args args = {.count = plan->batch * plan->y.rows * plan->y.columns,
                                .columns = plan->batch * plan->y.columns,
                                .act = ACT_NONE,
                                .is_bf16 = plan->y.type == DTYPE_BF16};
    mien_status st = add_product(k, plan, at);
    if (st == MIEN_OK || st == MIEN_ERR_NOMEM || !has_bias)
        return st;
    plan->epilogue = LT_EPILOGUE_DEFAULT;
    TRY(add_product(k, plan, at));
    return cuda_kernel_add_own(k, &kernel_epilogue, grid_of_elements(k->b, args.count), &args, sizeof args, bindings,
                               2);
}

static mien_status prepare_forward(cuda_prepare *p, node_id n)
{
    cuda_kernel *k = NULL;
    const graph_value *x = node_input(p->g, n, 0), *y = node_output(p->g, n, 0);
    const int64_t groups = groups_of(p->g, n);
    const bool has_bias = node_input(p->g, n, 2) != NULL;
    product_plan plan = {.left = rows_of(x, groups),
                         .right = weights_as_read(p->g, n, x->type),
                         .y = rows_of(y, groups),
                         .batch = groups,
                         .epilogue = has_bias ? LT_EPILOGUE_BIAS : LT_EPILOGUE_DEFAULT};
    plan.right.is_turned = true;
    plan.bias_stride = plan.y.columns;
    if (!is_served(p, &plan))
        return MIEN_ERR_UNSUPPORTED;
    TRY(cuda_kernel_create(&k, p->b));
    mien_status st = add_forward(k, &plan);
    if (st != MIEN_OK) {
        k->base.free(&k->base);
        return cuda_refused(p, n, st);
    }
    TRY(cuda_set(p, n, k));
    return pack_inputs(p, n, x->type, has_bias, y->type);
}

/* dx = dy w */
static mien_status prepare_dx(cuda_prepare *p, node_id n)
{
    const product_places at = {.left = 0, .right = 1};
    const graph_value *dy = node_input(p->g, n, 0);
    const int64_t groups = groups_of(p->g, n);
    product_plan plan = {.left = rows_of(dy, groups),
                         .right = weights_as_read(p->g, n, dy->type),
                         .y = rows_of(node_output(p->g, n, 0), groups),
                         .batch = groups,
                         .epilogue = LT_EPILOGUE_DEFAULT};
    if (!is_served(p, &plan))
        return MIEN_ERR_UNSUPPORTED;
    TRY(prepare_product(p, n, &plan, at));
    return pack_inputs(p, n, dy->type, false, dy->type);
}

/* dw = dy^T x, and db, the sums over dy's rows: on the way where there is one group and the library does it, else by
 * kernels of ours. */
static mien_status add_dw(cuda_kernel *k, graph *g, node_id n, product_plan *plan)
{
    const product_places at = {.left = 1, .right = 0, .y = DW_WEIGHT, .bias = {FROM_OUTPUT, DW_BIAS, 0}};
    const graph_value *dy = node_input(g, n, 1);
    const bool has_bias = node_output(g, n, DW_BIAS) != NULL;
    const int64_t columns = dy->shape.dim[dy->shape.rank - 1];
    mien_status st = MIEN_ERR_UNSUPPORTED;
    plan->epilogue = LT_EPILOGUE_BGRADB;
    if (has_bias && plan->batch == 1)
        st = add_product(k, plan, at);
    if (st == MIEN_OK || st == MIEN_ERR_NOMEM)
        return st;
    plan->epilogue = LT_EPILOGUE_DEFAULT;
    TRY(add_product(k, plan, at));
    return has_bias ? column_sum_add(k, 1, DW_BIAS, shape_count(&dy->shape) / columns, columns, is_bf16(dy)) : MIEN_OK;
}

static mien_status prepare_dw(cuda_prepare *p, node_id n)
{
    const graph_value *x = node_input(p->g, n, 0), *dy = node_input(p->g, n, 1), *dw = node_output(p->g, n, DW_WEIGHT);
    const int64_t groups = groups_of(p->g, n);
    cuda_kernel *k = NULL;
    if (!dw) /* the bias alone: no product */
        return MIEN_ERR_UNSUPPORTED;
    product_plan plan = {
        .left = rows_of(dy, groups), .right = rows_of(x, groups), .y = weights_of(dw, groups), .batch = groups};
    plan.left.is_turned = true;
    if (!is_served(p, &plan))
        return MIEN_ERR_UNSUPPORTED;
    TRY(cuda_kernel_create(&k, p->b));
    mien_status st = add_dw(k, p->g, n, &plan);
    if (st == MIEN_OK)
        return cuda_set(p, n, k);
    k->base.free(&k->base);
    return cuda_refused(p, n, st);
}

/* --- matmul ------------------------------------------------------------------------------------------------------- */
static matrix matrix_of(const graph_value *v, bool is_turned)
{
    const int64_t rows = v->shape.dim[1], columns = v->shape.dim[2];
    return (matrix){v->type, cuda_alignment(v), rows, columns, columns, rows * columns, is_turned};
}

static mien_status prepare_matmul(cuda_prepare *p, node_id n)
{
    const matmul_attr *attr = graph_node_at(p->g, n)->attr;
    const product_plan plan = {.left = matrix_of(node_input(p->g, n, 0), attr->is_a_transposed),
                               .right = matrix_of(node_input(p->g, n, 1), attr->is_b_transposed),
                               .y = matrix_of(node_output(p->g, n, 0), false),
                               .batch = node_output(p->g, n, 0)->shape.dim[0],
                               .epilogue = LT_EPILOGUE_DEFAULT};
    return is_served(p, &plan) ? prepare_product(p, n, &plan, (product_places){.left = 0, .right = 1})
                               : MIEN_ERR_UNSUPPORTED;
}

const cuda_rule cuda_cublas_rules[] = {{&op_linear_def, prepare_forward},     {&op_linear_dx_def, prepare_dx},
                                       {&op_linear_dw_def, prepare_dw},       {&op_group_linear_def, prepare_forward},
                                       {&op_group_linear_dx_def, prepare_dx}, {&op_group_linear_dw_def, prepare_dw},
                                       {&op_matmul_def, prepare_matmul},      {0}};
