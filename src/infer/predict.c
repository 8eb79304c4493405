/* Pictures of a source: each session reads them once for each input size of its members, and not at all where every
 * member's answers are kept scores. Sessions go through the list a batch each in turn, so that rows leave together. */
#include "base/mem.h"
#include "base/str.h"
#include "data/loader.h"
#include "infer/ensemble_int.h"

#include <assert.h>
#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { FAILURE_BYTES = 1024 };

/* Pictures of one input size, for the members that want it. */
typedef struct {
    int size;
    loader *loader;
    loader_batch batch;
} feed;

/* One session's way through the pictures. */
typedef struct {
    session *s;
    ensemble *e; /* the session's */
    picture_set set;
    subset all;
    epoch_plan plan;
    int64_t total; /* pictures */
    int batch;
    feed *feeds; /* [members at most] */
    int feed_count;
    char (*failures)[FAILURE_BYTES]; /* [batch] "" = readable */
    int64_t begin;                   /* item of the batch's first row */
    float *rows, *logits;            /* [batch, members, width]; logits NULL: nobody asks */
    float *one_member, *one_logits;  /* [batch, width] likewise */
    float *mean;                     /* [width] */
} pass;

static void note_bad(void *payload, int64_t item, const char *why)
{
    pass *p = payload;
    str_fit(p->failures[item - p->begin], FAILURE_BYTES, why);
}

static feed *feed_of(pass *p, int size)
{
    for (int i = 0; i < p->feed_count; i++)
        if (p->feeds[i].size == size)
            return &p->feeds[i];
    return NULL;
}

static mien_status open_feeds(pass *p)
{
    for (int i = 0; i < p->e->count; i++) {
        int size = p->e->members[i].model ? member_size(&p->e->members[i]) : 0;
        if (size == 0 || feed_of(p, size))
            continue;
        loader_options options = {.plan = &p->plan,
                                  .batch = p->batch,
                                  .image_size = size,
                                  .threads = p->s->loader_threads,
                                  .max_bad_share = -1,
                                  .on_bad = note_bad,
                                  .payload = p};
        feed *f = &p->feeds[p->feed_count];
        TRY(loader_create(&f->loader, &options));
        f->size = size;
        p->feed_count++;
        TRY(loader_start(f->loader, 0, 0));
    }
    return MIEN_OK;
}

static mien_status open_pass(pass *p, const picture_source *pictures)
{
    ensemble *e = p->e;
    size_t members = (size_t)e->count, width = (size_t)e->width;
    p->total = pictures->count;
    p->batch = p->total < p->s->batch ? (int)p->total : p->s->batch;
    p->set = (picture_set){.source = pictures, .group_count = 1};
    TRY(subset_all(&p->all, &p->set));
    TRY(epoch_plan_create(&p->plan, &p->set, &p->all, false));
    TRY(mem_zalloc(&p->feeds, members));
    TRY(mem_alloc(&p->failures, p->batch));
    TRY(mem_alloc(&p->rows, (size_t)p->batch * members * width));
    TRY(mem_alloc(&p->one_member, (size_t)p->batch * width));
    if (p->s->tells_logits) {
        TRY(mem_alloc(&p->logits, (size_t)p->batch * members * width));
        TRY(mem_alloc(&p->one_logits, (size_t)p->batch * width));
    }
    TRY(mem_alloc(&p->mean, width));
    for (int i = 0; i < e->count; i++)
        if (e->members[i].model)
            TRY(session_bind(p->s, i, &p->s->members[i].many, p->batch));
    return open_feeds(p);
}

static void close_pass(pass *p)
{
    for (int i = 0; i < p->feed_count; i++)
        loader_free(p->feeds[i].loader);
    mem_free(p->feeds);
    mem_free(p->failures);
    mem_free(p->rows);
    mem_free(p->logits);
    mem_free(p->one_member);
    mem_free(p->one_logits);
    mem_free(p->mean);
    epoch_plan_free(&p->plan);
    subset_free(&p->all);
}

/* [width] of member i for a row of the batch, of rows or logits. */
static float *row_of(const pass *p, float *rows, int row, int i)
{
    return rows + ((size_t)row * (size_t)p->e->count + (size_t)i) * (size_t)p->e->width;
}

/* own [count, width] of member i, to rows or logits. What is not finite is no answer. */
static void keep_member(pass *p, float *rows, int i, const float *own, int count)
{
    const size_t width = (size_t)p->e->width;
    for (int row = 0; row < count; row++) {
        memcpy(row_of(p, rows, row, i), own + (size_t)row * width, width * sizeof(float));
        if (!p->failures[row][0] && !is_row_finite(own + (size_t)row * width, p->e->width))
            snprintf(p->failures[row], FAILURE_BYTES, "%s: " NOT_FINITE, p->e->members[i].path);
    }
}

static mien_status run_member(pass *p, int i, int count)
{
    const uint8_t *images = feed_of(p, member_size(&p->e->members[i]))->batch.images;
    TRY(session_run(p->s, p->s->members[i].many, images, count, p->one_member, p->one_logits));
    keep_member(p, p->rows, i, p->one_member, count);
    if (p->logits)
        keep_member(p, p->logits, i, p->one_logits, count);
    return MIEN_OK;
}

/* Logarithms of probabilities are logits, but for a number that a row has in common, which their softmax does not see.
 */
static void fill_logits(float *logits, const float *probabilities, int width)
{
    for (int c = 0; c < width; c++)
        logits[c] = logf(fmaxf(probabilities[c], FLT_MIN));
}

static void look_up_member(pass *p, int i, int count)
{
    const member *m = &p->e->members[i];
    for (int row = 0; row < count; row++) {
        const float *kept = scores_row(m->scores, m->place, p->begin + row);
        if (kept) {
            memcpy(row_of(p, p->rows, row, i), kept, (size_t)p->e->width * sizeof(float));
            if (p->logits)
                fill_logits(row_of(p, p->logits, row, i), kept, p->e->width);
        } else if (!p->failures[row][0]) {
            snprintf(p->failures[row], FAILURE_BYTES, "%s: no scores of this picture (row %" PRId64 " is NaN)", m->path,
                     p->begin + row);
        }
    }
}

/* Fills p->rows and p->failures with the next batch; *count 0 at the end. */
static mien_status run_batch(pass *p, int *count)
{
    memset(p->failures, 0, (size_t)p->batch * FAILURE_BYTES);
    for (int i = 0; i < p->feed_count; i++)
        TRY(loader_next(p->feeds[i].loader, &p->feeds[i].batch));
    int64_t left = p->total - p->begin;
    *count = left < p->batch ? (int)left : p->batch;
    for (int i = 0; *count > 0 && i < p->e->count; i++) {
        if (p->e->members[i].model)
            TRY(run_member(p, i, *count));
        else
            look_up_member(p, i, *count);
    }
    return MIEN_OK;
}

static prediction answer_of(pass *p, int row, const char *const *names)
{
    prediction answer = {.index = p->begin + row, .name = names ? names[p->begin + row] : NULL};
    if (p->failures[row][0]) {
        answer.failure = p->failures[row];
        return answer;
    }
    answer.members = row_of(p, p->rows, row, 0);
    answer.logits = p->logits ? row_of(p, p->logits, row, 0) : NULL;
    answer.mean = p->mean;
    ensemble_mean(p->mean, answer.members, p->e);
    return answer;
}

/* All sessions' answers for a picture; where one has none, the first failure is everyone's. */
static mien_status hand_out(pass *passes, int count, int row, const char *const *names, prediction_fn fn, void *payload)
{
    prediction answers[SESSIONS_TOGETHER_MAX];
    const char *failure = NULL;
    for (int i = 0; i < count; i++) {
        answers[i] = answer_of(&passes[i], row, names);
        failure = failure ? failure : answers[i].failure;
    }
    for (int i = 0; failure && i < count; i++)
        answers[i] = (prediction){.index = answers[i].index, .name = answers[i].name, .failure = failure};
    return fn(payload, answers);
}

static mien_status predict(pass *passes, int count, const picture_source *pictures, const char *const *names,
                           prediction_fn fn, void *payload, progress *told)
{
    for (int i = 0; i < count; i++)
        TRY(open_pass(&passes[i], pictures));
    for (;;) {
        int rows = 0;
        int64_t begin = passes[0].begin;
        if (told && progress_tell(told, "pictures", begin, pictures->count, NULL))
            return mien_fail(MIEN_ERR_CANCELLED, "interrupted after %lld of %lld pictures", (long long)begin,
                             (long long)pictures->count);
        for (int i = 0; i < count; i++)
            TRY(run_batch(&passes[i], &rows));
        if (rows == 0)
            return MIEN_OK;
        for (int row = 0; row < rows; row++)
            TRY(hand_out(passes, count, row, names, fn, payload));
        for (int i = 0; i < count; i++)
            passes[i].begin += rows;
    }
}

mien_status session_predict(session *const *sessions, int session_count, const picture_source *pictures,
                            const char *const *names, prediction_fn fn, void *payload, progress *p)
{
    pass passes[SESSIONS_TOGETHER_MAX] = {0};
    assert(session_count <= SESSIONS_TOGETHER_MAX);
    if (pictures->count == 0)
        return MIEN_OK;
    for (int i = 0; i < session_count; i++) {
        assert(sessions[i]->batch == sessions[0]->batch);
        passes[i] = (pass){.s = sessions[i], .e = sessions[i]->e};
    }
    mien_status st = predict(passes, session_count, pictures, names, fn, payload, p);
    for (int i = 0; i < session_count; i++)
        close_pass(&passes[i]);
    return st;
}
