/* Outputs of all pictures are kept, in their own order, and scored by the task once they are all there; the last batch
 * is filled up, and its surplus rows are not read. */
#include "train/validate.h"

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "train/feature_cache.h"

#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

enum { REASON_BYTES = 1024 };

struct validator {
    validator_options options;
    model_head heads[MODEL_MAX_HEADS]; /* [head_count] the model's, without thresholds: epochs are compared at 0.5 */
    int head_count;
    program *program;
    model_io io;
    loader *loader;
    feature_cache *features; /* NULL: the program computes the frozen copy's features itself, or has none */
    int64_t *pictures;       /* [plan total] */
    bool *is_read;           /* [plan total] */
    float *outputs[MODEL_MAX_HEADS], *logits[MODEL_MAX_HEADS]; /* of each head [plan total, size] and [batch, size] */
    double loss_sum;
    int64_t read_count, bad_count; /* of this pass */
    char first_bad[REASON_BYTES];  /* why the first bad picture is one */
    bool is_told;                  /* bad pictures have been named by an earlier pass */
    task_report report;
};

static void note_bad(void *payload, int64_t item, const char *why)
{
    (void)item;
    validator *v = payload;
    if (v->bad_count++ == 0)
        str_fit(v->first_bad, sizeof v->first_bad, why);
    if (!v->is_told)
        log_warning("%s (left out of validation)", why);
}

static mien_status create_program(validator *v)
{
    const validator_options *o = &v->options;
    model_graph_options graph_options = {.batch = o->batch,
                                         .activation_type = o->precision,
                                         .part = o->keeps_features ? MODEL_WITHOUT_IDENTITY : MODEL_WHOLE};
    if (o->keeps_features)
        TRY(feature_cache_create(&v->features, o->model, o->backend, o->precision, o->batch, o->plan->total));
    return model_program(&v->program, &v->io, o->model, &graph_options, o->backend, NULL);
}

static mien_status create_rows(validator *v)
{
    const int64_t total = v->options.plan->total;
    TRY(mem_alloc(&v->pictures, total));
    TRY(mem_alloc(&v->is_read, total));
    for (int h = 0; h < v->head_count; h++) {
        TRY(mem_alloc(&v->outputs[h], total * v->heads[h].size));
        TRY(mem_alloc(&v->logits[h], v->options.batch * v->heads[h].size));
    }
    return MIEN_OK;
}

mien_status validator_create(validator **out, const validator_options *options)
{
    mien_status st;
    validator *v = NULL;
    const model_spec *spec = model_spec_of(options->model);
    TRY(mem_zalloc(&v, 1));
    v->options = *options;
    if (v->options.batch > options->plan->total)
        v->options.batch = (int)options->plan->total;
    v->head_count = spec->head_count;
    for (int h = 0; h < spec->head_count; h++) {
        v->heads[h] = spec->heads[h];
        v->heads[h].thresholds = NULL;
    }
    const loader_options loading = {.plan = options->plan,
                                    .batch = v->options.batch,
                                    .image_size = spec->image_size,
                                    .threads = options->loader_threads,
                                    .max_bad_share = -1,
                                    .on_bad = note_bad,
                                    .payload = v};
    TRY_OUT(create_rows(v));
    TRY_OUT(create_program(v));
    TRY_OUT(loader_create(&v->loader, &loading));
    *out = v;
    v = NULL;
out:
    validator_free(v);
    return st;
}

void validator_free(validator *v)
{
    if (!v)
        return;
    loader_free(v->loader);
    feature_cache_free(v->features);
    program_free(v->program);
    task_report_clear(&v->report);
    mem_free(v->pictures);
    mem_free(v->is_read);
    for (int h = 0; h < v->head_count; h++) {
        mem_free(v->outputs[h]);
        mem_free(v->logits[h]);
    }
    mem_free(v);
}

/* --- a pass ------------------------------------------------------------------------------------------------------- */

/* Row `row` of the batch, a picture that was read. */
static mien_status take_row(validator *v, int64_t picture, int row)
{
    const task_def *task = v->options.task;
    const float *logits[MODEL_MAX_HEADS];
    bool is_finite = true;
    for (int h = 0; h < v->head_count; h++) {
        const int size = v->heads[h].size;
        logits[h] = v->logits[h] + (size_t)row * (size_t)size;
        for (int i = 0; i < size; i++)
            is_finite &= isfinite(logits[h][i]) != 0;
    }
    double loss =
        is_finite && task->row_loss ? task->row_loss(v->options.set, picture, v->heads, v->head_count, logits) : 0;
    if (!is_finite || !isfinite(loss))
        return mien_fail(MIEN_ERR_FORMAT, "validation: the model's output is not finite");
    v->loss_sum += loss;
    v->read_count++;
    return MIEN_OK;
}

/* Takes over a batch's rows, which begin at item `begin`. */
static mien_status take_rows(validator *v, const loader_batch *batch, int64_t begin)
{
    for (int h = 0; h < v->head_count; h++) {
        TRY(program_read(v->program, v->io.heads[h].logits, v->logits[h]));
        TRY(program_read_rows(v->program, v->io.heads[h].output, 0, batch->count,
                              v->outputs[h] + begin * v->heads[h].size));
    }
    for (int i = 0; i < batch->count; i++) {
        v->pictures[begin + i] = batch->pictures[i];
        v->is_read[begin + i] = batch->is_read[i];
        if (batch->is_read[i])
            TRY(take_row(v, batch->pictures[i], i));
    }
    return MIEN_OK;
}

static mien_status check_bad(const validator *v)
{
    int64_t total = v->options.plan->total;
    if (v->bad_count == total || (double)v->bad_count > v->options.max_bad_share * (double)total)
        return mien_fail(MIEN_ERR_FORMAT,
                         "%s (%" PRId64 " of %" PRId64
                         " validation pictures are unreadable, wanted data.max_bad_share %g)",
                         v->first_bad, v->bad_count, total, v->options.max_bad_share);
    return MIEN_OK;
}

static task_pass pass_of(const validator *v)
{
    task_pass pass = {.set = v->options.set,
                      .heads = v->heads,
                      .head_count = v->head_count,
                      .count = v->options.plan->total,
                      .pictures = v->pictures,
                      .is_read = v->is_read,
                      .has_loss = v->options.task->row_loss != NULL,
                      .loss = v->loss_sum / (double)v->read_count};
    for (int h = 0; h < v->head_count; h++)
        pass.outputs[h] = v->outputs[h];
    return pass;
}

mien_status validator_run(validator *v, progress *p, const char *what)
{
    int64_t done = 0, total = v->options.plan->total;
    v->loss_sum = 0;
    v->read_count = v->bad_count = 0;
    TRY(program_refresh(v->program)); /* training moved the parameters */
    TRY(loader_start(v->loader, 0, 0));
    for (;;) {
        loader_batch batch;
        if (progress_tell(p, what, done, total, NULL))
            return mien_fail(MIEN_ERR_CANCELLED, "validation interrupted");
        TRY(loader_next(v->loader, &batch));
        if (batch.count == 0)
            break;
        TRY(program_write(v->program, v->io.images, batch.images));
        if (v->features)
            TRY(feature_cache_fill(v->features, v->program, v->io.identity, &batch));
        TRY(program_run(v->program));
        TRY(take_rows(v, &batch, done));
        done += batch.count;
    }
    TRY(check_bad(v));
    v->is_told = true;
    task_report_clear(&v->report);
    const task_pass pass = pass_of(v);
    return v->options.task->score(&v->report, &pass);
}

const task_report *validator_report(const validator *v)
{
    return &v->report;
}

/* What the pass said becomes what the model says from now on. */
static void apply_temperature(validator *v, int h, const model_head *head)
{
    const int size = head->size;
    for (int64_t i = 0; i < v->options.plan->total; i++) {
        float *row = v->outputs[h] + i * size;
        if (!v->is_read[i])
            continue;
        for (int c = 0; c < size; c++)
            row[c] = logf(fmaxf(row[c], FLT_MIN));
        head_answer(row, head, false);
    }
}

mien_status validator_keep(validator *v, model *m, const task_values *values)
{
    const task_pass pass = pass_of(v);
    if (!v->options.task->keep)
        return MIEN_OK;
    TRY(v->options.task->keep(m, &pass, values));
    for (int h = 0; h < v->head_count; h++)
        if (model_spec_of(m)->heads[h].temperature != 0)
            apply_temperature(v, h, &model_spec_of(m)->heads[h]);
    return MIEN_OK;
}

mien_status validator_write_csv(const validator *v, const char *path)
{
    str text = {0};
    const task_pass pass = pass_of(v);
    mien_status st = v->options.task->write_validation(&text, &pass);
    if (st == MIEN_OK)
        st = file_write_all(path, text.text, text.length);
    str_free(&text);
    return st;
}
