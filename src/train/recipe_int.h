/* The rows and types of keys that all tasks have, as recipe.c puts them into a table. */
#ifndef TRAIN_RECIPE_INT_H
#define TRAIN_RECIPE_INT_H

#include "train/recipe.h"

/* At the top, fields of `recipe`. The first is `task`, whose words, default and help come of the tasks that there are.
 */
extern const recipe_key recipe_keys[];
extern const int recipe_key_count;
/* Of every stage, fields of `recipe_stage`. The help of `enabled` and the words of `select` are the task's; `init` is a
 * key of a stage that trains a deviation module. */
extern const recipe_key recipe_enabled_key, recipe_init_key, recipe_select_key, recipe_stage_keys[];
extern const int recipe_stage_key_count;

extern const recipe_key_type recipe_type_models, recipe_type_init, recipe_type_sets, recipe_type_normalise;

#endif
