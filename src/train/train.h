/* Training: a recipe over a dataset into a run folder (design: "A run folder holds"). Interrupted at any moment,
 * --resume continues to the same bits. */
#ifndef TRAIN_TRAIN_H
#define TRAIN_TRAIN_H

#include "base/progress.h"
#include "graph/backend.h"
#include "graph/precision.h"
#include "train/recipe.h"

#define TRAIN_FEATURE_LIMIT ((size_t)2 << 30)

typedef struct {
    const recipe *recipe;
    source_list data;       /* none: the recipe's data.sets */
    source_list validation; /* none: the set's `val`, else recipe data.val_share */
    const char *out;        /* run folder */
    bool is_resumed;        /* --resume */
    bool is_strict;         /* --strict */
    precision_kind precision;
    backend *backend;     /* borrowed */
    int loader_threads;   /* 0: automatic */
    progress *progress;   /* may be NULL */
    size_t feature_limit; /* bytes that features of a frozen copy may take (stage 2); 0: TRAIN_FEATURE_LIMIT */
} train_options;

/* Errors as design.md says: a used folder without --resume, another recipe (the first differing key is named), a locked
 * folder, another precision, too many bad pictures, non-finite loss (names step and the batch's files; last.ckpt
 * stays), cancellation (saves, MIEN_ERR_CANCELLED). */
MIEN_MUST_USE mien_status train_run(const train_options *options);

#endif
