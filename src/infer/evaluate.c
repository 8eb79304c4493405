/* All outputs are kept, since scores of regressions are none of single pictures. */
#include "infer/evaluate.h"

#include "base/mem.h"

#include <math.h>
#include <string.h>

static float *outputs_of(const evaluation *v, int member, int head)
{
    return v->outputs[member * v->head_count + head];
}

const float *evaluation_outputs(const evaluation *v, int member, int head)
{
    return outputs_of(v, member, head);
}

static mien_status create(evaluation **out, const ensemble *e, int64_t count)
{
    mien_status st;
    evaluation *v = NULL;
    TRY(mem_zalloc(&v, 1));
    v->member_count = ensemble_member_count(e);
    v->heads = ensemble_heads(e, &v->head_count);
    v->count = count;
    TRY_OUT(mem_zalloc(&v->reports, v->member_count + 1));
    TRY_OUT(mem_alloc(&v->pictures, count));
    TRY_OUT(mem_zalloc(&v->is_read, count));
    TRY_OUT(mem_zalloc(&v->outputs, (v->member_count + 1) * v->head_count));
    for (int m = 0; m <= v->member_count; m++)
        for (int h = 0; h < v->head_count; h++)
            TRY_OUT(mem_alloc(&v->outputs[m * v->head_count + h], count * v->heads[h].size));
    for (int64_t i = 0; i < count; i++)
        v->pictures[i] = i;
    *out = v;
    v = NULL;
out:
    evaluation_free(v);
    return st;
}

void evaluation_free(evaluation *v)
{
    if (!v)
        return;
    for (int m = 0; v->reports && m <= v->member_count; m++)
        task_report_clear(&v->reports[m]);
    for (int64_t i = 0; i < v->skipped_count; i++)
        mem_free(v->skipped[i].why);
    for (int i = 0; v->outputs && i < (v->member_count + 1) * v->head_count; i++)
        mem_free(v->outputs[i]);
    mem_free(v->reports);
    mem_free(v->skipped);
    mem_free(v->pictures);
    mem_free(v->is_read);
    mem_free(v->outputs);
    mem_free(v);
}

/* --- a pass ------------------------------------------------------------------------------------------------------- */

static mien_status keep_skipped(evaluation *v, int64_t picture, const char *why)
{
    if (v->skipped_count == v->skipped_capacity) {
        int64_t capacity = v->skipped_capacity ? 2 * v->skipped_capacity : 16;
        TRY(mem_resize_bytes((void **)&v->skipped, (size_t)v->skipped_capacity * sizeof *v->skipped,
                             (size_t)capacity * sizeof *v->skipped));
        v->skipped_capacity = capacity;
    }
    evaluation_skip *skip = &v->skipped[v->skipped_count];
    skip->picture = picture;
    TRY(mem_strdup(&skip->why, why));
    v->skipped_count++;
    return MIEN_OK;
}

/* A row of `width` numbers, or NaN (row NULL), into the heads' outputs. */
static void keep_row(evaluation *v, int member, int64_t picture, const float *row)
{
    for (int h = 0; h < v->head_count; h++) {
        const int size = v->heads[h].size;
        float *to = outputs_of(v, member, h) + picture * size;
        for (int i = 0; i < size; i++)
            to[i] = row ? *row++ : NAN;
    }
}

typedef struct {
    evaluation *v;
    int width;
} listener;

static mien_status take_answer(void *payload, const prediction *p)
{
    const listener *l = payload;
    evaluation *v = l->v;
    v->is_read[p->index] = !p->failure;
    for (int m = 0; m < v->member_count; m++)
        keep_row(v, m, p->index, p->failure ? NULL : p->members + (size_t)m * (size_t)l->width);
    keep_row(v, v->member_count, p->index, p->failure ? NULL : p->mean);
    return p->failure ? keep_skipped(v, p->index, p->failure) : MIEN_OK;
}

/* Each member decides by its own thresholds. */
static mien_status score(evaluation *v, const ensemble *e, const task_set *set, int member)
{
    task_pass pass = {.set = set,
                      .heads = member < v->member_count ? ensemble_member_heads(e, member) : v->heads,
                      .head_count = v->head_count,
                      .count = v->count,
                      .pictures = v->pictures,
                      .is_read = v->is_read,
                      .is_told = member == v->member_count}; /* once, for all */
    for (int h = 0; h < v->head_count; h++)
        pass.outputs[h] = outputs_of(v, member, h);
    return set->task->score(&v->reports[member], &pass);
}

mien_status evaluation_run(evaluation **out, session *s, const ensemble *e, const task_set *set, progress *p)
{
    mien_status st;
    evaluation *v = NULL;
    const picture_source *pictures = set->pictures->source;
    TRY(ensemble_check_pictures(e, pictures->count, set->path));
    TRY(create(&v, e, pictures->count));
    listener l = {v, ensemble_width(e)};
    TRY_OUT(session_predict(&s, 1, pictures, NULL, take_answer, &l, p));
    for (int m = 0; m <= v->member_count; m++)
        TRY_OUT(score(v, e, set, m));
    *out = v;
    v = NULL;
out:
    evaluation_free(v);
    return st;
}
