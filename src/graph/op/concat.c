/* concat: y = the parts side by side along the last dimension; all other dimensions agree.
 *
 * d part i = the part's own columns of dy: slice, y = x[.., begin : begin + length].
 * PyTorch: torch.cat(parts, dim=-1) (channels of NHWC: dim=1 in NCHW), x[..., begin:begin + length]. */
#include "graph/op/rule.h"

#include <inttypes.h>
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
    slice_attr part = {0};
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

static mien_status slice_infer(graph *g, node_id n)
{
    const slice_attr *attr = graph_node_at(g, n)->attr;
    TRY(want_float(g, n, 0, "input"));
    const graph_value *x = input_of(g, n, 0);
    shape y = x->shape;
    int64_t *columns = &y.dim[y.rank - 1];
    if (y.rank < 1 || attr->begin < 0 || attr->length < 1 || attr->length > *columns ||
        attr->begin > *columns - attr->length)
        return mien_fail(MIEN_ERR_SHAPE, "columns %" PRId64 " to %" PRId64 " (wanted some of %" PRId64 ")", attr->begin,
                         attr->begin + attr->length, y.rank ? *columns : 0);
    *columns = attr->length;
    return graph_add_output(g, n, x->type, y);
}

static mien_status slice_print(const graph_node *node, str *out)
{
    const slice_attr *attr = node->attr;
    return str_printf(out, " %" PRId64 ":%" PRId64, attr->begin, attr->begin + attr->length);
}

const op_def op_concat_def = {.name = "concat", .infer = concat_infer, .grad = concat_grad, .inplace_input = -1};
const op_def op_slice_def = {.name = "slice", .infer = slice_infer, .inplace_input = -1, .print = slice_print};

mien_status op_concat(graph *g, value_id *y, const char *name, const value_id *parts, int count)
{
    return op_append(g, y, &op_concat_def, name, parts, count, NULL, 0);
}
