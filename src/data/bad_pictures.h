/* Unreadable pictures among many: which may be left out, and how many. */
#ifndef DATA_BAD_PICTURES_H
#define DATA_BAD_PICTURES_H

#include "data/dataset.h"

/* May training do without a picture that fails so? */
bool bad_pictures_may_be(const picture_source *source, mien_status st);
/* How many of `count` pictures may be unreadable, and the failure where there are more. */
int64_t bad_pictures_allowed(int64_t count, double max_bad_share);
mien_status bad_pictures_too_many(const char *what, int64_t count, double max_bad_share, const char *last_why);

/* Files that pictures of a set should be and that are not there: how many, and "SET: 12 of 3000 pictures are not there:
 * a.jpg, b.jpg, .."; nothing of a source that cannot say before it reads. */
typedef struct {
    int64_t count;
    char text[512];
} bad_pictures_absent;
MIEN_MUST_USE mien_status bad_pictures_find_absent(bad_pictures_absent *out, const picture_source *source,
                                                   const subset *pictures);

#endif
