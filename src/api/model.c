/* mien_model: an ensemble of each task, the backend that its sessions share, and what its answers are called. Beside
 * another task's, columns bear their task's name in front, but for those of the first. */
#include "api/handles.h"
#include "base/mem.h"

#include <math.h>
#include <string.h>

/* --- life --------------------------------------------------------------------------------------------------------- */

/* "PREFIXname" in the model's texts */
static mien_status print_name(const char **out, mien_model *m, const char *prefix, const char *name, const char *ending)
{
    char *text = NULL;
    TRY(arena_printf(m->texts, &text, "%s%s%s", prefix, name, ending));
    *out = text;
    return MIEN_OK;
}

/* name and head are borrowed. */
static mien_column *add_column(mien_model *m, const char *name, const char *head, mien_column_kind kind)
{
    mien_column *c = &m->columns[m->column_count++];
    *c = (mien_column){.name = name, .head = head, .kind = kind};
    return c;
}

/* Of classes the most probable one, then the probability of each; of yes or no the probabilities, then what is decided
 * by them; of numbers those. */
static mien_status add_head(mien_model *m, const model_head *h, const char *prefix)
{
    const mien_column_kind kind = h->kind == HEAD_REGRESSION ? MIEN_COLUMN_VALUE : MIEN_COLUMN_PROBABILITY;
    const char *head, *name;
    TRY(print_name(&head, m, prefix, h->name, ""));
    m->heads[m->head_count] = *h;
    m->heads[m->head_count++].name = head;
    if (h->kind == HEAD_CLASS) {
        mien_column *best = add_column(m, head, head, MIEN_COLUMN_CLASS);
        best->labels = h->columns;
        best->label_count = h->size;
    }
    for (int i = 0; i < h->size; i++) {
        TRY(print_name(&name, m, prefix, h->columns[i], ""));
        add_column(m, name, head, kind);
    }
    for (int i = 0; h->kind == HEAD_BINARIES && i < h->size; i++) {
        TRY(print_name(&name, m, prefix, h->columns[i], "_c"));
        add_column(m, name, head, MIEN_COLUMN_DECISION);
    }
    return MIEN_OK;
}

static mien_status name_columns_of(mien_model *m, int task)
{
    int count;
    const model_head *heads = ensemble_heads(m->members[task], &count);
    const char *prefix = "";
    if (task > 0)
        TRY(print_name(&prefix, m, "", ensemble_task(m->members[task]), "_"));
    for (int h = 0; h < count; h++)
        TRY(add_head(m, &heads[h], prefix));
    return MIEN_OK;
}

static mien_status name_columns(mien_model *m)
{
    int most = 0; /* a head has at most two columns for each output, and one */
    for (int t = 0; t < m->task_count; t++)
        most += 2 * ensemble_width(m->members[t]) + MODEL_MAX_HEADS;
    TRY(arena_create(&m->texts, 0));
    TRY(mem_zalloc(&m->columns, most));
    for (int t = 0; t < m->task_count; t++)
        TRY(name_columns_of(m, t));
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
    turn_init(&m->turn);
    TRY_OUT(api_compute(&m->compute, compute, "mien_model_open"));
    TRY_OUT(api_backend(&m->backend, &m->compute));
    TRY_OUT(api_ensembles_open(m->members, &m->task_count, paths, count, m->backend,
                               &(ensemble_options){.precision = api_precision(&m->compute), .turn = &m->turn}));
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
    for (int t = 0; t < m->task_count; t++)
        ensemble_free(m->members[t]);
    api_backend_free(m->backend);
    turn_destroy(&m->turn);
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
    return model ? ensemble_task(model->members[0]) : NULL;
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

/* Returns behind the row's part that it filled. */
static float *fill_head(float *row, const model_head *h, const float *mean)
{
    if (h->kind == HEAD_CLASS)
        *row++ = (float)metric_argmax(mean, h->size);
    memcpy(row, mean, (size_t)h->size * sizeof *row);
    row += h->size;
    for (int i = 0; h->kind == HEAD_BINARIES && i < h->size; i++)
        *row++ = mean[i] > (h->thresholds ? h->thresholds[i] : 0.5f);
    return row;
}

void model_fill_row(float *row, const mien_model *m, const float *const means[])
{
    for (int t = 0; t < m->task_count; t++) {
        int count;
        const model_head *heads = ensemble_heads(m->members[t], &count);
        const float *mean = means[t];
        for (int h = 0; h < count; h++) {
            row = fill_head(row, &heads[h], mean);
            mean += heads[h].size;
        }
    }
}
