/* Scores are computed in double from the logits as they come, over pictures in their own order; the last batch is
 * filled up, and its surplus rows are not read. */
#include "train/validate.h"

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "format/csv.h"
#include "train/frozen.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { REASON_BYTES = 1024 };

struct validator {
    validator_options options;
    int classes;
    program *program;
    model_io io;
    loader *loader;
    frozen *frozen;               /* NULL: the program computes the frozen copy's features itself, or has none */
    int32_t *truth;               /* [plan total], -1 = unreadable */
    float *probabilities;         /* [plan total, classes] */
    float *logits;                /* [batch, classes] */
    int64_t bad_count;            /* of this pass */
    char first_bad[REASON_BYTES]; /* why the first of them is one */
    bool is_told;                 /* bad pictures have been named by an earlier pass */
    validation_score score;
    metric_report report;
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
    graph *g;
    const param_memory *params;
    const validator_options *o = &v->options;
    model_graph_options graph_options = {.batch = o->batch,
                                         .activation_type = o->precision,
                                         .part = o->keeps_features ? MODEL_WITHOUT_IDENTITY : MODEL_WHOLE};
    if (o->keeps_features)
        TRY(frozen_create(&v->frozen, o->model, o->backend, o->precision, o->batch, o->plan->total));
    TRY(param_store_place(model_params(o->model), &params, o->backend));
    TRY(model_graph(&g, &v->io, o->model, &graph_options));
    return program_create(&v->program, g, o->backend, params);
}

mien_status validator_create(validator **out, const validator_options *options)
{
    mien_status st;
    validator *v = NULL;
    int64_t total = options->plan->total;
    const model_spec *spec = model_spec_of(options->model);
    TRY(mem_zalloc(&v, 1));
    v->options = *options;
    if (v->options.batch > total)
        v->options.batch = (int)total;
    v->classes = spec->class_count;
    const loader_options loading = {.plan = options->plan,
                                    .batch = v->options.batch,
                                    .image_size = spec->image_size,
                                    .threads = options->loader_threads,
                                    .max_bad_share = -1,
                                    .on_bad = note_bad,
                                    .payload = v};
    TRY_OUT(mem_alloc(&v->truth, total));
    TRY_OUT(mem_alloc(&v->probabilities, total * v->classes));
    TRY_OUT(mem_alloc(&v->logits, v->options.batch * v->classes));
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
    frozen_free(v->frozen);
    program_free(v->program);
    metric_report_free(&v->report);
    mem_free(v->truth);
    mem_free(v->probabilities);
    mem_free(v->logits);
    mem_free(v);
}

/* -log softmax(logits)[label] in double: exact enough to compare epochs by, and finite where the float underflows. */
static double cross_entropy(const float *logits, int classes, int label)
{
    double largest = (double)logits[0], sum = 0;
    for (int c = 1; c < classes; c++)
        largest = fmax(largest, (double)logits[c]);
    for (int c = 0; c < classes; c++)
        sum += exp((double)logits[c] - largest);
    return log(sum) + largest - (double)logits[label];
}

/* Takes over a batch's rows, which begin at item `begin`; adds to *loss. */
static mien_status take_rows(validator *v, double *loss, const loader_batch *batch, int64_t begin)
{
    TRY(program_read(v->program, v->io.logits, v->logits));
    TRY(program_read_rows(v->program, v->io.probabilities, 0, batch->count, v->probabilities + begin * v->classes));
    for (int i = 0; i < batch->count; i++) {
        v->truth[begin + i] = batch->labels[i];
        if (batch->labels[i] < 0)
            continue;
        double row_loss = cross_entropy(v->logits + (size_t)i * v->classes, v->classes, batch->labels[i]);
        if (!isfinite(row_loss))
            return mien_fail(MIEN_ERR_FORMAT, "validation: the model's output is not finite");
        *loss += row_loss;
        v->score.count++;
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

mien_status validator_run(validator *v, validation_score *out, progress *p, const char *what)
{
    int64_t done = 0, total = v->options.plan->total;
    double loss = 0;
    v->score = (validation_score){0};
    v->bad_count = 0;
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
        if (v->frozen)
            TRY(frozen_fill(v->frozen, v->program, v->io.identity, &batch));
        TRY(program_run(v->program));
        TRY(take_rows(v, &loss, &batch, done));
        done += batch.count;
    }
    TRY(check_bad(v));
    v->is_told = true;
    metric_report_free(&v->report);
    TRY(metric_report_from_probabilities(&v->report, v->truth, v->probabilities, total, v->classes));
    v->score.loss = loss / (double)v->score.count;
    v->score.accuracy = v->report.accuracy;
    v->score.macro_f1 = v->report.macro_f1;
    *out = v->score;
    return MIEN_OK;
}

mien_status validator_metrics(const validator *v, json_t **out)
{
    json_t *f1 = json_array();
    for (int c = 0; c < v->classes; c++)
        json_array_append_new(f1, json_real(v->report.f1[c]));
    *out = json_pack("{s:I, s:f, s:f, s:f, s:o}", "n", (json_int_t)v->score.count, "loss", v->score.loss, "accuracy",
                     v->score.accuracy, "macro_f1", v->score.macro_f1, "f1", f1);
    return json_check(*out);
}

static mien_status csv_rows(const validator *v, str *text)
{
    const dataset *d = v->options.plan->data;
    char name[DATASET_NAME_BYTES], quoted[2 * DATASET_NAME_BYTES + 3];
    TRY(str_append(text, "image,truth"));
    for (int c = 0; c < v->classes; c++)
        TRY(str_printf(text, ",%s", dataset_class(d, c)));
    for (int64_t i = 0; i < v->options.plan->total; i++) {
        if (v->truth[i] < 0)
            continue;
        int64_t copy;
        TRY(dataset_name(d, balance_plan_item(v->options.plan, i, &copy), name, sizeof name));
        TRY(csv_quote(quoted, sizeof quoted, name));
        TRY(str_printf(text, "\n%s,%s", quoted, dataset_class(d, v->truth[i])));
        for (int c = 0; c < v->classes; c++)
            TRY(str_printf(text, ",%.6f", (double)v->probabilities[i * v->classes + c]));
    }
    return str_append(text, "\n");
}

mien_status validator_write_csv(const validator *v, const char *path)
{
    str text = {0};
    mien_status st = csv_rows(v, &text);
    if (st == MIEN_OK)
        st = file_write_all(path, text.text, text.length);
    str_free(&text);
    return st;
}
