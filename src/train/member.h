/* One member's stage, from fresh (or given) weights to `done`. */
#ifndef TRAIN_MEMBER_H
#define TRAIN_MEMBER_H

#include "train/checkpoint.h"
#include "train/run_folder.h"
#include "train/run_log.h"
#include "train/run_sets.h"
#include "train/train.h"

/* The file of weights that a member begins with, opened once for all its stages. */
typedef struct {
    const char *path;     /* "" = from scratch */
    tensor_file *tensors; /* NULL: not opened (yet) */
} init_file;

typedef struct {
    const train_options *options;
    int stage; /* in the recipe's stages */
    init_file *init;
    const run_sets *sets;
    run_log *log;
    progress *progress;
    run_facts facts;
    int index; /* in the recipe's models */
} member_options;

/* Goes on from its last.ckpt where there is one. Errors: train_run's. */
MIEN_MUST_USE mien_status member_train(const member_options *options);

/* Has the optimizer a second arena? (What checkpoints must know to be read.) */
bool member_has_state2(const recipe_stage *stage);

#endif
