/* A program: one graph bound to a backend and a parameter memory, with its own activations.
 * Creating it runs prepare, plan and finalise; after that a run allocates nothing, looks nothing up, takes no lock.
 * Several programs may share one parameter memory (training and validation); a program is used by one thread at a time.
 */
#ifndef GRAPH_PROGRAM_H
#define GRAPH_PROGRAM_H

#include "base/str.h"
#include "graph/backend.h"

typedef struct program program;

/* Takes the graph over (freed with the program, also on failure); backend and params' arenas are borrowed and outlive
 * it. */
MIEN_MUST_USE mien_status program_create(program **out, graph *g, backend *b, const param_memory *params);
/* The same beside `other`, made of an equal graph over the same parameters, on a backend b of as many threads:
 * constants (packed weights) are shared, and freed with the last that has them. Programs that share them may run at
 * once, and those made beside another are never refreshed. Errors: also MIEN_ERR_INTERNAL where the graphs are seen to
 * differ. */
MIEN_MUST_USE mien_status program_create_beside(program **out, graph *g, backend *b, const program *other);
void program_free(program *p); /* NULL is a no-op */

/* A program's memory is its backend's, which need not be the caller's: numbers go in and come out as copies, plain
 * row-major and in the value's type. Inputs keep what was written from run to run, and begin as zero; an output is read
 * after a run. A row is an element of the first dimension: whole values, or `count` rows from row `first` on.
 * Errors: MIEN_ERR_INTERNAL where v is no input (write), neither input nor output (read), or has no such rows. */
MIEN_MUST_USE mien_status program_write(program *p, value_id v, const void *src);
MIEN_MUST_USE mien_status program_write_rows(program *p, value_id v, int64_t first, int64_t count, const void *src);
MIEN_MUST_USE mien_status program_read(program *p, value_id v, void *dst);
MIEN_MUST_USE mien_status program_read_rows(program *p, value_id v, int64_t first, int64_t count, void *dst);
/* The next content of input v, on its way while a run may be: src is the caller's again on return, that run does not
 * see it, and program_take puts it in place for the runs that follow. One input of all programs of a backend at a time:
 * the one staged last. (Where runs are over when they return, it is a plain write.) */
MIEN_MUST_USE mien_status program_stage(program *p, value_id v, const void *src);
MIEN_MUST_USE mien_status program_take(program *p, value_id v);
/* What the next runs compute with; and what the last one left there (is_nonfinite, gradient_norm). */
MIEN_MUST_USE mien_status program_set_step(program *p, const step_params *step);
MIEN_MUST_USE mien_status program_get_step(step_params *out, program *p);

/* Runs what depends only on parameters that this program does not change (packing of weights). Call after parameters
 * changed outside: program_create has done it once. Not for programs that were made beside another. */
MIEN_MUST_USE mien_status program_refresh(program *p);
/* One pass over the nodes; with op_accumulate: one batch and its update. On a device it may return before that is over:
 * whoever reads waits, or program_wait. */
MIEN_MUST_USE mien_status program_run(program *p);
/* A step of several batches, of a graph with op_accumulate: for each batch its inputs are written and its gradients
 * added to the sums, which the first one begins; then one update. Dropout draws by (seed, step) of the step parameters:
 * give every batch a seed of its own. A batch that was not finite makes the update set is_nonfinite and move nothing.
 * Errors: MIEN_ERR_ARG where the graph does not accumulate. */
MIEN_MUST_USE mien_status program_run_gradients(program *p, bool is_first);
MIEN_MUST_USE mien_status program_run_update(program *p);
MIEN_MUST_USE mien_status program_wait(program *p);

typedef struct {
    size_t planned_bytes;  /* activations and scratch as planned, with reuse */
    size_t sum_bytes;      /* the same without reuse: the sum of all tensors */
    size_t constant_bytes; /* packed weights kept from run to run; 0 where another program has made them */
    size_t scratch_bytes;
} program_memory;
program_memory program_memory_used(const program *p);
/* Bytes of the backend's memory that a program of this graph would take beside its parameters: prepared and planned,
 * but given none. Takes the graph over. */
MIEN_MUST_USE mien_status program_measure(size_t *out, graph *g, backend *b);

/* Profile: times every node over the runs since it was switched on. */
void program_profile(program *p, bool is_on);
typedef struct {
    const char *node, *op, *implementation;
    node_phase phase;
    double seconds, flops, bytes; /* seconds: median a run */
} program_timing;
int program_timing_count(const program *p);
program_timing program_timing_at(const program *p, int index);
/* A pass-by-pass account for `mien info --graph`: the graph after planning, with buffers and offsets. */
MIEN_MUST_USE mien_status program_print(program *p, str *out);

#endif
