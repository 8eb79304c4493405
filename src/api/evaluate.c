/* mien_evaluate and mien_score: what the infer room and a task say, kept for those who ask. */
#include "infer/evaluate.h"
#include "api/api.h"
#include "base/arena.h"
#include "base/file.h"
#include "base/mem.h"
#include "infer/scores.h"

#include <string.h>

typedef struct {
    const char *image, *path, *why;
} skipped_picture;

typedef struct {
    const char *name;
    int64_t count;
} ignored_part;

typedef struct {
    const char *title, *item;
} table_column;

struct mien_evaluation {
    arena *texts; /* all that follows lies in it */
    const char *task;
    int64_t count;
    const char **classes;
    int class_count, member_count;
    mien_metrics *metrics; /* [member_count + 1], the last one of the ensemble */
    table_column *columns; /* [column_count] */
    int column_count;
    skipped_picture *skipped;
    int64_t skipped_count;
    ignored_part *ignored;
    int ignored_count;
    const char *smoothing; /* NULL: none */
    mien_head_width *widths;
    int width_count;
};

/* --- life --------------------------------------------------------------------------------------------------------- */

static mien_status copy(const mien_evaluation *e, const char **dst, const char *text)
{
    char *own = NULL;
    TRY(arena_strdup(e->texts, &own, text));
    *dst = own;
    return MIEN_OK;
}

/* Classes are those of the first head that has any. */
static mien_status create(mien_evaluation **out, const char *task, const model_head *heads, int head_count,
                          int member_count)
{
    mien_status st = MIEN_OK;
    mien_evaluation *e = NULL;
    TRY(mem_zalloc(&e, 1));
    TRY_OUT(arena_create(&e->texts, 0));
    TRY_OUT(copy(e, &e->task, task));
    e->member_count = member_count;
    TRY_OUT(arena_alloc(e->texts, &e->metrics, member_count + 1));
    memset(e->metrics, 0, (size_t)(member_count + 1) * sizeof *e->metrics);
    for (int h = 0; h < head_count && !e->classes; h++) {
        if (heads[h].kind != HEAD_CLASS)
            continue;
        TRY_OUT(arena_alloc(e->texts, &e->classes, heads[h].size));
        for (; e->class_count < heads[h].size; e->class_count++)
            TRY_OUT(copy(e, &e->classes[e->class_count], heads[h].columns[e->class_count]));
    }
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
    arena_free(e->texts);
    mem_free(e);
}

/* --- what a task reports ------------------------------------------------------------------------------------------ */

static mien_status keep_report(mien_evaluation *e, int member, const char *name, const task_report *r)
{
    mien_metrics *m = &e->metrics[member];
    mien_metric *items = NULL;
    int64_t *confusion = NULL;
    const size_t cells = (size_t)r->confusion_size * (size_t)r->confusion_size;
    TRY(copy(e, &m->name, name));
    TRY(arena_alloc(e->texts, &items, r->item_count ? r->item_count : 1));
    for (int i = 0; i < r->item_count; i++) {
        TRY(copy(e, &items[i].name, r->items[i].name));
        items[i].value = r->items[i].value;
    }
    m->items = items;
    m->count = r->item_count;
    if (!r->confusion)
        return MIEN_OK;
    TRY(arena_alloc(e->texts, &confusion, cells));
    memcpy(confusion, r->confusion, cells * sizeof *confusion);
    m->confusion = confusion;
    return MIEN_OK;
}

/* The ensemble's report is the last; its table is everyone's. */
static mien_status keep_last(mien_evaluation *e, const char *name, const task_report *r)
{
    TRY(keep_report(e, e->member_count, name, r));
    e->count = r->count;
    TRY(arena_alloc(e->texts, &e->columns, r->column_count ? r->column_count : 1));
    for (; e->column_count < r->column_count; e->column_count++) {
        const task_column *from = &r->columns[e->column_count];
        e->columns[e->column_count].item = e->metrics[e->member_count].items[from->item].name;
        TRY(copy(e, &e->columns[e->column_count].title, from->title));
    }
    return MIEN_OK;
}

static mien_status keep_ignored(mien_evaluation *e, const task_set *set)
{
    const int count = set->task->ignored_count ? set->task->ignored_count(set) : 0;
    TRY(arena_alloc(e->texts, &e->ignored, count ? count : 1));
    for (; e->ignored_count < count; e->ignored_count++) {
        ignored_part *to = &e->ignored[e->ignored_count];
        TRY(copy(e, &to->name, set->task->ignored(set, e->ignored_count, &to->count)));
    }
    return MIEN_OK;
}

static mien_status keep_widths(mien_evaluation *e, const evaluation *v)
{
    const answer_table *a = &v->answers;
    e->smoothing = smooth_kind_name(v->smooth.kind);
    if (!e->smoothing)
        return MIEN_OK;
    TRY(arena_alloc(e->texts, &e->widths, a->head_count));
    for (; e->width_count < a->head_count; e->width_count++) {
        e->widths[e->width_count].width = v->smooth.widths[e->width_count];
        TRY(copy(e, &e->widths[e->width_count].head, a->heads[e->width_count].name));
    }
    return MIEN_OK;
}

static mien_status keep_skipped(mien_evaluation *e, const task_set *set, const answer_table *a)
{
    const picture_source *source = set->pictures->source;
    char text[PICTURE_NAME_BYTES];
    TRY(arena_alloc(e->texts, &e->skipped, a->skipped_count ? a->skipped_count : 1));
    for (; e->skipped_count < a->skipped_count; e->skipped_count++) {
        const answer_skip *from = &a->skipped[e->skipped_count];
        skipped_picture *to = &e->skipped[e->skipped_count];
        TRY(source->name(source, from->picture, text, sizeof text));
        TRY(copy(e, &to->image, text));
        if (source->path)
            TRY(source->path(source, from->picture, text, sizeof text));
        TRY(copy(e, &to->path, text));
        TRY(copy(e, &to->why, api_without_path(from->why, text)));
    }
    return MIEN_OK;
}

/* --- evaluating --------------------------------------------------------------------------------------------------- */

/* Keeps the answers of the members that the mean is made of. */
static mien_status keep_scores(const evaluation *v, const ensemble *members, file_writer *to)
{
    const float **rows;
    int count = 0;
    TRY(mem_alloc(&rows, v->answers.member_count));
    for (int m = 0; m < v->answers.member_count; m++)
        if (ensemble_member_counts(members, m))
            rows[count++] = evaluation_outputs(v, m, 0);
    mien_status st = scores_write(to, rows, count, v->answers.count, v->answers.heads[0].size);
    mem_free(rows);
    return st;
}

static mien_status open_scores(file_writer **out, const ensemble *members, const char *path)
{
    int count;
    const model_head *heads = ensemble_heads(members, &count);
    if (count != 1 || heads[0].kind != HEAD_CLASS)
        return mien_fail(MIEN_ERR_UNSUPPORTED, "%s: scores of %d heads (wanted models of classes alone)", path, count);
    return file_write_open(out, path); /* what cannot be written is told before the work */
}

static mien_status evaluate(mien_evaluation **out, evaluation **v, ensemble *members, session *s, const task_set *set,
                            const evaluation_options *o, progress *p)
{
    mien_status st;
    mien_evaluation *e = NULL;
    int head_count;
    const model_head *heads = ensemble_heads(members, &head_count);
    TRY(evaluation_run(v, s, members, set, o, p));
    TRY_OUT(create(&e, set->task->name, heads, head_count, (*v)->answers.member_count));
    for (int m = 0; m < e->member_count; m++)
        TRY_OUT(keep_report(e, m, ensemble_member_name(members, m), &(*v)->reports[m]));
    TRY_OUT(keep_last(e, "ensemble", &(*v)->reports[e->member_count]));
    TRY_OUT(keep_ignored(e, set));
    TRY_OUT(keep_skipped(e, set, &(*v)->answers));
    TRY_OUT(keep_widths(e, *v));
    *out = e;
    e = NULL;
out:
    mien_evaluation_free(e);
    return st;
}

static mien_status open_set(task_set **out, const ensemble *members, const task_source *data, int count, bool is_strict)
{
    const task_def *task;
    task_set_options o = {.sources = data, .source_count = count, .is_strict = is_strict};
    TRY(task_find(&task, ensemble_task(members)));
    o.heads = ensemble_heads(members, &o.head_count);
    return task->open(out, NULL, &o);
}

mien_status mien_evaluate(mien_evaluation **out, const char *const *paths, int count, const char *data,
                          const mien_evaluate_options *given)
{
    mien_evaluate_options o;
    mien_compute compute;
    TRY(api_options(&o, given, MIEN_OPTIONS_EVALUATE, "mien_evaluate"));
    TRY(api_compute(&compute, o.compute, "mien_evaluate"));
    TRY(api_need(out, "mien_evaluate", "out"));
    TRY(api_need(paths, "mien_evaluate", "paths"));
    if (count < 1)
        return mien_fail(MIEN_ERR_ARG, "mien_evaluate: count: %d (wanted at least 1)", count);
    mien_status st = MIEN_OK;
    backend *b = NULL;
    ensemble *members = NULL;
    session *asked = NULL;
    task_set *set = NULL;
    evaluation *v = NULL;
    mien_evaluation *e = NULL;
    file_writer *scores = NULL;
    const model_head *heads;
    int head_count;
    task_source *sources = NULL;
    int source_count;
    progress p = api_progress(&compute);
    evaluation_options how = {.chooses_widths = o.width_count == 0};
    session_options wanted = {.loader_threads = api_threads(&compute),
                              .tells_logits = o.smooth == MIEN_SMOOTH_EXPONENTIAL};
    TRY_OUT(api_sources(&sources, &source_count, data, o.sources, o.source_count, true, "mien_evaluate", "sources"));
    TRY_OUT(api_backend(&b, &compute));
    TRY_OUT(api_ensemble_open(&members, paths, count, true, b, api_precision(&compute)));
    heads = ensemble_heads(members, &head_count);
    TRY_OUT(api_smoothing(&how.smooth.kind, how.smooth.widths, o.smooth, o.widths, o.width_count, heads, head_count));
    TRY_OUT(session_open(&asked, members, &wanted));
    if (o.scores)
        TRY_OUT(open_scores(&scores, members, o.scores));
    TRY_OUT(open_set(&set, members, sources, source_count, o.is_strict != 0));
    TRY_OUT(evaluate(&e, &v, members, asked, set, &how, &p));
    if (scores) {
        TRY_OUT(keep_scores(v, members, scores));
        st = file_write_commit(scores);
        scores = NULL;
        TRY_OUT(st);
    }
    *out = e;
    e = NULL;
out:
    file_write_abort(scores);
    mien_evaluation_free(e);
    evaluation_free(v);
    if (set)
        set->task->close(set);
    session_free(asked);
    ensemble_free(members);
    api_backend_free(b);
    mem_free(sources);
    return st;
}

mien_status mien_score(mien_evaluation **out, const char *task_name, const char *truth, const char *predictions)
{
    TRY(api_need(out, "mien_score", "out"));
    TRY(api_need(task_name, "mien_score", "task"));
    TRY(api_need(truth, "mien_score", "truth"));
    TRY(api_need(predictions, "mien_score", "predictions"));
    mien_status st = MIEN_OK;
    const task_def *task;
    task_report report = {0};
    mien_evaluation *e = NULL;
    TRY(api_task(&task, task_name));
    if (!task->score_files)
        return mien_fail(MIEN_ERR_UNSUPPORTED, "task: %.32s has no challenge", task->name);
    TRY_OUT(task->score_files(&report, truth, predictions));
    TRY_OUT(create(&e, task->name, task->challenge_heads, task->challenge_head_count, 0));
    TRY_OUT(keep_last(e, file_base_name(predictions), &report));
    *out = e;
    e = NULL;
out:
    task_report_clear(&report);
    mien_evaluation_free(e);
    return st;
}

/* --- getters ------------------------------------------------------------------------------------------------------ */

int mien_evaluation_column_count(const mien_evaluation *e)
{
    return e ? e->column_count : 0;
}

const char *mien_evaluation_column(const mien_evaluation *e, int index, const char **out_item)
{
    if (index < 0 || index >= mien_evaluation_column_count(e))
        return NULL;
    if (out_item)
        *out_item = e->columns[index].item;
    return e->columns[index].title;
}

const char *mien_evaluation_task(const mien_evaluation *e)
{
    return e ? e->task : NULL;
}

int64_t mien_evaluation_count(const mien_evaluation *e)
{
    return e ? e->count : 0;
}

int mien_evaluation_class_count(const mien_evaluation *e)
{
    return e ? e->class_count : 0;
}

const char *mien_evaluation_class(const mien_evaluation *e, int index)
{
    return index >= 0 && index < mien_evaluation_class_count(e) ? e->classes[index] : NULL;
}

int64_t mien_evaluation_skipped_count(const mien_evaluation *e)
{
    return e ? e->skipped_count : 0;
}

const char *mien_evaluation_skipped(const mien_evaluation *e, int64_t index, const char **out_path,
                                    const char **out_why)
{
    if (index < 0 || index >= mien_evaluation_skipped_count(e))
        return NULL;
    if (out_path)
        *out_path = e->skipped[index].path;
    if (out_why)
        *out_why = e->skipped[index].why;
    return e->skipped[index].image;
}

int mien_evaluation_ignored_count(const mien_evaluation *e)
{
    return e ? e->ignored_count : 0;
}

const char *mien_evaluation_ignored(const mien_evaluation *e, int index, int64_t *out_count)
{
    if (index < 0 || index >= mien_evaluation_ignored_count(e))
        return NULL;
    if (out_count)
        *out_count = e->ignored[index].count;
    return e->ignored[index].name;
}

const char *mien_evaluation_smoothing(const mien_evaluation *e)
{
    return e ? e->smoothing : NULL;
}

int mien_evaluation_width_count(const mien_evaluation *e)
{
    return e ? e->width_count : 0;
}

const mien_head_width *mien_evaluation_width(const mien_evaluation *e, int index)
{
    return index >= 0 && index < mien_evaluation_width_count(e) ? &e->widths[index] : NULL;
}

int mien_evaluation_member_count(const mien_evaluation *e)
{
    return e ? e->member_count : 0;
}

const mien_metrics *mien_evaluation_member(const mien_evaluation *e, int index)
{
    return index >= 0 && index < mien_evaluation_member_count(e) ? &e->metrics[index] : NULL;
}

const mien_metrics *mien_evaluation_ensemble(const mien_evaluation *e)
{
    return e ? &e->metrics[e->member_count] : NULL;
}

const mien_metric *mien_metrics_find(const mien_metrics *metrics, const char *name)
{
    for (int i = 0; metrics && name && i < metrics->count; i++)
        if (strcmp(metrics->items[i].name, name) == 0)
            return &metrics->items[i];
    return NULL;
}
