/* Class names and labels as people write them. */
#ifndef DATA_LABEL_H
#define DATA_LABEL_H

#include "format/csv.h"

/* Which class a name means, in any case; synonyms (angry, happy, sad, ...) mean their class, and so do "angere" and
 * "angrer", as one release of the challenge spells anger; "contempt" is "other" where there is that class and none of
 * its own. classes: lower-case names in order of the labels. -1: none.
 */
int label_find(const char *name, const char *const *classes, int class_count);

typedef enum {
    LABEL_CLASS, /* *out says which */
    LABEL_OTHER, /* a name that is none of the classes */
    LABEL_NONE   /* nothing, or a number that is none of 0..class_count-1 */
} label_kind;

/* A label written as a number (also "3.0") or as a name. */
label_kind label_parse(int *out, csv_field field, const char *const *classes, int class_count);

#endif
