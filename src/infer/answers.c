/* Answers lie head by head, as scores and filters want them; rows are taken apart and put together again here alone. */
#include "infer/answers.h"

#include "base/mem.h"
#include "infer/ensemble_int.h"
#include "nn/model.h"

#include <math.h>
#include <string.h>

/* --- life --------------------------------------------------------------------------------------------------------- */

/* *out [members * heads] of each head [count, size]; freed by whoever has the table, also where this fails. */
static mien_status create_columns(float ***out, const answer_table *a, int members)
{
    TRY(mem_zalloc(out, members * a->head_count));
    for (int m = 0; m < members; m++)
        for (int h = 0; h < a->head_count; h++)
            TRY(mem_alloc(&(*out)[m * a->head_count + h], a->count * a->heads[h].size));
    return MIEN_OK;
}

static void free_columns(float **columns, const answer_table *a, int members)
{
    for (int i = 0; columns && i < members * a->head_count; i++)
        mem_free(columns[i]);
    mem_free(columns);
}

mien_status answers_create(answer_table *out, const ensemble *e, int64_t count, smooth_kind kind)
{
    mien_status st;
    answer_table a = {.ensemble = e, .member_count = ensemble_member_count(e), .count = count};
    a.heads = ensemble_heads(e, &a.head_count);
    TRY_OUT(mem_zalloc(&a.is_read, count));
    TRY_OUT(create_columns(&a.outputs, &a, a.member_count + 1));
    if (kind != SMOOTH_NONE)
        TRY_OUT(create_columns(&a.given, &a, a.member_count));
    if (kind == SMOOTH_EXPONENTIAL)
        TRY_OUT(create_columns(&a.logits, &a, a.member_count));
    *out = a;
    return MIEN_OK;
out:
    answers_free(&a);
    return st;
}

void answers_free(answer_table *a)
{
    for (int64_t i = 0; i < a->skipped_count; i++)
        mem_free(a->skipped[i].why);
    mem_free(a->skipped);
    mem_free(a->is_read);
    free_columns(a->outputs, a, a->member_count + 1);
    free_columns(a->given, a, a->member_count);
    free_columns(a->logits, a, a->member_count);
    *a = (answer_table){0};
}

float *answers_of(const answer_table *a, int member_index, int head)
{
    return a->outputs[member_index * a->head_count + head];
}

/* --- taking ------------------------------------------------------------------------------------------------------- */

static mien_status keep_skipped(answer_table *a, int64_t picture, const char *why)
{
    if (a->skipped_count == a->skipped_capacity) {
        int64_t capacity = a->skipped_capacity ? 2 * a->skipped_capacity : 16;
        TRY(mem_resize_bytes((void **)&a->skipped, (size_t)a->skipped_capacity * sizeof *a->skipped,
                             (size_t)capacity * sizeof *a->skipped));
        a->skipped_capacity = capacity;
    }
    answer_skip *skip = &a->skipped[a->skipped_count];
    skip->picture = picture;
    TRY(mem_strdup(&skip->why, why));
    a->skipped_count++;
    return MIEN_OK;
}

/* columns [heads]: a row of all heads' numbers, or NaN (row NULL), into each one's own. */
static void put_row(float *const *columns, const answer_table *a, int64_t picture, const float *row)
{
    for (int h = 0; h < a->head_count; h++) {
        const int size = a->heads[h].size;
        float *to = columns[h] + picture * size;
        for (int i = 0; i < size; i++)
            to[i] = row ? *row++ : NAN;
    }
}

static void get_row(float *row, const answer_table *a, float *const *columns, int64_t picture)
{
    for (int h = 0; h < a->head_count; h++) {
        const int size = a->heads[h].size;
        memcpy(row, columns[h] + picture * size, (size_t)size * sizeof *row);
        row += size;
    }
}

mien_status answers_take(void *payload, const prediction *p)
{
    answer_table *a = payload;
    const size_t width = (size_t)ensemble_width(a->ensemble);
    float **members = a->given ? a->given : a->outputs;
    a->is_read[p->index] = !p->failure;
    for (int m = 0; m < a->member_count; m++) {
        const int at = m * a->head_count;
        put_row(members + at, a, p->index, p->failure ? NULL : p->members + (size_t)m * width);
        if (a->logits)
            put_row(a->logits + at, a, p->index, p->failure ? NULL : p->logits + (size_t)m * width);
    }
    put_row(a->outputs + a->member_count * a->head_count, a, p->index, p->failure ? NULL : p->mean);
    return p->failure ? keep_skipped(a, p->index, p->failure) : MIEN_OK;
}

/* --- smoothing ---------------------------------------------------------------------------------------------------- */

mien_status answers_clips(smooth_clips *out, const answer_table *a, const char *const *names)
{
    return smooth_clips_create(out, names, a->is_read, a->count);
}

static mien_status smooth_head(answer_table *a, int member_index, int head, const smoothing *how,
                               const smooth_clips *clips)
{
    const int at = member_index * a->head_count + head, size = a->heads[head].size;
    const double width = how->widths[head];
    const bool is_of_logits = how->kind == SMOOTH_EXPONENTIAL && width > 0;
    const model *m = ensemble_model(a->ensemble, member_index);
    const bool is_clipped = m && model_clips(m, head);
    memcpy(a->outputs[at], is_of_logits ? a->logits[at] : a->given[at], (size_t)(a->count * size) * sizeof(float));
    if (width > 0)
        TRY(smooth_values(a->outputs[at], size, clips, how->kind, width));
    for (int64_t i = 0; is_of_logits && i < clips->count; i++)
        head_answer(a->outputs[at] + (int64_t)clips->row[i] * size, &a->heads[head], is_clipped);
    return MIEN_OK;
}

/* members [members, width]: scratch for a picture's row */
static void set_mean(answer_table *a, float *members)
{
    const size_t width = (size_t)ensemble_width(a->ensemble);
    float *mean = members + (size_t)a->member_count * width;
    for (int64_t i = 0; i < a->count; i++) {
        for (int m = 0; m < a->member_count; m++)
            get_row(members + (size_t)m * width, a, a->outputs + m * a->head_count, i);
        ensemble_mean(mean, members, a->ensemble);
        put_row(a->outputs + a->member_count * a->head_count, a, i, mean);
    }
}

mien_status answers_smooth(answer_table *a, const smoothing *how, const smooth_clips *clips)
{
    float *members;
    for (int m = 0; m < a->member_count; m++)
        for (int h = 0; h < a->head_count; h++)
            TRY(smooth_head(a, m, h, how, clips));
    TRY(mem_alloc(&members, (a->member_count + 1) * ensemble_width(a->ensemble)));
    set_mean(a, members);
    mem_free(members);
    return MIEN_OK;
}

/* --- a list, smoothed --------------------------------------------------------------------------------------------- */

/* The answers of sessions that are asked together. */
typedef struct {
    answer_table tables[SESSIONS_TOGETHER_MAX]; /* [count] */
    float *rows[SESSIONS_TOGETHER_MAX];         /* of each, a picture's [members + 1, width] */
    int count;
} answer_tables;

static mien_status create_tables(answer_tables *out, session *const *sessions, int count, int64_t pictures,
                                 smooth_kind kind)
{
    out->count = count;
    for (int i = 0; i < count; i++) {
        const ensemble *e = sessions[i]->e;
        TRY(answers_create(&out->tables[i], e, pictures, kind));
        TRY(mem_alloc(&out->rows[i], (ensemble_member_count(e) + 1) * ensemble_width(e)));
    }
    return MIEN_OK;
}

static void free_tables(answer_tables *all)
{
    for (int i = 0; i < all->count; i++) {
        answers_free(&all->tables[i]);
        mem_free(all->rows[i]);
    }
}

static mien_status take_all(void *payload, const prediction *p)
{
    answer_tables *all = payload;
    for (int i = 0; i < all->count; i++)
        TRY(answers_take(&all->tables[i], &p[i]));
    return MIEN_OK;
}

/* The clips are everyone's: a picture has an answer of all, or of none. */
static mien_status smooth_all(answer_tables *all, const smoothing *how, const char *const *names)
{
    smooth_clips clips;
    mien_status st = MIEN_OK;
    TRY(answers_clips(&clips, &all->tables[0], names));
    for (int i = 0; st == MIEN_OK && i < all->count; i++)
        st = answers_smooth(&all->tables[i], &how[i], &clips);
    smooth_clips_free(&clips);
    return st;
}

/* One table's answer for a picture that has one. */
static void set_answer(prediction *p, const answer_table *a, float *rows)
{
    const size_t width = (size_t)ensemble_width(a->ensemble);
    for (int m = 0; m <= a->member_count; m++)
        get_row(rows + (size_t)m * width, a, a->outputs + m * a->head_count, p->index);
    p->members = rows;
    p->mean = rows + (size_t)a->member_count * width;
}

static mien_status hand_out(const answer_tables *all, const char *const *names, prediction_fn fn, void *payload)
{
    const answer_table *first = &all->tables[0];
    const answer_skip *skip = first->skipped;
    for (int64_t i = 0; i < first->count; i++) {
        prediction answers[SESSIONS_TOGETHER_MAX];
        const char *failure = first->is_read[i] ? NULL : skip++->why;
        for (int t = 0; t < all->count; t++) {
            answers[t] = (prediction){.index = i, .name = names[i], .failure = failure};
            if (!failure)
                set_answer(&answers[t], &all->tables[t], all->rows[t]);
        }
        TRY(fn(payload, answers));
    }
    return MIEN_OK;
}

mien_status session_predict_smoothed(session *const *sessions, int session_count, const picture_source *pictures,
                                     const char *const *names, const smoothing *how, prediction_fn fn, void *payload,
                                     progress *p)
{
    mien_status st;
    answer_tables all = {0};
    TRY_OUT(create_tables(&all, sessions, session_count, pictures->count, how[0].kind));
    TRY_OUT(session_predict(sessions, session_count, pictures, NULL, take_all, &all, p));
    TRY_OUT(smooth_all(&all, how, names));
    TRY_OUT(hand_out(&all, names, fn, payload));
out:
    free_tables(&all);
    return st;
}
