/* mien_model: an ensemble, the backend that its sessions share, and what its answers are called. */
#include "api/handles.h"
#include "base/mem.h"

#include <math.h>
#include <string.h>

/* --- life --------------------------------------------------------------------------------------------------------- */

/* The most probable class, and the probability of each. */
static mien_status name_columns(mien_model *m)
{
    static const char head[] = "expression";
    const int classes = ensemble_class_count(m->members);
    TRY(mem_zalloc(&m->labels, classes));
    TRY(mem_zalloc(&m->columns, classes + 1));
    for (int c = 0; c < classes; c++) {
        m->labels[c] = ensemble_class(m->members, c);
        m->columns[c + 1] = (mien_column){.name = m->labels[c], .head = head, .kind = MIEN_COLUMN_PROBABILITY};
    }
    m->columns[0] = (mien_column){
        .name = head, .head = head, .kind = MIEN_COLUMN_CLASS, .labels = m->labels, .label_count = classes};
    m->column_count = classes + 1;
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
    mem_free(m->labels);
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
    const int classes = m->column_count - 1;
    row[0] = (float)metric_argmax(mean, classes);
    memcpy(row + 1, mean, (size_t)classes * sizeof *row);
}
