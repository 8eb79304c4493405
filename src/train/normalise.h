/* What pictures are normalised by: mean and standard deviation a channel, of pixels in [0, 1]. */
#ifndef TRAIN_NORMALISE_H
#define TRAIN_NORMALISE_H

#include "base/progress.h"
#include "train/material.h"

/* As data.normalise says, for all members alike. `dataset` reads every training picture once; `init` gives ImageNet's,
 * which an init file of ours may then know better. Errors: dataset_statistics'. */
MIEN_MUST_USE mien_status normalise_of_run(float mean[3], float std[3], const recipe *r, const material *m,
                                           int loader_threads, progress *p);
/* Takes them from a model file of ours; leaves them as they are where the file does not say. */
MIEN_MUST_USE mien_status normalise_of_init(float mean[3], float std[3], const char *path);

#endif
