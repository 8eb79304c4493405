/* Pieces of graph_print that program_print uses too. */
#ifndef GRAPH_PRINT_H
#define GRAPH_PRINT_H

#include "graph/graph.h"

/* "forward  layer1.0.conv2 = conv2d stride 2 2 (layer1.0.bn1 [16, 56, 56, 64], ...) -> [16, 28, 28, 64]" */
MIEN_MUST_USE mien_status print_node(graph *g, str *out, node_id n);

#endif
