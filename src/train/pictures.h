/* RUN/pictures.csv: the size and the time of change of every picture when a run was begun, so that a run that goes on
 * notices other pictures under the same names. */
#ifndef TRAIN_PICTURES_H
#define TRAIN_PICTURES_H

#include "train/run_sets.h"

/* Writes it: `set,image,bytes,modified`, of the training pictures and then of those that select. */
MIEN_MUST_USE mien_status pictures_write(const run_sets *sets, const char *run);
bool pictures_are_known(const char *run); /* is the file there? */
/* Holds the pictures, whose names are known to be the same, against it. Another size is MIEN_ERR_ARG; where only times
 * differ (a copy, perhaps) there is one notice. A run without the file, of an older version, passes. data: for
 * messages. */
MIEN_MUST_USE mien_status pictures_compare(const run_sets *sets, const char *run, const char *data);

#endif
