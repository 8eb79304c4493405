/* last.ckpt: all that a member's stage needs to go on to the same bits. A safetensors file: the model's tensors under
 * their own names, "optimizer.state1" and ".state2" as flat arenas, a few exact numbers, and the rest as JSON. Random
 * streams are named by (seed, epoch, sample) and (seed, step): there is no generator state to keep.
 *
 * Version 1 had a field for each score of the one task there was ("train.best_val_loss"); version 2 has one for each
 * score that the task names ("train.best.loss"). The first is read as the second; a later one is refused. */
#ifndef TRAIN_CHECKPOINT_H
#define TRAIN_CHECKPOINT_H

#include "nn/model.h"
#include "train/recipe.h"

/* What a run computes with and on: the same for all its members, and held against those who resume it. */
typedef struct {
    uint64_t recipe_hash; /* of its resolved text */
    uint64_t data_hash;   /* of names and labels, training and validation */
    dtype precision;
    char device[16]; /* the backend's name: "cpu", "cuda" */
    char isa[32];
    int threads;
    float mean[3], std[3];
} run_facts;

typedef struct {
    run_facts facts;
    model_variant variant;            /* of the network: what a run began from need not be there when it goes on */
    int64_t step;                     /* steps done */
    int epoch;                        /* the one under way, 0-based; = epochs completed, validation included */
    int64_t batch;                    /* of that epoch: the next one to train on */
    double loss_sum;                  /* over the epoch's steps so far */
    double epoch_seconds;             /* spent on it so far */
    double best_worth;                /* larger is better; -INFINITY before the first validation */
    int best_epoch;                   /* 1-based; 0 before */
    task_score best[TASK_MAX_SCORES]; /* [best_count] all that the best epoch scored */
    int best_count;
    int bad_epochs; /* since the best one */
} train_state;

/* Has the stage had its epochs, or been stopped for want of progress? */
bool train_state_is_over(const train_state *state, const recipe_stage *stage);

/* has_state2: the optimizer uses its second arena. At step 0 the optimizer's state is zero, and left out. */
MIEN_MUST_USE mien_status checkpoint_save(const char *path, const train_state *state, param_store *params,
                                          bool has_state2);
/* Reads the numbers; params NULL: those alone. Everything is checked before anything is believed. Errors:
 * MIEN_ERR_IO, MIEN_ERR_FORMAT "last.ckpt: tensor NAME: ..."; params may be half written then. */
MIEN_MUST_USE mien_status checkpoint_load(const char *path, train_state *state, param_store *params, bool has_state2);

/* Makes a checkpoint of the recipe whose hash is `from` one of the recipe `to`; that of another stays as it is. */
MIEN_MUST_USE mien_status checkpoint_change_recipe(const char *path, uint64_t from, uint64_t to);

#endif
