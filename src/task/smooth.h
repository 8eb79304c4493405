/* Answers to frames of one clip, smoothed over time. A folder is a clip, and the natural order of its files is time. */
#ifndef TASK_SMOOTH_H
#define TASK_SMOOTH_H

#include "base/status.h"

#include <stdbool.h>
#include <stdint.h>

/* Rows clip by clip, in order of time. */
typedef struct {
    uint32_t *row; /* [count] owned, like begin */
    int64_t count;
    int64_t *begin; /* [clips + 1] into row */
    int64_t clips;
} smooth_clips;

/* names [n]: paths; those of one folder are a clip. is_read [n] (NULL: all): frames that could not be read are no part
 * of it, and their neighbours are each other's. Free with smooth_clips_free. */
MIEN_MUST_USE mien_status smooth_clips_create(smooth_clips *out, const char *const *names, const bool *is_read,
                                              int64_t n);
void smooth_clips_free(smooth_clips *c); /* and empties it */

typedef enum {
    SMOOTH_NONE,
    SMOOTH_EXPONENTIAL, /* y_0 = x_0, y_t = (w y_(t-1) + x_t) / (1 + w); for embeddings; it looks back alone */
    SMOOTH_GAUSSIAN,    /* w is the standard deviation in frames; weights beyond 4 w are left out */
    SMOOTH_BOX,         /* the mean of the frames at most w away */
} smooth_kind;

/* "exponential", "gaussian", "box"; NULL of SMOOTH_NONE */
const char *smooth_kind_name(smooth_kind kind);

/* values [n, size] in place. Weights sum to 1 at the ends of a clip too. Errors: MIEN_ERR_ARG for a width that is not
 * finite or below 0. */
MIEN_MUST_USE mien_status smooth_values(float *values, int size, const smooth_clips *clips, smooth_kind kind,
                                        double width);

#endif
