/* accumulate: sums = sums + gradients of every trainable parameter, or sums = gradients where is_first; then, where the
 * loss is not finite, one of the sums is NaN.
 *
 * PyTorch: loss.backward() of several batches before one optimizer.step(). */
#include "graph/op/rule.h"

static mien_status accumulate_infer(graph *g, node_id n)
{
    (void)g, (void)n;
    return MIEN_OK;
}

static mien_status accumulate_print(const graph_node *node, str *out)
{
    const accumulate_attr *attr = node->attr;
    return str_printf(out, "%s: %d ranges", attr->is_first ? " first" : "", attr->range_count);
}

const op_def op_accumulate_def = {
    .name = "accumulate", .infer = accumulate_infer, .inplace_input = -1, .print = accumulate_print};

mien_status op_accumulate(graph *g, const char *name, value_id loss)
{
    all_gradients all = {0};
    char *first_name = NULL;
    node_id n = NO_NODE;
    TRY(gradients_collect(g, &all, name, loss));
    TRY(arena_printf(graph_arena(g), &first_name, "%s:first", name));
    accumulate_attr attr = {.ranges = all.ranges, .range_count = all.range_count, .is_first = true};
    graph_set_phase(g, PHASE_SUM);
    TRY(graph_add(g, &n, &op_accumulate_def, first_name, all.values, all.count + 1, &attr, sizeof attr));
    attr.is_first = false;
    return graph_add(g, &n, &op_accumulate_def, name, all.values, all.count + 1, &attr, sizeof attr);
}
