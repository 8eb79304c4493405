/* Once open, an ensemble changes in one thing alone: the list of its sessions, which has a lock. */
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "infer/ensemble_int.h"
#include "task/score.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* --- opening ------------------------------------------------------------------------------------------------------ */

/* A model file goes by its own name; best.safetensors says nothing, so there its folder speaks. */
static void name_of_file(char dst[NAME_BYTES], const char *path)
{
    const char *base = file_base_name(path);
    snprintf(dst, NAME_BYTES, "%s", base);
    if (strcmp(base, "best.safetensors") != 0 || base == path)
        return;
    char folder[NAME_BYTES];
    if ((size_t)snprintf(folder, sizeof folder, "%.*s", (int)(base - path) - 1, path) < sizeof folder && folder[0])
        snprintf(dst, NAME_BYTES, "%s", file_base_name(folder));
}

static mien_status add_member(ensemble *e, member **out, const ensemble_source *source)
{
    if (e->count == e->capacity) {
        int capacity = e->capacity ? 2 * e->capacity : 8;
        TRY(mem_resize_bytes((void **)&e->members, sizeof(member) * (size_t)e->capacity,
                             sizeof(member) * (size_t)capacity));
        e->capacity = capacity;
    }
    member *m = &e->members[e->count];
    *m = (member){.counts = source->counts, .weight = source->weight != 0 ? source->weight : 1};
    if (source->name)
        snprintf(m->name, sizeof m->name, "%s", source->name);
    else
        name_of_file(m->name, source->path);
    TRY(mem_strdup(&m->path, source->path));
    e->count++;
    *out = m;
    return MIEN_OK;
}

static mien_status add_model(ensemble *e, const ensemble_source *source)
{
    member *m;
    const param_memory *params;
    TRY(add_member(e, &m, source));
    TRY(model_load(&m->model, m->path));
    return e->backend ? param_store_place(model_params(m->model), &params, e->backend) : MIEN_OK;
}

/* A member for each one of the file's: "scores.npy", or "scores.npy#1", "scores.npy#2" .. */
static mien_status add_scores(ensemble *e, const ensemble_source *source)
{
    score_table *t = &e->tables[e->table_count];
    TRY(scores_read(t, source->path));
    e->table_count++;
    for (int i = 0; i < t->members; i++) {
        member *m;
        TRY(add_member(e, &m, source));
        m->scores = t;
        m->place = i;
        size_t length = strlen(m->name);
        if (t->members > 1)
            snprintf(m->name + (length < 140 ? length : 140), 16, "#%d", i + 1);
    }
    return MIEN_OK;
}

/* "a", "a" become "a", "a#2": rows of a table must be told apart. */
static void make_names_unique(ensemble *e)
{
    for (int i = 1; i < e->count; i++) {
        char base[NAME_BYTES];
        bool is_taken = true;
        memcpy(base, e->members[i].name, sizeof base);
        for (int n = 2; is_taken; n++) {
            is_taken = false;
            for (int j = 0; j < i && !is_taken; j++)
                is_taken = strcmp(e->members[j].name, e->members[i].name) == 0;
            if (is_taken)
                snprintf(e->members[i].name, NAME_BYTES, "%.140s#%d", base, n);
        }
    }
}

/* The columns of all heads. */
static void column_list(char *dst, size_t bytes, const model_spec *spec)
{
    dst[0] = '\0';
    for (int h = 0; h < spec->head_count; h++)
        for (int c = 0; c < spec->heads[h].size && strlen(dst) + 40 < bytes; c++)
            snprintf(dst + strlen(dst), bytes - strlen(dst), "%s%.32s", dst[0] ? " " : "", spec->heads[h].columns[c]);
}

static mien_status check_heads(const member *first, const member *m)
{
    const model_spec *a = model_spec_of(first->model), *b = model_spec_of(m->model);
    if (strcmp(a->task, b->task) != 0)
        return mien_fail(MIEN_ERR_FORMAT, "%s: task %s (wanted %s, as of %s)", m->path, b->task, a->task, first->path);
    bool is_same = a->head_count == b->head_count;
    for (int h = 0; is_same && h < a->head_count; h++)
        is_same = head_equals(&a->heads[h], &b->heads[h]);
    if (is_same)
        return MIEN_OK;
    char wanted[400], found[400];
    column_list(wanted, sizeof wanted, a);
    column_list(found, sizeof found, b);
    return mien_fail(MIEN_ERR_FORMAT, "%s: classes differ from those of %s (%s, wanted %s)", m->path, first->path,
                     found, wanted);
}

/* Score files name no columns: theirs are those of the models beside them, or of the default task's challenge. */
static mien_status check_columns(const ensemble *e, const member *m)
{
    if (m->scores->classes == e->width)
        return MIEN_OK;
    if (e->first_model)
        return mien_fail(MIEN_ERR_FORMAT, "%s: %d classes (wanted %d, as of %s)", m->path, m->scores->classes, e->width,
                         e->first_model->path);
    return mien_fail(MIEN_ERR_FORMAT, "%s: %d classes (wanted the %d of %s, or a model beside it that names others)",
                     m->path, m->scores->classes, e->width, task_all[0]->title);
}

static mien_status take_heads(ensemble *e, const model_head *heads, int count)
{
    TRY(mem_alloc(&e->heads, count));
    memcpy(e->heads, heads, (size_t)count * sizeof *heads);
    e->head_count = count;
    for (int h = 0; h < count; h++)
        e->width += heads[h].size;
    return MIEN_OK;
}

/* The mean over models that count of their thresholds of output i of a head; false where none has any of its own. */
static bool mean_threshold(float *out, const ensemble *e, int head, int i)
{
    double sum = 0, count = 0;
    bool has_own = false;
    for (int m = 0; m < e->count; m++) {
        if (!e->members[m].model || !e->members[m].counts)
            continue;
        const float *own = model_spec_of(e->members[m].model)->heads[head].thresholds;
        sum += e->members[m].weight * (own ? (double)own[i] : 0.5);
        count += e->members[m].weight;
        has_own = has_own || own;
    }
    *out = has_own ? (float)(sum / count) : 0.5f;
    return has_own;
}

/* Where every model decides at 0.5, so does their mean, and nothing is said of it. */
static mien_status settle_thresholds(ensemble *e)
{
    TRY(mem_alloc(&e->thresholds, e->width));
    float *own = e->thresholds;
    for (int h = 0; h < e->head_count; h++) {
        bool has_own = false;
        for (int i = 0; i < e->heads[h].size; i++)
            has_own = mean_threshold(&own[i], e, h, i);
        e->heads[h].thresholds = has_own ? own : NULL;
        own += e->heads[h].size;
    }
    return MIEN_OK;
}

static mien_status settle_heads(ensemble *e)
{
    for (int i = e->count - 1; i >= 0; i--)
        if (e->members[i].model)
            e->first_model = &e->members[i];
    const model_spec *spec = e->first_model ? model_spec_of(e->first_model->model) : NULL;
    if (spec)
        TRY(take_heads(e, spec->heads, spec->head_count));
    else
        TRY(take_heads(e, task_all[0]->challenge_heads, task_all[0]->challenge_head_count));
    for (int i = 0; i < e->count; i++) {
        const member *m = &e->members[i];
        TRY(m->model ? check_heads(e->first_model, m) : check_columns(e, m));
    }
    return settle_thresholds(e);
}

mien_status ensemble_open(ensemble **out, const ensemble_source *sources, int count, backend *b,
                          const ensemble_options *options)
{
    mien_status st;
    ensemble *e = NULL;
    if (count < 1)
        return mien_fail(MIEN_ERR_ARG, "no model (wanted at least one)");
    TRY(mem_zalloc(&e, 1));
    pthread_mutex_init(&e->lock, NULL);
    turn_init(&e->own_turn);
    e->turn = options->turn ? options->turn : &e->own_turn;
    e->backend = b;
    if (b)
        TRY_OUT(precision_resolve(&e->precision, options->precision, b));
    TRY_OUT(mem_zalloc(&e->tables, count));
    for (int i = 0; i < count; i++)
        TRY_OUT(scores_is_file(sources[i].path) ? add_scores(e, &sources[i]) : add_model(e, &sources[i]));
    TRY_OUT(settle_heads(e));
    make_names_unique(e);
    *out = e;
    e = NULL;
out:
    ensemble_free(e);
    return st;
}

void ensemble_free(ensemble *e)
{
    if (!e)
        return;
    assert(!e->sessions);
    for (int i = 0; i < e->count; i++) {
        model_free(e->members[i].model);
        mem_free(e->members[i].path);
    }
    mem_free(e->members);
    for (int i = 0; i < e->table_count; i++)
        scores_free(&e->tables[i]);
    mem_free(e->tables);
    mem_free(e->heads);
    mem_free(e->thresholds);
    turn_destroy(&e->own_turn);
    pthread_mutex_destroy(&e->lock);
    mem_free(e);
}

int ensemble_member_count(const ensemble *e)
{
    return e->count;
}
const char *ensemble_member_name(const ensemble *e, int member_index)
{
    return e->members[member_index].name;
}
bool ensemble_member_counts(const ensemble *e, int member_index)
{
    return e->members[member_index].counts;
}
double ensemble_member_weight(const ensemble *e, int member_index)
{
    return e->members[member_index].weight;
}
const char *ensemble_member_path(const ensemble *e, int member_index)
{
    return e->members[member_index].path;
}
model *ensemble_model(const ensemble *e, int member_index)
{
    return e->members[member_index].model;
}
const model_head *ensemble_heads(const ensemble *e, int *count)
{
    *count = e->head_count;
    return e->heads;
}
const model_head *ensemble_member_heads(const ensemble *e, int member_index)
{
    const member *m = &e->members[member_index];
    return m->model ? model_spec_of(m->model)->heads : e->heads;
}
int ensemble_width(const ensemble *e)
{
    return e->width;
}
const char *ensemble_task(const ensemble *e)
{
    return e->first_model ? model_spec_of(e->first_model->model)->task : task_all[0]->name;
}

mien_status ensemble_check_pictures(const ensemble *e, int64_t count, const char *set)
{
    for (int i = 0; i < e->count; i++) {
        const member *m = &e->members[i];
        if (m->scores && m->scores->pictures != count)
            return mien_fail(MIEN_ERR_FORMAT, "%s: %" PRId64 " rows (wanted %" PRId64 ", the pictures of %s)", m->path,
                             m->scores->pictures, count, set);
    }
    return MIEN_OK;
}
