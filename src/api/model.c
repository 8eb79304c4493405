/* mien_model: an ensemble, the backend that its sessions share, and what its answers are called. */
#include "api/handles.h"
#include "base/mem.h"

#include <math.h>
#include <string.h>

/* --- life --------------------------------------------------------------------------------------------------------- */

static mien_column *add_column(mien_model *m, const char *name, const char *head, mien_column_kind kind)
{
    mien_column *c = &m->columns[m->column_count++];
    *c = (mien_column){.name = name, .head = head, .kind = kind};
    return c;
}

/* Of classes the most probable one, then the probability of each; of yes or no the probabilities, then what is decided
 * by them; of numbers those. */
static mien_status add_head(mien_model *m, const model_head *h)
{
    const mien_column_kind kind = h->kind == HEAD_REGRESSION ? MIEN_COLUMN_VALUE : MIEN_COLUMN_PROBABILITY;
    if (h->kind == HEAD_CLASS) {
        mien_column *best = add_column(m, h->name, h->name, MIEN_COLUMN_CLASS);
        best->labels = h->columns;
        best->label_count = h->size;
    }
    for (int i = 0; i < h->size; i++)
        add_column(m, h->columns[i], h->name, kind);
    for (int i = 0; h->kind == HEAD_BINARIES && i < h->size; i++) {
        char *name = NULL;
        TRY(arena_printf(m->texts, &name, "%s_c", h->columns[i]));
        add_column(m, name, h->name, MIEN_COLUMN_VALUE);
    }
    return MIEN_OK;
}

static mien_status name_columns(mien_model *m)
{
    int count;
    const model_head *heads = ensemble_heads(m->members, &count);
    TRY(arena_create(&m->texts, 0));
    TRY(mem_zalloc(&m->columns, 2 * ensemble_width(m->members) + count));
    for (int h = 0; h < count; h++)
        TRY(add_head(m, &heads[h]));
    return MIEN_OK;
}

mien_status mien_model_open(mien_model **out, const char *const *paths, int count, const mien_compute *compute)
{
    TRY(api_need(out, "mien_model_open", "out"));
    TRY(api_need(paths, "mien_model_open", "paths"));
    if (count < 1)
        return mien_fail(MIEN_ERR_ARG, "mien_model_open: count: %d (wanted at least 1)", count);
    for (int i = 0; i < count; i++)
        TRY(api_need(paths[i], "mien_model_open", "paths"));
    mien_status st = MIEN_OK;
    mien_model *m = NULL;
    TRY(mem_zalloc(&m, 1));
    atomic_init(&m->users, 1);
    TRY_OUT(api_compute(&m->compute, compute, "mien_model_open"));
    TRY_OUT(api_backend(&m->backend, &m->compute));
    TRY_OUT(api_ensemble_open(&m->members, paths, count, false, m->backend, api_precision(&m->compute)));
    TRY_OUT(name_columns(m));
    *out = m;
    m = NULL;
out:
    mien_model_free(m);
    return st;
}

void model_enter(mien_model *m)
{
    atomic_fetch_add(&m->users, 1);
}

void model_leave(mien_model *m)
{
    if (atomic_fetch_sub(&m->users, 1) > 1)
        return;
    ensemble_free(m->members);
    api_backend_free(m->backend);
    mem_free(m->columns);
    arena_free(m->texts);
    mem_free(m);
}

void mien_model_free(mien_model *model)
{
    if (model)
        model_leave(model);
}

/* --- getters ------------------------------------------------------------------------------------------------------ */

const char *mien_model_task(const mien_model *model)
{
    return model ? ensemble_task(model->members) : NULL;
}

int mien_model_column_count(const mien_model *model)
{
    return model ? model->column_count : 0;
}

const mien_column *mien_model_column(const mien_model *model, int index)
{
    return index >= 0 && index < mien_model_column_count(model) ? &model->columns[index] : NULL;
}

const char *mien_column_label(const mien_column *column, float value)
{
    if (!column || !(value >= 0 && value < (float)column->label_count) || value != floorf(value))
        return NULL;
    return column->labels[(int)value];
}

void model_fill_row(float *row, const mien_model *m, const float *mean)
{
    int count;
    const model_head *heads = ensemble_heads(m->members, &count);
    for (int h = 0; h < count; h++) {
        const int size = heads[h].size;
        if (heads[h].kind == HEAD_CLASS)
            *row++ = (float)metric_argmax(mean, size);
        memcpy(row, mean, (size_t)size * sizeof *row);
        row += size;
        for (int i = 0; heads[h].kind == HEAD_BINARIES && i < size; i++)
            *row++ = mean[i] > 0.5f;
        mean += size;
    }
}
