/* What the passes over a graph do to it, beyond describing: for files of this room only. */
#ifndef GRAPH_GRAPH_INT_H
#define GRAPH_GRAPH_INT_H

#include "graph/graph.h"

enum { GRAPH_MAX_OUTPUTS = 8 };

/* Phase of the nodes appended from now on; PHASE_FORWARD at first. */
void graph_set_phase(graph *g, node_phase phase);
/* Takes a node out of the order and marks it removed; its values stay and are dead. */
void graph_remove(graph *g, node_id n);
/* Moves a node to directly after another. */
void graph_move_after(graph *g, node_id n, node_id after);
/* The node's next output is a gradient slice, which it writes or adds to. */
void graph_add_slice_output(graph *g, node_id n, value_id slice);
/* The node's output `index` is v from now on. */
void graph_take_output(graph *g, node_id n, int index, value_id v);

#endif
