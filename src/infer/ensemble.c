/* Every model has programs of its own over its own parameters; pictures are decoded once for each input size, and not
 * at all where every member's answers are kept scores. */
#include "infer/infer.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "data/loader.h"
#include "infer/lanes.h"
#include "infer/scores.h"
#include "nn/model.h"
#include "task/score.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { DEFAULT_BATCH = 32, NAME_BYTES = 160, FAILURE_BYTES = 1024 };
#define NOT_FINITE "the model's output is not finite"

typedef struct {
    char name[NAME_BYTES];
    bool counts;
    char *path;                /* owned */
    model *model;              /* NULL: its answers are kept */
    lanes *many, *one;         /* for lists of pictures, and for a single one; NULL until needed */
    const score_table *scores; /* the ensemble's */
    int place;                 /* among the members of `scores` */
} member;

struct ensemble {
    member *members; /* [capacity] */
    int count, capacity;
    score_table *tables; /* [table_count] */
    int table_count;
    const member *first_model; /* its classes are everyone's; NULL: none is a model */
    int class_count;
    backend *backend;
    dtype precision;
    int batch, loader_threads;
    image sized; /* of ensemble_classify */
    image_scratch *scratch;
};

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
    *m = (member){.counts = source->counts};
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
    TRY(add_member(e, &m, source));
    return model_load(&m->model, m->path);
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

static void class_list(char *dst, size_t bytes, const model_spec *spec)
{
    dst[0] = '\0';
    for (int c = 0; c < spec->class_count && strlen(dst) + 40 < bytes; c++)
        snprintf(dst + strlen(dst), bytes - strlen(dst), "%s%.32s", c ? " " : "", spec->classes[c]);
}

static mien_status check_classes(const member *first, const member *m)
{
    const model_spec *a = model_spec_of(first->model), *b = model_spec_of(m->model);
    if (strcmp(a->task, b->task) != 0)
        return mien_fail(MIEN_ERR_FORMAT, "%s: task %s (wanted %s, as of %s)", m->path, b->task, a->task, first->path);
    bool is_same = a->class_count == b->class_count;
    for (int c = 0; is_same && c < a->class_count; c++)
        is_same = strcmp(a->classes[c], b->classes[c]) == 0;
    if (is_same)
        return MIEN_OK;
    char wanted[400], found[400];
    class_list(wanted, sizeof wanted, a);
    class_list(found, sizeof found, b);
    return mien_fail(MIEN_ERR_FORMAT, "%s: classes differ from those of %s (%s, wanted %s)", m->path, first->path,
                     found, wanted);
}

/* Score files name no classes: their columns are those of the models beside them, or LSD's six. */
static mien_status check_columns(const ensemble *e, const member *m)
{
    if (m->scores->classes == e->class_count)
        return MIEN_OK;
    if (e->first_model)
        return mien_fail(MIEN_ERR_FORMAT, "%s: %d classes (wanted %d, as of %s)", m->path, m->scores->classes,
                         e->class_count, e->first_model->path);
    return mien_fail(MIEN_ERR_FORMAT, "%s: %d classes (wanted the %d of LSD, or a model beside it that names others)",
                     m->path, m->scores->classes, e->class_count);
}

static mien_status settle_classes(ensemble *e)
{
    for (int i = e->count - 1; i >= 0; i--)
        if (e->members[i].model)
            e->first_model = &e->members[i];
    e->class_count = e->first_model ? model_spec_of(e->first_model->model)->class_count : LSD_CLASSES;
    for (int i = 0; i < e->count; i++) {
        const member *m = &e->members[i];
        TRY(m->model ? check_classes(e->first_model, m) : check_columns(e, m));
    }
    return MIEN_OK;
}

mien_status ensemble_open(ensemble **out, const ensemble_source *sources, int count, backend *b,
                          const ensemble_options *options)
{
    mien_status st;
    ensemble *e = NULL;
    if (count < 1)
        return mien_fail(MIEN_ERR_ARG, "no model (wanted at least one)");
    TRY(mem_zalloc(&e, 1));
    e->backend = b;
    e->batch = options->batch ? options->batch : DEFAULT_BATCH;
    e->loader_threads = options->loader_threads;
    if (b)
        TRY_OUT(precision_resolve(&e->precision, options->precision, b));
    TRY_OUT(image_scratch_create(&e->scratch));
    TRY_OUT(mem_zalloc(&e->tables, count));
    for (int i = 0; i < count; i++)
        TRY_OUT(scores_is_file(sources[i].path) ? add_scores(e, &sources[i]) : add_model(e, &sources[i]));
    TRY_OUT(settle_classes(e));
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
    for (int i = 0; i < e->count; i++) {
        lanes_free(e->members[i].many);
        lanes_free(e->members[i].one);
        model_free(e->members[i].model);
        mem_free(e->members[i].path);
    }
    mem_free(e->members);
    for (int i = 0; i < e->table_count; i++)
        scores_free(&e->tables[i]);
    mem_free(e->tables);
    image_free(&e->sized);
    image_scratch_free(e->scratch);
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
const char *ensemble_member_path(const ensemble *e, int member_index)
{
    return e->members[member_index].path;
}
model *ensemble_model(const ensemble *e, int member_index)
{
    return e->members[member_index].model;
}
int ensemble_class_count(const ensemble *e)
{
    return e->class_count;
}
const char *ensemble_class(const ensemble *e, int c)
{
    return e->first_model ? model_spec_of(e->first_model->model)->classes[c] : lsd_classes[c];
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

/* --- running ------------------------------------------------------------------------------------------------------ */

/* Makes m's programs for `batch`, where they are not yet. */
static mien_status bind(lanes **l, ensemble *e, model *m, int batch)
{
    if (*l && lanes_batch(*l) == batch)
        return MIEN_OK;
    lanes_free(*l);
    *l = NULL;
    return lanes_create(l, m, batch, e->precision, e->backend);
}

static int size_of(const member *m)
{
    return model_spec_of(m->model)->image_size;
}

/* Finite weights may still give infinities on the way, and then no probabilities. */
static bool is_finite(const float *row, int classes)
{
    for (int c = 0; c < classes; c++)
        if (!isfinite(row[c]))
            return false;
    return true;
}

/* mean [classes] over the members that count; members [members, classes]. */
static void take_mean(float *mean, const float *members, const ensemble *e)
{
    int classes = ensemble_class_count(e), counted = 0;
    for (int i = 0; i < e->count; i++)
        counted += e->members[i].counts;
    for (int c = 0; c < classes; c++) {
        double sum = 0;
        for (int i = 0; i < e->count; i++)
            if (e->members[i].counts)
                sum += (double)members[i * classes + c];
        mean[c] = (float)(sum / counted);
    }
}

mien_status ensemble_classify(ensemble *e, float *out, const uint8_t *rgb, int width, int height)
{
    int classes = ensemble_class_count(e);
    if (width < 1 || height < 1 || (int64_t)width * height > IMAGE_MAX_PIXELS)
        return mien_fail(MIEN_ERR_ARG, "picture: %dx%d pixels (wanted 1 to %d)", width, height, IMAGE_MAX_PIXELS);
    image picture = {.pixels = (uint8_t *)rgb, .width = width, .height = height}; /* read only: capacity stays 0 */
    float *rows;
    TRY(mem_alloc(&rows, (size_t)e->count * (size_t)classes));
    mien_status st = MIEN_OK;
    for (int i = 0; i < e->count; i++) {
        member *m = &e->members[i];
        assert(m->model);
        TRY_OUT(bind(&m->one, e, m->model, 1));
        TRY_OUT(image_resize(&e->sized, &picture, size_of(m), size_of(m), e->scratch));
        float *row = rows + (size_t)i * (size_t)classes;
        TRY_OUT(lanes_run(m->one, e->sized.pixels, 1, row));
        if (!is_finite(row, classes)) {
            st = mien_fail(MIEN_ERR_FORMAT, "%s: " NOT_FINITE, m->path);
            goto out;
        }
    }
    take_mean(out, rows, e);
out:
    mem_free(rows);
    return st;
}

/* --- many pictures ------------------------------------------------------------------------------------------------ */

/* Pictures of one input size, for the members that want it. */
typedef struct {
    int size;
    loader *loader;
    loader_batch batch;
} feed;

typedef struct {
    ensemble *e;
    dataset *set;
    subset all;
    epoch_plan plan;
    int64_t total; /* pictures */
    int batch;
    feed *feeds; /* [members at most] */
    int feed_count;
    char (*failures)[FAILURE_BYTES]; /* [batch] "" = readable */
    int64_t begin;                   /* item of the batch's first row */
    float *rows;                     /* [batch, members, classes] */
    float *one_member;               /* [batch, classes] */
    float *mean;                     /* [classes] */
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
        int size = p->e->members[i].model ? size_of(&p->e->members[i]) : 0;
        if (size == 0 || feed_of(p, size))
            continue;
        loader_options options = {.plan = &p->plan,
                                  .batch = p->batch,
                                  .image_size = size,
                                  .threads = p->e->loader_threads,
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

static mien_status open_pass(pass *p, const char *const *paths, int64_t count)
{
    ensemble *e = p->e;
    size_t members = (size_t)e->count, classes = (size_t)ensemble_class_count(e);
    p->total = count;
    p->batch = count < e->batch ? (int)count : e->batch;
    TRY(dataset_of_paths(&p->set, paths, count));
    TRY(subset_all(&p->all, p->set));
    TRY(epoch_plan_create(&p->plan, p->set, &p->all, false));
    TRY(mem_zalloc(&p->feeds, members));
    TRY(mem_alloc(&p->failures, p->batch));
    TRY(mem_alloc(&p->rows, (size_t)p->batch * members * classes));
    TRY(mem_alloc(&p->one_member, (size_t)p->batch * classes));
    TRY(mem_alloc(&p->mean, classes));
    for (int i = 0; i < e->count; i++)
        if (e->members[i].model)
            TRY(bind(&e->members[i].many, e, e->members[i].model, p->batch));
    return open_feeds(p);
}

static void close_pass(pass *p)
{
    for (int i = 0; i < p->feed_count; i++)
        loader_free(p->feeds[i].loader);
    mem_free(p->feeds);
    mem_free(p->failures);
    mem_free(p->rows);
    mem_free(p->one_member);
    mem_free(p->mean);
    epoch_plan_free(&p->plan);
    subset_free(&p->all);
    dataset_free(p->set);
}

/* [classes] of member i for a row of the batch. */
static float *row_of(const pass *p, int row, int i)
{
    return p->rows + ((size_t)row * (size_t)p->e->count + (size_t)i) * (size_t)p->e->class_count;
}

static mien_status run_member(pass *p, int i, int count)
{
    member *m = &p->e->members[i];
    size_t classes = (size_t)p->e->class_count;
    TRY(lanes_run(m->many, feed_of(p, size_of(m))->batch.images, count, p->one_member));
    for (int row = 0; row < count; row++) {
        const float *answer = p->one_member + (size_t)row * classes;
        memcpy(row_of(p, row, i), answer, classes * sizeof(float));
        if (!p->failures[row][0] && !is_finite(answer, p->e->class_count))
            snprintf(p->failures[row], FAILURE_BYTES, "%s: " NOT_FINITE, m->path);
    }
    return MIEN_OK;
}

static void look_up_member(pass *p, int i, int count)
{
    const member *m = &p->e->members[i];
    for (int row = 0; row < count; row++) {
        const float *kept = scores_row(m->scores, m->place, p->begin + row);
        if (kept)
            memcpy(row_of(p, row, i), kept, (size_t)p->e->class_count * sizeof(float));
        else if (!p->failures[row][0])
            snprintf(p->failures[row], FAILURE_BYTES, "%s: no scores of this picture (row %" PRId64 " is NaN)", m->path,
                     p->begin + row);
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

static mien_status hand_out(pass *p, int count, const char *const *names, prediction_fn fn, void *payload)
{
    for (int row = 0; row < count; row++) {
        const float *members = row_of(p, row, 0);
        prediction answer = {.index = p->begin + row, .name = names[p->begin + row]};
        if (p->failures[row][0]) {
            answer.failure = p->failures[row];
        } else {
            take_mean(p->mean, members, p->e);
            answer.members = members;
            answer.mean = p->mean;
        }
        TRY(fn(payload, &answer));
    }
    return MIEN_OK;
}

static mien_status predict(pass *p, const char *const *paths, const char *const *names, int64_t count, prediction_fn fn,
                           void *payload, progress *told)
{
    TRY(open_pass(p, paths, count));
    for (;;) {
        int rows;
        if (told && progress_tell(told, "pictures", p->begin, count, NULL))
            return mien_fail(MIEN_ERR_CANCELLED, "interrupted after %lld of %lld pictures", (long long)p->begin,
                             (long long)count);
        TRY(run_batch(p, &rows));
        if (rows == 0)
            return MIEN_OK;
        TRY(hand_out(p, rows, names, fn, payload));
        p->begin += rows;
    }
}

mien_status ensemble_predict(ensemble *e, const char *const *paths, const char *const *names, int64_t count,
                             prediction_fn fn, void *payload, progress *p)
{
    if (count == 0)
        return MIEN_OK;
    pass all = {.e = e};
    mien_status st = predict(&all, paths, names, count, fn, payload, p);
    close_pass(&all);
    return st;
}
