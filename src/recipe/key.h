/* Rows that say what a recipe's keys are, the types that they are of, and the table of one recipe: which rows fill
 * which fields, in the order in which they are printed. A room exports the rows of the keys that are its own. */
#ifndef RECIPE_KEY_H
#define RECIPE_KEY_H

#include "base/arena.h"
#include "base/str.h"
#include "recipe/yaml.h"

#include <math.h>
#include <stddef.h>
#include <stdint.h>

#define RECIPE_MAX_WORDS 16

typedef struct recipe_key recipe_key;

/* How values of one kind are read into a field and printed from it; the key's row says which field of its struct that
 * is. Texts and lists that a value needs lie in `texts`. */
typedef struct {
    const char *name; /* for the reference: "number" */
    /* entry: what follows the key in a setting ("resnet50" of init.resnet50); NULL where the key itself was meant. */
    mien_status (*read)(void *field, const recipe_key *key, const recipe_value *v, const char *entry, arena *texts);
    mien_status (*print)(const void *field, const recipe_key *key, str *out);
    /* What the key takes: "a number above 0". NULL: the key's words. */
    void (*wanted)(char *dst, size_t bytes, const recipe_key *key, const void *field);
    bool has_entries; /* KEY.NAME is a key too */
} recipe_key_type;

typedef struct {
    double low, high; /* high INFINITY: no bound */
    bool is_low_open, is_high_open;
} recipe_range;
#define RECIPE_AT_LEAST(low)                                                                                           \
    {                                                                                                                  \
        low, INFINITY, false, true                                                                                     \
    }
#define RECIPE_ABOVE(low)                                                                                              \
    {                                                                                                                  \
        low, INFINITY, true, true                                                                                      \
    }
#define RECIPE_FROM_TO(low, high)                                                                                      \
    {                                                                                                                  \
        low, high, false, false                                                                                        \
    }
#define RECIPE_FROM_BELOW(low, high)                                                                                   \
    {                                                                                                                  \
        low, high, false, true                                                                                         \
    }

struct recipe_key {
    const char *name; /* "lr"; in a table "stage1.lr" */
    const recipe_key_type *type;
    size_t offset; /* of its field in the struct that its room fills */
    recipe_range range;
    const char *const *words;       /* NULL-terminated; what is allowed, by enum value */
    const char *const *later_words; /* NULL-terminated; what will be, once it is built */
    const char *fallback;           /* the default, as YAML */
    const char *help;
    const char *after; /* the row of the same prefix that it stands behind; NULL: the one added before it */
};

extern const recipe_key_type recipe_type_bool, recipe_type_int, recipe_type_int64, recipe_type_float,
    recipe_type_double, recipe_type_word, recipe_type_words, recipe_type_classes, recipe_type_weights;

/* What recipe_type_words fills: places among the row's words, each once, at least one. */
typedef struct {
    int index[RECIPE_MAX_WORDS];
    int count;
} recipe_word_list;
/* What recipe_type_classes and recipe_type_weights fill. */
typedef struct {
    const char *const *names; /* [count] lower case, each once, at least two */
    int count;
} recipe_classes;
typedef struct {
    const float *values; /* [count] at least 0, and one of them above */
    int count;
} recipe_weights;

/* For types of other rooms. */
mien_status recipe_fail_wanted(const recipe_key *key, const void *field, const recipe_value *v);
/* Of a word that will be allowed once it is built. */
mien_status recipe_fail_later(const recipe_key *key, const void *field, const recipe_value *v);
bool recipe_text_to_float(float *out, const char *text); /* finite in float; text may be NULL */
/* Text of a scalar that no quotes have made a string of; NULL otherwise. */
const char *recipe_plain_text(const recipe_value *v);
/* The index of text among NULL-terminated words; -1: none of them. */
int recipe_word_index(const char *const *words, const char *text);
MIEN_MUST_USE mien_status recipe_print_float(str *out, float x);
MIEN_MUST_USE mien_status recipe_print_floats(str *out, const float *x, int count);

/* --- a table ------------------------------------------------------------------------------------------------------ */

/* A row and the field that it fills. */
typedef struct {
    const char *name; /* whole: "stage1.lr" */
    const recipe_key *key;
    void *field;
} recipe_entry;

typedef struct {
    arena *texts; /* borrowed: names, and what values need */
    recipe_entry *entries;
    int count, capacity;
    const char *const *later; /* NULL-terminated; keys, or beginnings of keys, of parts that are not built yet */
} recipe_table;

/* Adds rows under a prefix ("stage1.", or ""), whose fields lie in `base`. Groups must stay contiguous. */
MIEN_MUST_USE mien_status recipe_table_add(recipe_table *t, const char *prefix, const recipe_key *keys, int count,
                                           void *base);
/* A row's default becomes another, as YAML, borrowed. MIEN_ERR_INTERNAL where there is no such row: names come of rows
 * too. */
MIEN_MUST_USE mien_status recipe_table_set_default(recipe_table *t, const char *name, const char *fallback);
void recipe_table_free(recipe_table *t);                                        /* and empties it */
const recipe_entry *recipe_table_find(const recipe_table *t, const char *name); /* NULL: no such key */
/* Is it the beginning of keys ("stage1", "stage1.optimizer")? */
bool recipe_table_is_group(const recipe_table *t, const char *name);
bool recipe_table_is_later(const recipe_table *t, const char *name);
/* Names allowed in a group ("" = top), nearest to `name` first, joined for a message. */
void recipe_table_nearest(const recipe_table *t, char *dst, size_t bytes, const char *group, const char *name);
/* What the key takes: "a number above 0", "adam, sgd or adamw". */
void recipe_entry_wanted(char *dst, size_t bytes, const recipe_entry *e);

/* All keys as YAML, in the table's order: reading the text again gives the same values. */
MIEN_MUST_USE mien_status recipe_table_print(const recipe_table *t, str *out);
/* The first key whose value differs, of two tables of the same keys, into dst as "stage1.lr: VALUE OF B (wanted VALUE
 * OF A)"; false where none does. */
bool recipe_table_difference(const recipe_table *a, const recipe_table *b, char *dst, size_t bytes);
/* A section of rows for each group, as Markdown; entries of which `known` (NULL: none) says the same
 * are left out. */
MIEN_MUST_USE mien_status recipe_table_reference(const recipe_table *t, const recipe_table *known, str *out);

#endif
