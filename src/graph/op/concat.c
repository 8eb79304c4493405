/* concat: y = the parts side by side along the last dimension; all other dimensions agree.
 *
 * d part i = the part's own columns of dy: slice.
 * PyTorch: torch.cat(parts, dim=-1) (channels of NHWC: dim=1 in NCHW). */
#include "graph/op/rule.h"

#include <stdio.h>

static mien_status concat_infer(graph *g, node_id n)
{
    const int count = graph_node_at(g, n)->input_count;
    if (count < 1)
        return mien_fail(MIEN_ERR_ARG, "no parts (wanted at least one)");
    TRY(want_float(g, n, 0, "part 0"));
    const graph_value *first = input_of(g, n, 0);
    shape y = first->shape;
    const int last = y.rank - 1;
    if (last < 0)
        return mien_fail(MIEN_ERR_SHAPE, "part 0 is a scalar (wanted at least 1 dimension)");
    for (int i = 1; i < count; i++) {
        char what[32];
        snprintf(what, sizeof what, "part %d", i);
        TRY(want_type(g, n, i, what, first->type));
        TRY(want_rank(g, n, i, what, y.rank));
        shape wanted = first->shape;
        wanted.dim[last] = input_of(g, n, i)->shape.dim[last];
        TRY(want_shape(g, n, i, what, wanted));
        y.dim[last] += wanted.dim[last]; /* each below 2^60, counted with an int: no overflow short of 8 huge parts */
        TRY(shape_check(&y));
    }
    return graph_add_output(g, n, first->type, y);
}

static mien_status concat_grad(graph *g, node_id n, const value_id *out_grads, const bool *needs, value_id *in_grads)
{
    const graph_node *node = graph_node_at(g, n);
    slice_attr part = {.axis = input_of(g, n, 0)->shape.rank - 1};
    for (int i = 0; i < node->input_count; i++) {
        const shape *s = &input_of(g, n, i)->shape;
        part.length = s->dim[s->rank - 1];
        char suffix[16];
        snprintf(suffix, sizeof suffix, "dx%d", i);
        if (needs[i])
            TRY(op_append_backward(g, &in_grads[i], &op_slice_def, n, suffix, &out_grads[0], 1, &part, sizeof part));
        part.begin += part.length;
    }
    return MIEN_OK;
}

const op_def op_concat_def = {.name = "concat", .infer = concat_infer, .grad = concat_grad, .inplace_input = -1};

mien_status op_concat(graph *g, value_id *y, const char *name, const value_id *parts, int count)
{
    return op_append(g, y, &op_concat_def, name, parts, count, NULL, 0);
}
