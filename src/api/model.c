/* mien_model: an ensemble and the backend it runs on. */
#include "api/api.h"
#include "base/mem.h"
#include "infer/infer.h"

struct mien_model {
    backend *backend;
    ensemble *members;
    session *session;
    progress progress;
};

mien_status mien_model_open(mien_model **out, const char *const *paths, int count, const mien_compute *compute)
{
    TRY(api_need(out, "mien_model_open", "out"));
    TRY(api_need(paths, "mien_model_open", "paths"));
    if (count < 1)
        return mien_fail(MIEN_ERR_ARG, "mien_model_open: count: %d (wanted at least 1)", count);
    mien_status st = MIEN_OK;
    mien_model *m = NULL;
    TRY(mem_zalloc(&m, 1));
    m->progress = api_progress(compute);
    TRY_OUT(api_backend(&m->backend, compute));
    TRY_OUT(api_ensemble_open(&m->members, paths, count, false, m->backend, compute));
    TRY_OUT(session_open(&m->session, m->members, &(session_options){.loader_threads = api_threads(compute)}));
    *out = m;
    m = NULL;
out:
    mien_model_free(m);
    return st;
}

void mien_model_free(mien_model *model)
{
    if (!model)
        return;
    session_free(model->session);
    ensemble_free(model->members);
    api_backend_free(model->backend);
    mem_free(model);
}

int mien_model_class_count(const mien_model *model)
{
    return model ? ensemble_class_count(model->members) : 0;
}

const char *mien_model_class(const mien_model *model, int index)
{
    return index >= 0 && index < mien_model_class_count(model) ? ensemble_class(model->members, index) : NULL;
}

static mien_status classify(float *out, mien_model *model, const uint8_t *rgb, int width, int height)
{
    const pixel_array one = {.pixels = rgb,
                             .count = 1,
                             .width = width,
                             .height = height,
                             .row_stride = 3 * (int64_t)width,
                             .column_stride = 3};
    return session_predict_pixels(model->session, out, &one, NULL);
}

static mien_status check_room(const float *out, int count, const mien_model *model, const void *picture)
{
    TRY(api_need(out, "mien_classify", "out"));
    TRY(api_need(model, "mien_classify", "model"));
    TRY(api_need(picture, "mien_classify", "picture"));
    if (count < mien_model_class_count(model))
        return mien_fail(MIEN_ERR_ARG, "mien_classify: out: room for %d (wanted %d)", count,
                         mien_model_class_count(model));
    return MIEN_OK;
}

mien_status mien_classify_rgb(float *out, int count, mien_model *model, const uint8_t *rgb, int width, int height)
{
    TRY(check_room(out, count, model, rgb));
    if (width < 1 || height < 1 || (int64_t)width * height > IMAGE_MAX_PIXELS)
        return mien_fail(MIEN_ERR_ARG, "mien_classify_rgb: %dx%d pixels (wanted 1 to %d)", width, height,
                         IMAGE_MAX_PIXELS);
    return classify(out, model, rgb, width, height);
}

mien_status mien_classify_bytes(float *out, int count, mien_model *model, const void *bytes, size_t length)
{
    TRY(check_room(out, count, model, bytes));
    image picture = {0};
    mien_status st = image_decode(&picture, bytes, length, "picture in memory");
    if (st == MIEN_OK)
        st = classify(out, model, picture.pixels, picture.width, picture.height);
    image_free(&picture);
    return st;
}

mien_status mien_classify_file(float *out, int count, mien_model *model, const char *path)
{
    TRY(check_room(out, count, model, path));
    image picture = {0};
    mien_status st = image_read(&picture, path);
    if (st == MIEN_OK)
        st = classify(out, model, picture.pixels, picture.width, picture.height);
    image_free(&picture);
    return st;
}

typedef struct {
    mien_prediction_fn fn;
    void *payload;
    int classes;
    infer_inputs inputs;
} listener;

static mien_status hand_over(void *payload, const prediction *p)
{
    const listener *l = payload;
    mien_prediction row = {.image = p->name, .best = -1};
    if (p->failure) {
        row.failure = api_without_path(p->failure, l->inputs.paths[p->index]);
    } else {
        row.probabilities = p->mean;
        row.best = metric_argmax(p->mean, l->classes);
    }
    return l->fn(l->payload, &row) ? mien_fail(MIEN_ERR_CANCELLED, "mien_predict: stopped by its caller") : MIEN_OK;
}

mien_status mien_predict(mien_model *model, const char *const *inputs, int count, mien_prediction_fn fn, void *payload)
{
    TRY(api_need(model, "mien_predict", "model"));
    TRY(api_need(inputs, "mien_predict", "inputs"));
    if (!fn || count < 1)
        return mien_fail(MIEN_ERR_ARG, "mien_predict: %s: missing", fn ? "inputs" : "fn");
    listener l = {.fn = fn, .payload = payload, .classes = mien_model_class_count(model)};
    TRY(infer_expand_inputs(&l.inputs, inputs, count, &model->progress));
    picture_files *files = NULL;
    mien_status st = picture_files_create(&files, "pictures", (const char *const *)l.inputs.paths,
                                          (int64_t)l.inputs.count, NULL, NULL);
    if (st == MIEN_OK)
        st = session_predict(model->session, picture_files_source(files), (const char *const *)l.inputs.names,
                             hand_over, &l, &model->progress);
    picture_files_free(files);
    infer_inputs_free(&l.inputs);
    return st;
}
