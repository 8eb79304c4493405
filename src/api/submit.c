/* mien_submit: a list of the task room, answered by the infer room. */
#include "api/api.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "data/label.h"
#include "infer/infer.h"
#include "nn/model.h"
#include "task/score.h"
#include "task/submission.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

typedef struct {
    const mien_submit_options *options;
    backend *backend;
    ensemble *members;
    session *session;
    int labels[MODEL_MAX_CLASSES]; /* the challenge's number of each of the models' classes */
    label_list rows;
    char **names; /* [rows.count] path of each picture */
    picture_files *pictures;
    file_writer *out;
    char first_failure[512];
} submission_work;

static mien_status check_options(const mien_submit_options *o)
{
    TRY(api_need(o, "mien_submit", "options"));
    TRY(api_need(o->task, "mien_submit", "task"));
    TRY(api_need(o->list, "mien_submit", "list"));
    TRY(api_need(o->images, "mien_submit", "images"));
    TRY(api_need(o->out, "mien_submit", "out"));
    if (strcmp(o->task, "lsd") != 0)
        return mien_fail(MIEN_ERR_UNSUPPORTED, "task: %.32s (wanted lsd)", o->task);
    if (!file_is_folder(o->images))
        return mien_fail(MIEN_ERR_IO, "%s: no folder (wanted that of the images)", o->images);
    return MIEN_OK;
}

static mien_status number_classes(submission_work *w, const char *first_path)
{
    for (int c = 0; c < ensemble_class_count(w->members); c++) {
        int label = label_find(ensemble_class(w->members, c), lsd_classes, LSD_CLASSES);
        if (label < 0)
            return mien_fail(MIEN_ERR_FORMAT, "%s: class %.64s is none of LSD's", first_path,
                             ensemble_class(w->members, c));
        w->labels[c] = label;
    }
    return MIEN_OK;
}

static mien_status make_paths(submission_work *w)
{
    TRY(mem_zalloc(&w->names, w->rows.count));
    for (int64_t i = 0; i < w->rows.count; i++) {
        TRY(file_join(&w->names[i], w->options->images, list_name(&w->rows, i)));
        file_mend_backslashes(w->names[i]);
    }
    return MIEN_OK;
}

static mien_status take_answer(void *payload, const prediction *p)
{
    submission_work *w = payload;
    const mien_submit_options *o = w->options;
    mien_prediction told = {.image = list_name(&w->rows, p->index), .best = -1};
    if (p->failure) {
        told.failure = api_without_path(p->failure, w->names[p->index]);
        if (!w->first_failure[0])
            str_fit(w->first_failure, sizeof w->first_failure, p->failure);
    } else {
        told.probabilities = p->mean;
        told.best = metric_argmax(p->mean, ensemble_class_count(w->members));
        w->rows.label[p->index] = (uint16_t)w->labels[told.best];
    }
    return o->told && o->told(o->told_payload, &told)
               ? mien_fail(MIEN_ERR_CANCELLED, "mien_submit: stopped by its caller")
               : MIEN_OK;
}

static mien_status write_rows(submission_work *w, mien_submission *out)
{
    int64_t skipped;
    int fallback;
    if (!submission_fill(&w->rows, LSD_CLASSES, &skipped, &fallback))
        return mien_fail(MIEN_ERR_FORMAT, "%s: none of its %" PRId64 " pictures has an answer, the first: %s",
                         w->options->list, w->rows.count, w->first_failure);
    TRY(submission_write_lsd(w->out, &w->rows));
    file_writer *whole = w->out;
    w->out = NULL;
    TRY(file_write_commit(whole));
    if (out)
        *out = (mien_submission){w->rows.count, skipped, skipped ? lsd_classes[fallback] : NULL};
    return MIEN_OK;
}

static mien_status submit(submission_work *w, mien_submission *out, const char *const *paths, int count)
{
    const mien_submit_options *o = w->options;
    progress p = api_progress(&o->compute);
    TRY(submission_read_list(&w->rows, o->list));
    TRY(api_backend(&w->backend, &o->compute));
    TRY(api_ensemble_open(&w->members, paths, count, false, w->backend, &o->compute));
    TRY(session_open(&w->session, w->members, &(session_options){.loader_threads = api_threads(&o->compute)}));
    TRY(number_classes(w, paths[0]));
    TRY(make_paths(w));
    TRY(file_write_open(&w->out, o->out)); /* what cannot be written is told before the work */
    const char *const *names = (const char *const *)w->names;
    TRY(picture_files_create(&w->pictures, o->list, names, w->rows.count, NULL, NULL));
    TRY(session_predict(w->session, picture_files_source(w->pictures), names, take_answer, w, &p));
    return write_rows(w, out);
}

mien_status mien_submit(mien_submission *out, const char *const *paths, int count, const mien_submit_options *options)
{
    TRY(check_options(options));
    TRY(api_need(paths, "mien_submit", "paths"));
    if (count < 1)
        return mien_fail(MIEN_ERR_ARG, "mien_submit: count: %d (wanted at least 1)", count);
    submission_work *w;
    TRY(mem_zalloc(&w, 1));
    w->options = options;
    mien_status st = submit(w, out, paths, count);
    file_write_abort(w->out);
    for (int64_t i = 0; w->names && i < w->rows.count; i++)
        mem_free(w->names[i]);
    mem_free(w->names);
    picture_files_free(w->pictures);
    list_free(&w->rows);
    session_free(w->session);
    ensemble_free(w->members);
    api_backend_free(w->backend);
    mem_free(w);
    return st;
}
