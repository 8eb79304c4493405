/* Scoring a model on the pictures that select: an inference program of its own over the same parameters. */
#ifndef TRAIN_VALIDATE_H
#define TRAIN_VALIDATE_H

#include "base/progress.h"
#include "data/loader.h"
#include "task/task.h"

typedef struct {
    model *model;
    const task_def *task;
    const task_set *set;
    const epoch_plan *plan; /* of it, originals only; borrowed */
    backend *backend;
    dtype precision;
    int batch;
    int loader_threads;
    double max_bad_share;
    bool keeps_features; /* deviation: what the frozen copy says is computed in the first pass alone */
} validator_options;

typedef struct validator validator;
MIEN_MUST_USE mien_status validator_create(validator **out, const validator_options *options);
void validator_free(validator *v); /* NULL is a no-op */
/* One pass with the parameters as they are now. `what` names it to progress. Errors: MIEN_ERR_CANCELLED;
 * MIEN_ERR_FORMAT where more than max_bad_share of the pictures are unreadable (each is told once, on the first pass),
 * or where the model's output is not finite. */
MIEN_MUST_USE mien_status validator_run(validator *v, progress *p, const char *what);
/* Of the last pass. */
const task_report *validator_report(const validator *v);
/* Gives the model what it keeps of the last pass, as a recipe's values say; a temperature changes the pass's
 * probabilities too. */
MIEN_MUST_USE mien_status validator_keep(validator *v, model *m, const task_values *values);
/* Of the last pass: a row a picture that was read. */
MIEN_MUST_USE mien_status validator_write_csv(const validator *v, const char *path);

#endif
