/* Class names and labels as people write them. */
#ifndef DATA_LABEL_H
#define DATA_LABEL_H

#include "format/csv.h"

#include <stdbool.h>

/* Which class a name means, in any case; "angere" and "angrer" are anger, as one release of the challenge spells it.
 * classes: lower-case names in order of the labels. -1: none. */
int label_find(const char *name, const char *const *classes, int class_count);

/* A label written as a number 0..class_count-1 or as a name; false where it is neither. */
bool label_parse(int *out, csv_field field, const char *const *classes, int class_count);

#endif
