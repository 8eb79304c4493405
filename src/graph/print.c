/* Graphs as text, for people. Types are said where they are not f32; an output is named where its name is not its
 * node's. */
#include "graph/print.h"

#include "graph/op.h"

#include <string.h>

enum { MAX_VALUES_SHOWN = 12 }; /* the optimizer reads hundreds */

static mien_status print_value(graph *g, str *out, const char *node_name, value_id v)
{
    if (v == NO_VALUE)
        return str_append(out, "-");
    const graph_value *value = graph_value_at(g, v);
    char text[SHAPE_TEXT_BYTES];
    if (strcmp(value->name, node_name) != 0)
        TRY(str_printf(out, "%s ", value->name));
    return str_printf(out, "%s%s", value->type == DTYPE_F32 ? "" : dtype_name(value->type),
                      shape_print(text, sizeof text, &value->shape));
}

static mien_status print_values(graph *g, str *out, const char *node_name, const value_id *values, int count)
{
    while (count > 0 && values[count - 1] == NO_VALUE) /* absent ones at the end say nothing */
        count--;
    const int shown = count > MAX_VALUES_SHOWN ? 3 : count;
    for (int i = 0; i < shown; i++) {
        TRY(str_append(out, i ? ", " : ""));
        TRY(print_value(g, out, node_name, values[i]));
    }
    return shown < count ? str_printf(out, ", ... %d more", count - shown) : MIEN_OK;
}

mien_status print_node(graph *g, str *out, node_id n)
{
    static const char *const phases[PHASE_COUNT] = {"forward", "backward", "sum", "update"};
    const graph_node *node = graph_node_at(g, n);
    TRY(str_printf(out, "%-8s %s = %s", phases[node->phase], node->name, node->op->name));
    if (node->op->print)
        TRY(node->op->print(node, out));
    TRY(str_append(out, " ("));
    TRY(print_values(g, out, "", node->inputs, node->input_count));
    TRY(str_append(out, ") -> "));
    return print_values(g, out, node->name, node->outputs, node->output_count);
}

mien_status graph_print(graph *g, str *out)
{
    for (int i = 0; i < graph_order_count(g); i++) {
        TRY(print_node(g, out, graph_order_at(g, i)));
        TRY(str_append(out, "\n"));
    }
    return MIEN_OK;
}
