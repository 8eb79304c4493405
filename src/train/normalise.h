/* What pictures are normalised by: mean and standard deviation a channel, of pixels in [0, 1]. */
#ifndef TRAIN_NORMALISE_H
#define TRAIN_NORMALISE_H

#include "base/progress.h"
#include "nn/model.h"
#include "train/run_sets.h"

/* As data.normalise says, for all members alike. `dataset` reads every training picture once; `init` gives none (0 and
 * 1), since each member has its own. Errors: dataset_statistics'. */
MIEN_MUST_USE mien_status normalise_of_run(float mean[3], float std[3], const recipe *r, const run_sets *sets,
                                           int loader_threads, progress *p);
/* What a member's first weights expect: what a model file of ours says, else what the architecture's published weights
 * do. f, opened at `path`, NULL: no file. */
MIEN_MUST_USE mien_status normalise_of_init(float mean[3], float std[3], const architecture *arch, const tensor_file *f,
                                            const char *path);

#endif
