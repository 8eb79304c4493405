/* A recipe: what to train, as a YAML file under one table of keys {name, type, range, default, help}. The same table
 * reads recipes, applies --set, writes recipe.yaml as resolved, and writes docs/recipe.md. */
#ifndef TRAIN_RECIPE_H
#define TRAIN_RECIPE_H

#include "base/status.h"
#include "base/str.h"
#include "graph/op.h"
#include "image/image.h"
#include "image/randaugment.h"

#define RECIPE_MAX_MODELS 16
#define RECIPE_MAX_CLASSES 64

typedef enum { SCHEDULE_CONSTANT, SCHEDULE_COSINE } schedule_kind;
typedef enum { SELECT_LOSS, SELECT_MACRO_F1 } select_kind;
typedef enum { NORMALISE_DATASET, NORMALISE_INIT, NORMALISE_GIVEN } normalise_kind;
typedef enum { BALANCE_NONE, BALANCE_RANDAUGMENT } balance_kind;
typedef enum { STAGE_INIT_STAGE1, STAGE_INIT_PRETRAINED } stage_init;

/* alpha of Beta(alpha, alpha); 0: off */
typedef struct {
    float mixup, cutmix;
} mix_options;

typedef struct {
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
    float label_smoothing;
    float class_weights[RECIPE_MAX_CLASSES]; /* class_weight_count 0: none */
    int class_weight_count;
    bool freeze; /* the extractor; only the head trains */
    select_kind select;
    int patience;    /* epochs without a better score before stopping; 0: never */
    stage_init init; /* stage2: what both copies begin as */
} recipe_stage;

typedef struct {
    char task[16]; /* "lsd" */
    uint64_t seed;
    char classes[RECIPE_MAX_CLASSES][32];
    int class_count;
    int image_size; /* 0: the architecture's own */
    char models[RECIPE_MAX_MODELS][32];
    int model_count;
    char init[RECIPE_MAX_MODELS][1024]; /* by position in models; "" = from scratch */
    struct {
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
    recipe_stage stage1, stage2;
} recipe;

/* The stages in the order they are trained, of each member: "stage1", "stage2". */
enum { RECIPE_STAGES = 2 };
const char *recipe_stage_name(int stage);
const recipe_stage *recipe_stage_at(const recipe *r, int stage);
/* Would more epochs leave the earlier ones as they are? Not where the learning rate falls to the end of the run. */
bool recipe_may_go_on(const recipe_stage *stage);

/* Reads path (NULL: all defaults, task lsd) and applies settings "key.key=value" in order. Errors name file, line (or
 * "--set key"), key, what was found and what is allowed; unknown keys, keys of parts not built, duplicates, aliases,
 * wrong types, NaN, binary or empty files, files above 1 MiB are refused. */
MIEN_MUST_USE mien_status recipe_load(recipe *out, const char *path, const char *const *settings, int setting_count);
/* The same from text in memory (fuzzing, embedded recipes); `name` stands for the path in messages. */
MIEN_MUST_USE mien_status recipe_read(recipe *out, const char *name, const char *text, size_t length,
                                      const char *const *settings, int setting_count);
/* As resolved: reading the text again gives the same recipe. */
MIEN_MUST_USE mien_status recipe_print(const recipe *r, str *out);
/* docs/recipe.md, from the key table. */
MIEN_MUST_USE mien_status recipe_reference(str *out);
/* The first key in which two recipes differ, into dst as "stage1.lr: VALUE OF B (wanted VALUE OF A)"; false where they
 * are equal. */
bool recipe_difference(const recipe *a, const recipe *b, char *dst, size_t bytes);

#endif
