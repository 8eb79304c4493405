/* Where every tensor lives: offsets into one block, memory reused by lifetime.
 *
 * The block is [kept | reused | scratch]:
 *   kept      step parameters and inputs: the user's, from run to run
 *   reused    tensors of a run; two that are never alive together may share bytes
 *   scratch   one room for all kernels, as large as the largest wants
 * Constants, which depend only on parameters that this graph does not change (packed weights) and are computed by a
 * refresh, have a block of their own: programs of equal graphs may share it. */
#ifndef GRAPH_PLAN_H
#define GRAPH_PLAN_H

#include "graph/graph.h"

enum { PLAN_ALIGNMENT = 64 };

typedef enum {
    PLACE_NONE, /* parameters, gradients (elsewhere), dead values */
    PLACE_KEPT,
    PLACE_CONSTANT,
    PLACE_REUSED
} plan_place;

typedef struct {
    plan_place place;
    size_t offset,
        bytes;       /* in the block, PLACE_CONSTANT: in that of constants; bytes as the value needs, not rounded */
    int first, last; /* PLACE_REUSED: positions in plan.run between which it holds something; last = run_count where
                        it is an output, to be read after the run */
    value_id shares; /* the value whose memory it took in place, or NO_VALUE */
} value_plan;

typedef struct {
    value_plan *values; /* by value id */
    node_id *run, *refresh;
    int run_count, refresh_count;       /* nodes of every run, and of a refresh, in order */
    size_t block_bytes, constant_bytes; /* the two blocks to allocate, PLAN_ALIGNMENT-aligned */
    size_t kept_bytes, reused_bytes, scratch_bytes;
    size_t scratch_offset;
    size_t sum_bytes; /* of all tensors of a run, had none shared memory, and scratch */
} plan;

/* Plans the prepared graph. scratch_bytes: the largest that a kernel wants. The plan's arrays are in the graph's arena.
 * Errors: MIEN_ERR_NOMEM where sizes overflow. */
MIEN_MUST_USE mien_status plan_make(plan *out, graph *g, size_t scratch_bytes);
/* Bytes that a value needs: its packed layout's, or count times element size. */
size_t value_bytes(const graph_value *v);

#endif
