/* Answers are scored when all of them are there. Widths are tried for all heads at once: no head's score knows of
 * another's answers. */
#include "infer/evaluate.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"

#include <string.h>

const float *evaluation_outputs(const evaluation *v, int member, int head)
{
    return answers_of(&v->answers, member, head);
}

static mien_status create(evaluation **out, const ensemble *e, int64_t count, const smoothing *how)
{
    mien_status st;
    evaluation *v = NULL;
    TRY(mem_zalloc(&v, 1));
    v->smooth = *how;
    TRY_OUT(answers_create(&v->answers, e, count, how->kind));
    TRY_OUT(mem_zalloc(&v->reports, v->answers.member_count + 1));
    TRY_OUT(mem_alloc(&v->pictures, count));
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
    for (int m = 0; v->reports && m <= v->answers.member_count; m++)
        task_report_clear(&v->reports[m]);
    mem_free(v->reports);
    mem_free(v->pictures);
    answers_free(&v->answers);
    mem_free(v);
}

/* Each member decides by its own thresholds. */
static mien_status score(task_report *out, const evaluation *v, const task_set *set, int member, bool is_told)
{
    const answer_table *a = &v->answers;
    task_pass pass = {.set = set,
                      .heads = member < a->member_count ? ensemble_member_heads(a->ensemble, member) : a->heads,
                      .head_count = a->head_count,
                      .count = a->count,
                      .pictures = v->pictures,
                      .is_read = a->is_read,
                      .is_told = is_told};
    for (int h = 0; h < a->head_count; h++)
        pass.outputs[h] = answers_of(a, member, h);
    return set->task->score(out, &pass);
}

/* --- widths ------------------------------------------------------------------------------------------------------- */

/* Of windows powers of two; of exponential smoothing those that Deng's team tried, and some below and above. */
static const double window_widths[] = {0, 1, 2, 4, 8, 16, 32}, exponential_widths[] = {0, 1, 3, 5, 7, 8, 9, 10, 15};

/* The best that a head scored so far. */
typedef struct {
    const char *name; /* of the score; NULL: the set knows nothing of the head */
    double first, best, width;
} head_choice;

static void compare(head_choice *c, const char *name, const task_report *r, double width)
{
    const task_score *s = name ? task_report_find(r, name) : NULL;
    if (!s || (c->name && !(s->value > c->best)))
        return;
    *c = (head_choice){name, c->name ? c->first : s->value, s->value, width};
}

static mien_status try_width(evaluation *v, head_choice *choices, const task_set *set, const smooth_clips *clips,
                             double width)
{
    const answer_table *a = &v->answers;
    task_report r = {0};
    for (int h = 0; h < a->head_count; h++)
        v->smooth.widths[h] = width;
    TRY(answers_smooth(&v->answers, &v->smooth, clips));
    TRY(score(&r, v, set, a->member_count, false));
    for (int h = 0; h < a->head_count; h++)
        compare(&choices[h], set->task->head_score(&a->heads[h]), &r, width);
    task_report_clear(&r);
    return MIEN_OK;
}

static void tell_choice(const evaluation *v, int h, const head_choice *c)
{
    const char *head = v->answers.heads[h].name;
    if (c->name)
        log_notice("smoothing: %s: width %g (%s %.4f, %.4f unsmoothed)", head, c->width, c->name, c->best, c->first);
    else
        log_notice("smoothing: %s: unsmoothed (the set does not score it)", head);
}

static mien_status choose_widths(evaluation *v, const task_set *set, const smooth_clips *clips)
{
    const bool is_window = v->smooth.kind != SMOOTH_EXPONENTIAL;
    const double *grid = is_window ? window_widths : exponential_widths;
    const size_t count = (is_window ? sizeof window_widths : sizeof exponential_widths) / sizeof *grid;
    head_choice choices[MODEL_MAX_HEADS] = {0};
    for (size_t i = 0; i < count; i++)
        TRY(try_width(v, choices, set, clips, grid[i]));
    for (int h = 0; h < v->answers.head_count; h++) {
        v->smooth.widths[h] = choices[h].width;
        tell_choice(v, h, &choices[h]);
    }
    return MIEN_OK;
}

/* --- smoothing ---------------------------------------------------------------------------------------------------- */

/* Names of all pictures, which lie in *text. *out: caller, mem_free. */
static mien_status name_pictures(const char ***out, str *text, const picture_source *source)
{
    char name[PICTURE_NAME_BYTES];
    size_t at = 0;
    for (int64_t i = 0; i < source->count; i++) {
        TRY(source->name(source, i, name, sizeof name));
        TRY(str_append_bytes(text, name, strlen(name) + 1));
    }
    TRY(mem_alloc(out, source->count));
    for (int64_t i = 0; i < source->count; i++) {
        (*out)[i] = text->text + at;
        at += strlen(text->text + at) + 1;
    }
    return MIEN_OK;
}

static mien_status smooth(evaluation *v, const task_set *set, bool chooses_widths)
{
    mien_status st;
    str text = {0};
    const char **names = NULL;
    smooth_clips clips = {0};
    TRY_OUT(name_pictures(&names, &text, set->pictures->source));
    TRY_OUT(answers_clips(&clips, &v->answers, names));
    if (chooses_widths)
        TRY_OUT(choose_widths(v, set, &clips));
    TRY_OUT(answers_smooth(&v->answers, &v->smooth, &clips));
out:
    smooth_clips_free(&clips);
    mem_free(names);
    str_free(&text);
    return st;
}

static mien_status check(const task_set *set, const evaluation_options *o)
{
    if (o->smooth.kind == SMOOTH_NONE)
        return MIEN_OK;
    if (set->is_by_class)
        return mien_fail(MIEN_ERR_ARG, "%s: its folders are classes, and no clips to smooth (wanted a list of frames)",
                         set->path);
    if (o->chooses_widths && !set->task->head_score)
        return mien_fail(MIEN_ERR_UNSUPPORTED, "task: %.32s has no score to choose widths of smoothing by",
                         set->task->name);
    return MIEN_OK;
}

mien_status evaluation_run(evaluation **out, session *s, const ensemble *e, const task_set *set,
                           const evaluation_options *options, progress *p)
{
    static const evaluation_options none;
    mien_status st;
    evaluation *v = NULL;
    const evaluation_options *o = options ? options : &none;
    const picture_source *pictures = set->pictures->source;
    TRY(check(set, o));
    TRY(ensemble_check_pictures(e, pictures->count, set->path));
    TRY(create(&v, e, pictures->count, &o->smooth));
    TRY_OUT(session_predict(&s, 1, pictures, NULL, answers_take, &v->answers, p));
    if (o->smooth.kind != SMOOTH_NONE)
        TRY_OUT(smooth(v, set, o->chooses_widths));
    for (int m = 0; m <= v->answers.member_count; m++)
        TRY_OUT(score(&v->reports[m], v, set, m, m == v->answers.member_count)); /* told once, for all */
    *out = v;
    v = NULL;
out:
    evaluation_free(v);
    return st;
}
