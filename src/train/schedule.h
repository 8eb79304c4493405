/* The learning rate, step by step. */
#ifndef TRAIN_SCHEDULE_H
#define TRAIN_SCHEDULE_H

#include "train/recipe.h"

/* Rate of step 0..total-1. The warm-up's w steps take lr 1/w, 2/w, ... 1; cosine then goes lr (1 + cos(pi s / t_max)) /
 * 2 with s = 0 at the first step after it (torch's CosineAnnealingLR, stepped every batch; t_max 0: all that is left).
 */
float schedule_lr(const recipe_stage *stage, int64_t step, int64_t total);

#endif
