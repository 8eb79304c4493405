/* The plain reference: every operator as its formula, naive loops, sums in double, no thought of speed.
 *
 * Gradient checks, fusion and planning are tested on it, and backends are compared with it operator by operator. It
 * takes any graph in f32 or bf16; it inserts no nodes and packs nothing. */
#ifndef TESTS_GRAPH_REFERENCE_BACKEND_H
#define TESTS_GRAPH_REFERENCE_BACKEND_H

#include "graph/backend.h"

/* REFERENCE_STORED: tensors live in the program's planned memory, in their own type, as with any backend.
 * REFERENCE_EXACT: every tensor has a buffer of doubles of its own and is never rounded (finite differences need it);
 * the planned memory gets rounded copies. Parameters, their gradients and inputs keep their type in both. */
typedef enum { REFERENCE_STORED, REFERENCE_EXACT } reference_precision;

/* Serves one program at a time; free it (backend->free) after that program. */
MIEN_MUST_USE mien_status reference_backend_create(backend **out, reference_precision precision);
/* REFERENCE_EXACT: the tensor's doubles, row-major, valid after a run, borrowed; NULL if v is no floating tensor. */
const double *reference_tensor(const backend *b, value_id v);

#endif
