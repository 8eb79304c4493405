/* mien_evaluate and mien_score: predictions of the infer room, put before the metrics of the task room. */
#include "api/api.h"
#include "base/file.h"
#include "base/mem.h"
#include "data/dataset.h"
#include "infer/infer.h"
#include "infer/scores.h"
#include "nn/model.h"
#include "task/score.h"

#include <math.h>
#include <string.h>

typedef struct {
    char *image, *path, *why;
} skipped_picture;

typedef struct {
    char *name;
    int64_t count;
} ignored_part;

struct mien_evaluation {
    int64_t count;
    char **classes;
    int class_count, member_count;
    char **names;           /* [member_count + 1], the last one of the ensemble */
    metric_report *reports; /* likewise */
    mien_metrics *metrics;  /* likewise, pointing into the two above */
    skipped_picture *skipped;
    int64_t skipped_count, skipped_room;
    ignored_part *ignored;
    int ignored_count;
};

/* --- life --------------------------------------------------------------------------------------------------------- */

static mien_status create(mien_evaluation **out, int class_count, int member_count)
{
    mien_status st = MIEN_OK;
    mien_evaluation *e = NULL;
    TRY(mem_zalloc(&e, 1));
    e->class_count = class_count;
    e->member_count = member_count;
    TRY_OUT(mem_zalloc(&e->classes, class_count));
    TRY_OUT(mem_zalloc(&e->names, member_count + 1));
    TRY_OUT(mem_zalloc(&e->reports, member_count + 1));
    TRY_OUT(mem_zalloc(&e->metrics, member_count + 1));
    *out = e;
    e = NULL;
out:
    mien_evaluation_free(e);
    return st;
}

void mien_evaluation_free(mien_evaluation *e)
{
    if (!e)
        return;
    for (int i = 0; e->classes && i < e->class_count; i++)
        mem_free(e->classes[i]);
    for (int i = 0; e->names && i <= e->member_count; i++)
        mem_free(e->names[i]);
    for (int i = 0; e->reports && i <= e->member_count; i++)
        metric_report_free(&e->reports[i]);
    for (int64_t i = 0; i < e->skipped_count; i++) {
        mem_free(e->skipped[i].image);
        mem_free(e->skipped[i].path);
        mem_free(e->skipped[i].why);
    }
    for (int i = 0; e->ignored && i < e->ignored_count; i++)
        mem_free(e->ignored[i].name);
    mem_free(e->classes);
    mem_free(e->names);
    mem_free(e->reports);
    mem_free(e->metrics);
    mem_free(e->skipped);
    mem_free(e->ignored);
    mem_free(e);
}

/* Points the public rows at names and reports, once both are there. */
static void publish(mien_evaluation *e)
{
    for (int i = 0; i <= e->member_count; i++) {
        const metric_report *r = &e->reports[i];
        e->metrics[i] =
            (mien_metrics){e->names[i], r->accuracy, r->macro_f1, r->f1, r->confusion, r->has_ece ? r->ece : -1};
    }
    e->count = e->reports[e->member_count].count;
}

/* --- evaluating --------------------------------------------------------------------------------------------------- */

/* A set laid out for the infer room, and the answers it gives. */
typedef struct {
    mien_evaluation *result;
    dataset *data;
    char **names, **paths; /* [count] */
    int32_t *truth;        /* [count] */
    bool *is_read;         /* [count] false once a picture turned out unreadable */
    float **answers;       /* [members + 1] of [count, classes]; the last is the ensemble's */
    int64_t count;
} evaluation_work;

static mien_status keep_skipped(mien_evaluation *e, const char *name, const char *path, const char *why)
{
    if (e->skipped_count == e->skipped_room) {
        size_t old = (size_t)e->skipped_room * sizeof *e->skipped, room = old ? 2 * old : 16 * sizeof *e->skipped;
        TRY(mem_resize_bytes((void **)&e->skipped, old, room));
        e->skipped_room = (int64_t)(room / sizeof *e->skipped);
    }
    skipped_picture *s = &e->skipped[e->skipped_count];
    *s = (skipped_picture){0};
    e->skipped_count++;
    TRY(mem_strdup(&s->image, name));
    TRY(mem_strdup(&s->path, path));
    return mem_strdup(&s->why, why);
}

static mien_status take_answer(void *payload, const prediction *p)
{
    evaluation_work *w = payload;
    mien_evaluation *e = w->result;
    size_t classes = (size_t)e->class_count, row = (size_t)p->index * classes;
    if (p->failure) {
        w->is_read[p->index] = false;
        for (int m = 0; m < e->member_count; m++)
            for (size_t c = 0; c < classes; c++)
                w->answers[m][row + c] = NAN;
        return keep_skipped(e, w->names[p->index], w->paths[p->index],
                            api_without_path(p->failure, w->paths[p->index]));
    }
    for (int m = 0; m < e->member_count; m++)
        memcpy(w->answers[m] + row, p->members + (size_t)m * classes, classes * sizeof(float));
    memcpy(w->answers[e->member_count] + row, p->mean, classes * sizeof(float));
    return MIEN_OK;
}

static mien_status lay_out(evaluation_work *w)
{
    char text[PICTURE_NAME_BYTES];
    w->count = dataset_count(w->data);
    TRY(mem_zalloc(&w->names, w->count));
    TRY(mem_zalloc(&w->paths, w->count));
    TRY(mem_alloc(&w->truth, w->count));
    TRY(mem_alloc(&w->is_read, w->count));
    TRY(mem_zalloc(&w->answers, w->result->member_count + 1));
    for (int m = 0; m <= w->result->member_count; m++)
        TRY(mem_zalloc(&w->answers[m], w->count * w->result->class_count));
    for (int64_t i = 0; i < w->count; i++) {
        TRY(dataset_name(w->data, i, text, sizeof text));
        TRY(mem_strdup(&w->names[i], text));
        TRY(dataset_path(w->data, i, text, sizeof text));
        TRY(mem_strdup(&w->paths[i], text));
        w->truth[i] = dataset_label(w->data, i);
        w->is_read[i] = true;
    }
    return MIEN_OK;
}

static void free_work(evaluation_work *w)
{
    for (int m = 0; w->answers && m <= w->result->member_count; m++)
        mem_free(w->answers[m]);
    mem_free(w->answers);
    mem_free(w->truth);
    mem_free(w->is_read);
    for (int64_t i = 0; w->names && i < w->count; i++)
        mem_free(w->names[i]);
    for (int64_t i = 0; w->paths && i < w->count; i++)
        mem_free(w->paths[i]);
    mem_free(w->names);
    mem_free(w->paths);
    dataset_free(w->data);
}

/* Names of members and classes, what is left out: all that is known before a picture is read. */
static mien_status describe(mien_evaluation *e, const ensemble *members, const dataset *data)
{
    for (int i = 0; i < e->class_count; i++)
        TRY(mem_strdup(&e->classes[i], ensemble_class(members, i)));
    for (int i = 0; i < e->member_count; i++)
        TRY(mem_strdup(&e->names[i], ensemble_member_name(members, i)));
    TRY(mem_strdup(&e->names[e->member_count], "ensemble"));
    int ignored = dataset_ignored_count(data);
    TRY(mem_zalloc(&e->ignored, ignored));
    e->ignored_count = ignored;
    for (int i = 0; i < ignored; i++) {
        int64_t parts = 0;
        TRY(mem_strdup(&e->ignored[i].name, dataset_ignored(data, i, &parts)));
        e->ignored[i].count = parts;
    }
    return MIEN_OK;
}

/* Keeps the answers of the members that the mean is made of. */
static mien_status keep_scores(const evaluation_work *w, const ensemble *members, file_writer *to)
{
    const float **rows;
    int count = 0;
    TRY(mem_alloc(&rows, w->result->member_count));
    for (int m = 0; m < w->result->member_count; m++)
        if (ensemble_member_counts(members, m))
            rows[count++] = w->answers[m];
    mien_status st = scores_write(to, rows, count, w->count, w->result->class_count);
    mem_free(rows);
    return st;
}

static mien_status evaluate(evaluation_work *w, ensemble *members, session *s, const char *data, bool is_strict,
                            progress *p)
{
    mien_evaluation *e = w->result;
    const char *classes[MODEL_MAX_CLASSES];
    for (int i = 0; i < e->class_count; i++)
        classes[i] = ensemble_class(members, i);
    TRY(dataset_open(&w->data, data, classes, e->class_count,
                     is_strict ? DATASET_EVALUATE | DATASET_STRICT : DATASET_EVALUATE));
    TRY(ensemble_check_pictures(members, dataset_count(w->data), data));
    TRY(describe(e, members, w->data));
    TRY(lay_out(w));
    TRY(session_predict(s, dataset_pictures(w->data)->source, (const char *const *)w->names, take_answer, w, p));
    for (int m = 0; m <= e->member_count; m++)
        TRY(metric_report_from_probabilities(&e->reports[m], w->truth, w->is_read, w->answers[m], w->count,
                                             e->class_count));
    TRY(metric_report_tell_absent(&e->reports[e->member_count], data, classes));
    publish(e);
    return MIEN_OK;
}

mien_status mien_evaluate(mien_evaluation **out, const char *const *paths, int count, const char *data,
                          const mien_evaluate_options *options)
{
    const mien_evaluate_options defaults = MIEN_EVALUATE_OPTIONS_INIT, *o = options ? options : &defaults;
    TRY(api_need(out, "mien_evaluate", "out"));
    TRY(api_need(paths, "mien_evaluate", "paths"));
    TRY(api_need(data, "mien_evaluate", "data"));
    if (count < 1)
        return mien_fail(MIEN_ERR_ARG, "mien_evaluate: count: %d (wanted at least 1)", count);
    mien_status st = MIEN_OK;
    backend *b = NULL;
    ensemble *members = NULL;
    session *asked = NULL;
    evaluation_work w = {0};
    file_writer *scores = NULL;
    progress p = api_progress(&o->compute);
    TRY(api_backend(&b, &o->compute));
    TRY_OUT(api_ensemble_open(&members, paths, count, true, b, &o->compute));
    TRY_OUT(session_open(&asked, members, &(session_options){.loader_threads = api_threads(&o->compute)}));
    if (o->scores)
        TRY_OUT(file_write_open(&scores, o->scores)); /* what cannot be written is told before the work */
    TRY_OUT(create(&w.result, ensemble_class_count(members), ensemble_member_count(members)));
    TRY_OUT(evaluate(&w, members, asked, data, o->is_strict != 0, &p));
    if (scores) {
        TRY_OUT(keep_scores(&w, members, scores));
        st = file_write_commit(scores);
        scores = NULL;
        TRY_OUT(st);
    }
    *out = w.result;
out:
    file_write_abort(scores);
    free_work(&w);
    if (st != MIEN_OK)
        mien_evaluation_free(w.result);
    session_free(asked);
    ensemble_free(members);
    api_backend_free(b);
    return st;
}

mien_status mien_score(mien_evaluation **out, const char *task, const char *truth, const char *predictions)
{
    TRY(api_need(out, "mien_score", "out"));
    TRY(api_need(task, "mien_score", "task"));
    TRY(api_need(truth, "mien_score", "truth"));
    TRY(api_need(predictions, "mien_score", "predictions"));
    if (strcmp(task, "lsd"))
        return mien_fail(MIEN_ERR_UNSUPPORTED, "task: %.32s (wanted lsd)", task);
    mien_status st = MIEN_OK;
    mien_evaluation *e = NULL;
    TRY(create(&e, LSD_CLASSES, 0));
    for (int i = 0; i < LSD_CLASSES; i++)
        TRY_OUT(mem_strdup(&e->classes[i], lsd_classes[i]));
    TRY_OUT(mem_strdup(&e->names[0], file_base_name(predictions)));
    TRY_OUT(score_lsd(&e->reports[0], truth, predictions));
    TRY_OUT(metric_report_tell_absent(&e->reports[0], truth, lsd_classes));
    publish(e);
    *out = e;
    e = NULL;
out:
    mien_evaluation_free(e);
    return st;
}

/* --- getters ------------------------------------------------------------------------------------------------------ */

const char *mien_evaluation_task(const mien_evaluation *e)
{
    (void)e; /* one task so far */
    return "lsd";
}

int64_t mien_evaluation_count(const mien_evaluation *e)
{
    return e->count;
}

int mien_evaluation_class_count(const mien_evaluation *e)
{
    return e->class_count;
}

const char *mien_evaluation_class(const mien_evaluation *e, int index)
{
    return index >= 0 && index < e->class_count ? e->classes[index] : NULL;
}

int64_t mien_evaluation_skipped_count(const mien_evaluation *e)
{
    return e->skipped_count;
}

const char *mien_evaluation_skipped(const mien_evaluation *e, int64_t index, const char **out_path,
                                    const char **out_why)
{
    if (index < 0 || index >= e->skipped_count)
        return NULL;
    *out_path = e->skipped[index].path;
    *out_why = e->skipped[index].why;
    return e->skipped[index].image;
}

int mien_evaluation_ignored_count(const mien_evaluation *e)
{
    return e->ignored_count;
}

const char *mien_evaluation_ignored(const mien_evaluation *e, int index, int64_t *out_count)
{
    if (index < 0 || index >= e->ignored_count)
        return NULL;
    *out_count = e->ignored[index].count;
    return e->ignored[index].name;
}

int mien_evaluation_member_count(const mien_evaluation *e)
{
    return e->member_count;
}

const mien_metrics *mien_evaluation_member(const mien_evaluation *e, int index)
{
    return index >= 0 && index < e->member_count ? &e->metrics[index] : NULL;
}

const mien_metrics *mien_evaluation_ensemble(const mien_evaluation *e)
{
    return &e->metrics[e->member_count];
}
