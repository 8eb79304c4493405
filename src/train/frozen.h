/* What the frozen copy of a deviation model says of pictures that come up again: computed the first time an item is
 * met, kept from then on. A picture's features are the same bits in every batch, so a resumed run, which begins with
 * nothing kept, computes what an uninterrupted one remembers. */
#ifndef TRAIN_FROZEN_H
#define TRAIN_FROZEN_H

#include "data/loader.h"
#include "graph/program.h"
#include "nn/model.h"

typedef struct frozen frozen;

/* What keeping `total` items takes. */
size_t frozen_bytes(const model *m, dtype precision, int64_t total);
/* For batches of `batch` of a plan of `total` items. The model's parameters must hold what they are to stay. */
MIEN_MUST_USE mien_status frozen_create(frozen **out, model *m, backend *b, dtype precision, int batch, int64_t total);
void frozen_free(frozen *f); /* NULL is a no-op */
/* Writes input v [batch, feature_dim] of p, of the activation type: a row for each of the batch's items, 0 where there
 * is none. */
MIEN_MUST_USE mien_status frozen_fill(frozen *f, program *p, value_id v, const loader_batch *batch);

#endif
