/* Scoring a model on the pictures that select: an inference program of its own over the same parameters. */
#ifndef TRAIN_VALIDATE_H
#define TRAIN_VALIDATE_H

#include "base/json.h"
#include "base/progress.h"
#include "data/loader.h"
#include "graph/program.h"
#include "nn/model.h"
#include "task/metric.h"

typedef struct {
    model *model;
    const balance_plan *plan; /* originals only; borrowed */
    backend *backend;
    dtype precision;
    int batch;
    int loader_threads;
    double max_bad_share;
    bool keeps_features; /* deviation: what the frozen copy says is computed in the first pass alone */
} validator_options;

typedef struct {
    double loss; /* mean cross entropy, neither smoothed nor weighted */
    double accuracy, macro_f1;
    int64_t count; /* pictures scored */
} validation_score;

typedef struct validator validator;
MIEN_MUST_USE mien_status validator_create(validator **out, const validator_options *options);
void validator_free(validator *v); /* NULL is a no-op */
/* One pass with the parameters as they are now. `what` names it to progress. Errors: MIEN_ERR_CANCELLED;
 * MIEN_ERR_FORMAT where more than max_bad_share of the pictures are unreadable (each is told once, on the first pass),
 * or where the model's output is not finite. */
MIEN_MUST_USE mien_status validator_run(validator *v, validation_score *out, progress *p, const char *what);
/* Of the last pass: {"n", "loss", "accuracy", "macro_f1", "f1"}; caller frees with json_decref. */
MIEN_MUST_USE mien_status validator_metrics(const validator *v, json_t **out);
/* Of the last pass: header image,truth,CLASS..., then a row a picture that was read. */
MIEN_MUST_USE mien_status validator_write_csv(const validator *v, const char *path);

#endif
