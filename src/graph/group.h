/* Groups: several nodes that a backend runs as one. A backend's rules look for them before it prepares node by node;
 * what a rule found becomes one node of an operator of the backend's own, which planner and executor treat as any. */
#ifndef GRAPH_GROUP_H
#define GRAPH_GROUP_H

#include "graph/graph.h"

enum { GROUP_MAX_NODES = 9, GROUP_MAX_INPUTS = 24, GROUP_MAX_ATTR = 320 };

typedef struct {
    node_id nodes[GROUP_MAX_NODES]; /* in order of execution; output 0 of the last is the group's */
    int count;
    const op_def *op; /* what they become; reads `inputs`, has one output like theirs */
    value_id inputs[GROUP_MAX_INPUTS];
    int input_count;
    _Alignas(8) unsigned char attr[GROUP_MAX_ATTR]; /* the operator's own, attr_bytes of it */
    size_t attr_bytes;
} node_group;

/* Whether a group of this kind begins with node n; fills *out. */
typedef bool group_match(graph *g, node_id n, node_group *out);

/* Tries the rules, in their order, on each node. A group is taken where nobody outside reads what its nodes tell each
 * other, and nobody reads it after the run; its node is named after the last one's, and stands there. */
MIEN_MUST_USE mien_status graph_group(graph *g, group_match *const *rules, int count);

#endif
