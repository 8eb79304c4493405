/* What a run learns from: the training pictures and those that select, whichever way they were given. */
#ifndef TRAIN_RUN_SETS_H
#define TRAIN_RUN_SETS_H

#include "train/recipe.h"

typedef struct {
    task_set *training;
    task_set *validation; /* NULL: a share of `training` selects */
    subset kept, held;    /* of `training`, and of `validation` or else `training` */
    epoch_plan train, select;
    int draw_count;                          /* batches of a step */
    const epoch_plan *draws[TASK_MAX_DRAWS]; /* what each is drawn from: `train`, or the part of it that is below */
    subset parts[TASK_MAX_DRAWS];
    epoch_plan part_plans[TASK_MAX_DRAWS];
    uint64_t hash; /* of every picture's name and what is known of it */
} run_sets;

/* data, validation: each one set together. No validation: the data's own, or the last data.val_share of each group.
 * What there is nothing to select on is told. is_strict: nothing may be left out. Errors: those of the task's `open`;
 * MIEN_ERR_ARG where nothing is left to train on or to select on. Free with run_sets_close, also after a failure; *out
 * must be zeroed before. */
/* The failure of a set that has no label to tell a stage's `select` from. */
mien_status run_sets_cannot_tell(const task_set *selecting, const char *score, const char *stage);
MIEN_MUST_USE mien_status run_sets_open(run_sets *out, const recipe *r, const source_list *data,
                                        const source_list *validation, bool is_strict);
void run_sets_close(run_sets *sets);
/* The set that selects. */
const task_set *run_sets_selecting(const run_sets *sets);

#endif
