/* How much each member of a finished run should count, fitted on the held-out pictures. */
#ifndef TRAIN_RUN_ENSEMBLE_H
#define TRAIN_RUN_ENSEMBLE_H

#include "base/status.h"

/* Of a run whose models answer in one class head, where its last finished stages are of two members or more: reads what
 * each said of the pictures that selected it (validation.csv), and writes two ensemble files (format/ensemble_file.h)
 * into the run:
 *   weighted.json  weights of least log loss
 *   greedy.json    members chosen one after another for the mean's macro F1
 * Both say under "held_out" what they, and the plain mean, come to on those pictures, which flatters. Elsewhere it does
 * nothing; where members' files are not of the same pictures it warns, since a run that is trained is one. */
MIEN_MUST_USE mien_status run_ensemble_fit(const char *run);

#endif
