/* A recipe: what to train, as a YAML file under one table of keys {name, type, range, default, help}. Keys that all
 * tasks have are rows here (recipe_keys.c), the others rows of its task. The same table reads recipes, applies --set,
 * writes recipe.yaml as resolved, and writes docs/recipe.md. */
#ifndef TRAIN_RECIPE_H
#define TRAIN_RECIPE_H

#include "image/randaugment.h"
#include "task/task.h"

#define RECIPE_MAX_MODELS 16

typedef enum { SCHEDULE_CONSTANT, SCHEDULE_COSINE } schedule_kind;
typedef enum { NORMALISE_DATASET, NORMALISE_INIT, NORMALISE_GIVEN } normalise_kind;
typedef enum { BALANCE_NONE, BALANCE_RANDAUGMENT } balance_kind;
typedef enum { STAGE_INIT_STAGE1, STAGE_INIT_PRETRAINED } stage_init;

/* alpha of Beta(alpha, alpha); 0: off */
typedef struct {
    float mixup, cutmix;
} mix_options;

typedef struct {
    const char *name; /* "stage1" */
    model_kind kind;
    bool enabled;
    int epochs, batch;
    struct {
        optimizer_kind name;
        float momentum, weight_decay;
    } optimizer;
    float lr;
    struct {
        schedule_kind name;
        int64_t t_max;  /* steps; 0: the whole run */
        int64_t warmup; /* steps of linear warm-up; 0: none */
    } schedule;
    bool freeze;     /* the extractor; only the head trains */
    int select;      /* of the task's `select` */
    int patience;    /* epochs without a better score before stopping; 0: never */
    stage_init init; /* of a deviation module: what both copies begin as */
    void *own;       /* what the task's keys of a stage fill */
} recipe_stage;

/* Sets that are one together. */
typedef struct {
    const task_source *at;
    int count;
} source_list;

typedef struct {
    const task_def *const *tasks; /* NULL-terminated: those it may be of */
    int task_index;
    const task_def *task; /* tasks[task_index] */
    uint64_t seed;
    int image_size; /* 0: the architecture's own */
    char models[RECIPE_MAX_MODELS][32];
    int model_count;
    char init[RECIPE_MAX_MODELS][1024]; /* by position in models; "" = from scratch */
    struct {
        source_list sets; /* where no others are given; empty: they must be */
        int64_t drawn;    /* faces of an epoch, where a set is drawn */
        double val_share, max_bad_share;
        balance_kind balance;
        normalise_kind normalise;
        float mean[3], std[3];
    } data;
    augment_options augment;
    struct {
        randaugment_options options;
        bool resample; /* the copies are drawn anew each epoch */
    } randaugment;     /* of the copies that data.balance makes */
    mix_options mix;
    recipe_stage stages[TASK_MAX_STAGES]; /* in the order they are trained, of each member */
    int stage_count;
    void *own;               /* what the task's keys fill */
    const model_head *heads; /* [head_count] what is learned */
    int head_count;
    recipe_table table; /* its keys */
    arena *texts;       /* all that lists and names need */
} recipe;

/* What the task's keys say; stage -1: of no stage. */
task_values recipe_values(const recipe *r, int stage);
/* Would more epochs leave the earlier ones as they are? Not where the learning rate falls to the end of the run. */
bool recipe_may_go_on(const recipe_stage *stage);

/* Reads path (NULL: all defaults, the first task) and applies settings "key.key=value" in order; the task is one of
 * `tasks`, NULL-terminated (task_all). Free with recipe_free. Errors name file, line (or "--set key"), key, what was
 * found and what is allowed; unknown keys, keys of parts not built, duplicates, aliases, wrong types, NaN, binary or
 * empty files, files above 1 MiB are refused. */
MIEN_MUST_USE mien_status recipe_load(recipe **out, const task_def *const *tasks, const char *path,
                                      const char *const *settings, int setting_count);
/* The same from text in memory (fuzzing, embedded recipes); `name` stands for the path in messages. */
MIEN_MUST_USE mien_status recipe_read(recipe **out, const task_def *const *tasks, const char *name, const char *text,
                                      size_t length, const char *const *settings, int setting_count);
void recipe_free(recipe *r); /* NULL is a no-op */
/* As resolved: reading the text again gives the same recipe. */
MIEN_MUST_USE mien_status recipe_print(const recipe *r, str *out);
/* docs/recipe.md, from the key tables of all tasks. */
MIEN_MUST_USE mien_status recipe_reference(str *out, const task_def *const *tasks);
/* The first key in which two recipes differ, into dst as "stage1.lr: VALUE OF B (wanted VALUE OF A)"; false where they
 * are equal. */
bool recipe_difference(const recipe *a, const recipe *b, char *dst, size_t bytes);

#endif
