/* A row for each item of the set, and a bit that says whether it is filled: a batch of which all rows are known is
 * copied, any other is run whole, since running a part would take a program of another size. */
#include "train/feature_cache.h"

#include "base/mem.h"
#include "base/size.h"

#include <string.h>

struct feature_cache {
    program *program; /* images to features */
    model_io io;
    int batch;
    size_t row_bytes;
    char *rows;     /* [total, feature_dim] */
    bool *is_known; /* [total] */
    char *passing;  /* [batch, feature_dim], of the batch that is learnt or filled in */
};

static size_t row_bytes(const model *m, dtype precision)
{
    return (size_t)model_architecture(m)->feature_dim * dtype_bytes(precision);
}

size_t feature_cache_bytes(const model *m, dtype precision, int64_t total)
{
    size_t bytes;
    return size_mul(&bytes, row_bytes(m, precision) + sizeof(bool), (size_t)total) ? bytes : SIZE_MAX;
}

mien_status feature_cache_create(feature_cache **out, model *m, backend *b, dtype precision, int batch, int64_t total)
{
    mien_status st;
    feature_cache *f = NULL;
    const model_graph_options options = {.batch = batch, .activation_type = precision, .part = MODEL_IDENTITY};
    TRY(mem_zalloc(&f, 1));
    f->batch = batch;
    f->row_bytes = row_bytes(m, precision);
    TRY_OUT(mem_alloc(&f->rows, (size_t)total * f->row_bytes));
    TRY_OUT(mem_zalloc(&f->is_known, total));
    TRY_OUT(mem_alloc(&f->passing, (size_t)batch * f->row_bytes));
    TRY_OUT(model_program(&f->program, &f->io, m, &options, b, NULL));
    *out = f;
    f = NULL;
out:
    feature_cache_free(f);
    return st;
}

void feature_cache_free(feature_cache *f)
{
    if (!f)
        return;
    program_free(f->program);
    mem_free(f->rows);
    mem_free(f->is_known);
    mem_free(f->passing);
    mem_free(f);
}

static bool knows_all(const feature_cache *f, const loader_batch *batch)
{
    for (int i = 0; i < f->batch; i++)
        if (batch->items[i] >= 0 && !f->is_known[batch->items[i]])
            return false;
    return true;
}

/* Runs the frozen copy over the batch and keeps what it says of each item. */
static mien_status learn(feature_cache *f, const loader_batch *batch)
{
    TRY(program_write(f->program, f->io.images, batch->images));
    TRY(program_run(f->program));
    TRY(program_read(f->program, f->io.identity, f->passing));
    for (int i = 0; i < f->batch; i++)
        if (batch->items[i] >= 0) {
            memcpy(f->rows + (size_t)batch->items[i] * f->row_bytes, f->passing + (size_t)i * f->row_bytes,
                   f->row_bytes);
            f->is_known[batch->items[i]] = true;
        }
    return MIEN_OK;
}

mien_status feature_cache_fill(feature_cache *f, program *p, value_id v, const loader_batch *batch)
{
    if (!knows_all(f, batch))
        TRY(learn(f, batch));
    for (int i = 0; i < f->batch; i++) {
        char *row = f->passing + (size_t)i * f->row_bytes;
        if (batch->items[i] >= 0)
            memcpy(row, f->rows + (size_t)batch->items[i] * f->row_bytes, f->row_bytes);
        else
            memset(row, 0, f->row_bytes);
    }
    return program_write(p, v, f->passing);
}
