/* What tests of the multi-task task begin with: rows of its files, recipes by their settings, and sets. */
#ifndef TESTS_TASK_MTL_KIT_H
#define TESTS_TASK_MTL_KIT_H

#include "testing.h"

#include "task/mtl_int.h"
#include "train/recipe.h"

#define HEADER "image,valence,arousal,expression,aus\n"
#define NO_VA "-5,-5,"
#define NO_EXPRESSION "-1,"
#define NO_AU "-1,-1,-1,-1,-1,-1,-1,-1,-1,-1,-1,-1\n"
#define ZEROS "0,0,0,0,0,0,0,0,0,0,0,0\n"

/* Task mtl on EfficientNet-B0 at 32 pixels, and these settings, NULL-terminated. */
recipe *mtl_recipe(const char *const *settings);
#define MTL_RECIPE(...) mtl_recipe((const char *const[]){__VA_ARGS__, NULL})

/* A set of these places, for a recipe's heads; NULL: all heads and no recipe, as models are held against it. */
mien_status mtl_try_open(task_set **out, task_set **validation, const task_source *sources, int count, const recipe *r,
                         bool is_training);
/* The same of one path, that opens. */
task_set *mtl_open_one(const char *path, const recipe *r, bool is_training);

#endif
