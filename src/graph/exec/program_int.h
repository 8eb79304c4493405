/* The inside of a program, for the files of exec/ and for tests that look at the plan. */
#ifndef GRAPH_EXEC_PROGRAM_INT_H
#define GRAPH_EXEC_PROGRAM_INT_H

#include "graph/plan.h"
#include "graph/program.h"

#include <stdatomic.h>

/* Times are kept of the last this many runs. */
enum { PROFILE_RUNS = 64 };

/* What programs of equal graphs have in common. */
typedef struct {
    atomic_int users;     /* programs that have it; the last one frees it */
    unsigned char *block; /* plan.constant_bytes, from the backend */
} program_constants;

/* Nodes at positions [begin, end) of plan.run, which run one after another or as the backend captured them. */
typedef struct {
    int begin, end;
    captured *captured; /* NULL: one after another */
} program_span;
/* Of a program that accumulates: up to the sum, its two nodes (the first batch's, the others'), and what follows. */
enum { SPAN_GRADIENTS, SPAN_FIRST, SPAN_OTHERS, SPAN_UPDATE, PROGRAM_SPANS };

struct program {
    graph *g;         /* owned */
    backend *b;       /* borrowed */
    kernel **kernels; /* by node id, in the graph's arena; NULL for removed nodes */
    kernel_io *ios;   /* by node id, likewise */
    param_memory params;
    plan plan;
    unsigned char *block; /* plan.block_bytes, from the backend */
    program_constants *constants;
    bool is_beside; /* another program has made the constants */
    program_span spans[PROGRAM_SPANS];
    int span_count; /* 1: the whole run; PROGRAM_SPANS where gradients of several batches are summed */
    bool is_profiling;
    int profiled_runs;
    float (*seconds)[PROFILE_RUNS]; /* by position in plan.run, then run modulo PROFILE_RUNS */
};

/* Where a value's bytes are; NULL for NO_VALUE. */
void *program_address(const program *p, value_id v);
/* One run, each node watched: before it, its outputs (but those in place) and scratch are filled with 0xff bytes; after
 * it, nothing may have changed but its outputs, its in-place input, and parameters that it moves (running statistics,
 * the optimizer's). MIEN_ERR_INTERNAL names the node and the value that it spoiled. For tests: it reads all that is
 * alive after every node. */
MIEN_MUST_USE mien_status program_run_checked(program *p);

#endif
