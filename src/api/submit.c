/* mien_submit: a challenge's list, answered by the infer room and written as the task has it. */
#include "api/handles.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "infer/infer.h"
#include "task/submission.h"
#include "task/task.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

typedef struct {
    const mien_submit_options *options;
    const task_def *task;
    mien_model *model;
    session *session;
    const model_head *heads;
    int head_count;
    float *row; /* [column_count] of the model */
    label_list rows;
    char **names; /* [rows.count] of each picture below the folder, as files have them */
    picture_files *pictures;
    float *outputs[MODEL_MAX_HEADS]; /* [rows.count, size] of each head */
    bool *is_read;                   /* [rows.count] */
    int64_t read_count;
    file_writer *out;
    char first_failure[512];
} submission_work;

static mien_status check_options(submission_work *w, const mien_submit_options *o)
{
    TRY(api_need(o->list, "mien_submit", "list"));
    TRY(api_need(o->images, "mien_submit", "images"));
    TRY(api_need(o->out, "mien_submit", "out"));
    TRY(api_task(&w->task, o->task));
    if (!w->task->write_challenge)
        return mien_fail(MIEN_ERR_UNSUPPORTED, "task: %.32s has no challenge", w->task->name);
    if (!file_is_folder(o->images))
        return mien_fail(MIEN_ERR_IO, "%s: no folder (wanted that of the images)", o->images);
    if (o->images_fallback && !file_is_folder(o->images_fallback))
        return mien_fail(MIEN_ERR_IO, "%s: no folder (wanted one of images)", o->images_fallback);
    return MIEN_OK;
}

static mien_status lay_out(submission_work *w)
{
    w->heads = ensemble_heads(w->model->members[0], &w->head_count);
    TRY(mem_alloc(&w->row, w->model->column_count));
    TRY(mem_zalloc(&w->is_read, w->rows.count));
    TRY(mem_zalloc(&w->names, w->rows.count));
    for (int h = 0; h < w->head_count; h++)
        TRY(mem_zalloc(&w->outputs[h], w->rows.count * w->heads[h].size));
    for (int64_t i = 0; i < w->rows.count; i++) {
        TRY(mem_strdup(&w->names[i], list_name(&w->rows, i)));
        file_mend_backslashes(w->names[i]);
    }
    return picture_files_create(&w->pictures, w->options->list, (const char *const *)w->names, w->rows.count,
                                w->options->images, w->options->images_fallback);
}

static void keep_answer(submission_work *w, int64_t index, const float *mean)
{
    for (int h = 0; h < w->head_count; h++) {
        const size_t size = (size_t)w->heads[h].size;
        memcpy(w->outputs[h] + (size_t)index * size, mean, size * sizeof *mean);
        mean += size;
    }
    w->is_read[index] = true;
    w->read_count++;
}

static mien_status take_answer(void *payload, const prediction *p)
{
    submission_work *w = payload;
    const mien_submit_options *o = w->options;
    mien_prediction told = {.image = list_name(&w->rows, p->index)};
    if (p->failure) {
        const picture_source *source = picture_files_source(w->pictures);
        char path[PICTURE_NAME_BYTES];
        TRY(source->path(source, p->index, path, sizeof path));
        told.failure = api_without_path(p->failure, path);
        if (!w->first_failure[0])
            str_fit(w->first_failure, sizeof w->first_failure, p->failure);
    } else {
        model_fill_row(w->row, w->model, &p->mean);
        told.row = w->row;
        keep_answer(w, p->index, p->mean);
    }
    return o->told && o->told(o->told_payload, &told)
               ? mien_fail(MIEN_ERR_CANCELLED, "mien_submit: stopped by its caller")
               : MIEN_OK;
}

static mien_status write_rows(submission_work *w, mien_submission *out)
{
    task_challenge written = {0};
    task_pass pass = {.heads = w->heads, .head_count = w->head_count, .count = w->rows.count, .is_read = w->is_read};
    for (int h = 0; h < w->head_count; h++)
        pass.outputs[h] = w->outputs[h];
    if (w->read_count == 0)
        return mien_fail(MIEN_ERR_FORMAT, "%s: none of its %" PRId64 " pictures has an answer, the first: %s",
                         w->options->list, w->rows.count, w->first_failure);
    TRY(w->task->write_challenge(&written, w->out, &w->rows, &pass));
    file_writer *whole = w->out;
    w->out = NULL;
    TRY(file_write_commit(whole));
    if (out)
        *out = (mien_submission){w->rows.count, written.skipped, written.fallback};
    return MIEN_OK;
}

static mien_status check_model(const submission_work *w, const char *path)
{
    const char *own = ensemble_task(w->model->members[0]);
    mien_status st = w->task->check_challenge(w->heads, w->head_count, path);
    return st != MIEN_OK && strcmp(own, w->task->name) != 0
               ? mien_fail(st, "%s: of task %s (wanted %s, or to be asked for task %s)", path, own, w->task->name, own)
               : st;
}

static mien_status submit(submission_work *w, mien_submission *out, const char *const *paths, int count)
{
    const mien_submit_options *o = w->options;
    progress p = api_progress(o->compute);
    TRY(submission_read_list(&w->rows, o->list));
    TRY(mien_model_open(&w->model, paths, count, o->compute));
    if (w->model->task_count > 1)
        return mien_fail(MIEN_ERR_ARG, "models: of tasks %s and %s (wanted one task's)",
                         ensemble_task(w->model->members[0]), ensemble_task(w->model->members[1]));
    TRY(session_open(&w->session, w->model->members[0], &(session_options){.loader_threads = api_threads(o->compute)}));
    TRY(lay_out(w));
    TRY(check_model(w, paths[0]));
    TRY(file_write_open(&w->out, o->out)); /* what cannot be written is told before the work */
    TRY(session_predict(&w->session, 1, picture_files_source(w->pictures), NULL, take_answer, w, &p));
    return write_rows(w, out);
}

static void free_work(submission_work *w)
{
    file_write_abort(w->out);
    for (int64_t i = 0; w->names && i < w->rows.count; i++)
        mem_free(w->names[i]);
    mem_free(w->names);
    for (int h = 0; h < w->head_count; h++)
        mem_free(w->outputs[h]);
    mem_free(w->is_read);
    mem_free(w->row);
    picture_files_free(w->pictures);
    list_free(&w->rows);
    session_free(w->session);
    mien_model_free(w->model);
    mem_free(w);
}

mien_status mien_submit(mien_submission *out, const char *const *paths, int count, const mien_submit_options *given)
{
    mien_submit_options o;
    mien_compute compute;
    TRY(api_need(given, "mien_submit", "options"));
    TRY(api_options(&o, given, MIEN_OPTIONS_SUBMIT, "mien_submit"));
    TRY(api_compute(&compute, o.compute, "mien_submit"));
    o.compute = &compute;
    submission_work *w;
    TRY(mem_zalloc(&w, 1));
    w->options = &o;
    mien_status st = check_options(w, &o);
    if (st == MIEN_OK)
        st = api_need(paths, "mien_submit", "paths");
    if (st == MIEN_OK && count < 1)
        st = mien_fail(MIEN_ERR_ARG, "mien_submit: count: %d (wanted at least 1)", count);
    if (st == MIEN_OK)
        st = submit(w, out, paths, count);
    free_work(w);
    return st;
}
