/* Operators that are one kernel of ours each: element by element, or with one number a channel. */
#include "backend/cpu/kernel/pointwise.h"
#include "backend/cpu/cpu_int.h"
#include "backend/cpu/kernel/accumulate.h"
#include "backend/cpu/kernel/channels.h"
#include "backend/cpu/kernel/optimizer.h"
#include "backend/cpu/kernel/pool.h"

#include <string.h>

mien_status normalise_prepare(cpu_prepare *p, node_id n)
{
    static const binding bindings[] = {{FROM_INPUT, 0, offsetof(normalise_args, x)},
                                       {FROM_OUTPUT, 0, offsetof(normalise_args, y)}};
    const normalise_attr *attr = graph_node_at(p->g, n)->attr;
    const graph_value *y = node_output(p->g, n, 0);
    normalise_args args = {.pixels = shape_count(&y->shape) / 3, .threads = p->b->threads, .is_bf16 = is_bf16(y)};
    for (int i = 0; i < 3; i++) {
        args.scale[i] = (float)(1 / (255 * (double)attr->std[i]));
        args.shift[i] = (float)(-(double)attr->mean[i] / (double)attr->std[i]);
    }
    return prepare_own(p, n, p->b->own->normalise, &args, sizeof args, bindings, 2, 0);
}

static const pointwise_args no_options = {0};

/* a and b are inputs 0 and 1, y output 0; options: kind, shift, factor */
static mien_status pointwise(cpu_prepare *p, node_id n, kernel_fn *fn, int inputs, const pointwise_args *options)
{
    static const binding bindings[] = {{FROM_OUTPUT, 0, offsetof(pointwise_args, y)},
                                       {FROM_INPUT, 0, offsetof(pointwise_args, a)},
                                       {FROM_INPUT, 1, offsetof(pointwise_args, b)}};
    const graph_value *y = node_output(p->g, n, 0);
    pointwise_args args = *options;
    args.count = shape_count(&y->shape);
    args.threads = p->b->threads;
    args.is_bf16 = is_bf16(y);
    return prepare_own(p, n, fn, &args, sizeof args, bindings, 1 + inputs, 0);
}

mien_status activation_prepare(cpu_prepare *p, node_id n)
{
    const activation_attr *attr = graph_node_at(p->g, n)->attr;
    return pointwise(p, n, p->b->own->activation, 1, &(pointwise_args){.kind = attr->kind});
}

mien_status activation_dx_prepare(cpu_prepare *p, node_id n)
{
    const activation_attr *attr = graph_node_at(p->g, n)->attr;
    return pointwise(p, n, p->b->own->activation_dx, 2, &(pointwise_args){.kind = attr->kind});
}

mien_status add_prepare(cpu_prepare *p, node_id n)
{
    const bool is_mixed = node_input(p->g, n, 0)->type != node_input(p->g, n, 1)->type;
    return pointwise(p, n, is_mixed ? p->b->own->add_narrow : p->b->own->add, 2, &no_options);
}

mien_status add_db_prepare(cpu_prepare *p, node_id n)
{
    return pointwise(p, n, p->b->own->narrow, 1, &no_options);
}

mien_status sub_prepare(cpu_prepare *p, node_id n)
{
    const sub_attr *attr = graph_node_at(p->g, n)->attr;
    return pointwise(p, n, p->b->own->sub, 2, &(pointwise_args){.shift = attr->shift});
}

mien_status multiply_prepare(cpu_prepare *p, node_id n)
{
    const multiply_attr *attr = graph_node_at(p->g, n)->attr;
    return pointwise(p, n, p->b->own->multiply, 1, &(pointwise_args){.factor = attr->factor});
}

mien_status mul_prepare(cpu_prepare *p, node_id n)
{
    return pointwise(p, n, p->b->own->mul, 2, &no_options);
}

/* slice = part where it begins with it, thus one times part; else slice + part */
mien_status contribute_prepare(cpu_prepare *p, node_id n)
{
    static const binding bindings[] = {{FROM_OUTPUT, 0, offsetof(pointwise_args, y)},
                                       {FROM_INPUT, 1, offsetof(pointwise_args, a)},
                                       {FROM_INPUT, 0, offsetof(pointwise_args, b)}};
    const bool is_sum = node_input(p->g, n, 0) != NULL;
    pointwise_args args = {
        .count = shape_count(&node_output(p->g, n, 0)->shape), .factor = 1, .threads = p->b->threads};
    return prepare_own(p, n, is_sum ? p->b->own->add : p->b->own->multiply, &args, sizeof args, bindings, 3, 0);
}

static scale_args scale_of(cpu_prepare *p, const graph_value *x)
{
    return (scale_args){.n = x->shape.dim[0],
                        .hw = x->shape.dim[1] * x->shape.dim[2],
                        .c = x->shape.dim[3],
                        .threads = p->b->threads,
                        .is_bf16 = is_bf16(x)};
}

mien_status scale_prepare(cpu_prepare *p, node_id n)
{
    static const binding bindings[] = {{FROM_INPUT, 0, offsetof(scale_args, x)},
                                       {FROM_INPUT, 1, offsetof(scale_args, s)},
                                       {FROM_OUTPUT, 0, offsetof(scale_args, y)},
                                       {FROM_SCRATCH, 0, offsetof(scale_args, scratch)}};
    scale_args args = scale_of(p, node_input(p->g, n, 0));
    return prepare_own(p, n, p->b->own->scale, &args, sizeof args, bindings, 4,
                       scale_scratch_bytes(args.c, args.threads));
}

mien_status scale_dx_prepare(cpu_prepare *p, node_id n)
{
    return scale_prepare(p, n); /* dx = dy s */
}

mien_status scale_ds_prepare(cpu_prepare *p, node_id n)
{
    static const binding bindings[] = {{FROM_INPUT, 0, offsetof(scale_args, x)},
                                       {FROM_INPUT, 1, offsetof(scale_args, y)},
                                       {FROM_OUTPUT, 0, offsetof(scale_args, s)},
                                       {FROM_SCRATCH, 0, offsetof(scale_args, scratch)}};
    scale_args args = scale_of(p, node_input(p->g, n, 0));
    return prepare_own(p, n, p->b->own->scale_ds, &args, sizeof args, bindings, 4,
                       scale_scratch_bytes(args.c, args.threads));
}

/* x [n, h, w, c] and y [n, c], or their gradients */
static mien_status global_mean(cpu_prepare *p, node_id n, kernel_fn *fn, const graph_value *x, binding x_from,
                               binding y_from)
{
    x_from.at = offsetof(global_mean_args, x);
    y_from.at = offsetof(global_mean_args, y);
    const binding bindings[] = {x_from, y_from, {FROM_SCRATCH, 0, offsetof(global_mean_args, scratch)}};
    global_mean_args args = {.n = x->shape.dim[0],
                             .hw = x->shape.dim[1] * x->shape.dim[2],
                             .c = x->shape.dim[3],
                             .threads = p->b->threads,
                             .is_bf16 = is_bf16(x)};
    return prepare_own(p, n, fn, &args, sizeof args, bindings, 3, scale_scratch_bytes(args.c, args.threads));
}

mien_status global_mean_prepare(cpu_prepare *p, node_id n)
{
    return global_mean(p, n, p->b->own->global_mean, node_input(p->g, n, 0), (binding){.from = FROM_INPUT},
                       (binding){.from = FROM_OUTPUT});
}

mien_status global_mean_dx_prepare(cpu_prepare *p, node_id n)
{
    return global_mean(p, n, p->b->own->global_mean_dx, node_output(p->g, n, 0), (binding){.from = FROM_OUTPUT},
                       (binding){.from = FROM_INPUT});
}

/* --- pooling ------------------------------------------------------------------------------------------------------ */
static pool_args pool_of(cpu_prepare *p, const graph_value *x, const graph_value *y, const pool_attr *attr)
{
    return (pool_args){.n = x->shape.dim[0],
                       .h = x->shape.dim[1],
                       .w = x->shape.dim[2],
                       .c = x->shape.dim[3],
                       .oh = y->shape.dim[1],
                       .ow = y->shape.dim[2],
                       .pool = *attr,
                       .threads = p->b->threads,
                       .is_bf16 = is_bf16(x)};
}

mien_status pool_prepare(cpu_prepare *p, node_id n)
{
    static const binding bindings[] = {{FROM_INPUT, 0, offsetof(pool_args, x)},
                                       {FROM_OUTPUT, 0, offsetof(pool_args, y)},
                                       {FROM_OUTPUT, 1, offsetof(pool_args, index)}};
    pool_args args = pool_of(p, node_input(p->g, n, 0), node_output(p->g, n, 0), graph_node_at(p->g, n)->attr);
    return prepare_own(p, n, p->b->own->pool, &args, sizeof args, bindings, node_output(p->g, n, 1) ? 3 : 2, 0);
}

mien_status pool_dx_prepare(cpu_prepare *p, node_id n)
{
    static const binding bindings[] = {{FROM_OUTPUT, 0, offsetof(pool_args, x)},
                                       {FROM_INPUT, 0, offsetof(pool_args, y)},
                                       {FROM_INPUT, 1, offsetof(pool_args, index)}};
    const pool_grad_attr *attr = graph_node_at(p->g, n)->attr;
    pool_args args = pool_of(p, node_output(p->g, n, 0), node_input(p->g, n, 0), &attr->pool);
    return prepare_own(p, n, p->b->own->pool_dx, &args, sizeof args, bindings, attr->pool.is_max ? 3 : 2, 0);
}

/* --- update ------------------------------------------------------------------------------------------------------- */
mien_status accumulate_prepare(cpu_prepare *p, node_id n)
{
    const graph_node *node = graph_node_at(p->g, n);
    accumulate_args args = {.attr = *(const accumulate_attr *)node->attr, .threads = p->b->threads};
    const binding bindings[] = {{FROM_INPUT, (size_t)node->input_count - 1, offsetof(accumulate_args, loss)},
                                {FROM_GRADS, 0, offsetof(accumulate_args, grads)},
                                {FROM_SUMS, 0, offsetof(accumulate_args, sums)}};
    return prepare_own(p, n, p->b->own->accumulate, &args, sizeof args, bindings, 3, 0);
}

mien_status optimizer_prepare(cpu_prepare *p, node_id n)
{
    const graph_node *node = graph_node_at(p->g, n);
    optimizer_args args = {.attr = *(const optimizer_attr *)node->attr, .threads = p->b->threads};
    const binding bindings[] = {{FROM_INPUT, 0, offsetof(optimizer_args, step)},
                                {FROM_INPUT, (size_t)node->input_count - 1, offsetof(optimizer_args, loss)},
                                {FROM_SCRATCH, 0, offsetof(optimizer_args, scratch)},
                                {FROM_VALUES, 0, offsetof(optimizer_args, values)},
                                {args.attr.is_summed ? FROM_SUMS : FROM_GRADS, 0, offsetof(optimizer_args, grads)},
                                {FROM_STATE1, 0, offsetof(optimizer_args, state1)},
                                {FROM_STATE2, 0, offsetof(optimizer_args, state2)}};
    return prepare_own(p, n, p->b->own->optimizer, &args, sizeof args, bindings, 7,
                       (size_t)args.threads * sizeof(double));
}
