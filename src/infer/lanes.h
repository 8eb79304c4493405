/* Inference of batches: lanes, programs for a few pictures each, every one computed by a thread of its own, side by
 * side. Activations of a few pictures stay in a core's cache where those of a batch do not, and no thread waits for
 * another at every operator. A lane takes the next few pictures whenever it is done with some, so one whose core
 * another process keeps costs its share and no more; whoever computes a picture, the kernels are the same. */
#ifndef INFER_LANES_H
#define INFER_LANES_H

#include "graph/program.h"
#include "nn/model.h"

typedef struct lanes lanes;

/* For up to `batch` pictures a run. Where they are too few to keep the backend's threads busy, one program that all
 * threads compute together. Model and backend are borrowed and outlive it. */
MIEN_MUST_USE mien_status lanes_create(lanes **out, model *m, int batch, dtype activation_type, backend *b);
/* The same beside `other`, of its model and batch, on a backend of as many threads: they have their constants in common
 * (program_create_beside), whichever is freed first, and may run at once. */
MIEN_MUST_USE mien_status lanes_create_beside(lanes **out, const lanes *other, backend *b);
void lanes_free(lanes *l); /* NULL is a no-op */
int lanes_batch(const lanes *l);

/* images [count, size, size, 3] -> answers [count, width]: of each picture the outputs of its heads, one after the
 * other; count at most the batch. logits likewise, of what the heads say before it is made a probability; NULL: nobody
 * asks. */
MIEN_MUST_USE mien_status lanes_run(lanes *l, const uint8_t *images, int count, float *answers, float *logits);

/* For accounts: how many lanes there are, the pictures that each takes at a time, and their programs, which are alike
 * but that the first has made the constants. */
int lanes_count(const lanes *l);
int lanes_tile(const lanes *l);
program *lanes_program(const lanes *l, int lane);

#endif
