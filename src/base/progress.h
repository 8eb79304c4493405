/* Progress of long work, told to a callback; who draws the bar is not this library's business. */
#ifndef BASE_PROGRESS_H
#define BASE_PROGRESS_H

#include "mien.h"

#include <stdint.h>

/* Tells the callback (mien_progress_fn, NULL: nobody) `done` of `total` units of `what`; true means the caller asked to
 * stop (the work returns MIEN_ERR_CANCELLED). Cheap enough for every step: at most 20 calls a second reach the
 * callback. */
typedef struct {
    mien_progress_fn callback;
    void *payload;
    int64_t last_ns;
} progress;
int progress_tell(progress *p, const char *what, int64_t done, int64_t total, const char *note);
int64_t clock_ns(void); /* monotonic */

#endif
