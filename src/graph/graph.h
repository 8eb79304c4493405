/* A static graph: values (tensors to be) and nodes (operators on them), in order of execution.
 *
 *   describe -> fuse -> differentiate -> (optimizer) -> prepare -> plan -> finalise, then run, run, run
 *
 * Describing checks shapes at once: an operator function (op.h) fails where its inputs do not fit. Passes append or
 * replace nodes; none computes anything. Everything lives in the graph's arena. A graph is used by one thread at a
 * time. */
#ifndef GRAPH_GRAPH_H
#define GRAPH_GRAPH_H

#include "base/arena.h"
#include "base/status.h"
#include "base/str.h"
#include "graph/attr.h"
#include "graph/tensor.h"

typedef int node_id;
#define NO_VALUE (-1)
#define NO_NODE (-1)
typedef int layout_id;
#define LAYOUT_PLAIN 0 /* row-major, without gaps */

typedef struct graph graph;
typedef struct op_def op_def;

/* Who owns a value's memory. */
typedef enum {
    VALUE_INPUT,  /* filled by the program's user before a run: images, labels, class weights */
    VALUE_PARAM,  /* a slice of the param store's value arena (weights, biases, running statistics): always f32 */
    VALUE_GRAD,   /* the same slice of its gradient arena: always f32 */
    VALUE_STEP,   /* the program's step parameters (attr.h) */
    VALUE_TENSOR, /* produced by a node; memory planned by lifetime */
} value_kind;

typedef struct {
    const char *name; /* unique; tensors take their node's name, with .1, .2 for further outputs */
    value_kind kind;
    dtype type;
    shape shape;
    node_id producer; /* VALUE_TENSOR, VALUE_GRAD: the node that writes it (last); else NO_NODE */
    value_id adds_to; /* a tensor that is a further reader's gradient of a parameter: its VALUE_GRAD; else NO_VALUE */
    size_t param_offset; /* VALUE_PARAM, VALUE_GRAD: element offset in the arena */
    bool requires_grad;  /* a trainable parameter, or a tensor that depends on one */
    bool is_output;      /* readable after a run: its memory is not reused */
    bool is_mutated;     /* VALUE_PARAM written by a node of this graph (running statistics, optimizer) */
    layout_id layout;    /* how its elements lie in memory (packed weights), as prepare decided */
    size_t layout_bytes; /* what they take so, where that is not LAYOUT_PLAIN */
} graph_value;

/* PHASE_SUM: gradients of a batch are added to those of others (op_accumulate). */
typedef enum { PHASE_FORWARD, PHASE_BACKWARD, PHASE_SUM, PHASE_UPDATE, PHASE_COUNT } node_phase;

typedef struct {
    const op_def *op;
    const char *name;           /* "layer1.0.conv1"; backward nodes "layer1.0.conv1:dx" */
    value_id *inputs, *outputs; /* optional ones hold NO_VALUE */
    int input_count, output_count;
    const void *attr; /* the operator's own attribute struct (op.h), in the arena */
    node_phase phase;
    node_id forward; /* the forward node a backward node belongs to, else NO_NODE */
    bool is_removed; /* fused away; passes skip it */
} graph_node;

/* activation_type: F32, or BF16 (activations and their gradients; statistics, losses, parameters and gradients of them
 * stay F32). is_training: batch_norm may use batch statistics, dropout drops; false lets fuse fold batch_norm into
 * convolutions. */
MIEN_MUST_USE mien_status graph_create(graph **out, dtype activation_type, bool is_training);
void graph_free(graph *g); /* NULL is a no-op */
arena *graph_arena(graph *g);
dtype graph_activation_type(const graph *g);
bool graph_is_training(const graph *g);

/* Names are unique in a graph; a shape has 0 to SHAPE_MAX_RANK dimensions of at least 1 (an empty batch is refused). */
MIEN_MUST_USE mien_status graph_input(graph *g, value_id *out, const char *name, dtype type, shape s);
/* A parameter at element offset `param_offset` of the store's arenas; in training graphs trainable ones get a gradient
 * slice. A name given before with the same shape and offset is the same value. */
MIEN_MUST_USE mien_status graph_param(graph *g, value_id *out, const char *name, shape s, size_t param_offset,
                                      bool is_trainable);
value_id graph_step(graph *g); /* the step parameters */
void graph_mark_output(graph *g, value_id v);

/* For operators and passes: append a node after the last one (its shape rule runs and creates the outputs). */
MIEN_MUST_USE mien_status graph_add(graph *g, node_id *out, const op_def *op, const char *name, const value_id *inputs,
                                    int input_count, const void *attr, size_t attr_bytes);
/* Creates the node's next output; called by shape rules. */
MIEN_MUST_USE mien_status graph_add_output(graph *g, node_id n, dtype type, shape s);
/* The node's next output is absent (NO_VALUE): outputs keep their positions. */
void graph_skip_output(graph *g, node_id n);
/* Fills an absent output in; called by gradient rules for what the forward pass must save. */
MIEN_MUST_USE mien_status graph_fill_output(graph *g, node_id n, int index, dtype type, shape s);
/* Places a new node directly before `before` (a backend's packing and layout changes). */
MIEN_MUST_USE mien_status graph_insert_before(graph *g, node_id *out, node_id before, const op_def *op,
                                              const char *name, const value_id *inputs, int input_count,
                                              const void *attr, size_t attr_bytes);
/* Directly after `after` (a backend's unpacking of gradients). */
MIEN_MUST_USE mien_status graph_insert_after(graph *g, node_id *out, node_id after, const op_def *op, const char *name,
                                             const value_id *inputs, int input_count, const void *attr,
                                             size_t attr_bytes);

/* Order of execution: node ids are stable, order changes with insertions. */
int graph_node_count(const graph *g); /* ids 0..count-1, removed ones among them */
int graph_order_count(const graph *g);
node_id graph_order_at(const graph *g, int position);
graph_node *graph_node_at(graph *g, node_id n);
int graph_value_count(const graph *g);
graph_value *graph_value_at(graph *g, value_id v);
value_id graph_find(const graph *g, const char *name); /* NO_VALUE if absent */
int graph_consumer_count(graph *g, value_id v);        /* nodes that read it */
/* The one node that reads v; NO_NODE where none or several do, or where v is an output of the graph. */
node_id graph_only_consumer(graph *g, value_id v);
/* The id of the layout that a backend describes so: the same text is the same id in this graph. */
MIEN_MUST_USE mien_status graph_layout(graph *g, layout_id *out, const char *text);
const char *graph_layout_text(const graph *g, layout_id layout); /* "plain" for LAYOUT_PLAIN */

/* Passes ------------------------------------------------------------------------------------------------------- */

/* Where a gradient is wanted: batch_norm [+ add residual] [+ relu|silu] -> one batch_norm node; sigmoid(linear) etc.
 * stay. Where none is (inference, and what is frozen): conv2d + batch_norm(running) [+ add] [+ activation] -> one
 * conv2d with folded statistics. Only where the inner values have one consumer and are no outputs. */
MIEN_MUST_USE mien_status graph_fuse(graph *g);

/* Appends the backward nodes of the sum of `losses`, each times its weight. Gradients of trainable parameters are
 * written to their VALUE_GRAD slices, contributions of several readers added; parameters, and inputs, that nobody needs
 * get no node. A loss of weight 0 is left out. `input_grad`: value whose gradient is wanted as an output (tests), or
 * NO_VALUE; *out_input_grad receives it (may be NULL). */
typedef struct {
    value_id value; /* output 0 of an operator that is_loss: a scalar, f32 */
    float weight;
} graph_loss;
MIEN_MUST_USE mien_status graph_differentiate(graph *g, const graph_loss *losses, int loss_count, value_id input_grad,
                                              value_id *out_input_grad);

/* The graph as text, a line a node: phase, operator, name, inputs with shapes -> outputs; the product of `mien info
 * --graph`. */
MIEN_MUST_USE mien_status graph_print(graph *g, str *out);

#endif
