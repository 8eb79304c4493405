/* Softmax and the losses. */
#include "backend/cuda/kernel/losses.h"
#include "backend/cuda/cuda_int.h"

enum { FEW_THREADS = 32, TEAM_THREADS = 256 }; /* of a block: for a row of a few classes, for all else */

static const device_grid one_block = {.blocks = 1, .threads = TEAM_THREADS};

/* --- classes ------------------------------------------------------------------------------------------------------ */
static classes_args classes_of(const graph_value *x)
{
    const int64_t c = x->shape.dim[x->shape.rank - 1];
    return (classes_args){.n = shape_count(&x->shape) / c, .c = c};
}

static device_grid grid_of_classes(const cuda_prepare *p, const classes_args *args)
{
    return grid_of_rows(p->b, args->n, args->c <= 2 * FEW_THREADS ? FEW_THREADS : TEAM_THREADS);
}

static mien_status prepare_softmax(cuda_prepare *p, node_id n)
{
    static const binding bindings[] = {{FROM_INPUT, 0, offsetof(classes_args, x)},
                                       {FROM_OUTPUT, 0, offsetof(classes_args, y)}};
    const classes_args args = classes_of(node_input(p->g, n, 0));
    return cuda_own(p, n, &kernel_softmax, grid_of_classes(p, &args), &args, sizeof args, bindings, 2);
}

static mien_status prepare_softmax_dx(cuda_prepare *p, node_id n)
{
    static const binding bindings[] = {{FROM_INPUT, 0, offsetof(classes_args, dy)},
                                       {FROM_INPUT, 1, offsetof(classes_args, x)},
                                       {FROM_OUTPUT, 0, offsetof(classes_args, y)}};
    const classes_args args = classes_of(node_input(p->g, n, 0));
    return cuda_own(p, n, &kernel_softmax_dx, grid_of_classes(p, &args), &args, sizeof args, bindings, 3);
}

/* Where labels or probabilities go. */
static size_t target_place(cuda_prepare *p, node_id n)
{
    const bool is_soft = node_input(p->g, n, 1)->type == DTYPE_F32;
    return is_soft ? offsetof(classes_args, targets) : offsetof(classes_args, labels);
}

static float smoothing_of(cuda_prepare *p, node_id n)
{
    return ((const cross_entropy_attr *)graph_node_at(p->g, n)->attr)->smoothing;
}

static mien_status prepare_cross_entropy(cuda_prepare *p, node_id n)
{
    classes_args args = classes_of(node_input(p->g, n, 0));
    args.smoothing = smoothing_of(p, n);
    cuda_kernel *k = NULL;
    mien_status st = MIEN_OK;
    TRY(cuda_kernel_create(&k, p->b));
    const binding bindings[] = {
        {FROM_INPUT, 0, offsetof(classes_args, x)},
        {FROM_INPUT, 1, target_place(p, n)},
        {FROM_INPUT, 2, offsetof(classes_args, class_weights)},
        {FROM_INPUT, 3, offsetof(classes_args, mask)},
        {FROM_OUTPUT, 0, offsetof(classes_args, loss)},
        {FROM_OUTPUT, 1, offsetof(classes_args, y)},
        {FROM_SCRATCH, cuda_kernel_scratch(k, (size_t)args.n * sizeof *args.row_losses),
         offsetof(classes_args, row_losses)},
    };
    TRY_OUT(cuda_kernel_add_own(k, &kernel_class_losses, grid_of_classes(p, &args), &args, sizeof args, bindings, 7));
    TRY_OUT(cuda_kernel_add_own(k, &kernel_class_loss, one_block, &args, sizeof args, bindings, 7));
    return cuda_set(p, n, k);
out:
    k->base.free(&k->base);
    return st;
}

static mien_status prepare_cross_entropy_dx(cuda_prepare *p, node_id n)
{
    const binding bindings[] = {{FROM_INPUT, 0, offsetof(classes_args, x)},
                                {FROM_INPUT, 1, target_place(p, n)},
                                {FROM_INPUT, 2, offsetof(classes_args, class_weights)},
                                {FROM_INPUT, 3, offsetof(classes_args, mask)},
                                {FROM_OUTPUT, 0, offsetof(classes_args, y)}};
    classes_args args = classes_of(node_input(p->g, n, 0));
    args.smoothing = smoothing_of(p, n);
    return cuda_own(p, n, &kernel_cross_entropy_dx, grid_of_classes(p, &args), &args, sizeof args, bindings, 5);
}

/* --- numbers ------------------------------------------------------------------------------------------------------ */
/* dx of every element, or without `is_dx` the loss, by one block; beta: of numbers_args. */
static mien_status prepare_numbers(cuda_prepare *p, node_id n, const device_kernel *fn, bool is_dx, float beta)
{
    const binding bindings[] = {{FROM_INPUT, 0, offsetof(numbers_args, x)},
                                {FROM_INPUT, 1, offsetof(numbers_args, t)},
                                {FROM_INPUT, 2, offsetof(numbers_args, mask)},
                                {FROM_OUTPUT, 0, is_dx ? offsetof(numbers_args, dx) : offsetof(numbers_args, loss)},
                                {FROM_INPUT, BINARY_WEIGHTS, offsetof(numbers_args, weights)}};
    const shape *s = &node_input(p->g, n, 0)->shape;
    numbers_args args = {.columns = s->rank ? s->dim[s->rank - 1] : 1, .beta = beta};
    args.rows = shape_count(s) / args.columns;
    const int has_weights = graph_node_at(p->g, n)->input_count > BINARY_WEIGHTS;
    return cuda_own(p, n, fn, is_dx ? grid_of_elements(p->b, shape_count(s)) : one_block, &args, sizeof args, bindings,
                    4 + has_weights);
}

static float beta_of(cuda_prepare *p, node_id n)
{
    const regression_attr *attr = graph_node_at(p->g, n)->attr;
    return attr->kind == REGRESSION_SMOOTH_L1 ? attr->beta : 0;
}

static mien_status prepare_regression(cuda_prepare *p, node_id n)
{
    return prepare_numbers(p, n, &kernel_regression, false, beta_of(p, n));
}

static mien_status prepare_regression_dx(cuda_prepare *p, node_id n)
{
    return prepare_numbers(p, n, &kernel_regression_dx, true, beta_of(p, n));
}

static mien_status prepare_binary_cross_entropy(cuda_prepare *p, node_id n)
{
    return prepare_numbers(p, n, &kernel_binary_cross_entropy, false, 0);
}

static mien_status prepare_binary_cross_entropy_dx(cuda_prepare *p, node_id n)
{
    return prepare_numbers(p, n, &kernel_binary_cross_entropy_dx, true, 0);
}

static mien_status prepare_ccc(cuda_prepare *p, node_id n)
{
    return prepare_numbers(p, n, &kernel_ccc, false, 0);
}

static mien_status prepare_ccc_dx(cuda_prepare *p, node_id n)
{
    return prepare_numbers(p, n, &kernel_ccc_dx, true, 0);
}

const cuda_rule cuda_losses_rules[] = {
    {&op_softmax_def, prepare_softmax},
    {&op_softmax_dx_def, prepare_softmax_dx},
    {&op_cross_entropy_def, prepare_cross_entropy},
    {&op_cross_entropy_dx_def, prepare_cross_entropy_dx},
    {&op_regression_def, prepare_regression},
    {&op_regression_dx_def, prepare_regression_dx},
    {&op_binary_cross_entropy_def, prepare_binary_cross_entropy},
    {&op_binary_cross_entropy_dx_def, prepare_binary_cross_entropy_dx},
    {&op_ccc_def, prepare_ccc},
    {&op_ccc_dx_def, prepare_ccc_dx},
    {0},
};
