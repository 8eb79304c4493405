/* Operators of one element at a time. */
#include "backend/cuda/kernel/pointwise.h"
#include "backend/cuda/cuda_int.h"

mien_status cuda_pointwise(cuda_prepare *p, node_id n, const device_kernel *fn, device_grid grid, int inputs,
                           const pointwise_args *options)
{
    static const binding bindings[] = {{FROM_OUTPUT, 0, offsetof(pointwise_args, y)},
                                       {FROM_INPUT, 0, offsetof(pointwise_args, a)},
                                       {FROM_INPUT, 1, offsetof(pointwise_args, b)}};
    const graph_value *y = node_output(p->g, n, 0), *b = node_input(p->g, n, 1);
    pointwise_args args = *options;
    args.count = shape_count(&y->shape);
    args.is_bf16 = is_bf16(y);
    args.is_b_bf16 = b && is_bf16(b);
    return cuda_own(p, n, fn, grid, &args, sizeof args, bindings, 1 + inputs);
}

/* The grid of a thread an element of output 0. */
static device_grid grid_of_output(cuda_prepare *p, node_id n)
{
    return grid_of_elements(p->b, shape_count(&node_output(p->g, n, 0)->shape));
}

static mien_status prepare_pointwise(cuda_prepare *p, node_id n, const device_kernel *fn, int inputs,
                                     const pointwise_args *options)
{
    return cuda_pointwise(p, n, fn, grid_of_output(p, n), inputs, options);
}

static const pointwise_args no_options = {0};

static mien_status prepare_add(cuda_prepare *p, node_id n)
{
    return prepare_pointwise(p, n, &kernel_add, 2, &no_options);
}

static mien_status prepare_sub(cuda_prepare *p, node_id n)
{
    const sub_attr *attr = graph_node_at(p->g, n)->attr;
    return prepare_pointwise(p, n, &kernel_sub, 2, &(pointwise_args){.shift = attr->shift});
}

static mien_status prepare_mul(cuda_prepare *p, node_id n)
{
    return prepare_pointwise(p, n, &kernel_mul, 2, &no_options);
}

static mien_status prepare_multiply(cuda_prepare *p, node_id n)
{
    const multiply_attr *attr = graph_node_at(p->g, n)->attr;
    return prepare_pointwise(p, n, &kernel_multiply, 1, &(pointwise_args){.factor = attr->factor});
}

static mien_status prepare_activation(cuda_prepare *p, node_id n)
{
    const activation_attr *attr = graph_node_at(p->g, n)->attr;
    return prepare_pointwise(p, n, &kernel_activation, 1, &(pointwise_args){.kind = attr->kind});
}

static mien_status prepare_activation_dx(cuda_prepare *p, node_id n)
{
    const activation_attr *attr = graph_node_at(p->g, n)->attr;
    return prepare_pointwise(p, n, &kernel_activation_dx, 2, &(pointwise_args){.kind = attr->kind});
}

mien_status cuda_convert(cuda_prepare *p, node_id n, const device_kernel *fn, device_grid grid)
{
    static const binding bindings[] = {{FROM_INPUT, 0, offsetof(convert_args, x)},
                                       {FROM_OUTPUT, 0, offsetof(convert_args, y)}};
    const graph_value *y = node_output(p->g, n, 0);
    const convert_args args = {
        .count = shape_count(&y->shape), .is_x_bf16 = is_bf16(node_input(p->g, n, 0)), .is_y_bf16 = is_bf16(y)};
    return cuda_own(p, n, fn, grid, &args, sizeof args, bindings, 2);
}

/* cast, reshape and add_db */
static mien_status prepare_convert(cuda_prepare *p, node_id n)
{
    return cuda_convert(p, n, &kernel_convert, grid_of_output(p, n));
}

const cuda_rule cuda_pointwise_rules[] = {
    {&op_add_def, prepare_add},
    {&op_add_db_def, prepare_convert},
    {&op_sub_def, prepare_sub},
    {&op_mul_def, prepare_mul},
    {&op_multiply_def, prepare_multiply},
    {&op_activation_def, prepare_activation},
    {&op_activation_dx_def, prepare_activation_dx},
    {&op_cast_def, prepare_convert},
    {&op_reshape_def, prepare_convert},
    {0},
};
