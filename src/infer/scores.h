/* Kept scores (`eval --scores`): a NumPy array of the probabilities that one model, or several, gave the pictures of a
 * set. [pictures, classes], or [members, pictures, classes]; a picture that could not be read is a row of NaN. */
#ifndef INFER_SCORES_H
#define INFER_SCORES_H

#include "base/file.h"
#include "format/npy.h"

#include <stdbool.h>

/* Is this a score file by its name, which ends in .npy? */
bool scores_is_file(const char *path);

typedef struct {
    int members, classes;
    int64_t pictures;
    npy_array array;
} score_table;

/* Errors: npy_read's; MIEN_ERR_FORMAT for another shape, and for a row that holds no probabilities, which is named
 * (rows count from 0, as NumPy's do). Free with scores_free. */
MIEN_MUST_USE mien_status scores_read(score_table *out, const char *path);
void scores_free(score_table *t); /* and empties it */

/* [classes] of one picture; NULL where it has none. */
const float *scores_row(const score_table *t, int member, int64_t picture);

/* Writes the same: members [member_count] of [pictures, classes]. */
MIEN_MUST_USE mien_status scores_write(file_writer *w, const float *const *members, int member_count, int64_t pictures,
                                       int classes);

#endif
