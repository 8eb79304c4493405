/* contribute: slice = slice + part, or slice = part: what a reader of a parameter adds to its gradient. The slice is
 * input 0 (absent where part begins it) and the output alike; part is f32, of the parameter's shape.
 *
 * PyTorch: param.grad += part. */
#include "graph/op/rule.h"

enum { CONTRIBUTE_SUM, CONTRIBUTE_PART };

static mien_status contribute_infer(graph *g, node_id n)
{
    const value_id slice = *(const value_id *)graph_node_at(g, n)->attr;
    TRY(want_type(g, n, CONTRIBUTE_PART, "part", DTYPE_F32));
    TRY(want_shape(g, n, CONTRIBUTE_PART, "part", graph_value_at(g, slice)->shape));
    graph_add_slice_output(g, n, slice);
    return MIEN_OK;
}

const op_def op_contribute_def = {.name = "contribute", .infer = contribute_infer, .inplace_input = -1};

mien_status op_contribute(graph *g, const char *name, value_id slice, value_id part, bool is_sum)
{
    node_id n = NO_NODE;
    const value_id inputs[] = {[CONTRIBUTE_SUM] = is_sum ? slice : NO_VALUE, [CONTRIBUTE_PART] = part};
    return graph_add(g, &n, &op_contribute_def, name, inputs, 2, &slice, sizeof slice);
}
