/* Every member has programs of its own over its own parameters; pictures are decoded once for each input size. */
#include "infer/infer.h"

#include "base/file.h"
#include "base/mem.h"
#include "data/loader.h"
#include "graph/program.h"
#include "nn/model.h"

#include <stdio.h>
#include <string.h>

enum { DEFAULT_BATCH = 32, NAME_BYTES = 160, FAILURE_BYTES = 1024 };

/* A program and the batch it was made for. */
typedef struct {
    program *program; /* NULL until it is needed */
    model_io io;
    int batch;
} bound;

typedef struct {
    char name[NAME_BYTES];
    bool counts;
    char *path; /* owned */
    model *model;
    bound many, one; /* for lists of pictures, and for a single one */
} member;

struct ensemble {
    member *members; /* [capacity] */
    int count, capacity;
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

static mien_status add_member(ensemble *e, const ensemble_source *source)
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
    bool is_same = a->class_count == b->class_count && strcmp(a->task, b->task) == 0;
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
    TRY_OUT(precision_resolve(&e->precision, options->precision, b));
    TRY_OUT(image_scratch_create(&e->scratch));
    for (int i = 0; i < count; i++)
        TRY_OUT(add_member(e, &sources[i]));
    for (int i = 0; i < e->count; i++) {
        TRY_OUT(model_load(&e->members[i].model, e->members[i].path));
        TRY_OUT(check_classes(&e->members[0], &e->members[i]));
    }
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
        program_free(e->members[i].many.program);
        program_free(e->members[i].one.program);
        model_free(e->members[i].model);
        mem_free(e->members[i].path);
    }
    mem_free(e->members);
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
int ensemble_class_count(const ensemble *e)
{
    return model_spec_of(e->members[0].model)->class_count;
}
const char *ensemble_class(const ensemble *e, int c)
{
    return model_spec_of(e->members[0].model)->classes[c];
}

/* --- running ------------------------------------------------------------------------------------------------------ */

/* Makes p's program for `batch`, where it is not yet. */
static mien_status bind(bound *p, ensemble *e, model *m, int batch)
{
    if (p->program && p->batch == batch)
        return MIEN_OK;
    program_free(p->program);
    p->program = NULL;
    graph *g;
    TRY(model_graph(&g, &p->io, m, &(model_graph_options){.batch = batch, .activation_type = e->precision}));
    TRY(program_create(&p->program, g, e->backend, param_store_memory(model_params(m))));
    p->batch = batch;
    return MIEN_OK;
}

static int size_of(const member *m)
{
    return model_spec_of(m->model)->image_size;
}

/* images [batch, size, size, 3] -> *out [batch, classes], valid until the program's next run. */
static mien_status run(const float **out, bound *p, const uint8_t *images, int size)
{
    memcpy(program_data(p->program, p->io.images), images, (size_t)p->batch * (size_t)size * (size_t)size * 3);
    TRY(program_run(p->program));
    *out = program_data(p->program, p->io.probabilities);
    return MIEN_OK;
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
        const float *probabilities;
        TRY_OUT(bind(&m->one, e, m->model, 1));
        TRY_OUT(image_resize(&e->sized, &picture, size_of(m), size_of(m), e->scratch));
        TRY_OUT(run(&probabilities, &m->one, e->sized.pixels, size_of(m)));
        memcpy(rows + (size_t)i * (size_t)classes, probabilities, (size_t)classes * sizeof *rows);
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
    balance_plan plan;
    int batch;
    feed *feeds; /* [members at most] */
    int feed_count;
    char (*failures)[FAILURE_BYTES]; /* [batch] "" = readable */
    int64_t begin;                   /* item of the batch's first row */
    float *rows;                     /* [batch, members, classes] */
    float *mean;                     /* [classes] */
} pass;

static void note_bad(void *payload, int64_t item, const char *why)
{
    pass *p = payload;
    snprintf(p->failures[item - p->begin], FAILURE_BYTES, "%s", why);
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
        int size = size_of(&p->e->members[i]);
        if (feed_of(p, size))
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
    p->batch = count < e->batch ? (int)count : e->batch;
    TRY(dataset_of_paths(&p->set, paths, count));
    TRY(subset_all(&p->all, p->set));
    TRY(balance_plan_create(&p->plan, p->set, &p->all, false));
    TRY(mem_zalloc(&p->feeds, members));
    TRY(mem_alloc(&p->failures, p->batch));
    TRY(mem_alloc(&p->rows, (size_t)p->batch * members * classes));
    TRY(mem_alloc(&p->mean, classes));
    for (int i = 0; i < e->count; i++)
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
    mem_free(p->mean);
    balance_plan_free(&p->plan);
    subset_free(&p->all);
    dataset_free(p->set);
}

/* Fills p->rows and p->failures with the next batch; *count 0 at the end. */
static mien_status run_batch(pass *p, int *count)
{
    ensemble *e = p->e;
    int classes = ensemble_class_count(e);
    memset(p->failures, 0, (size_t)p->batch * FAILURE_BYTES);
    for (int i = 0; i < p->feed_count; i++)
        TRY(loader_next(p->feeds[i].loader, &p->feeds[i].batch));
    *count = p->feeds[0].batch.count;
    for (int i = 0; *count > 0 && i < e->count; i++) {
        member *m = &e->members[i];
        const float *probabilities;
        TRY(run(&probabilities, &m->many, feed_of(p, size_of(m))->batch.images, size_of(m)));
        for (int row = 0; row < *count; row++)
            memcpy(p->rows + (row * e->count + i) * classes, probabilities + row * classes,
                   (size_t)classes * sizeof(float));
    }
    return MIEN_OK;
}

static mien_status hand_out(pass *p, int count, const char *const *names, prediction_fn fn, void *payload)
{
    for (int row = 0; row < count; row++) {
        const float *members = p->rows + (size_t)row * (size_t)p->e->count * (size_t)ensemble_class_count(p->e);
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
