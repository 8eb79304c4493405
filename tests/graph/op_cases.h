/* One table of operator cases for every use: shape errors, gradient checks, backends against the reference, bench/ops.
 *
 *   case_graph c;
 *   case_graph_build(&c, op_case_at(i), DTYPE_F32, CASE_TRAINING);
 *   program_create(&p, c.g, backend, &c.params);    the program owns the graph now
 *   case_graph_fill(&c, p, seed);                   the same numbers for every backend
 *   program_run(p);
 *   ... compare y, loss, dx (program_read) and params.grads ...
 *   program_free(p); case_graph_free(&c);
 *
 * Building one case twice gives the same value ids. CASE_FORWARD is an inference graph x -> y, fused (so batch_norm
 * folds into convolutions). CASE_TRAINING goes on to a loss through operators that make dy differ at every position
 * (y -> silu -> global_mean -> linear -> cross_entropy), and is fused and differentiated. */
#ifndef TESTS_GRAPH_OP_CASES_H
#define TESTS_GRAPH_OP_CASES_H

#include "graph/program.h"

#include <stdbool.h>

typedef enum { CASE_FORWARD, CASE_TRAINING } case_mode;

/* How a parameter is drawn: N(0, 1/fan_in), N(1, 0.1), N(0, 0.3), U(0.5, 1.5). */
typedef enum { FILL_WEIGHT, FILL_GAMMA, FILL_BIAS, FILL_VARIANCE } case_fill;

enum { CASE_MAX_PARAMS = 40 };
typedef struct {
    value_id value;
    const char *name; /* borrowed from the graph */
    size_t offset, count;
    case_fill fill;
    double fan_in;
    bool is_trainable;
} case_param;

typedef struct op_case op_case;

typedef struct {
    const op_case *spec; /* the row it came from */
    graph *g;
    value_id x;             /* input, activation type (u8 where the case says so) */
    value_id y;             /* output of the operator under test */
    value_id labels;        /* CASE_TRAINING, else NO_VALUE; also loss and dx */
    value_id class_weights; /* some cases of losses; also mask */
    value_id mask;
    value_id loss;
    value_id dx; /* gradient of x */
    dtype x_type;
    int64_t label_count;
    case_param param[CASE_MAX_PARAMS];
    int param_count;
    param_memory params; /* owned; allocated by build, written by fill */
} case_graph;

struct op_case {
    const char *op;   /* "conv2d": the file in op/ that the case is about */
    const char *name; /* "conv2d/3x3_stride2_odd" */
    /* Describes y from x; declares parameters with case_param_add. */
    mien_status (*describe)(case_graph *c, const op_case *self, value_id *y, value_id x);
    const void *spec; /* what describe reads */
    shape x;
    dtype x_type;         /* DTYPE_F32: the graph's activation type; DTYPE_U8: images */
    bool is_forward_only; /* no gradient (normalise) */
    bool is_loss;         /* the operator ends the graph */
    bool is_large;        /* a size for bench/ops; too slow for the reference */
    bool is_medium;       /* many vectors, work for two threads, and ends of both; too slow for finite differences */
};

/* Rows behind those of op_cases.c (op_cases_regions.c). */
extern const op_case region_cases[];
extern const int region_case_count;

int op_case_count(void);
const op_case *op_case_at(int index);

MIEN_MUST_USE mien_status case_param_add(case_graph *c, value_id *out, const char *name, shape s, case_fill fill,
                                         double fan_in, bool is_trainable);
MIEN_MUST_USE mien_status case_graph_build(case_graph *out, const op_case *oc, dtype activation_type, case_mode mode);
/* Frees the parameters, and the graph where no program took it (set c->g to NULL after program_create). */
void case_graph_free(case_graph *c);
/* Draws inputs and parameters from streams named by (seed, value): equal on every backend. */
MIEN_MUST_USE mien_status case_graph_fill(case_graph *c, program *p, uint64_t seed);

#endif
