/* mien_session: a session of the infer room for each of the model's tasks, with the columns that its caller wants.
 * Whoever calls takes it; a second caller is refused, and one who frees it leaves that to who has it. */
#include "api/handles.h"
#include "base/mem.h"
#include "base/size.h"
#include "base/str.h"
#include "base/thread.h"

#include <inttypes.h>
#include <string.h>

enum { MAX_BATCH = 4096 };

enum { IDLE, TAKEN, FREED };

struct mien_session {
    atomic_int state;
    mien_model *model;
    session *asked[API_MAX_TASKS]; /* [model's task_count] */
    int *columns;                  /* [column_count] places among the model's */
    int column_count;
    float *whole; /* [model's column_count] a row before columns are taken from it */
    progress progress;
    smoothing smooth[API_MAX_TASKS]; /* likewise, all of one kind */
};

/* --- who has it --------------------------------------------------------------------------------------------------- */

static void destroy(mien_session *s)
{
    for (int t = 0; t < s->model->task_count; t++)
        session_free(s->asked[t]);
    model_leave(s->model);
    mem_free(s->columns);
    mem_free(s->whole);
    mem_free(s);
}

static mien_status take(mien_session *s, const char *call)
{
    int idle = IDLE;
    TRY(api_need(s, call, "session"));
    if (!atomic_compare_exchange_strong(&s->state, &idle, TAKEN))
        return mien_fail(MIEN_ERR_ARG,
                         "%s: session: in use by another thread, or around this callback (wanted one a thread)", call);
    return MIEN_OK;
}

static void give_back(mien_session *s)
{
    int taken = TAKEN;
    if (!atomic_compare_exchange_strong(&s->state, &taken, IDLE))
        destroy(s);
}

void mien_session_free(mien_session *s)
{
    if (s && atomic_exchange(&s->state, FREED) == IDLE)
        destroy(s);
}

/* --- opening ------------------------------------------------------------------------------------------------------ */

static int find_column(const mien_model *m, const char *name)
{
    for (int i = 0; i < m->column_count; i++)
        if (strcmp(m->columns[i].name, name) == 0)
            return i;
    return -1;
}

static mien_status fail_column(const mien_model *m, const char *name)
{
    str known = {0};
    mien_status st = MIEN_OK;
    for (int i = 0; st == MIEN_OK && i < m->column_count; i++)
        st = str_printf(&known, "%s%s", i ? ", " : "", m->columns[i].name);
    if (st == MIEN_OK)
        st = mien_fail(MIEN_ERR_ARG, "mien_session_open: column %.64s: this model has none (wanted of %s)", name,
                       known.text);
    str_free(&known);
    return st;
}

static mien_status choose_columns(mien_session *s, const mien_session_options *o)
{
    const mien_model *m = s->model;
    s->column_count = o->columns ? o->column_count : m->column_count;
    TRY(mem_alloc(&s->whole, m->column_count));
    TRY(mem_alloc(&s->columns, s->column_count));
    for (int i = 0; i < s->column_count; i++) {
        if (o->columns)
            TRY(api_need(o->columns[i], "mien_session_open", "columns"));
        s->columns[i] = o->columns ? find_column(m, o->columns[i]) : i;
        if (s->columns[i] < 0)
            return fail_column(m, o->columns[i]);
    }
    return MIEN_OK;
}

static mien_status choose_smoothing(mien_session *s, const mien_session_options *o)
{
    const mien_model *m = s->model;
    smooth_kind kind;
    double widths[API_MAX_HEADS] = {0}, *at = widths;
    if (o->smooth != MIEN_SMOOTH_NONE && o->width_count == 0)
        return mien_fail(MIEN_ERR_ARG, "smoothing: no width (wanted one)");
    TRY(api_smoothing(&kind, widths, o->smooth, o->widths, o->width_count, m->heads, m->head_count));
    for (int t = 0; t < m->task_count; t++) {
        int count;
        (void)ensemble_heads(m->members[t], &count);
        s->smooth[t].kind = kind;
        memcpy(s->smooth[t].widths, at, (size_t)count * sizeof *at);
        at += count;
    }
    return MIEN_OK;
}

/* Threads of its own are had for each task: one of them computes at a time. Where a device computes, for all sessions
 * in turn, they make pictures ready. */
static mien_status open_asked(mien_session *s, int task, const mien_session_options *o)
{
    session_options options = {.batch = o->batch, .tells_logits = s->smooth[task].kind == SMOOTH_EXPONENTIAL};
    mien_compute compute = s->model->compute;
    if (o->threads)
        compute.threads = thread_grant(o->threads);
    const bool computes = o->threads && s->model->backend->one_thread;
    options.is_one_thread = computes && compute.threads == 1;
    options.loader_threads = api_threads(&compute);
    if (computes && !options.is_one_thread)
        TRY(api_backend(&options.own, &compute));
    return session_open(&s->asked[task], s->model->members[task], &options);
}

static mien_status check_options(const mien_session_options *o)
{
    if (o->threads < 0 || o->threads > API_MAX_THREADS)
        return mien_fail(MIEN_ERR_ARG, "mien_session_open: threads: %d (wanted 0 to %d)", o->threads, API_MAX_THREADS);
    if (o->batch < 0 || o->batch > MAX_BATCH)
        return mien_fail(MIEN_ERR_ARG, "mien_session_open: batch: %d (wanted 0 to %d)", o->batch, MAX_BATCH);
    if (o->column_count < 0 || (o->columns && o->column_count == 0) || (!o->columns && o->column_count))
        return mien_fail(MIEN_ERR_ARG, "mien_session_open: columns: %d of them (wanted an array of that many, or none)",
                         o->column_count);
    return MIEN_OK;
}

mien_status mien_session_open(mien_session **out, mien_model *model, const mien_session_options *options)
{
    TRY(api_need(out, "mien_session_open", "out"));
    TRY(api_need(model, "mien_session_open", "model"));
    mien_session_options o;
    TRY(api_options(&o, options, MIEN_OPTIONS_SESSION, "mien_session_open"));
    TRY(check_options(&o));
    mien_status st = MIEN_OK;
    mien_session *s = NULL;
    TRY(mem_zalloc(&s, 1));
    atomic_init(&s->state, IDLE);
    s->model = model;
    s->progress = (progress){.callback = o.progress, .payload = o.payload};
    model_enter(model);
    TRY_OUT(choose_columns(s, &o));
    TRY_OUT(choose_smoothing(s, &o));
    for (int t = 0; t < model->task_count; t++)
        TRY_OUT(open_asked(s, t, &o));
    *out = s;
    s = NULL;
out:
    mien_session_free(s);
    return st;
}

int mien_session_column_count(const mien_session *s)
{
    return s ? s->column_count : 0;
}

const mien_column *mien_session_column(const mien_session *s, int index)
{
    return index >= 0 && index < mien_session_column_count(s) ? mien_model_column(s->model, s->columns[index]) : NULL;
}

/* --- rows --------------------------------------------------------------------------------------------------------- */

/* row [column_count] of the outputs of each task's mean */
static void fill_row(float *row, const mien_session *s, const float *const means[])
{
    model_fill_row(s->whole, s->model, means);
    for (int i = 0; i < s->column_count; i++)
        row[i] = s->whole[s->columns[i]];
}

static mien_status check_room(const mien_session *s, const char *call, const float *out, size_t room, int64_t count)
{
    size_t wanted;
    if (count == 0)
        return MIEN_OK;
    TRY(api_need(out, call, "out"));
    if (!size_mul(&wanted, (size_t)count, (size_t)s->column_count) || wanted > room)
        return mien_fail(MIEN_ERR_ARG, "%s: out: room for %zu numbers (wanted %" PRId64 " x %d)", call, room, count,
                         s->column_count);
    return MIEN_OK;
}

/* Nothing is written before all is known. */
static mien_status answer(float *out, mien_session *s, const pixel_array *a)
{
    const mien_model *m = s->model;
    const float *rows[API_MAX_TASKS] = {NULL}; /* where the next picture's lie in ... */
    float *means[API_MAX_TASKS] = {NULL};      /* ... [count, width] of each task */
    mien_status st = MIEN_OK;
    for (int t = 0; t < m->task_count; t++) {
        TRY_OUT(mem_alloc(&means[t], a->count * ensemble_width(m->members[t])));
        TRY_OUT(session_predict_pixels(s->asked[t], means[t], a, &s->progress));
        rows[t] = means[t];
    }
    for (int64_t i = 0; i < a->count; i++) {
        fill_row(out + i * s->column_count, s, rows);
        for (int t = 0; t < m->task_count; t++)
            rows[t] += ensemble_width(m->members[t]);
    }
out:
    for (int t = 0; t < m->task_count; t++)
        mem_free(means[t]);
    return st;
}

/* --- pictures in memory ------------------------------------------------------------------------------------------- */

/* The bytes that are read, from `pixels` on: [*low, *high). false where they leave what can be told. */
static bool find_reach(int64_t *low, int64_t *high, const mien_pictures *p)
{
    const int64_t steps[] = {p->count - 1, p->height - 1, p->width - 1};
    const int64_t strides[] = {p->picture_stride, p->row_stride, p->column_stride};
    *low = 0;
    *high = 3;
    for (int i = 0; i < 3; i++) {
        int64_t way;
        if (__builtin_mul_overflow(steps[i], strides[i], &way))
            return false;
        int64_t *end = way < 0 ? low : high;
        if (__builtin_add_overflow(*end, way, end))
            return false;
    }
    return true;
}

static mien_status check_pictures(const mien_pictures *p, const char *call)
{
    int64_t low, high, begin;
    if (p->width < 1 || p->height < 1 || (int64_t)p->width * p->height > IMAGE_MAX_PIXELS)
        return mien_fail(MIEN_ERR_ARG, "%s: %dx%d pixels (wanted 1 to %d)", call, p->width, p->height,
                         IMAGE_MAX_PIXELS);
    if (!find_reach(&low, &high, p))
        return mien_fail(MIEN_ERR_ARG, "%s: strides: they reach further than memory", call);
    if (!p->buffer)
        return MIEN_OK;
    begin = (int64_t)((uintptr_t)p->pixels - (uintptr_t)p->buffer);
    if (__builtin_add_overflow(low, begin, &low) || __builtin_add_overflow(high, begin, &high) || low < 0 ||
        (uint64_t)high > p->buffer_bytes)
        return mien_fail(MIEN_ERR_ARG, "%s: strides: bytes %" PRId64 " to %" PRId64 " of the buffer (wanted 0 to %zu)",
                         call, low, high, p->buffer_bytes);
    return MIEN_OK;
}

static mien_status predict_pictures(float *out, size_t room, mien_session *s, const mien_pictures *p, const char *call)
{
    if (p->count < 0)
        return mien_fail(MIEN_ERR_ARG, "%s: count: %" PRId64 " pictures (wanted at least 0)", call, p->count);
    if (p->count == 0)
        return MIEN_OK;
    TRY(api_need(p->pixels, call, "pixels"));
    TRY(check_room(s, call, out, room, p->count));
    TRY(check_pictures(p, call));
    return answer(out, s,
                  &(pixel_array){.pixels = p->pixels,
                                 .count = p->count,
                                 .width = p->width,
                                 .height = p->height,
                                 .picture_stride = p->picture_stride,
                                 .row_stride = p->row_stride,
                                 .column_stride = p->column_stride});
}

mien_status mien_predict_pictures(float *out, size_t room, mien_session *s, const mien_pictures *pictures)
{
    static const char call[] = "mien_predict_pictures";
    mien_pictures p;
    TRY(api_need(pictures, call, "pictures"));
    TRY(api_options(&p, pictures, MIEN_OPTIONS_PICTURES, call));
    TRY(take(s, call));
    mien_status st = predict_pictures(out, room, s, &p, call);
    give_back(s);
    return st;
}

mien_status mien_predict_rgb(float *out, size_t room, mien_session *s, const uint8_t *pixels, int64_t count, int height,
                             int width)
{
    static const char call[] = "mien_predict_rgb";
    mien_pictures p;
    mien_pictures_init(&p, pixels, count, height, width);
    TRY(take(s, call));
    mien_status st = predict_pictures(out, room, s, &p, call);
    give_back(s);
    return st;
}

/* --- one picture, encoded ----------------------------------------------------------------------------------------- */

static mien_status predict_image(float *out, mien_session *s, const image *picture)
{
    mien_pictures p;
    mien_pictures_init(&p, picture->pixels, 1, picture->height, picture->width);
    return predict_pictures(out, (size_t)s->column_count, s, &p, "picture");
}

mien_status mien_predict_bytes(float *out, size_t room, mien_session *s, const void *bytes, size_t length)
{
    static const char call[] = "mien_predict_bytes";
    image picture = {0};
    mien_status st = MIEN_OK;
    TRY(api_need(bytes, call, "bytes"));
    TRY(take(s, call));
    TRY_OUT(check_room(s, call, out, room, 1));
    TRY_OUT(image_decode(&picture, bytes, length, "picture in memory"));
    TRY_OUT(predict_image(out, s, &picture));
out:
    image_free(&picture);
    give_back(s);
    return st;
}

mien_status mien_predict_file(float *out, size_t room, mien_session *s, const char *path)
{
    static const char call[] = "mien_predict_file";
    image picture = {0};
    mien_status st = MIEN_OK;
    TRY(api_need(path, call, "path"));
    TRY(take(s, call));
    TRY_OUT(check_room(s, call, out, room, 1));
    TRY_OUT(image_read(&picture, path));
    TRY_OUT(predict_image(out, s, &picture));
out:
    image_free(&picture);
    give_back(s);
    return st;
}

/* --- lists -------------------------------------------------------------------------------------------------------- */

typedef struct {
    mien_prediction_fn fn;
    void *payload;
    const mien_session *session;
    float *row; /* [column_count] */
    infer_inputs inputs;
} listener;

static mien_status hand_over(void *payload, const prediction *p)
{
    const listener *l = payload;
    mien_prediction told = {.image = p->name};
    if (p->failure) {
        told.failure = api_without_path(p->failure, l->inputs.paths[p->index]);
    } else {
        const float *means[API_MAX_TASKS];
        for (int t = 0; t < l->session->model->task_count; t++)
            means[t] = p[t].mean;
        fill_row(l->row, l->session, means);
        told.row = l->row;
    }
    return l->fn(l->payload, &told) ? mien_fail(MIEN_ERR_CANCELLED, "mien_predict: stopped by its caller") : MIEN_OK;
}

static mien_status predict_files(listener *l, mien_session *s, const picture_source *files)
{
    const char *const *names = (const char *const *)l->inputs.names;
    const int count = s->model->task_count;
    return s->smooth[0].kind == SMOOTH_NONE
               ? session_predict(s->asked, count, files, names, hand_over, l, &s->progress)
               : session_predict_smoothed(s->asked, count, files, names, s->smooth, hand_over, l, &s->progress);
}

static mien_status predict_inputs(mien_session *s, const char *const *inputs, int count, mien_prediction_fn fn,
                                  void *payload)
{
    picture_files *files = NULL;
    mien_status st = MIEN_OK;
    listener l = {.fn = fn, .payload = payload, .session = s};
    TRY_OUT(mem_alloc(&l.row, s->column_count));
    TRY_OUT(infer_expand_inputs(&l.inputs, inputs, count, &s->progress));
    TRY_OUT(picture_files_create(&files, "pictures", (const char *const *)l.inputs.paths, (int64_t)l.inputs.count, NULL,
                                 NULL));
    TRY_OUT(predict_files(&l, s, picture_files_source(files)));
out:
    picture_files_free(files);
    infer_inputs_free(&l.inputs);
    mem_free(l.row);
    return st;
}

mien_status mien_predict(mien_session *s, const char *const *inputs, int count, mien_prediction_fn fn, void *payload)
{
    TRY(api_need(s, "mien_predict", "session"));
    TRY(api_need(inputs, "mien_predict", "inputs"));
    if (!fn || count < 1)
        return mien_fail(MIEN_ERR_ARG, "mien_predict: %s: missing", fn ? "inputs" : "fn");
    for (int i = 0; i < count; i++)
        TRY(api_need(inputs[i], "mien_predict", "inputs"));
    TRY(take(s, "mien_predict"));
    mien_status st = predict_inputs(s, inputs, count, fn, payload);
    give_back(s);
    return st;
}
