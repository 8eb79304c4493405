/* That nothing of a group is missed outside is checked here, once, and not by every rule. */
#include "graph/group.h"

#include "graph/graph_int.h"
#include "graph/op.h"

#include <stdio.h>

static bool reads(const graph_node *node, value_id v)
{
    for (int i = 0; i < node->input_count; i++)
        if (node->inputs[i] == v)
            return true;
    return false;
}

/* Whether v is read by the group's nodes alone. */
static bool is_inner(graph *g, const node_group *group, value_id v)
{
    int inside = 0;
    for (int i = 0; i < group->count; i++)
        inside += reads(graph_node_at(g, group->nodes[i]), v);
    return !graph_value_at(g, v)->is_output && inside == graph_consumer_count(g, v);
}

static bool is_closed(graph *g, const node_group *group)
{
    for (int i = 0; i < group->count; i++) {
        const graph_node *node = graph_node_at(g, group->nodes[i]);
        const bool is_last = i == group->count - 1;
        for (int o = is_last; o < node->output_count; o++)
            if (node->outputs[o] != NO_VALUE && !is_inner(g, group, node->outputs[o]))
                return false;
    }
    return true;
}

static mien_status take(graph *g, const node_group *group)
{
    char name[256];
    node_id n = NO_NODE;
    const node_id last = group->nodes[group->count - 1];
    snprintf(name, sizeof name, "%s:%s", graph_node_at(g, last)->name, group->op->name);
    TRY(graph_insert_after(g, &n, last, group->op, name, group->inputs, group->input_count,
                           group->attr_bytes ? group->attr : NULL, group->attr_bytes));
    graph_value_at(g, graph_node_at(g, n)->outputs[0])->producer = NO_NODE; /* the shape rule's; nobody reads it */
    graph_take_output(g, n, 0, graph_node_at(g, last)->outputs[0]);
    for (int i = 0; i < group->count; i++)
        graph_remove(g, group->nodes[i]);
    return MIEN_OK;
}

static mien_status group_node(graph *g, node_id n, group_match *const *rules, int count)
{
    for (int i = 0; i < count; i++) {
        node_group group = {0};
        if (rules[i](g, n, &group) && is_closed(g, &group))
            return take(g, &group);
    }
    return MIEN_OK;
}

mien_status graph_group(graph *g, group_match *const *rules, int count)
{
    const int described = graph_node_count(g); /* groups are no members of groups */
    for (node_id n = 0; n < described; n++)
        if (!graph_node_at(g, n)->is_removed)
            TRY(group_node(g, n, rules, count));
    return MIEN_OK;
}
