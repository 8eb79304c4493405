/* What the frozen copy of a deviation model says of pictures that come up again: computed the first time an item is
 * met, kept from then on. A picture's features are the same bits in every batch, so a resumed run, which begins with
 * nothing kept, computes what an uninterrupted one remembers. */
#ifndef TRAIN_FEATURE_CACHE_H
#define TRAIN_FEATURE_CACHE_H

#include "data/loader.h"
#include "graph/program.h"
#include "nn/model.h"

typedef struct feature_cache feature_cache;

/* What keeping `total` items takes. */
size_t feature_cache_bytes(const model *m, dtype precision, int64_t total);
/* For batches of `batch` of a plan of `total` items. The model's parameters must hold what they are to stay. */
MIEN_MUST_USE mien_status feature_cache_create(feature_cache **out, model *m, backend *b, dtype precision, int batch,
                                               int64_t total);
void feature_cache_free(feature_cache *f); /* NULL is a no-op */
/* Writes input v [batch, feature_dim] of p, of the activation type: a row for each of the batch's items, 0 where there
 * is none. */
MIEN_MUST_USE mien_status feature_cache_fill(feature_cache *f, program *p, value_id v, const loader_batch *batch);

#endif
