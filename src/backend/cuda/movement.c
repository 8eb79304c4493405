/* Elements moved, repeated, dropped and made of bytes: normalise, constant, slice, transpose, repeat, concat, dropout.
 */
#include "backend/cuda/kernel/movement.h"
#include "backend/cuda/cuda_int.h"
#include "backend/cuda/kernel/pointwise.h"
#include "base/rng.h"

/* A kernel from input 0 to output 0, with arguments that begin with x and y. */
static mien_status prepare_move(cuda_prepare *p, node_id n, const device_kernel *fn, device_grid grid, const void *args,
                                size_t args_bytes)
{
    static const binding bindings[] = {{FROM_INPUT, 0, 0}, {FROM_OUTPUT, 0, sizeof(void *)}};
    return cuda_own(p, n, fn, grid, args, args_bytes, bindings, 2);
}

mien_status cuda_normalise(cuda_prepare *p, node_id n, const device_kernel *fn, int width)
{
    const normalise_attr *attr = graph_node_at(p->g, n)->attr;
    const graph_value *y = node_output(p->g, n, 0);
    normalise_args args = {.count = shape_count(&y->shape), .is_bf16 = is_bf16(y)};
    for (int i = 0; i < 3; i++) {
        args.scale[i] = (float)(1 / (255 * (double)attr->std[i]));
        args.shift[i] = (float)(-(double)attr->mean[i] / (double)attr->std[i]);
    }
    return prepare_move(p, n, fn, grid_of_elements(p->b, args.count / width), &args, sizeof args);
}

static mien_status prepare_normalise(cuda_prepare *p, node_id n)
{
    return cuda_normalise(p, n, &kernel_normalise, 1);
}

/* The numbers lie in the graph's arena: the kernel takes a copy of them to the device. */
static mien_status prepare_constant(cuda_prepare *p, node_id n)
{
    static const binding bindings[] = {{FROM_OUTPUT, 0, offsetof(convert_args, y)}};
    const constant_attr *attr = graph_node_at(p->g, n)->attr;
    convert_args args = {.count = shape_count(&attr->shape), .is_y_bf16 = attr->type == DTYPE_BF16};
    const device_grid grid = grid_of_elements(p->b, args.count);
    cuda_kernel *k = NULL;
    mien_status st;
    TRY(cuda_kernel_create(&k, p->b));
    TRY_OUT(cuda_kernel_keep(k, &args.x, attr->data, (size_t)args.count * sizeof *attr->data));
    TRY_OUT(cuda_kernel_add_own(k, &kernel_convert, grid, &args, sizeof args, bindings, 1));
    return cuda_set(p, n, k);
out:
    k->base.free(&k->base);
    return st;
}

/* --- slice -------------------------------------------------------------------------------------------------------- */
/* whole: the value that is sliced */
static slice_args slice_of(cuda_prepare *p, node_id n, const graph_value *whole)
{
    const slice_attr *attr = graph_node_at(p->g, n)->attr;
    slice_args args = {.rows = 1, .is_bf16 = is_bf16(whole)};
    int64_t inner = 1;
    for (int i = 0; i < whole->shape.rank; i++)
        if (i < attr->axis)
            args.rows *= whole->shape.dim[i];
        else if (i > attr->axis)
            inner *= whole->shape.dim[i];
    args.whole = whole->shape.dim[attr->axis] * inner;
    args.begin = attr->begin * inner;
    args.length = attr->length * inner;
    return args;
}

static mien_status prepare_slice(cuda_prepare *p, node_id n)
{
    const slice_args args = slice_of(p, n, node_input(p->g, n, 0));
    return prepare_move(p, n, &kernel_slice, grid_of_elements(p->b, args.rows * args.length), &args, sizeof args);
}

static mien_status prepare_slice_dx(cuda_prepare *p, node_id n)
{
    const slice_args args = slice_of(p, n, node_output(p->g, n, 0));
    return prepare_move(p, n, &kernel_slice_dx, grid_of_elements(p->b, args.rows * args.whole), &args, sizeof args);
}

/* --- transpose, repeat, concat ------------------------------------------------------------------------------------ */
_Static_assert(TRANSPOSE_MAX_RANK == SHAPE_MAX_RANK, "kernels see the ranks that graphs have");

static mien_status prepare_transpose(cuda_prepare *p, node_id n)
{
    const transpose_attr *attr = graph_node_at(p->g, n)->attr;
    const graph_value *x = node_input(p->g, n, 0);
    transpose_args args = {.count = shape_count(&x->shape), .rank = x->shape.rank, .is_bf16 = is_bf16(x)};
    int64_t strides[SHAPE_MAX_RANK], stride = 1;
    for (int i = x->shape.rank - 1; i >= 0; i--) {
        strides[i] = stride;
        stride *= x->shape.dim[i];
    }
    for (int i = 0; i < x->shape.rank; i++) {
        args.dim[i] = x->shape.dim[attr->order[i]];
        args.stride[i] = strides[attr->order[i]];
    }
    return prepare_move(p, n, &kernel_transpose, grid_of_elements(p->b, args.count), &args, sizeof args);
}

/* whole: the value that has the copies */
static repeat_args repeat_of(const graph_value *whole)
{
    const int64_t times = whole->shape.dim[0];
    return (repeat_args){.times = times, .inner = shape_count(&whole->shape) / times, .is_bf16 = is_bf16(whole)};
}

static mien_status prepare_repeat(cuda_prepare *p, node_id n)
{
    const repeat_args args = repeat_of(node_output(p->g, n, 0));
    return prepare_move(p, n, &kernel_repeat, grid_of_elements(p->b, args.times * args.inner), &args, sizeof args);
}

static mien_status prepare_repeat_dx(cuda_prepare *p, node_id n)
{
    const repeat_args args = repeat_of(node_input(p->g, n, 0));
    return prepare_move(p, n, &kernel_repeat_dx, grid_of_elements(p->b, args.inner), &args, sizeof args);
}

static mien_status prepare_concat(cuda_prepare *p, node_id n)
{
    const int count = graph_node_at(p->g, n)->input_count;
    const graph_value *y = node_output(p->g, n, 0);
    const int last = y->shape.rank - 1;
    binding bindings[1 + CONCAT_MAX] = {{FROM_OUTPUT, 0, offsetof(concat_args, y)}};
    concat_args args = {.columns = y->shape.dim[last], .is_bf16 = is_bf16(y)};
    if (count > CONCAT_MAX)
        return mien_fail(MIEN_ERR_ARG, "%d parts (wanted at most %d)", count, CONCAT_MAX);
    args.rows = shape_count(&y->shape) / args.columns;
    for (int i = 0; i < count; i++) {
        args.end[i] = (i ? args.end[i - 1] : 0) + node_input(p->g, n, i)->shape.dim[last];
        bindings[i + 1] = (binding){FROM_INPUT, (size_t)i, offsetof(concat_args, x) + (size_t)i * sizeof *args.x};
    }
    return cuda_own(p, n, &kernel_concat, grid_of_elements(p->b, args.rows * args.columns), &args, sizeof args,
                    bindings, 1 + count);
}

/* --- dropout ------------------------------------------------------------------------------------------------------ */
static mien_status prepare_dropout(cuda_prepare *p, node_id n)
{
    static const binding bindings[] = {{FROM_INPUT, 0, offsetof(dropout_args, x)},
                                       {FROM_INPUT, 1, offsetof(dropout_args, step)},
                                       {FROM_OUTPUT, 0, offsetof(dropout_args, y)}};
    enum { PATH_THREADS = 256, BLOCK_WORDS = 4 };
    const dropout_attr *attr = graph_node_at(p->g, n)->attr;
    const graph_value *x = node_input(p->g, n, 0);
    const bool is_path = attr->is_per_sample;
    const int64_t count = shape_count(&x->shape), samples = is_path ? x->shape.dim[0] : count;
    const dropout_args args = {.samples = samples,
                               .per_sample = count / samples,
                               .p = attr->p,
                               .stream = attr->stream,
                               .use = is_path ? RNG_DROP_PATH : RNG_DROPOUT,
                               .is_bf16 = is_bf16(x)};
    if (is_path)
        return cuda_own(p, n, &kernel_drop_path, grid_of_rows(p->b, samples, PATH_THREADS), &args, sizeof args,
                        bindings, 3);
    return cuda_own(p, n, &kernel_dropout, grid_of_elements(p->b, (count + BLOCK_WORDS - 1) / BLOCK_WORDS), &args,
                    sizeof args, bindings, 3);
}

const cuda_rule cuda_movement_rules[] = {
    {&op_normalise_def, prepare_normalise}, {&op_constant_def, prepare_constant},
    {&op_slice_def, prepare_slice},         {&op_slice_dx_def, prepare_slice_dx},
    {&op_transpose_def, prepare_transpose}, {&op_repeat_def, prepare_repeat},
    {&op_repeat_dx_def, prepare_repeat_dx}, {&op_concat_def, prepare_concat},
    {&op_dropout_def, prepare_dropout},     {0},
};
