/* A member's stage at work: what member.c sets up, member_loop.c runs and member_files.c keeps. */
#ifndef TRAIN_MEMBER_INT_H
#define TRAIN_MEMBER_INT_H

#include "graph/program.h"
#include "train/feature_cache.h"
#include "train/member.h"
#include "train/validate.h"

typedef struct {
    const member_options *options;
    const recipe *recipe;
    const recipe_stage *stage;
    const task_def *task;
    char name[RUN_NAME_BYTES];
    char last_path[RUN_PATH_BYTES], best_path[RUN_PATH_BYTES], csv_path[RUN_PATH_BYTES], done_path[RUN_PATH_BYTES];
    init_file *init;  /* what a fresh model begins with */
    init_file stage1; /* ... a deviation module: the best model of the stage before */
    char stage1_path[RUN_PATH_BYTES];
    bool is_deviation;
    uint64_t seed;
    bool is_resumed; /* there was a last.ckpt */
    model *model;
    param_store *params; /* the model's */
    program *program;
    model_io io;
    task_ending ending;
    loader *loaders[TASK_MAX_DRAWS]; /* [draw_count] of the batches that a step draws */
    int draw_count;
    loader_batch batch;      /* the last one that was fetched */
    bool is_brought;         /* ... is on its way into the program, its rows are `rows` */
    task_row *rows, *shown;  /* [batch] what a batch shows: the next one, and the one that is computed */
    double waited_s;         /* for pictures, ... */
    int64_t epoch_begun_ns;  /* ... since this epoch was begun or gone on with */
    double waiting;          /* that as a share of the last epoch; -1: not told */
    uint8_t *mixed;          /* a mixed batch's pictures; NULL: batches are not mixed */
    step_params step;        /* of the last step */
    feature_cache *features; /* of the frozen copy; NULL: the program computes them each step, or has none */
    bool keeps_validation;   /* the validator does */
    validator *validator;
    int64_t batches, total_steps; /* in an epoch, in the whole stage */
    size_t batch_bytes;           /* of pictures */
    train_state state;
    int64_t saved_ns;
} member;

/* --- files (member_files.c) --- */
MIEN_MUST_USE mien_status member_name_paths(member *m);
/* Where to begin: at the checkpoint, or with nothing. (Weights follow once there is a model.) */
MIEN_MUST_USE mien_status member_find_state(member *m);
/* The stage's first lines in the log, and a good checkpoint from the first step on. */
MIEN_MUST_USE mien_status member_begin(member *m);
MIEN_MUST_USE mien_status member_save(member *m); /* last.ckpt */
/* Keeps the model where the last validation is the best so far. */
MIEN_MUST_USE mien_status member_select(member *m);
MIEN_MUST_USE mien_status member_finish(member *m);
double member_seconds_since(int64_t ns);

/* --- the loop (member_loop.c) --- */
/* Every batch of a step has random streams of its own, its loader too; the first one the member's. */
uint64_t member_draw_seed(const member *m, int draw);
/* Trains until the stage is over. An interrupted run is saved where it stands: between two steps. */
MIEN_MUST_USE mien_status member_run_epochs(member *m);

#endif
