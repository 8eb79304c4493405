/* Reading: file and settings are parsed, sorted into assignments to a table's keys, and applied in the table's order,
 * each key's default before what was given for it; so the order within a file means nothing, and a default is just
 * another value. */
#ifndef RECIPE_READING_H
#define RECIPE_READING_H

#include "recipe/key.h"

typedef struct recipe_reading recipe_reading;

/* Parses `text` (NULL: none; `name` stands for its path in messages) and settings "key.key=value". text and settings
 * are borrowed. Errors name file and line, or "--set key". */
MIEN_MUST_USE mien_status recipe_reading_open(recipe_reading **out, const char *name, const char *text, size_t length,
                                              const char *const *settings, int setting_count);
void recipe_reading_close(recipe_reading *in); /* NULL is a no-op */
/* What is given for a key at the top, as text, before there is a table; NULL: nothing, or no text. */
const char *recipe_reading_text(const recipe_reading *in, const char *key);
/* Fills the table's fields. Errors: an unknown key, one of a part not built, whatever a type refuses. */
MIEN_MUST_USE mien_status recipe_reading_apply(recipe_reading *in, const recipe_table *t);
/* After that: where a key was given last; NULL: nowhere. */
const recipe_place *recipe_reading_place(const recipe_reading *in, const char *name);

#endif
