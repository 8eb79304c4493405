/* Products of matrices by plain kernels of ours: linear, group_linear, matmul, orthogonal. */
#include "backend/cuda/kernel/products.h"
#include "backend/cuda/columns.h"
#include "backend/cuda/kernel/orthogonal.h"

/* Where the operands of a product are among the node's; no bias: -1. */
typedef struct {
    size_t a, b, y;
    int bias;
} product_operands;

/* args: all but what is read off the operands. */
static mien_status product_add(cuda_kernel *k, graph *g, node_id n, product_operands at, product_args args)
{
    const binding bindings[] = {{FROM_INPUT, at.a, offsetof(product_args, a)},
                                {FROM_INPUT, at.b, offsetof(product_args, b)},
                                {FROM_OUTPUT, at.y, offsetof(product_args, y)},
                                {FROM_INPUT, (size_t)at.bias, offsetof(product_args, bias)}};
    args.is_a_bf16 = is_bf16(node_input(g, n, (int)at.a));
    args.is_b_bf16 = is_bf16(node_input(g, n, (int)at.b));
    args.is_y_bf16 = is_bf16(node_output(g, n, (int)at.y));
    return cuda_kernel_add_own(k, &kernel_product, grid_of_elements(k->b, args.groups * args.rows * args.columns),
                               &args, sizeof args, bindings, at.bias < 0 ? 3 : 4);
}

/* A kernel of a product alone. */
static mien_status prepare_product(cuda_prepare *p, node_id n, product_operands at, const product_args *args)
{
    cuda_kernel *k = NULL;
    mien_status st = MIEN_OK;
    TRY(cuda_kernel_create(&k, p->b));
    TRY_OUT(product_add(k, p->g, n, at, *args));
    return cuda_set(p, n, k);
out:
    k->base.free(&k->base);
    return st;
}

/* --- layers of groups, of which linear has one -------------------------------------------------------------------- */
/* x [rows, groups, in], w [groups, out, in], y [rows, groups, out]; w stands for its gradient too. */
typedef struct {
    int64_t rows, groups, in, out;
} layer_size;

/* Of values of x's and y's shapes. */
static layer_size layer_size_of(const graph_value *x, const graph_value *y, int64_t groups)
{
    const int64_t in = x->shape.dim[x->shape.rank - 1], out = y->shape.dim[y->shape.rank - 1];
    return (layer_size){shape_count(&x->shape) / in, groups, in / groups, out / groups};
}

static matrix_strides x_strides(layer_size s)
{
    return (matrix_strides){.group = s.in, .row = s.groups * s.in, .column = 1};
}

static matrix_strides w_strides(layer_size s)
{
    return (matrix_strides){.group = s.out * s.in, .row = s.in, .column = 1};
}

static matrix_strides y_strides(layer_size s)
{
    return (matrix_strides){.group = s.out, .row = s.groups * s.out, .column = 1};
}

static matrix_strides transposed(matrix_strides s)
{
    return (matrix_strides){.group = s.group, .row = s.column, .column = s.row};
}

/* y = x w^T + b */
static mien_status prepare_layer(cuda_prepare *p, node_id n, int64_t groups)
{
    const layer_size s = layer_size_of(node_input(p->g, n, GROUP_X), node_output(p->g, n, 0), groups);
    const product_args args = {.groups = groups,
                               .rows = s.rows,
                               .columns = s.out,
                               .depth = s.in,
                               .a_strides = x_strides(s),
                               .b_strides = transposed(w_strides(s)),
                               .y_strides = y_strides(s)};
    return prepare_product(p, n, (product_operands){.a = GROUP_X, .b = GROUP_W, .bias = GROUP_B}, &args);
}

/* dx = dy w */
static mien_status prepare_layer_dx(cuda_prepare *p, node_id n, int64_t groups)
{
    const layer_size s = layer_size_of(node_output(p->g, n, 0), node_input(p->g, n, 0), groups);
    const product_args args = {.groups = groups,
                               .rows = s.rows,
                               .columns = s.in,
                               .depth = s.out,
                               .a_strides = y_strides(s),
                               .b_strides = w_strides(s),
                               .y_strides = x_strides(s)};
    return prepare_product(p, n, (product_operands){.a = 0, .b = 1, .bias = -1}, &args);
}

/* dw = dy^T x, db = sum of dy over rows: of inputs x, dy */
static mien_status prepare_layer_dw(cuda_prepare *p, node_id n, int64_t groups)
{
    const graph_value *dy = node_input(p->g, n, 1);
    const layer_size s = layer_size_of(node_input(p->g, n, 0), dy, groups);
    const product_args args = {.groups = groups,
                               .rows = s.out,
                               .columns = s.in,
                               .depth = s.rows,
                               .a_strides = transposed(y_strides(s)),
                               .b_strides = x_strides(s),
                               .y_strides = w_strides(s)};
    cuda_kernel *k = NULL;
    mien_status st = MIEN_OK;
    TRY(cuda_kernel_create(&k, p->b));
    if (node_output(p->g, n, DW_WEIGHT))
        TRY_OUT(product_add(k, p->g, n, (product_operands){.a = 1, .b = 0, .y = DW_WEIGHT, .bias = -1}, args));
    if (node_output(p->g, n, DW_BIAS))
        TRY_OUT(column_sum_add(k, 1, DW_BIAS, s.rows, groups * s.out, is_bf16(dy)));
    return cuda_set(p, n, k);
out:
    k->base.free(&k->base);
    return st;
}

static mien_status prepare_linear(cuda_prepare *p, node_id n)
{
    return prepare_layer(p, n, 1);
}

static mien_status prepare_linear_dx(cuda_prepare *p, node_id n)
{
    return prepare_layer_dx(p, n, 1);
}

static mien_status prepare_linear_dw(cuda_prepare *p, node_id n)
{
    return prepare_layer_dw(p, n, 1);
}

static int64_t groups_of(cuda_prepare *p, node_id n)
{
    return ((const group_linear_attr *)graph_node_at(p->g, n)->attr)->groups;
}

static mien_status prepare_group_linear(cuda_prepare *p, node_id n)
{
    return prepare_layer(p, n, groups_of(p, n));
}

static mien_status prepare_group_linear_dx(cuda_prepare *p, node_id n)
{
    return prepare_layer_dx(p, n, groups_of(p, n));
}

static mien_status prepare_group_linear_dw(cuda_prepare *p, node_id n)
{
    return prepare_layer_dw(p, n, groups_of(p, n));
}

/* --- matmul ------------------------------------------------------------------------------------------------------- */
/* Of `rows` x `columns` matrices one after another, or of what they are the transposes of. */
static matrix_strides strides_of(int64_t rows, int64_t columns, bool is_transposed)
{
    const matrix_strides plain = {.group = rows * columns, .row = columns, .column = 1};
    const matrix_strides other = {.group = rows * columns, .row = 1, .column = rows};
    return is_transposed ? other : plain;
}

static mien_status prepare_matmul(cuda_prepare *p, node_id n)
{
    const matmul_attr *attr = graph_node_at(p->g, n)->attr;
    const shape *y = &node_output(p->g, n, 0)->shape, *a = &node_input(p->g, n, 0)->shape;
    const int64_t rows = y->dim[1], columns = y->dim[2], depth = a->dim[attr->is_a_transposed ? 1 : 2];
    const product_args args = {.groups = y->dim[0],
                               .rows = rows,
                               .columns = columns,
                               .depth = depth,
                               .a_strides = strides_of(rows, depth, attr->is_a_transposed),
                               .b_strides = strides_of(depth, columns, attr->is_b_transposed),
                               .y_strides = strides_of(rows, columns, false)};
    return prepare_product(p, n, (product_operands){.a = 0, .b = 1, .bias = -1}, &args);
}

/* --- orthogonal --------------------------------------------------------------------------------------------------- */
/* A block a matrix, of as many threads as it has elements to change at once, within reason. */
static device_grid grid_of_matrices(const cuda_backend *b, int64_t groups, int64_t d)
{
    enum { WARP = 32, MOST = 256 };
    const int64_t warps = (d * d + WARP - 1) / WARP;
    return grid_of_rows(b, groups, warps < MOST / WARP ? (int)warps * WARP : MOST);
}

/* The inputs are w, or, on the way back, ORTHOGONAL_DX_*. */
static mien_status orthogonal_own(cuda_prepare *p, node_id n, const device_kernel *fn, bool is_dx)
{
    const graph_value *out = node_output(p->g, n, 0);
    const int64_t d = out->shape.dim[1];
    const orthogonal_args args = {.groups = out->shape.dim[0] / d, .d = d};
    cuda_kernel *k = NULL;
    mien_status st = MIEN_OK;
    TRY(cuda_kernel_create(&k, p->b));
    const size_t rows = cuda_kernel_scratch(k, (size_t)(args.groups * d * 2 * d) * sizeof(double));
    const binding bindings[] = {{FROM_INPUT, is_dx ? ORTHOGONAL_DX_W : 0, offsetof(orthogonal_args, w)},
                                {FROM_OUTPUT, 0, offsetof(orthogonal_args, out)},
                                {FROM_SCRATCH, rows, offsetof(orthogonal_args, rows)},
                                {FROM_INPUT, ORTHOGONAL_DX_Y, offsetof(orthogonal_args, y)},
                                {FROM_INPUT, ORTHOGONAL_DX_DY, offsetof(orthogonal_args, dy)}};
    TRY_OUT(cuda_kernel_add_own(k, fn, grid_of_matrices(p->b, args.groups, d), &args, sizeof args, bindings,
                                is_dx ? 5 : 3));
    return cuda_set(p, n, k);
out:
    k->base.free(&k->base);
    return st;
}

static mien_status prepare_orthogonal(cuda_prepare *p, node_id n)
{
    return orthogonal_own(p, n, &kernel_orthogonal, false);
}

static mien_status prepare_orthogonal_dx(cuda_prepare *p, node_id n)
{
    return orthogonal_own(p, n, &kernel_orthogonal_dx, true);
}

const cuda_rule cuda_products_rules[] = {{&op_linear_def, prepare_linear},
                                         {&op_linear_dx_def, prepare_linear_dx},
                                         {&op_linear_dw_def, prepare_linear_dw},
                                         {&op_group_linear_def, prepare_group_linear},
                                         {&op_group_linear_dx_def, prepare_group_linear_dx},
                                         {&op_group_linear_dw_def, prepare_group_linear_dw},
                                         {&op_matmul_def, prepare_matmul},
                                         {&op_orthogonal_def, prepare_orthogonal},
                                         {&op_orthogonal_dx_def, prepare_orthogonal_dx},
                                         {0}};
