/* Each check fails with what was found and what was wanted, and the graph puts the node's name before it: operator
 * files hold no message of their own for types, ranks and shapes. */
#include "graph/op/rule.h"

#include <inttypes.h>
#include <stdlib.h>

graph_value *input_of(graph *g, node_id n, int index)
{
    const graph_node *node = graph_node_at(g, n);
    bool is_there = index < node->input_count && node->inputs[index] != NO_VALUE;
    return is_there ? graph_value_at(g, node->inputs[index]) : NULL;
}

graph_value *output_of(graph *g, node_id n, int index)
{
    const graph_node *node = graph_node_at(g, n);
    bool is_there = index < node->output_count && node->outputs[index] != NO_VALUE;
    return is_there ? graph_value_at(g, node->outputs[index]) : NULL;
}

graph_value *forward_input_of(graph *g, node_id n, int index)
{
    return input_of(g, graph_node_at(g, n)->forward, index);
}

bool forward_wants_grad(graph *g, node_id n, int index)
{
    const graph_value *v = forward_input_of(g, n, index);
    return v && v->requires_grad;
}

mien_status want_present(graph *g, node_id n, int index, const char *what)
{
    if (!input_of(g, n, index))
        return mien_fail(MIEN_ERR_SHAPE, "%s is missing", what);
    return MIEN_OK;
}

mien_status want_type(graph *g, node_id n, int index, const char *what, dtype type)
{
    TRY(want_present(g, n, index, what));
    dtype found = input_of(g, n, index)->type;
    if (found != type)
        return mien_fail(MIEN_ERR_SHAPE, "%s is %s (wanted %s)", what, dtype_name(found), dtype_name(type));
    return MIEN_OK;
}

mien_status want_float(graph *g, node_id n, int index, const char *what)
{
    TRY(want_present(g, n, index, what));
    dtype found = input_of(g, n, index)->type;
    if (found != DTYPE_F32 && found != DTYPE_BF16)
        return mien_fail(MIEN_ERR_SHAPE, "%s is %s (wanted f32 or bf16)", what, dtype_name(found));
    return MIEN_OK;
}

mien_status want_rank(graph *g, node_id n, int index, const char *what, int rank)
{
    TRY(want_present(g, n, index, what));
    const shape *s = &input_of(g, n, index)->shape;
    char text[SHAPE_TEXT_BYTES];
    if (s->rank != rank)
        return mien_fail(MIEN_ERR_SHAPE, "%s is %s (wanted %d dimensions)", what, shape_print(text, sizeof text, s),
                         rank);
    return MIEN_OK;
}

mien_status want_shape(graph *g, node_id n, int index, const char *what, shape wanted)
{
    TRY(want_present(g, n, index, what));
    const shape *s = &input_of(g, n, index)->shape;
    char text[SHAPE_TEXT_BYTES], wanted_text[SHAPE_TEXT_BYTES];
    if (!shape_equal(s, &wanted))
        return mien_fail(MIEN_ERR_SHAPE, "%s is %s (wanted %s)", what, shape_print(text, sizeof text, s),
                         shape_print(wanted_text, sizeof wanted_text, &wanted));
    return MIEN_OK;
}

mien_status want_param(graph *g, node_id n, int index, const char *what, shape wanted)
{
    TRY(want_shape(g, n, index, what, wanted));
    const graph_value *v = input_of(g, n, index);
    if (v->kind != VALUE_PARAM)
        return mien_fail(MIEN_ERR_SHAPE, "%s %s is no parameter (wanted one)", what, v->name);
    return MIEN_OK;
}

mien_status want_targets(graph *g, node_id n, const char *what)
{
    TRY(want_type(g, n, 0, what, DTYPE_F32));
    const shape s = input_of(g, n, 0)->shape;
    TRY(want_type(g, n, 1, "target", DTYPE_F32));
    TRY(want_shape(g, n, 1, "target", s));
    if (!input_of(g, n, 2))
        return MIEN_OK;
    TRY(want_type(g, n, 2, "mask", DTYPE_U8));
    return want_shape(g, n, 2, "mask", s);
}

mien_status loss_dx_infer(graph *g, node_id n)
{
    return graph_add_output(g, n, DTYPE_F32, forward_input_of(g, n, 0)->shape);
}

mien_status op_append(graph *g, value_id *y, const op_def *op, const char *name, const value_id *inputs,
                      int input_count, const void *attr, size_t attr_bytes)
{
    node_id n = NO_NODE;
    TRY(graph_add(g, &n, op, name, inputs, input_count, attr, attr_bytes));
    *y = graph_node_at(g, n)->outputs[0];
    return MIEN_OK;
}

mien_status op_append_backward(graph *g, value_id *dx, const op_def *op, node_id forward, const char *suffix,
                               const value_id *inputs, int input_count, const void *attr, size_t attr_bytes)
{
    node_id n = NO_NODE;
    TRY(graph_add_backward(g, &n, op, forward, suffix, inputs, input_count, attr, attr_bytes));
    *dx = graph_node_at(g, n)->outputs[0];
    return MIEN_OK;
}

mien_status dw_infer(graph *g, node_id n, int weight, int bias)
{
    const graph_node *forward = graph_node_at(g, graph_node_at(g, n)->forward);
    const int at[DW_OUTPUTS] = {[DW_WEIGHT] = weight, [DW_BIAS] = bias};
    for (int i = 0; i < DW_OUTPUTS; i++)
        if (forward_wants_grad(g, n, at[i]))
            TRY(graph_add_param_grad_output(g, n, forward->inputs[at[i]]));
        else
            graph_skip_output(g, n);
    return MIEN_OK;
}

mien_status window_positions(int64_t *out, const char *axis, int64_t in, int64_t window, int dilation, int stride,
                             int pad_begin, int pad_end, bool is_ceil)
{
    if (stride < 1 || dilation < 1 || pad_begin < 0 || pad_end < 0 || window < 1)
        return mien_fail(MIEN_ERR_ARG,
                         "%s: window %" PRId64 ", stride %d, dilation %d, padding %d and %d (wanted 1 or more, "
                         "padding 0 or more)",
                         axis, window, stride, dilation, pad_begin, pad_end);
    int64_t reach, padded = in + pad_begin + pad_end; /* in is below 2^60 (shape_check) */
    bool is_window = !__builtin_mul_overflow(window - 1, (int64_t)dilation, &reach);
    int64_t overhang = is_ceil ? stride - 1 : 0; /* ceil mode: the last window may hang over the edge by so much */
    if (!is_window || reach - overhang >= padded)
        return mien_fail(MIEN_ERR_SHAPE, "%s: a window of %" PRId64 " exceeds the padded input (%" PRId64 ")", axis,
                         window, padded);
    int64_t count = (padded - reach - 1 + overhang) / stride + 1;
    if (is_ceil && (count - 1) * stride >= in + pad_begin)
        count--;
    *out = count;
    return MIEN_OK;
}

/* --- all gradients ------------------------------------------------------------------------------------------------ */

static int compare_offsets(const void *a, const void *b)
{
    size_t x = ((const param_range *)a)->offset, y = ((const param_range *)b)->offset;
    return (x > y) - (x < y);
}

/* Sorts ranges and joins those that touch; returns how many are left. */
static int merge_ranges(param_range *ranges, int count)
{
    qsort(ranges, (size_t)count, sizeof *ranges, compare_offsets);
    int kept = 0;
    for (int i = 0; i < count; i++)
        if (kept > 0 && ranges[kept - 1].offset + ranges[kept - 1].count == ranges[i].offset)
            ranges[kept - 1].count += ranges[i].count;
        else
            ranges[kept++] = ranges[i];
    return kept;
}

mien_status gradients_collect(graph *g, all_gradients *out, const char *name, value_id loss)
{
    value_id *values = NULL;
    param_range *ranges = NULL;
    const int value_count = graph_value_count(g);
    int count = 0;
    if (loss < 0 || loss >= value_count)
        return mien_fail(MIEN_ERR_ARG, "%s: no loss (wanted a value of this graph)", name);
    TRY(arena_alloc(graph_arena(g), &values, value_count + 1));
    TRY(arena_alloc(graph_arena(g), &ranges, value_count));
    for (value_id v = 0; v < value_count; v++) {
        const graph_value *grad = graph_value_at(g, v);
        if (grad->kind != VALUE_GRAD || grad->producer == NO_NODE)
            continue;
        ranges[count] = (param_range){grad->param_offset, (size_t)shape_count(&grad->shape)};
        values[count++] = v;
    }
    if (count == 0)
        return mien_fail(MIEN_ERR_ARG, "%s: no gradients (wanted graph_differentiate first)", name);
    values[count] = loss;
    *out = (all_gradients){values, count, ranges, merge_ranges(ranges, count)};
    return MIEN_OK;
}
