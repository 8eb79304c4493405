/* A folder to work in, small sets of pictures, and runs small enough for a test. */
#ifndef TESTS_TRAIN_RUN_KIT_H
#define TESTS_TRAIN_RUN_KIT_H

#include "testing.h"

#include "backend/cpu/cpu.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "train/train.h"

#include <limits.h>

/* SET/anger, SET/fear, each of `count` 32x32 pictures: noise, redder for one and bluer for the other. */
void kit_make_set(const char *set, int count, uint64_t seed);

/* The set of one path, for train_options; lives as long as the block that it is said in. */
#define kit_data(named) ((source_list){&(task_source){.path = (named)}, 1})

/* What a test may change; the rest is EfficientNet-B0 at 32x32, batch 4, 2 epochs, two classes. */
typedef struct {
    const char *data, *out;       /* data NULL: the recipe's */
    const char *settings[12];     /* NULL-terminated, over the tiny recipe */
    const task_def *const *tasks; /* NULL: task_all */
    const char *const *base;      /* NULL-terminated, instead of the tiny recipe; NULL: that */
    bool is_resumed;
    precision_kind precision;
    int threads;             /* 0: 2 */
    int loader_threads;      /* 0: 1 */
    int cancel_after;        /* words of progress that hold cancel_word; 0: never */
    const char *cancel_word; /* NULL: " stage", as words about a member of an lsd run do, and no others */
    size_t feature_limit;
    backend *backend; /* borrowed; NULL: the CPU's, made for the call */
} kit_run;
/* Reads the recipe and trains. */
mien_status kit_train(const kit_run *run);

/* Whole file, NUL-terminated; mem_free. */
char *kit_read(const char *path, size_t *length);
/* Are the files the same bytes? */
void kit_assert_same_file(const char *a, const char *b);
/* Rewrites a checkpoint with `to` in its metadata where `from` stood first. */
void kit_forge(const char *path, const char *from, const char *to);
/* Trains `settings` for two epochs with two loader threads; in the second epoch of `stage`, between `first` pictures
 * and its end, steps must not allocate. */
void kit_assert_steps_allocate_nothing(const char *const *settings, int setting_count, const char *stage,
                                       int64_t first);
/* log.jsonl without what a clock put there; mem_free. */
char *kit_log(const char *run);

#endif
