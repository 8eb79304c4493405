/* constant: y = numbers that are known when the graph is described, a position encoding for one. Nothing is read, so it
 * is computed once, at refresh, and has no gradient.
 *
 * PyTorch: register_buffer. */
#include "graph/op/rule.h"

#include <string.h>

static mien_status constant_infer(graph *g, node_id n)
{
    const constant_attr *attr = graph_node_at(g, n)->attr;
    if (attr->type != DTYPE_F32 && attr->type != DTYPE_BF16)
        return mien_fail(MIEN_ERR_ARG, "type %s (wanted f32 or bf16)", dtype_name(attr->type));
    return graph_add_output(g, n, attr->type, attr->shape);
}

const op_def op_constant_def = {.name = "constant", .infer = constant_infer, .inplace_input = -1};

mien_status op_constant(graph *g, value_id *y, const char *name, dtype type, shape s, const float *data)
{
    float *copy = NULL;
    mien_status st = shape_check(&s);
    if (st != MIEN_OK)
        return mien_fail_in(st, "%s", name);
    TRY(arena_alloc(graph_arena(g), &copy, shape_count(&s)));
    memcpy(copy, data, (size_t)shape_count(&s) * sizeof *copy);
    const constant_attr attr = {type, s, copy};
    return op_append(g, y, &op_constant_def, name, NULL, 0, &attr, sizeof attr);
}
