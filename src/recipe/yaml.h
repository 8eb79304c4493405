/* YAML as recipes may use it: one document of plain mappings, lists and scalars, each of which knows where it stands.
 * Anchors, aliases, tags, deep nesting and further documents are refused before a tree is built. */
#ifndef RECIPE_YAML_H
#define RECIPE_YAML_H

#include "base/status.h"

#include <stdbool.h>
#include <yaml.h>

/* Where a value was given, for messages. */
typedef struct {
    const char *path; /* the recipe file; NULL: a setting */
    int line;         /* 1-based; 0 where it says nothing */
    char key[96];     /* "stage1.lr"; "" at the top */
} recipe_place;

typedef struct {
    yaml_document_t *document;
    yaml_node_t *node;
    recipe_place place;
} recipe_value;

/* Fails with "recipe.yaml: line 4: stage1.lr: MESSAGE", or "--set stage1.lr: MESSAGE". */
mien_status recipe_fail(const recipe_place *place, mien_status code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Parses text; *out's place has the path and key of `at`. On success the caller frees with yaml_document_delete. */
MIEN_MUST_USE mien_status recipe_yaml_parse(yaml_document_t *document, recipe_value *out, const char *text,
                                            size_t length, const recipe_place *at);

bool recipe_value_is_list(const recipe_value *v);
bool recipe_value_is_mapping(const recipe_value *v);
int recipe_value_count(const recipe_value *v); /* entries of a list or mapping, else 0 */
/* Entry of a list; same key, own line. */
recipe_value recipe_value_at(const recipe_value *v, int index);
/* Entry of a mapping: its name, and the value under "KEY.NAME". Errors: a name that is no plain scalar, is empty, has a
 * dot, is too long, or was given before. */
MIEN_MUST_USE mien_status recipe_value_entry(const char **name, recipe_value *out, const recipe_value *v, int index);
/* The value of an entry of a mapping, without a look at the others; false where there is none (of this name). */
bool recipe_value_find(recipe_value *out, const recipe_value *v, const char *name);
/* The text of a scalar; NULL for lists and mappings and for texts with control characters inside. */
const char *recipe_value_text(const recipe_value *v);
bool recipe_value_is_quoted(const recipe_value *v);
/* What was found, short enough for a message: the scalar's text, "a list", "an empty list", "a mapping",
 * "nothing". Returns dst. */
const char *recipe_value_found(char dst[64], const recipe_value *v);

#endif
