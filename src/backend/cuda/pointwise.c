/* Operators of one element at a time. */
#include "backend/cuda/kernel/pointwise.h"
#include "backend/cuda/cuda_int.h"

static mien_status prepare_add(cuda_prepare *p, node_id n)
{
    static const binding bindings[] = {{FROM_INPUT, 0, offsetof(add_args, a)},
                                       {FROM_INPUT, 1, offsetof(add_args, b)},
                                       {FROM_OUTPUT, 0, offsetof(add_args, y)}};
    const graph_value *a = node_input(p->g, n, 0);
    const add_args args = {
        .count = shape_count(&a->shape), .is_bf16 = is_bf16(a), .is_b_bf16 = is_bf16(node_input(p->g, n, 1))};
    return cuda_own(p, n, &kernel_add, grid_of_elements(p->b, args.count), &args, sizeof args, bindings, 3);
}

const cuda_rule cuda_pointwise_rules[] = {{&op_add_def, prepare_add}, {0}};
