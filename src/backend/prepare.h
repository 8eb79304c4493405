/* What backends have in common: where a kernel's pointers come from, and the table of kernels that prepare fills. */
#ifndef BACKEND_PREPARE_H
#define BACKEND_PREPARE_H

#include "graph/backend.h"

/* Where a pointer comes from at bind. */
typedef enum {
    FROM_INPUT,
    FROM_OUTPUT,
    FROM_SCRATCH,
    FROM_VALUES, /* the parameter arenas, whole */
    FROM_GRADS,
    FROM_SUMS,
    FROM_STATE1,
    FROM_STATE2
} binding_source;
typedef struct {
    binding_source from;
    size_t index; /* of the node's inputs or outputs; byte offset for FROM_SCRATCH */
    size_t at;    /* where it goes: offsetof the pointer in an argument struct, or what a library calls the operand */
} binding;

void *binding_address(const kernel_io *io, const binding *b);
/* Writes the pointer to where it goes in an argument struct. */
void binding_set(void *args, const kernel_io *io, const binding *b);

const graph_value *node_input(graph *g, node_id n, int index);  /* NULL for NO_VALUE */
const graph_value *node_output(graph *g, node_id n, int index); /* NULL for NO_VALUE */
double node_bytes(graph *g, node_id n);                         /* operands read and written once */
bool is_bf16(const graph_value *v);

/* Kernels by node id, as prepare makes them; nodes may be inserted meanwhile. */
typedef struct {
    kernel **items;
    int capacity;
} kernel_list;

/* Node n runs k, which the list owns from now on (also on failure). Fills in bytes_moved where it is 0. */
MIEN_MUST_USE mien_status kernel_list_set(kernel_list *list, graph *g, node_id n, kernel *k);
/* What prepare gives back: the kernels in an array of the graph's arena; the list is empty then. */
MIEN_MUST_USE mien_status kernel_list_take(kernel_list *list, graph *g, kernel ***out);
void kernel_list_free(kernel_list *list); /* with the kernels */

#endif
